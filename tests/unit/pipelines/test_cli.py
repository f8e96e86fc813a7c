"""The command line answers in one sentence with the next step, and with the exit code of its error."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.wiring import offline

PROJECT = Path(__file__).resolve().parents[3]


Command = Callable[..., tuple[int, str]]
# Prefect and MLflow set up the logging of the whole process that imports them, which other tests look at.
IN_A_PROCESS_OF_THEIR_OWN = {"monitor", "compare", "reconcile"}


def environment_of(home: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FIDUCIAL_")}
    return {**ours, "FIDUCIAL_HOME": str(home), "FIDUCIAL_API_PORT": "9", "COLUMNS": "160"}


def fiducial(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    environment = environment_of(home) | settings
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command on a fresh home, in this process where it can be: an error that is not ours fails the test."""
    before, home = dict(os.environ), tmp_path / "home"

    def run(*arguments: str, **settings: str) -> tuple[int, str]:
        if arguments[0] in IN_A_PROCESS_OF_THEIR_OWN:
            finished = fiducial(home, *arguments, **settings)
            return finished.returncode, finished.stderr
        restore(environment_of(home) | settings)
        monkeypatch.setattr(sys, "argv", ["fiducial", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    yield run
    restore(before)


def restore(environment: dict[str, str]) -> None:
    offline.cache_clear()
    os.environ.clear()
    os.environ.update(environment)


NOTHING_TRAINED = "Nothing is trained yet for chest_xray_pneumonia. Run `fiducial train`."
NO_TASK = "There is no task 'absent'. Known: chest_xray_pneumonia."
NO_SOURCE = "There is no source 'absent'. Known: kermany_chest_xray"
NO_PRESET = "chest_xray_pneumonia has no preset 'absent'. Known: "
EXTERNAL = "nih_chest_xray is an external set and never trained on."
NOT_HERE = "The files of kermany_chest_xray and nih_chest_xray are not here. Put images_224.tar and index.csv into"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("train", "--task", "absent"), 3, NO_TASK),
        (("train", "--source", "absent"), 3, NO_SOURCE),
        (("train", "--source", "kermany_chest_xray"), 5, NOT_HERE),
        (("train", "--source", "nih_chest_xray"), 4, EXTERNAL),
        (("train", "--preset", "absent"), 3, NO_PRESET),
        (("lifecycle", "run", "--task", "absent"), 3, NO_TASK),
        (("lifecycle", "run", "--source", "absent"), 3, NO_SOURCE),
        (("lifecycle", "run", "--source", "kermany_chest_xray"), 5, NOT_HERE),
        (("lifecycle", "run", "--source", "nih_chest_xray"), 4, EXTERNAL),
        (("lifecycle", "run", "--preset", "absent"), 3, NO_PRESET),
        (("validate",), 3, NOTHING_TRAINED),
        (("validate", "--task", "absent"), 3, NO_TASK),
        (("package",), 3, NOTHING_TRAINED),
        (("package", "--task", "absent"), 3, NO_TASK),
        (("promote",), 3, NOTHING_TRAINED),
        (("promote", "--task", "absent"), 3, NO_TASK),
        (("compare", "a", "b"), 3, "MLflow knows no run a. `fiducial train` prints its runs."),
        (("monitor",), 7, "chest_xray_pneumonia has no champion. Run `fiducial lifecycle run` first."),
        (("monitor", "--task", "absent"), 3, NO_TASK),
        (("predict", "absent.png"), 2, "absent.png is not a file. Give the path of a film."),
        (("predict", __file__), 7, "does not answer. Start it: fiducial serve."),
        (("trace", "pr_absent"), 3, "pr_absent"),
        (
            ("history",),
            3,
            "'chest_xray_pneumonia' was ever put into service here. `fiducial promote` puts the first one",
        ),
        (("history", "--study", "absent"), 3, "No study 'absent' here."),
        (("history", "--date", "soon"), 2, "'soon' is no moment. Give a date (2026-11-24, the whole day in UTC)"),
        (("rollback", "--task", "absent", "--by", "Ada", "--why", "worse"), 3, "'absent' has no policy to roll back."),
        (("rollback",), 2, "Missing option"),
        (("traffic", "show", "absent"), 3, "'absent' has no traffic policy. `fiducial promote` makes the first one."),
        (("traffic", "off", "absent", "--by", "Ada", "--why", "worse"), 3, "'absent' has no traffic policy."),
        (("traffic", "off", "chest_xray_pneumonia"), 2, "Missing option"),
        (("reconcile", "--task", "absent"), 3, "'absent' has no policy its aliases could follow."),
        (("data", "verify", "phantom_chest"), 5, "No dataset version"),
        (("data", "verify", "absent"), 3, NO_SOURCE),
        (("data", "prepare", "absent"), 3, NO_SOURCE),
        (("data", "fetch", "absent"), 3, NO_SOURCE),
        (("data", "fetch", "nih_chest_xray"), 5, "nih_chest_xray has no public address to fetch from. Put"),
        (("data", "fetch", "kermany_chest_xray"), 5, "No digest is recorded for ChestXRay2017.zip"),
        (("data", "fetch", "kermany_chest_xray", "--sha256", "x=1"), 2, "64 hexadecimal digits"),
        (("train", "--epochs", "3"), 2, "No such option"),
        (("compare", "a"), 2, "Missing argument"),
        (("absent",), 2, "No such command"),
    ],
)
def test_each_command_tells_each_wrong_thing_in_one_sentence_before_any_work(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended, told = command(*arguments)
    assert (ended, said in told) == (code, True), told
    assert told.startswith("Usage: ") or told.splitlines()[-1].startswith("fiducial: "), told
    assert not (tmp_path / "home" / "workspace" / "data" / "store" / "prepared").exists()


DOCUMENTED = "docs/settings.md lists every setting; unset it for its default."


@pytest.mark.parametrize(
    ("setting", "value", "code", "said"),
    [
        ("LEVEL", "hospital", 2, f"input should be 'starter', 'enhanced', 'clinical' or 'enterprise'. {DOCUMENTED}"),
        ("API_PORT", "http", 2, f"input should be a valid integer, unable to parse string as an integer. {DOCUMENTED}"),
        ("DATABASE_URL", "nonsense", 2, "it takes sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"),
        ("DATABASE_URL", "postgresql+psycopg://u:hidden@host:port/x", 2, "it takes sqlite:///PATH or"),
        ("DATABASE_URL", "postgresql+psycopg://u:hidden@127.0.0.1:9/x", 7, "The database does not answer"),
        ("DATABASE_URL", f"sqlite:///{__file__}", 7, "The database does not answer (DatabaseError)"),
        ("HOME", f"{__file__}/home", 2, "cannot be made (Not a directory). Set it to a folder you may write."),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_takes_and_its_value_stays_secret(
    command: Command, setting: str, value: str, code: int, said: str
) -> None:
    ended, told = command("trace", "pr_absent", **{f"FIDUCIAL_{setting}": value})
    assert (ended, said in told) == (code, True), told
    assert code == 7 or told.startswith(f"fiducial: FIDUCIAL_{setting}: ")
    assert "hidden" not in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor",), ("serve",), ("demo", "--once"), ("lifecycle", "run"), ("train",), ("validate",), ("package",),
        ("promote",), ("compare", "a", "b"), ("predict", __file__), ("trace", "x"), ("monitor",), ("data", "list"),
        ("data", "verify", "phantom_chest"), ("data", "prepare", "phantom_chest"),
        ("data", "fetch", "kermany_chest_xray"), ("history",), ("reconcile",),
        ("rollback", "--task", "chest", "--by", "Ada", "--why", "worse"),
    ],
)  # fmt: skip
def test_every_command_refuses_a_wrong_setting(command: Command, arguments: tuple[str, ...]) -> None:
    ended, told = command(*arguments, FIDUCIAL_LEVEL="hospital")
    assert ended == 2
    assert told.startswith("fiducial: FIDUCIAL_LEVEL: input should be")


def test_the_process_ends_with_one_sentence_and_its_exit_code(tmp_path: Path) -> None:
    finished = fiducial(tmp_path, "validate")
    assert (finished.returncode, finished.stdout, finished.stderr) == (3, "", f"fiducial: {NOTHING_TRAINED}\n")


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


def test_a_disk_that_takes_no_more_is_told_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "serve"]
    environment = environment_of(tmp_path / "home") | {"FIDUCIAL_API_PORT": "0", "FIDUCIAL_GATEWAY_PORT": "0"}
    finished = subprocess.run(
        ["prlimit", "--fsize=0", *command], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (finished.returncode, "Traceback" in finished.stderr) == (7, False), finished.stderr
    assert "set FIDUCIAL_HOME to another folder" in finished.stderr
