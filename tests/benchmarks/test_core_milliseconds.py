"""Where a request's processor time goes: client, gateway, service, and inside it decoding, preprocessing, engine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.support.bentos import Served
from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.films import COUNT, encoded, films
from tests.benchmarks.support.knobs import BODY, CLIENTS, ROUNDS, SECONDS
from tests.benchmarks.support.load import Measured, measure
from tests.benchmarks.support.online import Online
from tests.benchmarks.support.scoring import Parts, parts, scorer
from tests.benchmarks.support.tables import table

pytestmark = pytest.mark.benchmark
TASKS = ("densenet_fp32", "densenet_int8", "small")
HOW = (
    f"Core-milliseconds a request, {CLIENTS} clients, {BODY} bodies. Client, gateway and service: their processes' "
    "time over the run; decoding, preprocessing and engine (batches of 16): each alone on one thread, on the same "
    "films; the rest is the service's time less these three, threads that wait spinning included."
)
HEAD = ("network", "film", "in all", "client", "gateway", "service", "of it decoding", "preprocessing", "engine",
        "all the rest", "images/s")  # fmt: skip


@pytest.mark.timeout(3600)
def test_core_milliseconds_of_a_request(
    platform: Online, served: dict[str, Served], bodies: dict[int, Path], show: Callable[[str], None]
) -> None:
    header = facts(pytest_command("test_core_milliseconds.py"))
    rounds: dict[tuple[str, int], list[Measured]] = {(task, side): [] for task in TASKS for side in bodies}
    for _ in range(ROUNDS):
        for (task, side), measured in rounds.items():
            load = platform.load(task, bodies[side], clients=CLIENTS, seconds=SECONDS)
            measured.append(measure(load, platform.processes(task, 1)))
    rows = [row(task, side, measured, inside(served[task], side)) for (task, side), measured in rounds.items()]
    show(f"{header}\n{HOW}\n\n{table(HEAD, rows)}")


def inside(one: Served, side: int) -> Parts:
    """The service's three parts, without a service."""
    bare = scorer(one.model, one.preprocessing, engine=one.engine, precision=one.precision, threads=1)
    return parts(bare, [encoded(film) for film in films(side, count=COUNT)], seconds=SECONDS / 2)


def row(task: str, side: int, rounds: list[Measured], of_it: Parts) -> tuple[object, ...]:
    """One network and size of film, over all rounds."""
    requests = sum(len(one.answers.status) for one in rounds)
    client, gateway, service = (
        1e3 * sum(one.cpu[name] for one in rounds) / requests for name in ("client", "gateway", "service 1")
    )
    rest = service - of_it.decode - of_it.preprocess - of_it.engine
    speed = sum(len(one.answers.good) for one in rounds) / sum(one.answers.elapsed for one in rounds)
    return (task, side, client + gateway + service, client, gateway, service, of_it.decode, of_it.preprocess,
            of_it.engine, rest, speed)  # fmt: skip
