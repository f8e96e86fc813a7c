"""Bentos as processes: alone in an empty folder, batched, refused when altered, started again when they end."""

import asyncio
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from domain.prediction import ImageScore
from infra.environment import NO_TELEMETRY

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
    import time

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
LOADED = "        self._classifier = Classifier.load(MODEL_FOLDER)\n"
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


def batches(url: str) -> tuple[float, float]:
    """Requests and batches so far, by BentoML's own histogram."""
    figures = httpx.get(f"{url}/metrics", trust_env=False).text
    found = {
        name: float(re.search(rf"^bentoml_service_adaptive_batch_size_{name}\{{.*\}} (.+)$", figures, re.MULTILINE)[1])  # type: ignore[index]
        for name in ("sum", "count")
    }
    return found["sum"], found["count"]


def test_concurrent_requests_of_any_size_are_batched(url: str) -> None:
    asyncio.run(post_all(url, films(24)))  # BentoML learns its pace on the first requests
    requests_before, batches_before = batches(url)
    responses = asyncio.run(post_all(url, films(96)))
    requests, rounds = (
        after - before for after, before in zip(batches(url), (requests_before, batches_before), strict=True)
    )
    assert {response.status_code for response in responses} == {200}
    assert requests == 96
    assert requests / rounds > 2


def test_a_batched_answer_is_the_answer_given_alone(url: str) -> None:
    images = films(12)
    together = [r.json()["probability"] for r in asyncio.run(post_all(url, images))]
    alone = [httpx.post(f"{url}/predict", content=image, trust_env=False).json()["probability"] for image in images]
    assert together == pytest.approx(alone, abs=1e-6)


def test_a_bad_image_in_a_batch_fails_alone(url: str) -> None:
    blank = npy(np.zeros((64, 64), dtype=np.uint8))
    responses = asyncio.run(post_all(url, [blank if i % 4 == 0 else image for i, image in enumerate(films(24))]))
    assert [r.status_code for r in responses] == [422 if i % 4 == 0 else 200 for i in range(24)]


@pytest.mark.parametrize(
    "body",
    [b"", b"not npy", npy(np.zeros((2, 2, 3), dtype=np.uint8)), npy(np.zeros((4, 4), dtype=np.float32)),
     npy(np.array([[None]], dtype=object)), npy(np.zeros((4, 4), dtype=np.uint8))[:-3]],
    ids=["empty", "text", "3-D", "float", "pickled", "truncated"],
)  # fmt: skip
def test_anything_but_a_grey_image_is_a_400(body: bytes, url: str) -> None:
    assert httpx.post(f"{url}/predict", content=body, trust_env=False).status_code == 400


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
