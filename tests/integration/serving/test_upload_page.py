"""The upload page in a real browser: sign in, send, see the answer, switch the heat map, walk it back."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = [pytest.mark.slow, pytest.mark.servers]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
SCREENSHOTS = os.environ.get("FIDUCIAL_SCREENSHOTS")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        yield browser
        browser.close()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, platform: Any) -> Iterator[Page]:
    context = browser.new_context(viewport=request.param)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "Content Security Policy" in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((platform.url, "blob:")) else said.append(r.url))
    page.goto(platform.url)
    yield page
    context.close()
    assert said == []


def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        width = (page.viewport_size or DESKTOP)["width"]
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}.png", full_page=True)


def sign_in(page: Page, platform: Any) -> None:
    page.get_by_label("Password").fill(platform.secrets.password("clinician"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Send a film")).to_be_visible()


def choose(page: Page, image: bytes, *, name: str = "film.png", **fields: str) -> None:
    page.set_input_files("#files", {"name": name, "mimeType": "application/octet-stream", "buffer": image})
    for field, value in fields.items():
        control = page.locator(f"[name={field}]")
        if control.evaluate("element => element.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_film_is_sent_answered_and_walked_back(page: Page, platform: Any, film: Any, fields: dict[str, str]) -> None:
    picture(page, "sign-in")
    sign_in(page, platform)
    picture(page, "empty")
    choose(page, film(5, rows=480, columns=400), **fields)
    page.get_by_role("button", name="Send").click()

    expect(page.get_by_role("heading", name=re.compile("Pneumonia: (present|absent)"))).to_be_visible(timeout=30_000)
    expect(page.locator(".probability")).to_have_text(re.compile(r"^[01]\.\d{3}$"))
    expect(page.locator(".threshold")).to_have_text("0.500")
    expect(page.locator(".demo-banner")).to_be_hidden()

    image = page.locator("figure img")
    with_map = image.get_attribute("src")
    page.get_by_label("Show the heat map").uncheck()
    assert image.get_attribute("src") != with_map
    assert image.evaluate("async element => (await element.decode(), element.naturalWidth)") == 400
    page.get_by_label("Show the heat map").check()
    picture(page, "answer")

    page.get_by_text("Where does this number come from?").click()
    expect(page.locator(".trace li.verified")).to_have_count(4)
    expect(page.locator(".trace")).to_contain_text("c" * 40)
    assert fits(page)
    picture(page, "trace")


def test_reasons_are_told_where_there_is_no_answer(page: Page, platform: Any, film: Any) -> None:
    sign_in(page, platform)
    choose(page, film(6), patient_id="P-9", modality="CT")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="Not predicted")).to_be_visible(timeout=30_000)
    expect(page.locator(".reasons")).to_contain_text("modality is not one of CR, DX")
    expect(page.locator(".reasons")).to_contain_text("view position is not stated")
    assert fits(page)
    picture(page, "refused")


def test_a_bad_file_is_told_with_its_next_step(page: Page, platform: Any) -> None:
    sign_in(page, platform)
    choose(page, b"hello", name="notes.txt", patient_id="P-9")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#problem")).to_contain_text("unsupported-format")
    expect(page.locator("#problem")).to_contain_text("The bytes are neither PNG, JPEG nor DICOM.")
    assert fits(page)
    picture(page, "problem")


def test_a_wrong_password_is_told_on_the_page(page: Page) -> None:
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#sign-in-problem")).to_contain_text("Name or password is wrong.")
    picture(page, "wrong-password")


def test_the_interactive_documentation_works_offline(page: Page, platform: Any) -> None:
    page.goto(f"{platform.url}/docs")
    expect(page.get_by_text("/api/v1/predictions/{prediction_id}/heatmap")).to_be_visible(timeout=20_000)
    page.locator(".opblock-summary", has_text="/api/v1/predictions/{prediction_id}").first.click()
    expect(page.locator(".opblock-body").first).to_contain_text('"model_version": "chest_xray_pneumonia@3"')
    expect(page.locator(".opblock-body").first).to_contain_text("application/problem+json")
    picture(page, "docs")
