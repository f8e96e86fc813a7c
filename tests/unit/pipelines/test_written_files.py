"""What a command writes where it is told to: whole or not at all, and refused in one sentence with the next step."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import InvalidField
from pipelines import bundles

PROJECT = Path(__file__).resolve().parents[3]
BAD_INPUT = 2
ON_A_FULL_DISK = "import sys, pathlib; from pipelines.bundles import write_whole; "


def fiducial(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FIDUCIAL_HOME": str(home), "COLUMNS": "160"}
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120)


def listed(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.parametrize(
    ("command", "place", "said"),
    [
        (("key", "--out"), "folder", "is a folder. Give the path of a file."),
        (("key", "--out"), "file/key.pem", "file). Give another path."),
        (("key", "--out"), "/proc/nope/key.pem", "(/proc/nope). Give another path."),
        (("key", "--out"), "/dev/null", "/dev/null is no ordinary file."),
        (("data", "push", "--to"), "file", "file). Give another path."),
        (("data", "push", "--to"), "/proc/nope", "(/proc/nope). Give another path."),
        (("key", "--out"), "home/platform.db/key.pem", "platform.db). Give another path, or set FIDUCIAL_HOME to"),
    ],
)
def test_a_place_that_takes_no_file_is_named_with_the_next_step(
    tmp_path: Path, command: tuple[str, ...], place: str, said: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "platform.db").touch()
    ended = fiducial(tmp_path / "home", *command, str(tmp_path / place))
    assert ended.returncode == BAD_INPUT, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("fiducial: ")
    assert said in line
    assert (tmp_path / "file").read_text() == "kept"
    assert listed(tmp_path) == ["file", "folder", "home"]
    assert listed(tmp_path / "folder") == []


def test_a_report_is_not_written_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("kept")
    with pytest.raises(FileExistsError) as refused:
        bundles.write_whole(tmp_path / "report" / "report.json", b"x")
    assert refused.value.filename == str(tmp_path / "report")


def test_a_file_is_replaced_whole_and_a_folder_never(tmp_path: Path) -> None:
    for data in (b"first", b"second"):
        bundles.write_whole(tmp_path / "new" / "bundle.zip", data)
        assert (tmp_path / "new" / "bundle.zip").read_bytes() == data
    with pytest.raises(InvalidField, match="new is a folder"):
        bundles.write_whole(tmp_path / "new", b"x")
    assert (listed(tmp_path), listed(tmp_path / "new")) == (["new"], ["bundle.zip"])


def test_a_full_disk_leaves_the_file_that_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    file.write_bytes(b"before")
    write = f"{ON_A_FULL_DISK}write_whole(pathlib.Path(sys.argv[1]), bytes(10**6))"
    command = ["prlimit", "--fsize=1000", sys.executable, "-B", "-c", write, str(file)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert f"File too large: '{file}'" in ended.stderr
    assert (listed(tmp_path), file.read_bytes()) == (["bundle.zip"], b"before")


def test_a_report_is_of_a_version_or_of_a_variant_and_not_of_both(tmp_path: Path) -> None:
    ended = fiducial(tmp_path / "home", "report", "--version", "1", "--variant", "baseline")
    assert ended.returncode == BAD_INPUT
    assert ended.stderr == "fiducial: --version and --variant name two reports. Give one of them.\n"


def test_registering_the_same_plan_again_says_who_did_before(tmp_path: Path) -> None:
    first = fiducial(tmp_path / "home", "plan", "register", "--by", "Ada")
    assert "\nregistered by Ada at " in first.stdout, first.stderr
    again = fiducial(tmp_path / "home", "plan", "register", "--by", "Grace")
    assert "\nregistered before, by Ada at " in again.stdout, again.stderr
    assert again.stdout.endswith(first.stdout.rpartition(" at ")[2])
