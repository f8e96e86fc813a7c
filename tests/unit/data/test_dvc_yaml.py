"""dvc.yaml: each stage names the code it runs through, no more and no less; params.yaml schedules every task."""

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())

# Where each stage starts, and what it imports that cannot change its output: where runs are recorded.
ENTRY = {
    "obtain": ("data/obtain.py",),
    "prepare": ("data/prepare.py",),
    "train": ("models/training.py", "models/tasks/chest_xray_pneumonia.py"),
    "validate": ("data/leakage.py", "models/validation.py"),
}
RECORDS_ONLY = {"models/tracking.py"}
# Types without behaviour of their own; a change that matters shows in the code that uses them.
TYPES_ONLY = {"evidence/statistics/estimate.py"}


def _imported(file: str) -> set[str]:
    seen: set[str] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path in seen or not (ROOT / path).is_file():
            continue
        seen.add(path)
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                waiting += [name.replace(".", "/") + ".py" for name in names]
    return seen


def _listed(stage: str, *, task: str = "chest_xray_pneumonia", source: str = "phantom_chest") -> set[str]:
    item = task if stage in ("train", "validate") else source
    deps = [dep.replace("${key}", task).replace("${item}", item) for dep in STAGES[stage]["do"]["deps"]]
    return {dep for dep in deps if dep.endswith(".py")}


@pytest.mark.parametrize("stage", sorted(ENTRY))
def test_a_stage_names_every_module_of_ours_it_runs_through(stage: str) -> None:
    used = set().union(*(_imported(file) for file in ENTRY[stage])) - RECORDS_ONLY - TYPES_ONLY
    ours = {file for file in used if file.startswith(("data/", "models/", "evidence/"))}
    assert ours - _listed(stage) == set()


@pytest.mark.parametrize("stage", sorted(ENTRY))
def test_a_stage_names_nothing_that_is_not_there(stage: str) -> None:
    assert [file for file in _listed(stage) if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("stage", ["train", "validate"])
def test_a_task_stage_names_its_own_task_file_and_no_folder_of_code(stage: str) -> None:
    deps = STAGES[stage]["do"]["deps"]
    assert "models/tasks/${key}.py" in deps
    assert not {"models", "models/tasks", "data", "domain", "evidence", "pipelines"} & set(deps)


def test_every_task_is_scheduled_with_one_external_set_and_two_seeds() -> None:
    tasks = {path.stem for path in (ROOT / "models/tasks").glob("*.py")} - {"__init__"}
    assert tasks - set(PARAMS["tasks"]) == set(), "add a line for the task to params.yaml"
    for name, line in PARAMS["tasks"].items():
        assert len(line["external"]) == 1, name
        assert len(line["seeds"]) == 2, name
        assert {line["source"], *line["external"]} <= set(PARAMS["sources"]), name


def test_the_committed_values_are_the_phantoms() -> None:
    assert all(source.startswith("phantom_") for source in PARAMS["sources"])


def test_dvc_calls_nobody_and_has_no_remote_in_git() -> None:
    config = (ROOT / ".dvc/config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config
    assert "remote" not in config.replace("No remote here", "")
