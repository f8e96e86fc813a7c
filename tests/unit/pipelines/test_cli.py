"""The command line answers in one sentence with the next step, and with the exit code of its error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]


def fiducial(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")}
    environment |= {"FIDUCIAL_HOME": str(home), "FIDUCIAL_API_PORT": "9", "COLUMNS": "160"}
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("predict", "absent.png"), 2, "absent.png is not a file. Give the path of a film."),
        (("predict", __file__), 7, "does not answer. Start it: fiducial serve."),
        (("trace", "pr_absent"), 3, "pr_absent"),
        (("data", "verify", "phantom_chest"), 5, "No dataset version"),
        (("data", "prepare", "absent"), 3, "absent"),
        (("data", "fetch", "kermany_chest_xray", "--sha256", "x=1"), 2, "64 hexadecimal digits"),
    ],
)
def test_an_error_is_one_sentence_with_its_exit_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    finished = fiducial(tmp_path, *arguments)
    assert finished.returncode == code, finished.stderr
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr


def test_sources_are_listed_with_where_their_files_are(tmp_path: Path) -> None:
    finished = fiducial(tmp_path, "data", "list")
    assert finished.returncode == 0, finished.stderr
    for source, place in (("kermany_chest_xray", "not here"), ("phantom_chest_elsewhere", "generator")):
        assert any(source in line and place in line for line in finished.stdout.splitlines())


def test_doctor_says_what_is_missing_and_how_to_mend_it(tmp_path: Path) -> None:
    finished = fiducial(tmp_path, "doctor")
    assert "ok       git" in finished.stdout
    assert "MISSING  facade" in finished.stdout
    assert "fiducial serve" in finished.stdout
