"""The Makefile is the one list of commands, and CI calls the same recipes."""

import os
import re
import subprocess
from pathlib import Path

TARGETS = {
    "help",
    "environment",
    "demo",
    "test",
    "test-unit",
    "check",
    "format",
    "bench",
    "lock",
    "images-check",
    "clean",
}


def test_help_lists_every_target(root: Path) -> None:
    shown = subprocess.run(["make", "help"], cwd=root, check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"^make ([a-z-]+) +\S", shown, re.MULTILINE)) == TARGETS


def test_ci_runs_the_recipes_a_person_runs(root: Path) -> None:
    script = root / ".ci/run"
    assert os.access(script, os.X_OK)
    assert re.findall(r"^make --no-print-directory ([a-z-]+)", script.read_text(), re.MULTILINE) == ["check", "test"]


def test_pre_commit_runs_the_same_check(root: Path) -> None:
    assert "entry: make --no-print-directory check" in (root / ".pre-commit-config.yaml").read_text()


def test_benchmarks_are_no_part_of_the_test_run(root: Path) -> None:
    recipe = re.search(r"^test:.*\n((?:\t.*\n)+)", (root / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    assert '-m "not benchmark"' in recipe.group(1)
