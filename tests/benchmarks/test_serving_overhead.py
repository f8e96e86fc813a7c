"""What the online path adds to a score: facade, outbox, worker, gateway and BentoML around the demo classifier.

``make bench`` prints the table that stands in ``docs/benchmarks.md``. Calls of all kinds alternate, so that a busy
moment of the machine falls on each alike.
"""

import io
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from PIL import Image

from domain.identifiers import DEFAULT_TENANT
from infra.db.session import Database
from infra.secrets import Secrets
from models import image_features, preprocess
from serving.demo import DEMO_TASK, PREPROCESSING
from serving.gateway_client import npy_bytes

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).parents[2]
WARM_UP, ROUNDS = 40, 150
FIELDS = {"patient_id": "P-1", "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA"}


class Addresses(NamedTuple):
    """Where each layer answers."""

    facade: str
    gateway: str
    service: str
    password: str


def pixels(number: int) -> np.ndarray:
    """A film of 1024 × 1024 pixels; each number another one, since the same bytes are stored and answered once."""
    y, x = np.mgrid[0:1024, 0:1024]
    film = 120 + 60 * np.sin(x / 131) + 40 * np.cos(y / 147) + np.random.default_rng(0).normal(0, 4, x.shape)
    film[0, :16] = [255 * (number >> bit & 1) for bit in range(16)]
    return np.clip(film, 0, 255).astype(np.uint8)


def png(film: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(film).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[Addresses]:
    """A platform of its own with the demo classifier."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    api, gateway, services = (s.getsockname()[1] for s in sockets)
    for s in sockets:
        s.close()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")},
        "FIDUCIAL_HOME": str(tmp_path), "FIDUCIAL_API_PORT": str(api), "FIDUCIAL_GATEWAY_PORT": str(gateway),
        "FIDUCIAL_SERVICES_PORT": str(services),
    }  # fmt: skip
    database = Database(f"sqlite:///{tmp_path / 'platform.db'}")
    database.migrate()
    with (tmp_path / "platform.log").open("wb") as log:
        command = [sys.executable, "-m", "serving.wiring.platform"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        service = _wait(lambda: _service(database))
        urls = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{gateway}"
        for url in urls:
            _wait(lambda url=url: _answers(url))
        yield Addresses(*urls, service, Secrets(tmp_path / "secrets").password("clinician"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        database.close()


def _wait(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 90
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def _service(database: Database) -> str:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return next((address.url for address in work.addresses.list()), "")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


def test_what_the_online_path_adds_to_a_score(
    addresses: Addresses, http: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"X-Fiducial-Tenant": "default", "X-Fiducial-Patient": "p", "X-Fiducial-Prediction": "pr_bench"}

    def service(number: int) -> None:
        http.post(f"{addresses.service}/predict", content=bodies[number][0]).raise_for_status()

    def gateway(number: int) -> None:
        url = f"{addresses.gateway}/v1/tasks/{DEMO_TASK}/predict"
        http.post(url, content=bodies[number][0], headers=headers).raise_for_status()

    def facade(number: int) -> None:
        url, auth = f"{addresses.facade}/api/v1/studies?wait=30", ("clinician", addresses.password)
        answer = http.post(url, files={"files": ("f.png", bodies[number][1])}, data=FIELDS, auth=auth)
        assert answer.json()["predictions"][0]["state"] == "done", answer.text

    films = [pixels(number) for number in range(WARM_UP + ROUNDS)]
    bodies = [(npy_bytes(film), png(film)) for film in films]
    layers: dict[str, Callable[[int], None]] = {
        "model in process": lambda number: _score(films[number]), "BentoML": service, "gateway": gateway,
        "facade, answered": facade,
    }  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in layers}
    for number in range(WARM_UP + ROUNDS):
        for name, call in layers.items():
            begun = time.perf_counter()
            call(number)
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - begun)
    with capsys.disabled():
        sys.stdout.write(_table(seconds))
    # The floor of the starter level is 5 s for an upload and 10 s for an answer.
    assert max(seconds["facade, answered"]) < 5.0


def _score(film: np.ndarray) -> None:
    image_features.measure(preprocess.apply(film, PREPROCESSING))


def _table(seconds: dict[str, list[float]]) -> str:
    bare = statistics.median(seconds["BentoML"])
    lines = [
        f"\n\n{ROUNDS} calls each, one at a time, films of 1024 × 1024 pixels (8 bit)\n",
        "| layer | p50 ms | p95 ms | p50 above BentoML, ms | times BentoML |",
        "|---|---|---|---|---|",
    ]
    for name, values in seconds.items():
        p50, p95 = statistics.median(values), statistics.quantiles(values, n=20)[-1]
        lines.append(f"| {name} | {p50 * 1e3:.1f} | {p95 * 1e3:.1f} | {(p50 - bare) * 1e3:+.1f} | {p50 / bare:.2f} |")
    return "\n".join(lines) + "\n\n"
