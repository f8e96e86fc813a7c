"""The three commands as a person types them: tables, JSON, one sentence and an exit code for each wrong thing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.prediction import Done, Pending, Prediction
from domain.study import Study
from domain.traffic import Role
from models import registry
from pipelines.wiring import Offline

ROOT = Path(__file__).resolve().parents[3]
Fiducial = Callable[..., subprocess.CompletedProcess[str]]
REASON = "[bold]reason[/bold] 2"
STOPPED = "http://127.0.0.1:9"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'platform.db'}"


@pytest.fixture
def fiducial(root: Offline, database_url: str) -> Fiducial:
    """The command on the installation; Prefect is stopped, and MLflow too where a test says so."""

    def run(*arguments: str, mlflow: str = root.settings.mlflow, level: str = "starter") -> Any:
        settings = {
            "FIDUCIAL_HOME": str(root.home), "FIDUCIAL_DATABASE_URL": database_url, "FIDUCIAL_MLFLOW_URI": mlflow,
            "FIDUCIAL_PREFECT_API_URL": f"{STOPPED}/api", "FIDUCIAL_LEVEL": level, "COLUMNS": "200",
        }  # fmt: skip
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        return subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def served(root: Offline, record: Callable[..., None], study: Study) -> str:
    """Versions 1 and then 2 served; version 2 answered the study, whose identifier is given."""
    at = datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
    state = Done(
        probability=0.9, threshold=0.2, finding_present=True, model_version="chest@2", role=Role.CHAMPION,
        policy_version=2, fell_back=False, demo=False, instances=(), explained_instance=None, answered_at=at,
    )  # fmt: skip
    pending = Prediction(
        prediction_id="pr_1", study_id=study.study_id, task="chest", requested_at=at - timedelta(minutes=1),
        state=Pending(),
    )  # fmt: skip
    with root.database.unit_of_work(root.tenant) as work:
        record(work, 1, 2)
        work.studies.add(study)
        work.predictions.add(pending)
        work.predictions.set_state(pending.prediction_id, state)
    return study.study_id


def test_history_answers_with_mlflow_stopped_as_table_and_as_json(fiducial: Fiducial, served: str) -> None:
    table = fiducial("history", "--task", "chest", "--date", "2026-03-01", mlflow=STOPPED)
    assert table.returncode == 0, table.stderr
    assert "on 2026-03-01 (midnight to midnight UTC)" in table.stdout
    assert "policy 1, from 2026-03-01 12:00:00 UTC until 2026-03-01 13:00:00 UTC" in table.stdout
    assert "policy 2, from 2026-03-01 13:00:00 UTC and still in force" in table.stdout
    assert "Dr 2: [bold]reason[/bold] 2" in table.stdout  # what a person wrote, as it was written

    moment = fiducial("history", "--task", "chest", "--date", "2026-03-01T13:30:00+01:00", "--json", mlflow=STOPPED)
    (record,) = json.loads(moment.stdout)["records"]
    assert (record["policy_version"], record["by"], record["why"]) == (1, "Dr 1", "[bold]reason[/bold] 1")
    assert record["versions"][0]["weights_sha256"]


def test_history_of_a_study_names_the_version_and_who_promoted_it_and_why(fiducial: Fiducial, served: str) -> None:
    table = fiducial("history", "--study", served, mlflow=STOPPED)
    assert table.returncode == 0, table.stderr
    for told in ("pr_1", "chest@2", "0.200", "Dr 2", REASON, "2026-03-01", "13:30:00"):
        assert told in table.stdout
    (answer,) = json.loads(fiducial("history", "--study", served, "--json", mlflow=STOPPED).stdout)["answers"]
    assert (answer["model_version"], answer["policy_version"], answer["why"]) == ("chest@2", 2, REASON)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("history", "--task", "chest", "--date", "24.11.2026"), 2, "'24.11.2026' is no moment. Give a date (2026-"),
        (("history", "--task", "chest", "--date", "2026-03-01T12:00:00"), 2, "a time with its zone"),
        (("history", "--task", "chest", "--date", "2999-01-01"), 2, "lies in the future"),
        (("history", "--task", "absent"), 3, "Known: chest."), (("history", "--study", "st_absent"), 3, "No study"),
        (("history", "--study", "st_1", "--date", "2026-03-01"), 2, "--study and --date go apart"),
        (("rollback", "--task", "absent", "--by", "Dr Ada", "--why", "w"), 3, "'absent' has no policy"),
        (("rollback", "--task", "chest", "--by", "Dr Ada", "--why", ""), 2, "--why is empty"),
        (("rollback", "--task", "chest", "--by", "Dr Ada"), 2, "Missing option '--why'"),
        (("rollback", "--task", "chest", "--by", "Dr Ada", "--why", "w", "--to", "2"), 4, "is the champion in force"),
        (("reconcile", "--task", "absent"), 3, "'absent' has no policy"),
    ],
)  # fmt: skip
def test_each_wrong_thing_is_told_in_a_sentence(
    arguments: tuple[str, ...], code: int, said: str, fiducial: Fiducial, served: str
) -> None:
    ended = fiducial(*arguments)
    assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
    assert "Traceback" not in ended.stderr


def test_rollback_without_mlflow_then_reconcile_with_it(root: Offline, fiducial: Fiducial, served: str) -> None:
    registry.set_alias(root.tracking, task="chest", alias="champion", version=2)
    words = ("rollback", "--task", "chest", "--by", "Dr Ada", "--why", "misses effusions")
    rolled = fiducial(*words, mlflow=STOPPED)
    assert rolled.returncode == 0, rolled.stderr
    assert rolled.stdout.startswith("chest@1 is champion again, chest@2 has no part any more\n")
    assert "`fiducial reconcile` will write them" in rolled.stdout
    again = fiducial("history", "--task", "chest", "--json")
    assert [one["why"] for one in json.loads(again.stdout)["records"]] == [
        "[bold]reason[/bold] 1",
        REASON,
        "misses effusions",
    ]

    late = fiducial("reconcile")
    assert (late.returncode, "champion still said the policy before" in late.stdout) == (0, True), late.stderr
    assert registry.aliases(root.tracking, task="chest")["champion"] == 1
    assert fiducial("reconcile").stdout == (
        "chest: policy 3; running as registered: none; not answering: chest@1\n"
        "chest: MLflow's aliases compared with policy 3\n"
    )
    assert fiducial("reconcile", mlflow=STOPPED).returncode == 7


def test_demo_may_not_roll_back_from_the_clinical_level_on(fiducial: Fiducial, served: str) -> None:
    ended = fiducial("rollback", "--task", "chest", "--by", "demo", "--why", "w", level="clinical")
    assert (ended.returncode, "not allowed at the level clinical" in ended.stderr) == (4, True), ended.stderr


def test_a_moved_alias_ends_reconcile_with_code_6_naming_it(root: Offline, fiducial: Fiducial, served: str) -> None:
    registry.set_alias(root.tracking, task="chest", alias="champion", version=3)
    ended = fiducial("reconcile", "--task", "chest")
    assert ended.returncode == 6, ended.stderr
    assert "champion said version 3, policy 2 says version 2; written back" in ended.stderr
    logged = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    assert [(one["event"], one["level"], one["said"]) for one in logged if one["event"] == "alias.moved"] == [
        ("alias.moved", "error", 3)
    ]
    assert registry.aliases(root.tracking, task="chest")["champion"] == 2


def test_the_flow_fails_where_an_alias_was_moved_and_completes_when_it_is_back(
    root: Offline, fiducial: Fiducial, served: str
) -> None:
    registry.set_alias(root.tracking, task="chest", alias="champion", version=3)
    program = "from pipelines.reconciling_flow import reconcile; print(reconcile.fn('chest'))"
    environment = os.environ | {"FIDUCIAL_MLFLOW_URI": root.settings.mlflow}

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)

    moved, back = run(), run()
    assert moved.returncode == 1
    assert "AliasMoved: chest: champion said version 3, policy 2 says version 2" in moved.stderr
    assert (back.returncode, "MLflow's aliases compared with policy 2" in back.stdout) == (0, True), back.stderr
