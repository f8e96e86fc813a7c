"""The whole online path over HTTP: facade, outbox, worker, gateway, BentoML, and back."""

import io
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from domain.identifiers import DEFAULT_TENANT, PredictionId
from domain.traffic import Role

pytestmark = [pytest.mark.slow, pytest.mark.servers]
Film = Callable[..., bytes]


def send(client: httpx.Client, image: bytes, fields: dict[str, str], *, wait: float = 30) -> httpx.Response:
    files = {"files": ("film", image)}
    return client.post("/api/v1/studies", files=files, data=fields, params={"wait": wait})


def answer(client: httpx.Client, image: bytes, fields: dict[str, str]) -> dict[str, Any]:
    response = send(client, image, fields)
    assert response.status_code == 200, response.text
    prediction: dict[str, Any] = response.json()["predictions"][0]
    return prediction


@pytest.fixture
def policy(platform: Any) -> Any:
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return work.traffic.current("chest")


def test_a_film_is_answered_with_provenance(platform: Any, film: Film, fields: dict[str, str]) -> None:
    with platform.client() as client:
        prediction = answer(client, film(), fields)
        assert client.get(f"/api/v1/predictions/{prediction['prediction_id']}").json() == prediction
    assert prediction["state"] == "done"
    assert prediction["demo"] is False
    assert prediction["decision"] == ("finding present" if prediction["probability"] >= 0.5 else "finding absent")
    assert prediction["provenance"]["git_commit"] == "c" * 40


@pytest.mark.parametrize(("role", "version"), [(Role.CHAMPION, 1), (Role.CHALLENGER, 2)])
def test_patients_are_answered_by_their_version_and_keep_it(
    role: Role, version: int, platform: Any, policy: Any, film: Film, fields: dict[str, str]
) -> None:
    fields["patient_id"] = platform.patient_with(role, policy)
    with platform.client() as client:
        for seed in range(3):
            prediction = answer(client, film(seed), fields)
            assert (prediction["role"], prediction["model_version"]) == (role, f"chest@{version}")


def test_the_shadow_is_recorded_and_never_shown(
    platform: Any, film: Film, fields: dict[str, str], eventually: Any
) -> None:
    with platform.client() as client:
        prediction = answer(client, film(11), fields)
    assert "chest@3" not in json.dumps(prediction)

    def recorded() -> list[str]:
        with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            return [s.model_version for s in work.shadow_scores.of(PredictionId(prediction["prediction_id"]))]

    assert eventually(recorded, what="the shadow score") == ["chest@3"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_heat_map_and_film_are_pictures_of_one_size(
    kind: str, platform: Any, film: Film, fields: dict[str, str]
) -> None:
    with platform.client() as client:
        prediction = answer(client, film(1, kind=kind), fields)
        pictures = [client.get(prediction[name]) for name in ("heatmap", "film")]
    assert {p.headers["content-type"] for p in pictures} == {"image/png"}
    sizes = {Image.open(io.BytesIO(picture.content)).size for picture in pictures}
    assert sizes == {(200, 240)}
    assert pictures[0].content != pictures[1].content


def test_the_trace_names_every_link_and_hashes_what_it_can_reach(
    platform: Any, film: Film, fields: dict[str, str]
) -> None:
    with platform.client() as client:
        trace = client.get(answer(client, film(), fields)["trace"]).json()
    statuses = {link["kind"]: link["status"] for link in trace["links"]}
    assert {kind for kind, status in statuses.items() if status == "verified"} == {
        "prediction", "image", "model_version", "model",
    }  # fmt: skip
    assert {kind for kind, status in statuses.items() if status == "recorded"} == {
        "weights", "report", "run", "dataset_version", "commit",
    }  # fmt: skip


def test_the_trace_shows_an_altered_image(platform: Any, film: Film, fields: dict[str, str]) -> None:
    with platform.client() as client:
        prediction = answer(client, film(77), fields)
        (stored,) = (platform.home / "objects").rglob(prediction["instances"][0]["object_sha256"])
        stored.write_bytes(film(78))
        trace = client.get(prediction["trace"]).json()
        assert {link["status"] for link in trace["links"] if link["kind"] == "image"} == {"altered"}
        assert client.get(prediction["heatmap"]).status_code == 500


def test_a_film_outside_the_intended_use_is_stored_and_not_predicted(
    platform: Any, film: Film, fields: dict[str, str]
) -> None:
    with platform.client() as client:
        response = send(client, film(), {**fields, "modality": "CT", "body_part_examined": "HAND"})
        study = response.json()
        assert client.get(f"/api/v1/studies/{study['study_id']}").status_code == 200
    assert study["predictions"][0]["state"] == "refused"
    assert study["predictions"][0]["reasons"] == [
        "modality is not one of CR, DX", "body_part_examined is not one of CHEST",
    ]  # fmt: skip


def test_a_16_bit_film_is_scored(platform: Any, fields: dict[str, str]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 65535, (300, 200), dtype=np.uint16)).save(buffer, "PNG")
    with platform.client() as client:
        assert answer(client, buffer.getvalue(), fields)["state"] == "done"


def test_an_image_without_contrast_is_a_reason(platform: Any, fields: dict[str, str]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((64, 64), 9, dtype=np.uint8)).save(buffer, "PNG")
    with platform.client() as client:
        prediction = answer(client, buffer.getvalue(), fields)
    assert (prediction["state"], prediction["reasons"]) == ("refused", ["The image has no contrast."])


def test_many_at_once_are_each_answered_once(platform: Any, film: Film, fields: dict[str, str]) -> None:
    answers: list[dict[str, Any]] = []

    def one(seed: int) -> None:
        with platform.client() as client:
            answers.append(answer(client, film(seed), {**fields, "patient_id": f"many-{seed}"}))

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(100, 124)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a["state"] for a in answers] == ["done"] * 24
    assert len({a["prediction_id"] for a in answers}) == 24


def facade_process(platform: Any) -> psutil.Process:
    port = int(platform.url.rsplit(":", 1)[1])
    ours = [c for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port]
    return psutil.Process(ours[0].pid)


def forget_peak(process: psutil.Process) -> int:
    """What the process holds now; from here on its peak is counted anew (proc(5), clear_refs)."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return peak(process)


def peak(process: psutil.Process) -> int:
    """The most memory the process has held, whatever it holds now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def test_an_endless_upload_is_cut_off_with_its_memory_bounded(platform: Any) -> None:
    process = facade_process(platform)
    before = forget_peak(process)
    sent = 0

    def endless() -> Any:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="f"\r\n\r\n'
        while sent < 2**30:
            sent += 2**20
            yield b"\0" * 2**20

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with platform.client() as client:
        try:
            response = client.post("/api/v1/studies", content=endless(), headers=headers)
            assert response.status_code == 413
        except httpx.TransportError:
            pass  # the server may close before we have read its answer
        assert client.get("/healthz").status_code == 200
    assert sent < 200 * 2**20
    assert peak(process) - before < 150 * 2**20


def png_bomb() -> bytes:
    """A PNG of 200 megapixels in a few hundred kilobytes."""
    buffer = io.BytesIO()
    Image.new("L", (20_000, 10_000)).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def test_a_200_megapixel_bomb_is_refused_with_its_memory_bounded(platform: Any, fields: dict[str, str]) -> None:
    bomb = png_bomb()
    process = facade_process(platform)
    before = forget_peak(process)
    with platform.client() as client:
        response = send(client, bomb, fields)
    assert (response.status_code, response.json()["code"]) == (413, "image-too-large")
    assert peak(process) - before < 50 * 2**20


def broken_files(film: bytes) -> dict[str, bytes]:
    """Damaged images of our own, where no corpus is at hand."""
    header = b"\0" * 128 + b"DICM"
    random = np.random.default_rng(0)
    broken = {"preamble": header, "preamble and zeros": header + b"\0" * 4096, "noise": random.bytes(4096)}
    for seed in range(20):
        damaged = bytearray(film)
        for position in random.integers(0, len(damaged), 40):
            damaged[position] = random.integers(0, 256)
        broken[f"damaged {seed}"] = bytes(damaged)
        broken[f"dicom noise {seed}"] = header + random.bytes(512)
        broken[f"cut {seed}"] = film[: len(film) * seed // 20]
    return broken


def corpus(film: bytes) -> dict[str, bytes]:
    folder = os.environ.get("FIDUCIAL_DICOM_CORPUS")
    if not folder:
        return broken_files(film)
    files = sorted(
        path for path in Path(folder).rglob("*") if path.is_file() and path.suffix not in {".md", ".csv", ".json"}
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_broken_files_neither_crash_nor_hang_nor_confuse_the_facade(
    platform: Any, film: Film, fields: dict[str, str]
) -> None:
    pid = facade_process(platform).pid
    wrong: dict[str, Any] = {}
    with platform.client() as client:
        for name, data in corpus(film()).items():
            response = client.post("/api/v1/studies", files={"files": ("f", data)}, data=fields, timeout=20)
            told = response.headers["content-type"] == "application/problem+json"
            if response.status_code not in (200, 202) and not (400 <= response.status_code < 500 and told):
                wrong[name] = (response.status_code, response.text[:200])
        after = answer(client, film(555), fields)
    assert wrong == {}
    assert after["state"] == "done"
    assert facade_process(platform).pid == pid


def test_the_same_path_works_on_postgresql(
    bentos: dict[int, Any], new_platform: Callable[..., Any], new_postgresql_url: str, film: Film,
    fields: dict[str, str],
) -> None:  # fmt: skip
    platform = new_platform(FIDUCIAL_DATABASE_URL=new_postgresql_url)
    platform.promote(bentos, champion=1, shadow=2)
    platform.start()
    platform.wait_ready()
    platform.wait_served(1, 2)
    with platform.client() as client:
        prediction = answer(client, film(), fields)
        assert client.get(prediction["heatmap"]).status_code == 200
        assert client.get(prediction["trace"]).status_code == 200
    assert prediction["model_version"] == "chest@1"
    assert not (platform.home / "platform.db").exists()


def test_the_log_names_no_patient(platform: Any, film: Film, fields: dict[str, str]) -> None:
    with platform.client() as client:
        answer(client, film(901), {**fields, "patient_id": "Zwiebelfisch-99"})
        client.get("/api/v1/studies/Zwiebelfisch-99")
    assert "Zwiebelfisch" not in platform.log.read_text()
    figures = httpx.get(f"{platform.url}/metrics").text + httpx.get(f"{platform.gateway_url}/metrics").text
    assert "Zwiebelfisch" not in figures


def test_the_audit_trail_is_whole(platform: Any) -> None:
    with platform.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.audit.verify() > 50
