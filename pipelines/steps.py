"""The steps of the main job as one table: step, result, seconds; and what it takes with the installation."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

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
    _began: float = field(default_factory=time.perf_counter)

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
        """Since this was made: what lies between the steps counts too."""
        return time.perf_counter() - self._began


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


def durations(main_job_s: float, *, environment: Path) -> tuple[str, str]:
    """The main job's seconds, and with those of the installation before it: on a fresh home, those of a fresh run.

    ``scripts/environment.py`` leaves its seconds in the environment it made; another one is not timed.
    """
    main_job = f"The main job took {main_job_s:.0f} s."
    stamp = environment / "installed.json"
    if not stamp.is_file():
        return main_job, "How long the installation took is not known: `make` did not make this environment."
    installation_s: int = json.loads(stamp.read_text())["seconds"]
    in_all_s = round(main_job_s) + installation_s
    return main_job, f"With the installation before it, {installation_s} s once, that makes {in_all_s} s."
