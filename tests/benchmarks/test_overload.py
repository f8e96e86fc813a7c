"""Three times more requests than can be answered: how much goodput is kept, and how fast the others are told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.support.facts import facts, pytest_command
from tests.benchmarks.support.knobs import BODY, CLIENTS, ROUNDS, SECONDS
from tests.benchmarks.support.load import Answers, Load, measure
from tests.benchmarks.support.online import Online
from tests.benchmarks.support.tables import Limit, p50_p99_ms, percentile, table, verdicts

pytestmark = pytest.mark.benchmark
TASK, TIMES = "densenet_fp32", 3
KEPT, REFUSED_WITHIN_MS, LONGEST_S = 0.9, 100.0, 20.0
HEAD = ("load", "offered/s", "good/s", "of the peak", "p50 / p99 ms of the good", "refused", "p50 / p99 ms of refusals",
        "with Retry-After", "lost")  # fmt: skip


@pytest.mark.timeout(3600)
def test_goodput_under_three_times_the_peak(
    platform: Online, bodies: dict[int, Path], show: Callable[[str], None]
) -> None:
    header = facts(pytest_command("test_overload.py"))
    folder = bodies[min(bodies)]

    def answers(load: Load) -> Answers:
        return measure(load, platform.processes(TASK, 1)).answers

    closed = [
        answers(platform.load(TASK, folder, clients=clients, seconds=SECONDS))
        for _ in range(ROUNDS)
        for clients in (CLIENTS, 2 * CLIENTS)
    ]
    peak = max(one.per_second for one in closed)
    seconds = min(LONGEST_S, 2 * SECONDS)
    offered = TIMES * peak
    over = answers(platform.load(TASK, folder, rate=offered, seconds=seconds))
    after = answers(platform.load(TASK, folder, clients=CLIENTS, seconds=SECONDS))
    best = max(closed, key=lambda one: one.per_second)
    # Goodput counts what was answered while load was offered, not what a queue gives back afterwards.
    kept = good_within(over, seconds) / seconds
    rows = [
        row("peak, closed loop", "–", best, best.per_second, peak),
        row(f"{TIMES} × peak, open loop for {seconds:g} s", offered, over, kept, peak),
        row(f"{CLIENTS} clients, right after", "–", after, after.per_second, peak),
    ]
    limits = [
        Limit("goodput kept", kept / peak, "at least", KEPT),
        Limit("ms to the slowest 1 % of refusals", 1e3 * percentile(over.refused or [0.0], 99), "at most",
              REFUSED_WITHIN_MS),
        Limit("requests without an answer", over.lost, "at most", 0),
    ]  # fmt: skip
    show(f"{header}\n{TASK}, {BODY} bodies, 224 × 224.\n\n{table(HEAD, rows)}\n{verdicts(limits)}")


def good_within(answers: Answers, seconds: float) -> int:
    """Scores that came before the load ended."""
    first = min(answers.begun)
    rows = zip(answers.begun, answers.seconds, answers.status, strict=True)
    return sum(status == 200 and begun + took - first <= seconds for begun, took, status in rows)


def row(name: str, offered: object, answers: Answers, good: float, peak: float) -> tuple[object, ...]:
    refusals = sum(
        told and status not in (0, 200) for told, status in zip(answers.retry_after, answers.status, strict=True)
    )
    return (name, offered, good, good / peak, p50_p99_ms(answers.good), len(answers.refused),
            p50_p99_ms(answers.refused), refusals, answers.lost)  # fmt: skip
