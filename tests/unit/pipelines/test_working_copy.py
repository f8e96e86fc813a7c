"""The copy DVC runs in must be the project as it stands, and must not lie about the commit."""

import subprocess
from pathlib import Path

import pytest
import yaml

from domain.errors import Refused, UnknownTask
from pipelines import working_copy


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "code.py").write_text("x = 1\n")
    (folder / "gone.py").write_text("y = 1\n")
    (folder / ".gitignore").write_text("store/\n")
    (folder / "params.yaml").write_text(
        yaml.safe_dump({"sources": ["phantom"], "tasks": {"t": {"source": "phantom", "external": [], "seeds": [1]}}})
    )
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_copy_of_a_clean_tree_names_its_commit(project: Path, tmp_path: Path) -> None:
    code = working_copy.refresh(tmp_path / "copy", project=project)
    assert not code.dirty
    assert (tmp_path / "copy" / "code.py").read_text() == "x = 1\n"
    assert working_copy.recorded_code_version(tmp_path / "copy") == code


def test_uncommitted_changes_are_carried_and_called_dirty(project: Path, tmp_path: Path) -> None:
    (project / "code.py").write_text("x = 2\n")
    (project / "new.py").write_text("z = 1\n")
    (project / "gone.py").unlink()
    copy = tmp_path / "copy"
    code = working_copy.refresh(copy, project=project)
    assert code.dirty
    assert (copy / "code.py").read_text() == "x = 2\n"
    assert (copy / "new.py").is_file()
    assert not (copy / "gone.py").exists()
    assert working_copy.recorded_code_version(copy).dirty


def test_choosing_a_source_does_not_make_the_code_dirty(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    working_copy.refresh(copy, project=project)
    working_copy.choose(copy, task="t", source="real", external=("other",), preset="demo")
    params = yaml.safe_load((copy / "params.yaml").read_text())
    assert params["tasks"]["t"] == {"source": "real", "external": ["other"], "seeds": [1], "preset": "demo"}
    assert params["sources"] == ["other", "phantom", "real"]
    assert not working_copy.code_version(copy).dirty


def test_a_refresh_keeps_outputs_and_lock_and_drops_stale_code(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (project / "new.py").write_text("z = 1\n")
    working_copy.refresh(copy, project=project)
    (copy / "store").mkdir()
    (copy / "store" / "shard").write_text("bytes")
    report = copy / "data" / "store" / "reports" / "report.json"
    report.parent.mkdir(parents=True)
    report.write_text("not ignored by git")
    (copy / "dvc.lock").write_text("made by a run")
    (project / "new.py").unlink()
    (project / "code.py").write_text("x = 3\n")
    git(project, "commit", "-qam", "second")
    code = working_copy.refresh(copy, project=project)
    assert not code.dirty
    assert (copy / "store" / "shard").read_text() == "bytes"
    assert report.is_file()
    assert (copy / "dvc.lock").read_text() == "made by a run"
    assert (copy / "code.py").read_text() == "x = 3\n"
    assert not (copy / "new.py").exists()


@pytest.fixture
def with_results(project: Path) -> Path:
    """A project whose commit holds the lock and report of a run on the phantom."""
    report = project / "data/store/reports/t/report.json"
    report.parent.mkdir(parents=True)
    report.write_text("the phantom's")
    (project / "dvc.lock").write_text("the phantom's")
    git(project, "add", "--force", ".")
    git(project, "commit", "-qm", "results")
    return project


def test_committed_results_come_with_the_first_copy_and_never_replace_its_own(
    with_results: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    results = [copy / "data/store/reports/t/report.json", copy / "dvc.lock"]
    working_copy.refresh(copy, project=with_results)
    assert [path.read_text() for path in results] == ["the phantom's"] * 2
    for path in results:
        path.write_text("of real films")
    assert not working_copy.refresh(copy, project=with_results).dirty
    assert [path.read_text() for path in results] == ["of real films"] * 2


def test_a_refresh_that_was_interrupted_loses_no_result(with_results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    working_copy.refresh(copy, project=with_results)
    report = copy / "data/store/reports/t/report.json"
    report.write_text("of real films")
    with pytest.raises(subprocess.CalledProcessError):  # after the results were set aside
        (copy / ".git/index.lock").touch()
        working_copy.refresh(copy, project=with_results)
    (copy / ".git/index.lock").unlink()
    working_copy.refresh(copy, project=with_results)
    assert report.read_text() == "of real films"


def test_a_report_of_another_run_is_no_change_of_the_code(with_results: Path) -> None:
    (with_results / "data/store/reports/t/report.json").write_text("another")
    assert not working_copy.code_version(with_results).dirty


def test_a_task_that_is_not_scheduled_is_named(project: Path, tmp_path: Path) -> None:
    working_copy.refresh(tmp_path / "copy", project=project)
    with pytest.raises(UnknownTask, match=r"params\.yaml schedules no task 'absent'"):
        working_copy.choose(tmp_path / "copy", task="absent", source="real", external=(), preset="demo")


def test_a_folder_without_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not a git checkout"):
        working_copy.code_version(tmp_path)
