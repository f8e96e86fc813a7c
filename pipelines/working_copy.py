"""The copy of the project in which DVC runs: the tree stays clean and the recorded commit true (decision 2)."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from domain.errors import NotFound, Refused, UnknownTask

# Chosen per run by the flow and logged as parameters of it, so a change here does not make the code "dirty".
_CHOSEN_PER_RUN = frozenset({"params.yaml", "dvc.lock"})
_REPORTS = "data/store/reports"  # in git, because they are small and meant to be read; the phantom's on main


@dataclass(frozen=True)
class CodeVersion:
    """The commit a result was made from; ``dirty`` when the tree held changes that the commit does not."""

    commit: str
    dirty: bool


def code_version(project: Path) -> CodeVersion:
    """The commit of a checkout.

    Raises:
        Refused: the folder is no git checkout, or has no commit.
    """
    try:
        commit = _git(project, "rev-parse", "HEAD").strip()
    except subprocess.CalledProcessError as error:
        raise Refused(
            f"{project} is not a git checkout with a commit.",
            next_step="Run from a clone: results must name the commit they were made from.",
        ) from error
    code = {name for name in _changed(project) - _CHOSEN_PER_RUN if not name.startswith(f"{_REPORTS}/")}
    return CodeVersion(commit, dirty=bool(code))


def refresh(copy: Path, *, project: Path) -> CodeVersion:
    """Bring ``copy`` to the project's commit plus its uncommitted changes; DVC's outputs and lock in it are kept.

    Raises:
        Refused: the project is no git checkout.
    """
    code = code_version(project)
    if not (copy / ".git").is_dir():
        copy.mkdir(parents=True, exist_ok=True)
        _git(copy.parent, "clone", "--quiet", "--no-checkout", "--no-hardlinks", str(project.resolve()), copy.name)
    _git(copy, "fetch", "--quiet", str(project.resolve()), code.commit)
    _set_aside(copy)
    _git(copy, "checkout", "--quiet", "--force", "--detach", code.commit)
    _git(copy, "clean", "--quiet", "-fd", "--exclude=/data/store/")
    for name in _changed(project):
        _carry(name, source=project, target=copy)
    _put_back(copy)
    _leave_code_version(copy, code)
    return code


def choose(copy: Path, *, task: str, source: str, external: tuple[str, ...], preset: str) -> None:
    """Write into the copy's ``params.yaml`` which source, external sets and preset a task runs on.

    Raises:
        UnknownTask: ``params.yaml`` schedules no such task.
    """
    path = copy / "params.yaml"
    params: dict[str, Any] = yaml.safe_load(path.read_text())
    if task not in params["tasks"]:
        raise UnknownTask(f"params.yaml schedules no task {task!r}.", next_step="Add a line for it below 'tasks'.")
    chosen = {"source": source, "external": list(external), "preset": preset}
    params["tasks"][task] = {**params["tasks"][task], **chosen}
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    schedule(copy, (source, *external))


def scheduled(copy: Path, *, task: str) -> tuple[str, ...]:
    """The sources that the copy's ``params.yaml`` schedules for a task, the external ones last.

    Raises:
        NotFound: there is no working copy yet.
        UnknownTask: ``params.yaml`` schedules no such task.
    """
    path = copy / "params.yaml"
    if not path.is_file():
        raise NotFound(f"There is no working copy at {copy}.", next_step="Run `fiducial train` to make it.")
    tasks: dict[str, Any] = yaml.safe_load(path.read_text())["tasks"]
    if task not in tasks:
        raise UnknownTask(f"params.yaml schedules no task {task!r}.", next_step="Add a line for it below 'tasks'.")
    return (tasks[task]["source"], *tasks[task]["external"])


def schedule(copy: Path, sources: tuple[str, ...]) -> None:
    """Add sources to those that the copy's ``params.yaml`` schedules."""
    path = copy / "params.yaml"
    params: dict[str, Any] = yaml.safe_load(path.read_text())
    params["sources"] = sorted({*params["sources"], *sources})
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def _changed(project: Path) -> set[str]:
    """Files that differ from the commit: modified, deleted or new and not ignored."""
    listed = _git(project, "diff", "--name-only", "-z", "HEAD")
    new = _git(project, "ls-files", "--others", "--exclude-standard", "-z")
    return {name for name in (listed + new).split("\0") if name}


def _carry(name: str, *, source: Path, target: Path) -> None:
    if (source / name).is_file():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)
    else:
        (target / name).unlink(missing_ok=True)


def _leave_code_version(copy: Path, code: CodeVersion) -> None:
    # A stage runs inside the copy, whose own git state is not the project's: the flow leaves it the truth here.
    (copy / ".git" / "fiducial-code-version").write_text(f"{code.commit}\n{'dirty' if code.dirty else 'clean'}\n")


def recorded_code_version(folder: Path) -> CodeVersion:
    """The code version a stage must record: what the flow left, else the checkout's own."""
    left = folder / ".git" / "fiducial-code-version"
    if not left.is_file():
        return code_version(folder)
    commit, state = left.read_text().split()
    return CodeVersion(commit, dirty=state == "dirty")


def _set_aside(copy: Path) -> None:
    """Results of the copy's own runs, which git's committed ones must not replace. What an interrupted refresh left
    aside stays there: what lies in its place is git's.
    """
    for name in (_REPORTS, "dvc.lock"):
        aside = _aside(copy) / name
        if (copy / name).exists() and not aside.exists():
            aside.parent.mkdir(parents=True, exist_ok=True)
            (copy / name).rename(aside)


def _put_back(copy: Path) -> None:
    for name in (_REPORTS, "dvc.lock"):
        aside, place = _aside(copy) / name, copy / name
        if aside.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        if aside.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            aside.replace(place)


def _aside(copy: Path) -> Path:
    return copy / ".git" / "fiducial-results"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
