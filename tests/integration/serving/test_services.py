"""Bentos as processes: alone in an empty folder, batched, refused when altered, started again when they end."""

import asyncio
import io
import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from domain.prediction import ImageScore
from infra.environment import NO_TELEMETRY
from serving.services.application import MAX_INSIDE

pytestmark = [pytest.mark.slow, pytest.mark.servers]
FOREIGN = Path(sys.executable).parent


def npy(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, pixels)
    return buffer.getvalue()


def films(count: int) -> list[bytes]:
    random = np.random.default_rng(0)
    shapes = random.integers(60, 900, (count, 2))
    kinds = (np.uint8, np.uint16)
    return [npy(random.integers(0, 255, shape, dtype=kinds[i % 2])) for i, shape in enumerate(shapes)]


@contextmanager
def served(bento: Path, eventually: Any) -> Iterator[str]:
    """A Bento served by BentoML alone, with nothing of the repository in reach."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {"PATH": str(FOREIGN), "HOME": str(bento.parent), **NO_TELEMETRY, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "bentoml", "serve", str(bento), "--host", "127.0.0.1", "--port", str(port)]
    log = bento.parent / "service.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=bento.parent, env=environment, stdout=out, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    try:
        eventually(ready, what=f"readiness: {log}")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def moved(bentos: dict[int, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Bento copied into a folder of its own."""
    folder = tmp_path_factory.mktemp("elsewhere") / "bento"
    shutil.copytree(bentos[1].bento, folder)
    return folder


@pytest.fixture(scope="module")
def url(moved: Path) -> Iterator[str]:
    def wait(condition: Callable[[], bool], *, what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.1)

    with served(moved, wait) as url:
        yield url


def test_a_moved_bento_repeats_its_recorded_answer(url: str, moved: Path, bentos: dict[int, Any]) -> None:
    (expected,) = bentos[1].manifest.reference_answers
    image = (moved / "src" / "model" / expected.file).read_bytes()
    answer = ImageScore.model_validate_json(httpx.post(f"{url}/predict", content=image, trust_env=False).content)
    assert answer.probability == pytest.approx(expected.probability, abs=expected.tolerance)
    assert answer.activation_map is not None
    assert len(answer.image_features) == 12


# Put into the Bento's own service: the process that has loaded the model tells where its modules come from.
LOADED = "        classifier = Classifier.load(MODEL_FOLDER, threads=engine_threads(), lanes=engine_lanes())\n"
TELL = """
        import json, sys
        ours = [m for m in list(sys.modules.items()) if m[0].split(".")[0] in ("domain", "infra", "models", "serving")]
        told = {name: str(module.__file__) for name, module in ours}
        (MODEL_FOLDER / "told.json").write_text(json.dumps(told))
"""


def test_a_moved_bento_runs_its_own_code(bentos: dict[int, Any], tmp_path: Path, eventually: Any) -> None:
    bento = tmp_path / "bento"
    shutil.copytree(bentos[1].bento, bento)
    service = bento / "src" / "serving" / "services" / "image_classifier.py"
    assert LOADED in service.read_text()
    service.write_text(service.read_text().replace(LOADED, LOADED + TELL))
    with served(bento, eventually):
        told = json.loads((bento / "src" / "model" / "told.json").read_text())
    assert {"models.inference", "models.preprocess", "serving.services.wire", "domain.prediction"} <= set(told)
    assert {name: file for name, file in told.items() if not Path(file).is_relative_to(bento / "src")} == {}


async def post_all(url: str, images: list[bytes]) -> list[httpx.Response]:
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        return await asyncio.gather(*(client.post("/predict", content=image) for image in images))


def batches(url: str) -> tuple[float, float, float]:
    """Requests and batches so far, and how many images a batch may hold, by the service's own figures."""
    figures = httpx.get(f"{url}/metrics", trust_env=False).text
    requests, count, most = (
        float(re.search(rf"^fiducial_service_{name} (.+)$", figures, re.MULTILINE)[1])  # type: ignore[index]
        for name in ("batch_size_sum", "batch_size_count", "max_batch_size")
    )
    return requests, count, most


def test_concurrent_requests_of_any_size_share_the_engine_and_are_counted(url: str) -> None:
    requests_before, batches_before, _ = batches(url)
    responses = asyncio.run(post_all(url, films(48)))
    requests_after, batches_after, most = batches(url)
    assert {response.status_code for response in responses} == {200}
    assert requests_after - requests_before == 48
    assert most in (1, 2, 4, 8, 16)  # found at warm-up, by how fast the engine is on this machine
    assert 48 / most <= batches_after - batches_before <= 48


def test_a_batched_answer_is_the_answer_given_alone(url: str) -> None:
    images = films(12)
    together = [r.json()["probability"] for r in asyncio.run(post_all(url, images))]
    alone = [httpx.post(f"{url}/predict", content=image, trust_env=False).json()["probability"] for image in images]
    assert together == pytest.approx(alone, abs=1e-6)


def test_a_bad_image_in_a_batch_fails_alone(url: str) -> None:
    blank = npy(np.zeros((64, 64), dtype=np.uint8))
    responses = asyncio.run(post_all(url, [blank if i % 4 == 0 else image for i, image in enumerate(films(24))]))
    assert [r.status_code for r in responses] == [422 if i % 4 == 0 else 200 for i in range(24)]


GREY = np.random.default_rng(1).integers(0, 255, (200, 180), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("pixels", [GREY, GREY.astype(np.uint16) * 257], ids=["8 bit", "16 bit"])
def test_a_png_and_an_npy_of_the_same_film_give_the_same_bytes(pixels: np.ndarray, url: str) -> None:
    answers = [
        httpx.post(f"{url}/predict", content=body, trust_env=False).raise_for_status().content
        for body in (png(pixels), npy(pixels), npy(np.asfortranarray(pixels)))
    ]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("body", "status", "code", "reason"),
    [
        (b"", 400, "unsupported-format", "neither"),
        (b"not npy", 400, "unsupported-format", "neither"),
        (npy(GREY)[:-3], 400, "unreadable-image", "fewer"),
        (npy(GREY) + b"x", 400, "unreadable-image", "more"),
        (npy(GREY)[:20], 400, "unreadable-image", "header"),
        (npy(np.array([[None]], dtype=object)), 422, "unsupported-image-kind", "object"),
        (npy(np.zeros((2, 2, 3), dtype=np.uint8)), 422, "unsupported-image-kind", "3-D"),
        (npy(np.zeros((0, 4), dtype=np.uint8)), 422, "unsupported-image-kind", "no pixels"),
        (npy(np.zeros((4, 4), dtype=np.float32)), 422, "unsupported-image-kind", "float32"),
        (npy(np.full((4, 4), np.nan)), 422, "unsupported-image-kind", "no number"),
        (npy(np.zeros((4, 4), dtype=np.int64)), 422, "unsupported-image-kind", "int64"),
        (png(GREY)[:-2000], 400, "unreadable-image", "truncated"),
        (png(GREY)[:20], 400, "unreadable-image", "ends before"),
        (png(np.zeros((4, 4, 3), dtype=np.uint8)), 422, "unsupported-image-kind", "grey"),
        (png(GREY > 9), 422, "unsupported-image-kind", "8 or 16 bits"),
        (png(GREY)[:16] + struct.pack(">II", 10**5, 10**5) + png(GREY)[24:], 422, "image-too-large", "100000"),
    ],
)  # fmt: skip
def test_a_bad_body_is_refused_with_a_reason(body: bytes, status: int, code: str, reason: str, url: str) -> None:
    answer = httpx.post(f"{url}/predict", content=body, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert reason in answer.json()["error"]


def test_beyond_its_queue_a_service_refuses_at_once(url: str) -> None:
    large = npy(np.random.default_rng(2).integers(0, 60000, (2500, 2500), dtype=np.uint16))

    async def ask(client: httpx.AsyncClient) -> tuple[int, float, str]:
        begun = time.perf_counter()
        answer = await client.post("/predict", content=large)
        return answer.status_code, time.perf_counter() - begun, answer.headers.get("Retry-After", "")

    async def ask_all() -> list[tuple[int, float, str]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=120, trust_env=False, limits=limits) as client:
            return await asyncio.gather(*(ask(client) for _ in range(MAX_INSIDE + 40)))

    answers = asyncio.run(ask_all())
    assert {status for status, _, _ in answers} == {200, 503}
    assert {retry for status, _, retry in answers if status == 503} == {"1"}
    assert httpx.post(f"{url}/predict", content=npy(GREY), trust_env=False).is_success


def test_a_service_answers_nothing_else(url: str) -> None:
    assert httpx.get(f"{url}/predict", trust_env=False).status_code == 404
    assert httpx.get(f"{url}/anything", trust_env=False).status_code == 404


def test_an_altered_model_is_never_served(
    bentos: dict[int, Any], new_platform: Callable[..., Any], tmp_path: Path, eventually: Any
) -> None:
    altered = tmp_path / "altered"
    shutil.copytree(bentos[2].bento, altered)
    model = altered / "src" / "model" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    platform = new_platform()
    packaged = {1: bentos[1], 2: type(bentos[2])(bentos[2].manifest, altered)}
    platform.promote(packaged, champion=1, challenger=2, share=0.5)
    platform.start("services")
    platform.wait_served(1)
    eventually(lambda: "digest-mismatch" in platform.log.read_text(), what="the refusal")
    assert platform.served() == {1}


def test_an_altered_bento_does_not_start_by_itself_either(
    bentos: dict[int, Any], tmp_path: Path, eventually: Any
) -> None:
    altered = tmp_path / "altered"
    shutil.copytree(bentos[2].bento, altered)
    model = altered / "src" / "model" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    log = tmp_path / "service.log"

    def refused() -> bool:
        return log.exists() and "DigestMismatch" in log.read_text()

    def refused_or_ready(ready: Callable[[], bool], *, what: str) -> None:
        eventually(lambda: refused() or ready(), what=what)

    with served(altered, refused_or_ready):
        assert refused()


def test_a_bento_with_another_manifest_gets_no_traffic(
    bentos: dict[int, Any], new_platform: Callable[..., Any], eventually: Any
) -> None:
    platform = new_platform()
    swapped = {1: bentos[1], 2: type(bentos[2])(bentos[2].manifest, bentos[3].bento)}
    platform.promote(swapped, champion=1, challenger=2, share=0.5)
    platform.start("services")
    platform.wait_served(1)
    eventually(lambda: "version.refused" in platform.log.read_text(), what="the refusal")
    assert platform.served() == {1}


def test_a_refused_version_comes_back_when_its_files_are_restored(
    bentos: dict[int, Any], new_platform: Callable[..., Any], eventually: Any, tmp_path: Path
) -> None:
    bento = tmp_path / "bento"
    shutil.copytree(bentos[2].bento, bento)
    model = bento / "src" / "model" / "model.onnx"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + b"\0")
    platform = new_platform()
    platform.promote({1: bentos[1], 2: type(bentos[2])(bentos[2].manifest, bento)}, champion=1, challenger=2, share=0.5)
    platform.start("services")
    platform.wait_served(1)
    eventually(lambda: "version.refused" in platform.log.read_text(), what="the refusal")
    model.write_bytes(whole)
    platform.wait_served(1, 2)


def test_the_supervisor_follows_the_policy_and_restarts_what_ends(
    bentos: dict[int, Any], new_platform: Callable[..., Any], eventually: Any
) -> None:
    platform = new_platform()
    supervisor = platform.start("services")
    eventually(lambda: platform.served("demo_classifier") == {0}, what="the demo classifier")

    platform.promote(bentos, champion=1, shadow=2)
    platform.wait_served(1, 2)
    eventually(lambda: platform.served("demo_classifier") == set(), what="the end of the demo classifier")

    serving = next(
        child for child in psutil.Process(supervisor.pid).children() if str(bentos[1].bento) in child.cmdline()
    )
    workers = serving.children(recursive=True)
    serving.kill()
    eventually(lambda: 1 not in platform.served(), what="the address taken back")
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    platform.wait_served(1, 2)

    platform.promote(bentos, champion=2)
    platform.wait_served(2)

    children = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.terminate()
    supervisor.wait(timeout=30)
    assert platform.served() == set()
    assert psutil.wait_procs(children, timeout=10)[1] == []
