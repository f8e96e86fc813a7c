"""What gateway and service add to a bare call, one client, call by call in turn."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.benchmarks.support.bentos import Served
from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.films import decoded
from tests.benchmarks.support.knobs import BODY, CORES, ROUNDS, SECONDS
from tests.benchmarks.support.online import TENANT_HEADER, Online
from tests.benchmarks.support.scoring import scorer
from tests.benchmarks.support.tables import Limit, percentile, table, verdicts

pytestmark = pytest.mark.benchmark
TASK, WARM_UP = "densenet_fp32", 20
ADDED_P50_MS, ADDED_P99_MS = 6.0, 20.0
ENGINE, WHOLE, SERVICE, GATEWAY = "engine alone", "decoding, preprocessing, engine", "service", "gateway → service"
HEADERS = {**TENANT_HEADER, "X-Fiducial-Patient": "p" * 32, "X-Fiducial-Prediction": "pr_bench"}


@pytest.mark.timeout(3600)
def test_latency_added_to_a_bare_call(
    platform: Online, served: dict[str, Served], bodies: dict[int, Path], show: Callable[[str], None]
) -> None:
    header = facts(pytest_command("test_added_latency.py"))
    rows: list[tuple[object, ...]] = []
    limits: list[Limit] = []
    for side, folder in bodies.items():
        films = [path.read_bytes() for path in sorted(folder.iterdir())]
        with httpx.Client(timeout=60, trust_env=False) as http:
            seconds = in_turn(ways(platform, served[TASK], films, http=http), count=len(films))
        p50 = {way: 1e3 * percentile(values, 50) for way, values in seconds.items()}
        p99 = {way: 1e3 * percentile(values, 99) for way, values in seconds.items()}
        rows += [
            (f"{side} × {side}", way, len(seconds[way]), p50[way], p99[way], p50[way] - p50[ENGINE],
             p99[way] - p99[ENGINE], p50[way] - p50[WHOLE], p99[way] - p99[WHOLE])
            for way in seconds
        ]  # fmt: skip
        limits += [
            Limit(f"{side} × {side}, ms added to {bare}, {name}", found[GATEWAY] - found[bare], "at most", bound)
            for bare in ((ENGINE, WHOLE) if side == min(bodies) else (WHOLE,))
            for name, found, bound in (("p50", p50, ADDED_P50_MS), ("p99", p99, ADDED_P99_MS))
        ]
    head = ("film", "way", "calls", "p50 ms", "p99 ms", "p50 added to the engine", "p99", "p50 added to the whole call",
            "p99")  # fmt: skip
    show(
        f"{header}\nDenseNet121 fp32 ({served[TASK].engine}), one client, {BODY} bodies; bare calls in one process "
        f"with {CORES} threads.\n\n{table(head, rows)}\n{verdicts(limits)}"
    )


def ways(
    platform: Online, one: Served, films: list[bytes], *, http: httpx.Client
) -> dict[str, Callable[[int], object]]:
    """The same film on each way."""
    bare = scorer(one.model, one.preprocessing, engine=one.engine, precision=one.precision)
    inputs = [bare.prepare(decoded(body))[None] for body in films]
    service = f"{platform.address(TASK, 1)}/predict"
    gateway = f"{platform.gateway}/v1/tasks/{TASK}/predict"
    return {
        ENGINE: lambda i: bare.probabilities(inputs[i]),
        WHOLE: lambda i: bare.score([decoded(films[i])]),
        SERVICE: lambda i: http.post(service, content=films[i]).raise_for_status(),
        GATEWAY: lambda i: http.post(gateway, content=films[i], headers=HEADERS).raise_for_status(),
    }


def in_turn(calls: dict[str, Callable[[int], object]], *, count: int) -> dict[str, list[float]]:
    """Seconds of each way, measured one after the other on the same film."""
    seconds: dict[str, list[float]] = {way: [] for way in calls}
    for number in range(WARM_UP):
        for call in calls.values():
            call(number % count)
    until, films = time.perf_counter() + ROUNDS * SECONDS, itertools.cycle(range(count))
    while time.perf_counter() < until:
        film = next(films)
        for way, call in calls.items():
            begun = time.perf_counter()
            call(film)
            seconds[way].append(time.perf_counter() - begun)
    return seconds
