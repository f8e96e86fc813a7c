"""The steps of the main job as one table: step, result, seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Step:
    """One finished step; ``results`` are lines, each a fact with its evidence."""

    name: str
    results: tuple[str, ...]
    seconds: float


@dataclass
class Steps:
    """Collects steps as they finish and announces each, so that a long job is never silent."""

    announce: Callable[[str], None]
    finished: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a block; the block appends its result lines to the list it is given."""
        self.announce(f"{name} …")
        results: list[str] = []
        began = time.perf_counter()
        yield results
        self.finished.append(Step(name, tuple(results), time.perf_counter() - began))

    @property
    def seconds(self) -> float:
        """Total of all steps."""
        return sum(step.seconds for step in self.finished)


def print_table(console: Console, steps: Steps, *, title: str) -> None:
    """Print every step with its results and seconds, and the total."""
    table = Table(title=title, title_justify="left", show_lines=True)
    table.add_column("step", no_wrap=True)
    table.add_column("result", overflow="fold")
    table.add_column("seconds", justify="right")
    for step in steps.finished:
        table.add_row(step.name, "\n".join(step.results), f"{step.seconds:.1f}")
    table.add_row("total", "", f"{steps.seconds:.1f}", style="bold")
    console.print(table)
