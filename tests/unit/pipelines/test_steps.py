"""The table tells what each step took, and the lines below it what all took, the installation included."""

import io
import json
import time
from pathlib import Path

from rich.console import Console

from pipelines.steps import Steps, durations, print_table


def test_the_table_has_each_step_and_a_total_that_counts_the_time_between_them() -> None:
    announced: list[str] = []
    steps = Steps(announce=announced.append)
    with steps.step("data") as results:
        results += ["films@1: 3 films", "and more"]
    time.sleep(0.15)
    printed = io.StringIO()
    print_table(Console(file=printed, width=80), steps, title="Main job")
    assert announced == ["data …"]
    assert "│ data" in printed.getvalue()
    assert "films@1: 3 films" in printed.getvalue()
    assert sum(step.seconds for step in steps.finished) < 0.1 < steps.seconds


def test_the_installations_seconds_are_added_to_the_main_jobs(tmp_path: Path) -> None:
    (tmp_path / "installed.json").write_text(json.dumps({"digest": "-", "seconds": 165}))
    assert durations(213.4, environment=tmp_path) == (
        "The main job took 213 s.",
        "With the installation before it, 165 s once, that makes 378 s.",
    )


def test_an_environment_of_another_making_is_not_given_a_time(tmp_path: Path) -> None:
    assert "not known" in durations(213.4, environment=tmp_path)[1]
