"""The facade tells who served when and who answered a study, to whoever may trace, and records that it was asked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.audit import AuditAction
from domain.identifiers import DEFAULT_TENANT, sha256_of
from domain.model_version import ModelManifest
from domain.prediction import Done
from domain.traffic import Role, TrafficPolicy
from infra.clock import now
from infra.db.session import Database
from serving.demo import DEMO_MANIFEST

FIELDS = {"patient_id": "P-4711", "modality": "DX", "body_part_examined": "CHEST", "view_position": "PA"}
ENGINEER = ("engineer", "pw engineer")
TASK = "/api/v1/tasks/chest/history"
SINCE = now() - timedelta(days=3)


@pytest.fixture(autouse=True)
def promoted(database: Database, manifest: Callable[..., ModelManifest]) -> None:
    """Version 1 for a day, then version 2."""
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for version in (1, 2):
            work.model_versions.add(manifest(version=version, weights_sha256=sha256_of(b"w%d" % version)), "/bento")
            policy = TrafficPolicy(task="chest", policy_version=version, champion=version)
            at = SINCE + timedelta(days=version - 1)
            work.traffic.change(policy, by="Dr Bo", why=f"reason {version}", at=at)


def answered(client: Any, film: bytes, database: Database, **facts: Any) -> str:
    """A study that a version has answered."""
    study = client.post("/api/v1/studies", files={"files": ("f", film)}, data=FIELDS).json()["study_id"]
    told = {"model_version": "chest@1", "policy_version": 1, "demo": False, "threshold": 0.4} | facts
    state = Done(
        probability=0.75, finding_present=True, role=Role.CHAMPION, fell_back=False, instances=(),
        explained_instance=None, answered_at=now(), **told,
    )  # fmt: skip
    with database.unit_of_work(DEFAULT_TENANT) as work:
        (prediction,) = work.predictions.of_study(study)
        work.predictions.set_state(prediction.prediction_id, state)
    return str(study)


def served(response: Any) -> list[tuple[int, str]]:
    assert response.status_code == 200, response.json()
    return [(one["policy_version"], one["versions"][0]["model_version"]) for one in response.json()["records"]]


def test_the_whole_history_of_a_task_is_told_oldest_first(client: Any) -> None:
    response = client.get(TASK)
    assert served(response) == [(1, "chest@1"), (2, "chest@2")]
    first, second = response.json()["records"]
    assert (first["until"], second["until"], second["why"]) == (second["since"], None, "reason 2")
    assert second["versions"][0]["weights_sha256"] == sha256_of(b"w2")


def test_a_moment_names_who_served_then_and_a_day_everybody_who_did(client: Any) -> None:
    change = SINCE + timedelta(days=1)
    assert served(client.get(TASK, params={"at": (change - timedelta(seconds=1)).isoformat()})) == [(1, "chest@1")]
    assert served(client.get(TASK, params={"at": change.isoformat()})) == [(2, "chest@2")]
    assert served(client.get(TASK, params={"at": f"{change:%Y-%m-%d}"})) == [(1, "chest@1"), (2, "chest@2")]
    assert served(client.get(TASK, params={"at": "2020-01-01"})) == []


@pytest.mark.parametrize("at", ["", "soon", "2026-01-01T12:00:00", "2999-01-01", "0001-01-01T00:00:00+14:00", "\0"])
def test_what_is_no_moment_of_the_past_is_refused(at: str, client: Any) -> None:
    response = client.get(TASK, params={"at": at})
    assert (response.status_code, response.json()["code"]) == (422, "invalid-field")


def test_a_study_tells_its_version_evidence_and_reason_but_not_what_was_found(
    client: Any, film: Any, database: Database
) -> None:
    study = answered(client, film(), database)
    response = client.get(f"/api/v1/studies/{study}/history", auth=ENGINEER)
    assert response.status_code == 200
    (answer,) = response.json()["answers"]
    assert (answer["model_version"], answer["threshold"], answer["policy_version"]) == ("chest@1", 0.4, 1)
    assert (answer["promoted_by"], answer["why"], answer["evidence"]["approver"]) == ("Dr Bo", "reason 1", "Dr Ada")
    assert answer["evidence"]["weights_sha256"] == sha256_of(b"w1")
    assert not {"probability", "finding_present", "decision"} & answer.keys()


def test_an_answer_of_the_demo_classifier_has_no_evidence(client: Any, film: Any, database: Database) -> None:
    demo = {"model_version": DEMO_MANIFEST.model_version, "policy_version": 0, "demo": True, "threshold": 0.5}
    study = answered(client, film(), database, **demo)
    (answer,) = client.get(f"/api/v1/studies/{study}/history").json()["answers"]
    assert (answer["demo"], answer["evidence"], answer["why"]) == (True, None, None)


@pytest.mark.parametrize(
    ("path", "code"),
    [("/api/v1/tasks/absent/history", "unknown-task"), ("/api/v1/studies/st_absent/history", "unknown-study")],
)
def test_what_is_not_on_record_is_a_404_of_its_own_code(path: str, code: str, client: Any) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, code)


def test_every_reading_is_in_the_audit_trail(client: Any, film: Any, database: Database) -> None:
    study = answered(client, film(), database)
    client.get(TASK, auth=ENGINEER)
    client.get(f"/api/v1/studies/{study}/history", auth=ENGINEER)
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        read = [(one.agent, one.action) for entity in ("chest", study) for one in work.audit.of(entity)]
    assert [one for one in read if one[1] is AuditAction.HISTORY_READ] == [
        ("engineer", AuditAction.HISTORY_READ), ("engineer", AuditAction.HISTORY_READ),
    ]  # fmt: skip
