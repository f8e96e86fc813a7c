"""Abstention over HTTP, from the service to the page: the reason is told, and a probability is not."""

import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from domain.audit import AuditAction
from domain.identifiers import DEFAULT_TENANT, PredictionId
from domain.prediction import ImageScore
from models.inference import Classifier
from models.uncertainty import UNCERTAINTY_FILE

pytestmark = [pytest.mark.slow, pytest.mark.servers]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SCREENSHOTS = os.environ.get("FIDUCIAL_SCREENSHOTS")
REASON = re.compile(r"The film is unlike those the model was developed on \(distance [\d.]+, limit [\d.]+\)\.")


def dark() -> np.ndarray:
    """Nearly black with one bright corner: a mean grey that no film of the tests has."""
    pixels = np.random.default_rng(0).integers(0, 8, (240, 200), dtype=np.uint8)
    pixels[:20, :20] = 255
    return pixels


@pytest.fixture(scope="module")
def unlike() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(dark()).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def served(judging: Any, new_platforms: Callable[..., Any]) -> Any:
    """A running platform whose champion abstains."""
    platform = new_platforms()
    platform.promote({1: judging}, champion=1)
    platform.start()
    platform.wait_ready()
    platform.wait_served(1)
    return platform


def send(platform: Any, fields: dict[str, str], *images: bytes) -> dict[str, Any]:
    prediction: dict[str, Any] = send_study(platform, fields, *images)["predictions"][0]
    return prediction


def send_study(platform: Any, fields: dict[str, str], *images: bytes) -> dict[str, Any]:
    files = [("files", ("film", image)) for image in images]
    with platform.client() as client:
        response = client.post("/api/v1/studies", files=files, data=fields, params={"wait": 30})
    assert response.status_code == 200, response.text
    study: dict[str, Any] = response.json()
    return study


def test_the_service_itself_says_why_it_abstains(served: Any, judging: Any) -> None:
    body = io.BytesIO()
    np.save(body, dark())
    answer = httpx.post(f"{served.address(1)}/predict", content=body.getvalue(), trust_env=False)
    score = ImageScore.model_validate_json(answer.content)
    assert score.abstained is not None
    assert REASON.fullmatch(score.abstained)
    assert score.distance is not None
    assert score.distance > judging.manifest.out_of_distribution.limit
    alone = Classifier.load(judging.bento / "src" / "model").score([dark()])[0]
    assert (alone.probability, alone.abstained) == (pytest.approx(score.probability), None)


def test_a_film_like_the_others_is_answered_with_its_prediction_set(
    served: Any, film: Any, fields: dict[str, str]
) -> None:
    prediction = send(served, fields, film(3))
    assert (prediction["state"], prediction["coverage"]) == ("done", 0.9)
    assert set(prediction["prediction_set"]) <= {"present", "absent"}


def test_an_unlike_film_is_abstained_from_once_and_its_probability_told_nowhere(
    served: Any, unlike: bytes, fields: dict[str, str]
) -> None:
    prediction = send(served, fields, unlike)
    assert prediction["state"] == "abstained"
    assert REASON.fullmatch(prediction["reasons"][0])
    with served.client() as client:
        told = [client.get(f"/api/v1/{path}").text for path in (
            f"predictions/{prediction['prediction_id']}", f"studies/{prediction['study_id']}",
            f"studies/{prediction['study_id']}/history", f"predictions/{prediction['prediction_id']}/trace",
        )]  # fmt: skip
    assert '"probability"' not in json.dumps(prediction) + "".join(told)
    with served.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        state = work.predictions.get(PredictionId(prediction["prediction_id"])).state
        (event,) = (e for e in work.audit.of(prediction["prediction_id"]) if e.agent == "worker")
    assert '"probability"' not in state.model_dump_json()
    assert event.action is AuditAction.PREDICTION_ABSTAINED


def test_one_unlike_film_makes_the_study_abstained_and_is_named(
    served: Any, film: Any, unlike: bytes, fields: dict[str, str]
) -> None:
    prediction = send(served, fields, film(3), unlike)
    assert prediction["state"] == "abstained"
    (reason,) = prediction["reasons"]
    assert reason.startswith("instance 2: The film is unlike")


def test_a_version_whose_parameters_were_altered_gets_no_traffic(
    judging: Any, new_platform: Callable[..., Any], tmp_path: Path, eventually: Any
) -> None:
    bento = tmp_path / "altered"
    shutil.copytree(judging.bento, bento)
    path = bento / "src" / "model" / UNCERTAINTY_FILE
    content = bytearray(path.read_bytes())
    content[-200] ^= 1
    path.write_bytes(bytes(content))
    platform = new_platform()
    platform.promote({1: type(judging)(judging.manifest, bento)}, champion=1)
    platform.start("services")
    said = "is not the one that the model version's record names"
    eventually(lambda: said in _everything(platform.home), what="the refusal to load")
    assert platform.served() == set()


def _everything(home: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in home.rglob("*.log"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        yield browser
        browser.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, served: Any) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(served.url)
    page.get_by_label("Password").fill(served.secrets.password("clinician"))
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()
    assert errors == []


def choose(page: Page, image: bytes, fields: dict[str, str]) -> None:
    page.set_input_files("#files", {"name": "film.png", "mimeType": "image/png", "buffer": image})
    for name, value in fields.items():
        control = page.locator(f"[name={name}]")
        if control.evaluate("element => element.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)
    page.get_by_role("button", name="Send").click()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        width = (page.viewport_size or DESKTOP)["width"]
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}.png", full_page=True)


def test_the_page_says_no_answer_and_why_and_shows_no_number_of_it(
    page: Page, unlike: bytes, fields: dict[str, str]
) -> None:
    choose(page, unlike, fields)
    expect(page.get_by_role("heading", name="Pneumonia: no answer")).to_be_visible(timeout=30_000)
    expect(page.locator(".reasons")).to_contain_text(REASON)
    for hidden in (".scale", ".probability", "figure", ".performance", ".possible"):
        expect(page.locator(f".answer {hidden}").first).to_be_hidden()
    expect(page.locator(".probability")).to_have_text("")
    page.get_by_text("Who abstained, and on what evidence?").click()
    expect(page.locator(".trace li.verified")).to_have_count(4)
    assert fits(page)
    picture(page, "abstained")


def test_the_page_says_in_words_what_a_probability_leaves_possible(
    page: Page, film: Any, fields: dict[str, str]
) -> None:
    choose(page, film(3), fields)
    possible = page.locator(".possible dd")
    expect(possible).to_be_visible(timeout=30_000)
    expect(possible).to_have_text(
        re.compile(
            r"(present|absent) only, at 90 %|present or absent: the model cannot tell at 90 %|neither: .* at 90 %"
        )
    )
    expect(page.locator(".possible .hint")).to_contain_text("at least 90 %")
    assert fits(page)
    picture(page, "prediction-set")


@pytest.mark.parametrize(
    ("possible", "decision", "words"),
    [
        (["present"], "finding present", "present only, at 90 %"),
        (["absent"], "finding present", "absent only, at 90 %"),
        (["present", "absent"], "finding absent", "present or absent: the model cannot tell at 90 %"),
        ([], "finding absent", "neither: the film fits neither kind at 90 %"),
    ],
)
def test_every_prediction_set_has_its_words(
    page: Page, served: Any, film: Any, fields: dict[str, str], possible: list[str], decision: str, words: str
) -> None:
    study = send_study(served, fields, film(3))
    study["predictions"][0] |= {"prediction_set": possible, "decision": decision}
    page.route("**/api/v1/studies", lambda route: route.fulfill(json=study))
    choose(page, film(3), fields)
    expect(page.locator(".possible dd")).to_have_text(words, timeout=30_000)
    differs = possible == ["absent"]
    if not possible:
        expect(page.locator(".possible .hint")).to_contain_text("be wary of the call")
    text = page.locator(".possible .hint").inner_text()
    assert ("it follows the threshold" in text) is differs
    picture(page, f"set-{'-'.join(possible) or 'neither'}")
