"""The facade's rules, through its own application: who may, what is taken, how it says no."""

import contextlib
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from domain.audit import AuditAction
from domain.identifiers import DEFAULT_TENANT, StudyId
from domain.level import LevelName
from infra.db.session import Database
from serving.api.deps import UPLOADS_AT_ONCE

FIELDS = {
    "patient_id": "Doe-X4711", "modality": "dx", "body_part_examined": "chest", "view_position": "PA", "age_years": "4",
}  # fmt: skip
CLINICIAN = ("clinician", "pw clinician")
MAX_UPLOAD = 300_000  # as in conftest.py
Client = Any
Build = Callable[[LevelName], Any]


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def send(client: Client, *images: bytes, fields: dict[str, str] | None = None, **options: Any) -> Any:
    files = [("files", ("film", image)) for image in images]
    return client.post("/api/v1/studies", files=files, data=FIELDS if fields is None else fields, **options)


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    document: dict[str, Any] = response.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"].endswith(code)
    assert document["title"]
    assert document["detail"]
    return document


def nothing_is_stored(database: Database) -> bool:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return work.studies.latest(1) == ()


def test_a_study_is_accepted_with_its_address(client: Client, film: Any) -> None:
    response = send(client, film())
    assert response.status_code == 202
    study = response.json()
    assert response.headers["location"] == f"/api/v1/studies/{study['study_id']}"
    assert [p["state"] for p in study["predictions"]] == ["pending"]
    assert client.get(response.headers["location"]).json() == study


def test_declared_words_are_read_whatever_their_case(client: Client, film: Any) -> None:
    attributes = send(client, film()).json()["instances"][0]["attributes"]
    assert (attributes["modality"], attributes["body_part_examined"]) == ("DX", "CHEST")


def test_what_was_left_empty_is_not_stated(client: Client, film: Any) -> None:
    attributes = send(client, film(), fields={**FIELDS, "view_position": " ", "sex": ""}).json()["instances"][0][
        "attributes"
    ]
    assert (attributes["view_position"], attributes["sex"]) == (None, None)


def test_waiting_ends_when_the_time_is_over(client: Client, film: Any) -> None:
    assert send(client, film(), params={"wait": "0.2"}).status_code == 202


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_images_are_taken_in_one_channel_and_in_three(kind: str, channels: int, client: Client) -> None:
    grey = np.random.default_rng(1).integers(0, 255, (64, 64), dtype=np.uint8)
    pixels = grey if channels == 1 else np.repeat(grey[..., np.newaxis], 3, axis=2)
    assert send(client, encoded(pixels, kind)).status_code == 202


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_in_colour_is_refused(kind: str, client: Client, database: Database) -> None:
    colour = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    problem(send(client, encoded(colour, kind)), 422, "unsupported-image-kind")
    assert nothing_is_stored(database)


def test_a_16_bit_film_is_taken(client: Client) -> None:
    pixels = np.random.default_rng(1).integers(0, 65535, (64, 64), dtype=np.uint16)
    assert send(client, encoded(pixels)).status_code == 202


BAD_IMAGES = {
    "text": (b"not an image at all, but long enough to look at", 415, "unsupported-format"),
    "no bytes": (b"", 400, "empty-body"),
    "one pixel": (encoded(np.zeros((1, 1), dtype=np.uint8)), 422, "image-too-small"),
    "truncated png": (encoded(np.arange(4096, dtype=np.uint8).reshape(64, 64))[:-40], 422, "unreadable-image"),
    "truncated jpeg": (encoded(np.zeros((64, 64), dtype=np.uint8), "JPEG")[:200], 422, "unreadable-image"),
    "png bomb": (encoded(np.zeros((2000, 1500), dtype=np.uint8)), 413, "image-too-large"),
    "png magic only": (b"\x89PNG\r\n\x1a\n", 422, "unreadable-image"),
    "dicom preamble only": (b"\0" * 128 + b"DICM", 422, "unreadable-image"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_a_problem_and_stores_nothing(name: str, client: Client, database: Database) -> None:
    data, status, code = BAD_IMAGES[name]
    problem(send(client, data), status, code)
    assert nothing_is_stored(database)


def test_a_request_without_a_body_is_a_problem(client: Client) -> None:
    problem(client.post("/api/v1/studies"), 400, "empty-body")


@pytest.mark.parametrize("content_type", ["application/json", "image/png", "application/dicom", ""])
def test_another_content_type_is_a_problem(content_type: str, client: Client) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    problem(client.post("/api/v1/studies", content=b"{}", headers=headers), 415, "wrong-content-type")


def test_a_broken_multipart_body_is_a_problem(client: Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    problem(client.post("/api/v1/studies", content=b"--y\r\nbroken", headers=headers), 400, "bad-input")


def test_a_form_without_files_names_the_field(client: Client) -> None:
    response = client.post("/api/v1/studies", files={"other": b"x"}, data=FIELDS)
    assert problem(response, 422, "invalid-field")["errors"][0]["field"] == "body.files"


@pytest.mark.parametrize(
    ("field", "value"),
    [("age_years", "abc"), ("age_years", "-1"), ("age_years", "nan"), ("sex", "x"), ("patient_id", "p" * 65),
     ("modality", "m" * 17)],
)  # fmt: skip
def test_an_invalid_field_is_named_and_its_value_is_not_repeated(
    field: str, value: str, client: Client, film: Any, database: Database
) -> None:
    response = send(client, film(), fields={**FIELDS, field: value})
    assert problem(response, 422, "invalid-field")["errors"][0]["field"] == f"body.{field}"
    assert f'"{value}"' not in response.text
    assert nothing_is_stored(database)


def test_an_upload_of_stated_size_beyond_the_limit_is_refused_unread(client: Client) -> None:
    problem(send(client, b"\0" * (MAX_UPLOAD + 70_000)), 413, "image-too-large")


def test_an_upload_of_unstated_size_is_read_no_further_than_the_limit(client: Client) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="f"\r\n\r\n'
        while read < 50 * MAX_UPLOAD:
            read += 65536
            yield b"\0" * 65536

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    problem(client.post("/api/v1/studies", content=endless(), headers=headers), 413, "image-too-large")
    assert read < 2 * MAX_UPLOAD


@pytest.mark.parametrize(
    ("path", "code"),
    [("/api/v1/studies/st_none", "unknown-study"), ("/api/v1/predictions/pr_none", "unknown-prediction"),
     ("/api/v1/predictions/pr_none/heatmap", "unknown-prediction"),
     ("/api/v1/predictions/pr_none/trace", "unknown-prediction"), ("/api/v1/nothing", "not-found"),
     ("/nothing", "not-found"), ("/page/..%2fapp.py", "not-found"), ("/page/app.py", "not-found")],
)  # fmt: skip
def test_what_does_not_exist_is_a_problem(path: str, code: str, client: Client) -> None:
    problem(client.get(path), 404, code)


def test_another_method_is_a_problem(client: Client) -> None:
    response = client.request("PUT", "/api/v1/studies")
    problem(response, 405, "method-not-allowed")
    assert "POST" in response.headers["allow"]


def test_a_pending_prediction_has_neither_heat_map_nor_trace(client: Client, film: Any) -> None:
    prediction = send(client, film()).json()["predictions"][0]["prediction_id"]
    problem(client.get(f"/api/v1/predictions/{prediction}/heatmap"), 404, "no-explanation")
    problem(client.get(f"/api/v1/predictions/{prediction}/trace"), 404, "not-found")


PROTECTED = [
    ("POST", "/api/v1/studies"), ("GET", "/api/v1/studies/st_1"), ("GET", "/api/v1/predictions/pr_1"),
    ("GET", "/api/v1/predictions/pr_1/heatmap"), ("GET", "/api/v1/predictions/pr_1/film"),
    ("GET", "/api/v1/predictions/pr_1/trace"), ("GET", "/api/v1/worklist"), ("GET", "/api/v1/me"),
    ("GET", "/api/v1/studies/st_1/history"), ("GET", "/api/v1/tasks/ta_1/history"),
    ("GET", "/api/v1/tasks/ta_1/traffic"), ("PUT", "/api/v1/tasks/ta_1/traffic"),
    ("GET", "/api/v1/tasks/ta_1/traffic/history"), ("GET", "/api/v1/tasks/ta_1/experiment"),
    ("GET", "/api/v1/studies/st_1/reviews"), ("POST", "/api/v1/studies/st_1/reviews"),
]  # fmt: skip
OPEN = {"/api/v1/about", "/api/v1/token", "/healthz", "/readyz", "/metrics"}


@pytest.mark.parametrize("auth", [None, ("clinician", "wrong"), ("nobody", "pw clinician")])
def test_nobody_gets_in_without_the_right_password(auth: tuple[str, str] | None, build: Build) -> None:
    for method, path in PROTECTED:
        response = build(LevelName.STARTER).request(method, path, auth=auth)  # anew: attempts are counted
        problem(response, 401, "not-authenticated")
        assert response.headers["www-authenticate"].startswith("Basic ")


def test_every_address_is_either_protected_or_open_on_purpose(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    protected = {re.sub(r"(st|pr|ta)_1", "{}", path) for _, path in PROTECTED}
    assert {re.sub(r"{\w+}", "{}", path) for path in paths} == protected | OPEN


def test_an_unauthenticated_upload_is_refused_before_its_body_is_parsed(build: Build, database: Database) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = build(LevelName.STARTER).post("/api/v1/studies", content=b"broken", headers=headers)
    problem(response, 401, "not-authenticated")


def test_the_engineer_may_read_traces_but_no_study(client: Client, film: Any) -> None:
    study = send(client, film()).json()
    client.auth = ("engineer", "pw engineer")
    problem(client.get(f"/api/v1/studies/{study['study_id']}"), 403, "not-permitted")
    problem(send(client, film()), 403, "not-permitted")
    problem(client.get(f"/api/v1/predictions/{study['predictions'][0]['prediction_id']}/trace"), 404, "not-found")


def test_a_foreign_page_cannot_use_remembered_credentials(client: Client, film: Any) -> None:
    problem(send(client, film(), headers={"Sec-Fetch-Site": "cross-site"}), 403, "not-permitted")
    assert send(client, film(), headers={"Sec-Fetch-Site": "same-origin"}).status_code == 202


def test_our_own_page_gets_no_browser_dialogue(build: Build) -> None:
    headers = {"X-Requested-With": "fiducial-page"}
    response = build(LevelName.STARTER).get("/api/v1/me", headers=headers)
    assert not response.headers["www-authenticate"].lower().startswith("basic")


def test_reading_leaves_an_audit_event(client: Client, film: Any, database: Database) -> None:
    study_id = send(client, film()).json()["study_id"]
    client.get(f"/api/v1/studies/{study_id}")
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        events = work.audit.of(study_id)
    assert [(e.action, e.agent) for e in events] == [
        (AuditAction.STUDY_RECEIVED, "clinician"), (AuditAction.STUDY_READ, "clinician"),
    ]  # fmt: skip


def test_starter_has_no_worklist_and_no_tokens(client: Client) -> None:
    problem(client.get("/api/v1/worklist"), 403, "forbidden-by-level")
    credentials = {"username": "clinician", "password": "pw clinician"}
    problem(client.post("/api/v1/token", data=credentials), 403, "forbidden-by-level")


def bearer(client: Client) -> dict[str, str]:
    token = client.post("/api/v1/token", data={"username": "clinician", "password": "pw clinician"}).json()
    assert token["token_type"] == "bearer"
    return {"Authorization": f"Bearer {token['access_token']}"}


def test_enhanced_signs_in_with_tokens_only(enhanced: Client) -> None:
    response = enhanced.get("/api/v1/me", auth=CLINICIAN)
    problem(response, 401, "not-authenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert enhanced.get("/api/v1/me", headers=bearer(enhanced)).json() == {"name": "clinician", "role": "clinician"}


def test_enhanced_gives_no_token_for_a_wrong_password(enhanced: Client) -> None:
    wrong = {"username": "clinician", "password": "wrong"}
    problem(enhanced.post("/api/v1/token", data=wrong), 401, "not-authenticated")


def test_the_worklist_is_read_page_by_page_newest_first(enhanced: Client, film: Any) -> None:
    headers = bearer(enhanced)
    sent = [send(enhanced, film(number), headers=headers).json()["study_id"] for number in range(5)]
    seen: list[StudyId] = []
    address: str | None = "/api/v1/worklist?limit=2"
    while address:
        page = enhanced.get(address, headers=headers).json()
        seen += [study["study_id"] for study in page["studies"]]
        address = page["next"]
    assert seen == sent[::-1]


def test_figures_carry_no_identifier(client: Client, film: Any) -> None:
    study_id = send(client, film()).json()["study_id"]
    client.get(f"/api/v1/studies/{study_id}")
    client.get("/api/v1/studies/X4711-Doe")
    client.get("/Doe-X4711")
    figures = client.get("/metrics").text
    assert 'route="/api/v1/studies/{study_id}"' in figures
    assert "fiducial_predictions_waiting 1.0" in figures
    assert not re.search(r"X4711|Doe|st_[0-9a-f]{8}", figures)


@pytest.mark.parametrize("path", ["/", "/api/v1/about", "/nothing", "/api/v1/me", "/docs"])
def test_every_answer_carries_the_security_headers(path: str, client: Client) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "'unsafe-eval'" not in headers["content-security-policy"]


def test_the_pages_own_policy_allows_nothing_inline(client: Client) -> None:
    assert "unsafe-inline" not in client.get("/").headers["content-security-policy"]


def test_the_pages_name_no_other_host_and_run_nothing_inline(client: Client) -> None:
    for path in ("/", "/docs"):
        html = client.get(path).text
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", html)
        assert "<script>" not in html
        assert " style=" not in html
        for asset in re.findall(r'(?:src|href)="(/page/[^"]+)"', html):
            assert client.get(asset).status_code == 200


def test_openapi_has_examples_and_both_ways_to_sign_in(client: Client) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"basic", "bearer"}
    assert "examples" in json.dumps(document["components"]["schemas"]["DoneView"])
    assert "/api/v1/predictions/{prediction_id}/trace" in document["paths"]


def test_it_lives_and_is_ready_and_says_what_it_is(client: Client) -> None:
    assert (client.get("/healthz").text, client.get("/readyz").text) == ("ok\n", "ready\n")
    about = client.get("/api/v1/about").json()
    assert (about["level"], about["authentication"], about["version"]) == ("starter", "basic", "1.2.3")


def test_more_uploads_than_memory_is_meant_for_are_told_to_come_back(client: Client, film: Any) -> None:
    with contextlib.ExitStack() as slots:
        for _ in range(UPLOADS_AT_ONCE):
            slots.enter_context(client.facade.upload_slot())
        response = send(client, film())
        problem(response, 503, "overloaded")
        assert response.headers["retry-after"] == "5"
        assert client.get("/healthz").status_code == 200
    assert send(client, film()).status_code == 202
