"""How much of the bare engine's speed is left through gateway and service, with sixteen clients."""

import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.inference import Scorer
from tests.benchmarks.support.bentos import Served
from tests.benchmarks.support.densenet import Exported
from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.films import SIDES_PX
from tests.benchmarks.support.knobs import BODY, CLIENTS, CORES, ROUNDS, SECONDS
from tests.benchmarks.support.load import Measured, measure
from tests.benchmarks.support.online import Online
from tests.benchmarks.support.scoring import images_per_second, scorer, side_by_side
from tests.benchmarks.support.tables import Limit, p50_p99_ms, table, verdicts

pytestmark = pytest.mark.benchmark
EFFICIENCY = 0.80
TASKS = ("densenet_fp32", "densenet_int8")
BATCHES = (1, 16)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("task", TASKS)
def test_images_a_second_through_the_service(
    task: str, platform: Online, served: dict[str, Served], densenet121: Exported, bodies: dict[int, Path],
    show: Callable[[str], None],
) -> None:  # fmt: skip
    one = served[task]
    header = facts(pytest_command("test_service_efficiency.py"))
    ways = bare_engine(one, densenet121.inputs(max(BATCHES)), seconds=SECONDS / 2)
    alone: dict[str, list[float]] = {way: [] for way in ways}
    through: dict[int, list[Measured]] = {side: [] for side in SIDES_PX}
    for _ in range(ROUNDS):
        for way, measured in ways.items():
            alone[way].append(measured())
        for side, rounds in through.items():
            load = platform.load(task, bodies[side], clients=CLIENTS, seconds=SECONDS)
            rounds.append(measure(load, platform.processes(task, 1)))
    best = max(statistics.median(speeds) for speeds in alone.values())
    rows: list[tuple[object, ...]] = [
        (f"bare engine, {way}", statistics.median(speeds), statistics.median(speeds) / best, "–", "–", 0)
        for way, speeds in alone.items()
    ]
    rows += [row(side, rounds, best) for side, rounds in through.items()]
    head = ("way", "images/s", "of the bare engine", "p50 / p99 ms", "cores the clients took", "not answered 200")
    limits = [Limit(f"{task}, films of 224 × 224, of the bare engine", float(rows[len(ways)][2]), "at least",
                    EFFICIENCY)] if task == TASKS[0] else []  # fmt: skip
    how = (
        f"{task}, {one.engine} {one.precision}, {CLIENTS} clients, {BODY} bodies; the bare engine runs on prepared "
        "inputs in one process, and the fastest of its ways is what the service is held against."
    )
    show(f"{header}\n{how}\n\n{table(head, rows)}\n{verdicts(limits)}")


def bare_engine(one: Served, inputs: np.ndarray, *, seconds: float) -> dict[str, Callable[[], float]]:
    """Every way to keep all cores busy without a service."""

    def loaded(threads: int) -> Scorer:
        return scorer(one.model, one.preprocessing, engine=one.engine, precision=one.precision, threads=threads)

    whole, single = loaded(CORES), [loaded(1) for _ in range(CORES)]
    ways: dict[str, Callable[[], float]] = {
        f"batch {batch}, {CORES} threads": lambda batch=batch: images_per_second(
            whole, inputs, batch=batch, seconds=seconds
        )
        for batch in BATCHES
    }
    return ways | {f"{CORES} calls side by side": lambda: side_by_side(single, inputs, seconds=seconds)}


def row(side: int, rounds: list[Measured], best: float) -> tuple[object, ...]:
    """One size of film through gateway and service."""
    speed = statistics.median(one.answers.per_second for one in rounds)
    clients = sum(one.answers.cpu_seconds for one in rounds) / sum(one.answers.elapsed for one in rounds)
    failed = sum(len(one.answers.status) - len(one.answers.good) for one in rounds)
    seconds = [second for one in rounds for second in one.answers.good]
    return f"gateway → service, {side} × {side}", speed, speed / best, p50_p99_ms(seconds), clients, failed
