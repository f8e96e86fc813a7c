"""Markdown tables as they stand in ``docs/benchmarks.md``, and the issue's limits held against a figure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.benchmarks.support.knobs import ASSERTING


@dataclass(frozen=True)
class Limit:
    """A figure, what it must reach, and from which side."""

    what: str
    figure: float
    must_be: Literal["at least", "at most"]
    bound: float

    @property
    def reached(self) -> bool:
        return self.figure >= self.bound if self.must_be == "at least" else self.figure <= self.bound

    def __str__(self) -> str:
        verdict = "reached" if self.reached else "not reached"
        return f"{self.what}: {self.figure:.3g}, {self.must_be} {self.bound:g}: {verdict}"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats with three significant digits."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(value: object) -> str:
    """A figure as it is printed."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdicts(limits: Sequence[Limit]) -> str:
    """A line for each limit; fails on the first one not reached when the run was asked to."""
    for limit in limits:
        assert limit.reached or not ASSERTING, str(limit)
    return "".join(f"* {limit}\n" for limit in limits)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: a value that was measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def p50_p99_ms(seconds: Sequence[float]) -> str:
    """The two percentiles in milliseconds, as ``p50 / p99``; a dash where nothing was measured."""
    if not seconds:
        return "–"
    return f"{statistics.median(seconds) * 1e3:.1f} / {percentile(seconds, 99) * 1e3:.1f}"
