"""What the clinical facade adds to the gateway's answer: upload, object store, outbox, worker, records, waiting."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from infra.secrets import Secrets
from serving.demo import DEMO_TASK, DEMO_VERSION
from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.films import encoded, film, png
from tests.benchmarks.support.knobs import ROUNDS, SECONDS
from tests.benchmarks.support.online import TENANT_HEADER, online
from tests.benchmarks.support.tables import percentile, table

pytestmark = pytest.mark.benchmark
SIDE_PX, WARM_UP, STUDIES_A_SECOND = 1024, 10, 3  # so many are answered, about: as many films are made beforehand
FIELDS = {"patient_id": "P-1", "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA"}
HEADERS = {**TENANT_HEADER, "X-Fiducial-Patient": "p" * 32, "X-Fiducial-Prediction": "pr_bench"}
SLOWEST_UPLOAD_S = 5.0  # the floor of the starter level; an answer may take 10 s


@pytest.mark.timeout(1800)
def test_what_the_facade_adds_to_a_score(tmp_path: Path, show: Callable[[str], None]) -> None:
    header = facts(pytest_command("test_facade_latency.py"))
    count = WARM_UP + max(5, int(STUDIES_A_SECOND * ROUNDS * SECONDS))
    # Each film another one: the same bytes are stored and answered once.
    films = [film(number, side_px=SIDE_PX) for number in range(count)]
    seconds: dict[str, list[float]] = {"gateway": [], "facade, answered": []}
    with online(tmp_path, roots=("gateway", "services", "worker", "api")) as platform, _client(tmp_path) as http:
        platform.wait_served(DEMO_TASK, DEMO_VERSION)

        def gateway(body: bytes) -> None:
            http.post(platform.predict_url(DEMO_TASK), content=body, headers=HEADERS).raise_for_status()

        def facade(body: bytes) -> None:
            answer = http.post(
                f"{platform.facade}/api/v1/studies?wait=30", files={"files": ("f.png", body)}, data=FIELDS
            )
            assert answer.json()["predictions"][0]["state"] == "done", answer.text

        for number, pixels in enumerate(films):
            for way, call, body in (("gateway", gateway, encoded(pixels)), ("facade, answered", facade, png(pixels))):
                begun = time.perf_counter()
                call(body)
                if number >= WARM_UP:
                    seconds[way].append(time.perf_counter() - begun)
    p50 = {way: 1e3 * percentile(values, 50) for way, values in seconds.items()}
    rows = [
        (way, len(values), p50[way], 1e3 * percentile(values, 99), p50[way] - p50["gateway"])
        for way, values in seconds.items()
    ]
    head = ("way", "calls", "p50 ms", "p99 ms", "p50 above the gateway")
    show(f"{header}\nDemo classifier, films of {SIDE_PX} × {SIDE_PX}, one client.\n\n{table(head, rows)}")
    assert max(seconds["facade, answered"]) < SLOWEST_UPLOAD_S


def _client(home: Path) -> httpx.Client:
    password = Secrets(home / "secrets").password("clinician")
    return httpx.Client(timeout=60, trust_env=False, auth=("clinician", password))
