"""Full DICOM upload at the enhanced level, over HTTP: compressed, inverted, 16 bits, and outside the intended use."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.servers]
Write = Callable[..., bytes]
ROWS, COLUMNS = np.mgrid[0:300, 0:200]
FILM = (20_000 + 12_000 * np.sin(COLUMNS / 31) + 9_000 * np.cos(ROWS / 47)).astype(np.uint16)


@pytest.fixture(scope="module")
def client(bentos: dict[int, Any], new_platforms: Callable[..., Any]) -> Iterator[httpx.Client]:
    """Signed in with a token at a platform of the enhanced level."""
    platform = new_platforms(FIDUCIAL_LEVEL="enhanced")
    platform.promote(bentos, champion=1)
    platform.start()
    platform.wait_ready()
    platform.wait_served(1)
    credentials = {"username": "clinician", "password": platform.secrets.password("clinician")}
    with httpx.Client(base_url=platform.url, timeout=70, trust_env=False) as client:
        token = client.post("/api/v1/token", data=credentials).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def study_of(client: httpx.Client, image: bytes, fields: dict[str, str] | None = None) -> dict[str, Any]:
    response = client.post(
        "/api/v1/studies", files={"files": ("f", image)}, data=fields or {}, params={"wait": 30}
    )  # fmt: skip
    assert response.status_code == 200, response.text
    study: dict[str, Any] = response.json()
    return study


def test_a_compressed_inverted_16_bit_film_is_answered_as_the_plain_one(
    client: httpx.Client, dicom: Write, compressed_dicom: Write
) -> None:
    inverted = {"PhotometricInterpretation": "MONOCHROME1", "StudyInstanceUID": "1.2.10", "SOPInstanceUID": "1.2.10.1"}
    (plain,) = study_of(client, dicom(FILM))["predictions"]
    (packed,) = study_of(client, compressed_dicom(65535 - FILM, **inverted))["predictions"]
    assert (plain["state"], packed["state"]) == ("done", "done")
    assert packed["probability"] == plain["probability"]
    heat_map = client.get(packed["heatmap"])
    assert Image.open(io.BytesIO(heat_map.content)).size == (200, 300)
    links = client.get(packed["trace"]).json()["links"]
    assert {link["status"] for link in links if link["kind"] == "image"} == {"verified"}


def test_a_header_outside_the_intended_use_is_stored_and_refused_with_reasons(
    client: httpx.Client, compressed_dicom: Write, fields: dict[str, str]
) -> None:
    wrong = {"Modality": "CT", "PatientAge": "040Y", "StudyInstanceUID": "1.2.11", "SOPInstanceUID": "1.2.11.1"}
    study = study_of(client, compressed_dicom(FILM, **wrong), fields)
    assert client.get(f"/api/v1/studies/{study['study_id']}").json() == study
    assert (study["instances"][0]["attributes_from"], study["instances"][0]["attributes"]["modality"]) == (
        "dicom",
        "CT",
    )
    (prediction,) = study["predictions"]
    assert prediction["state"] == "refused"
    assert prediction["reasons"] == ["modality is not one of CR, DX", "age_years is above 18"]


def test_an_object_in_colour_is_stored_and_refused_with_the_reason(client: httpx.Client, dicom: Write) -> None:
    colour = {
        "Rows": 60, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0,
        "StudyInstanceUID": "1.2.12", "SOPInstanceUID": "1.2.12.1",
    }  # fmt: skip
    (prediction,) = study_of(client, dicom(np.zeros((180, 64), np.uint8), **colour))["predictions"]
    assert (prediction["state"], prediction["reasons"]) == ("refused", ["The object is not greyscale (RGB)."])


def test_another_image_under_a_stored_uid_is_a_conflict(client: httpx.Client, dicom: Write) -> None:
    uids = {"StudyInstanceUID": "1.2.13", "SOPInstanceUID": "1.2.13.1"}
    study_of(client, dicom(FILM, **uids))
    refused = client.post("/api/v1/studies", files={"files": ("f", dicom(FILM + 1, **uids))})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_a_16_bit_png_is_answered(client: httpx.Client, fields: dict[str, str]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(FILM).save(buffer, "PNG")
    (prediction,) = study_of(client, buffer.getvalue(), fields)["predictions"]
    assert prediction["state"] == "done"
