"""The facade shows a task's live traffic: arms, stop rules, the comparison and what the watch did."""

from datetime import timedelta
from typing import Any

import pytest

from domain.audit import AuditAction
from domain.experiment import AlwaysValid, ArmRow, Declaration, Experiment
from domain.identifiers import DEFAULT_TENANT, PredictionId, Pseudonym, StudyId
from domain.traffic import Challenger, Role, TrafficPolicy
from infra.clock import now
from infra.db.session import Database

ADDRESS = "/api/v1/tasks/chest/experiment"
ENGINEER = ("engineer", "pw engineer")
START = now() - timedelta(hours=1)


@pytest.fixture
def compared(database: Database) -> None:
    """Twenty patients of each of two versions; the challenger failed every fourth."""
    policy = TrafficPolicy(task="chest", policy_version=1, champion=1, challengers=(Challenger(version=2, share=0.5),))
    declaration = Declaration(
        task="chest", champion=1, challenger=2, endpoint="agreement", max_patients=100, design=AlwaysValid()
    )
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.traffic.change(policy, by="Dr Bo", why="w", at=START)
        work.experiments.add(
            Experiment(experiment_id="ex_1", declaration=declaration, declared_by="ada", why="w", declared_at=START)
        )
        for number in range(40):
            assigned = 1 + number % 2
            work.arm_rows.add(
                ArmRow(
                    task="chest", prediction_id=PredictionId(f"pr_{number}"), study_id=StudyId(f"st_{number}"),
                    patient=Pseudonym(f"{number:032x}"), assigned=assigned, answered=1 if number % 8 == 1 else assigned,
                    role=Role.CHAMPION if assigned == 1 else Role.CHALLENGER, policy_version=1, outcome="done",
                    probability=0.5, finding_present=True, seconds=0.1, recorded_at=START + timedelta(seconds=number),
                )
            )  # fmt: skip


def test_each_version_is_shown_with_its_rules_and_the_comparison(client: Any, compared: None) -> None:
    told = client.get(ADDRESS, auth=ENGINEER).json()
    assert [(one["version"], one["role"], one["patients"]) for one in told["arms"]] == [
        (1, "champion", 20), (2, "challenger", 20),
    ]  # fmt: skip
    assert [one["errors"]["value"] for one in told["arms"]] == [0.0, 0.25]
    assert {(one["version"], one["name"]) for one in told["rules"] if one["acts"]} == set()
    assert len(told["rules"]) == 6
    assert (told["experiment"]["experiment_id"], told["ended"], told["decision"]["verdict"]) == (
        "ex_1",
        None,
        "continue",
    )
    assert told["decision"]["sample_split"]["challenger"] == 20


def test_reading_it_is_audited_and_names_no_patient(client: Any, compared: None, database: Database) -> None:
    response = client.get(ADDRESS, auth=ENGINEER)
    assert f"{1:032x}" not in response.text
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert [(one.agent, one.action) for one in work.audit.of("chest")] == [("engineer", AuditAction.TRAFFIC_READ)]


def test_a_task_without_a_policy_has_no_traffic(client: Any) -> None:
    response = client.get(ADDRESS)
    assert (response.status_code, response.json()["code"]) == (404, "unknown-task")
