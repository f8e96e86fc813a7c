"""The facade shows who answers whom, and changes it for whoever may, on the policy it was decided on."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.audit import AuditAction
from domain.identifiers import DEFAULT_TENANT, Tenant, sha256_of
from domain.level import LEVELS, LevelName
from domain.model_version import ModelManifest
from domain.traffic import Challenger, TrafficPolicy
from infra.clock import now
from infra.db.session import Database

ENGINEER = ("engineer", "pw engineer")
TRAFFIC = "/api/v1/tasks/chest/traffic"
SINCE = now()
PATIENT = "a" * 32


@pytest.fixture(autouse=True)
def promoted(database: Database, manifest: Callable[..., ModelManifest], tmp_path: Path) -> None:
    """Version 1 and then 2 served; 3 is registered, was never promoted and never answered."""
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for version in (1, 2, 3):
            model = tmp_path / "bentos" / str(version) / "src" / "model" / "model.onnx"
            model.parent.mkdir(parents=True)
            model.write_bytes(b"m%d" % version)
            facts = manifest(version=version, model_sha256=sha256_of(b"m%d" % version), approver=f"Dr {version}")
            work.model_versions.add(facts, str(model.parents[2]))
        for number in (1, 2):
            policy = TrafficPolicy(task="chest", policy_version=number, champion=number)
            work.traffic.change(policy, by="Dr Bo", why=f"reason {number}", at=SINCE)


def put(client: Any, auth: tuple[str, str] = ENGINEER, **body: Any) -> Any:
    return client.request("PUT", TRAFFIC, auth=auth, json={"why": "worse at night", "follows": 2, **body})


def audited(database: Database, entity: str) -> list[tuple[str, AuditAction]]:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return [(one.agent, one.action) for one in work.audit.of(entity)]


def refused(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_the_policy_in_force_is_shown_with_who_when_and_why_and_the_reading_recorded(
    client: Any, database: Database
) -> None:
    for auth in (client.auth, ENGINEER):
        told = client.get(TRAFFIC, auth=auth).json()
        assert (told["policy_version"], told["champion"], told["champion_share"]) == (2, 2, 1.0)
        assert (told["by"], told["why"], told["mode"]) == ("Dr Bo", "reason 2", "normal")
        assert told["since"].startswith(f"{SINCE:%Y-%m-%dT%H:%M:%S}")
    assert audited(database, "chest") == [
        ("clinician", AuditAction.TRAFFIC_READ),
        ("engineer", AuditAction.TRAFFIC_READ),
    ]


def test_a_change_is_in_force_at_once_recorded_under_who_signed_in_and_told_in_the_history(
    client: Any, database: Database
) -> None:
    pins = [{"patient": PATIENT, "version": 1}]
    changed = put(client, challengers=[{"version": 1, "share": 0.25}], shadows=[3], pins=pins)
    assert changed.status_code == 200, changed.text
    told = changed.json()
    assert (told["policy_version"], told["champion_share"], told["by"]) == (3, 0.75, "engineer")
    assert (told["why"], told["shadows"], told["pins"]) == ("worse at night", [3], pins)
    assert client.get(TRAFFIC).json() == told
    assert audited(database, "chest policy 3") == [("engineer", AuditAction.TRAFFIC_CHANGED)]

    off = put(client, follows=3, mode="off").json()
    assert off == {**told, "policy_version": 4, "mode": "off", "since": off["since"]}  # what is left out stays
    history = client.get(f"{TRAFFIC}/history").json()
    assert [one["policy_version"] for one in history["policies"]] == [1, 2, 3, 4]
    assert history["policies"][-1] == off


def test_a_change_decided_on_another_policy_is_a_conflict(client: Any) -> None:
    assert put(client, mode="champion only").status_code == 200
    assert refused(put(client, mode="off")) == (409, "conflict")
    assert client.get(TRAFFIC).json()["mode"] == "champion only"


def test_of_two_who_change_it_at_once_one_gets_a_conflict(client: Any) -> None:
    answers: list[Any] = []
    both = [
        threading.Thread(target=lambda mode=mode: answers.append(put(client, mode=mode)))
        for mode in ("off", "champion only")
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=60)
    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"challengers": [{"version": 1, "share": 1.5}]}, 422, "invalid-field"),
        ({"challengers": [{"version": 2, "share": 0.5}]}, 422, "invalid-field"),
        ({"champion": 9}, 404, "unknown-model-version"), ({"shadows": [9]}, 404, "unknown-model-version"),
        ({"champion": 3}, 409, "criteria-not-met"), ({"mode": "on"}, 422, "invalid-field"),
        ({"pins": [{"patient": "P-4711", "version": 2}]}, 422, "invalid-field"), ({"why": " "}, 422, "invalid-field"),
        ({"follows": None}, 422, "invalid-field"), ({"champions": 1}, 422, "invalid-field"),
    ],
)  # fmt: skip
def test_what_may_not_be_in_force_is_refused_by_its_code_and_changes_nothing(
    body: dict[str, Any], status: int, code: str, client: Any
) -> None:
    response = put(client, **body)
    assert refused(response) == (status, code), response.text
    assert "P-4711" not in response.text
    assert client.get(TRAFFIC).json()["policy_version"] == 2


def test_a_version_whose_bento_is_altered_or_gone_is_refused(client: Any, tmp_path: Path) -> None:
    model = tmp_path / "bentos" / "1" / "src" / "model" / "model.onnx"
    model.write_bytes(b"other")
    assert refused(put(client, champion=1)) == (500, "digest-mismatch")
    model.unlink()
    assert refused(put(client, champion=1)) == (503, "model-unavailable")


def test_a_clinician_may_read_traffic_and_not_change_it(client: Any, database: Database) -> None:
    assert refused(put(client, auth=client.auth, mode="off")) == (403, "not-permitted")
    assert client.get(TRAFFIC).json()["mode"] == "normal"
    assert ("clinician", AuditAction.ACCESS_REFUSED) in audited(database, "PUT /api/v1/tasks/{task}/traffic")


def test_at_a_level_that_takes_no_demo_what_demo_approved_is_not_put_in_force(
    client: Any, database: Database, manifest: Callable[..., ModelManifest], tmp_path: Path
) -> None:
    object.__setattr__(client.facade, "level", LEVELS[LevelName.CLINICAL])
    with database.unit_of_work(DEFAULT_TENANT) as work:
        facts = manifest(version=4, model_sha256=sha256_of(b"m1"), approver="demo")
        work.model_versions.add(facts, str(tmp_path / "bentos" / "1"))
        shown = TrafficPolicy(
            task="chest", policy_version=3, champion=2, challengers=(Challenger(version=4, share=0.1),)
        )  # fmt: skip
        work.traffic.change(shown, by="Dr Bo", why="before the level was raised", at=now())
    assert refused(put(client, follows=3, champion=4)) == (403, "forbidden-by-level")
    assert put(client, follows=3, challengers=[]).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/tasks/absent/traffic", "/api/v1/tasks/absent/traffic/history"])
def test_a_task_without_a_policy_is_not_found(path: str, client: Any) -> None:
    assert refused(client.get(path)) == (404, "unknown-task")


def test_another_tenants_traffic_is_neither_seen_nor_changed(client: Any, database: Database) -> None:
    other = Tenant("other")
    with database.unit_of_work(other) as work:
        hand = TrafficPolicy(task="hand", policy_version=1, champion=1)
        work.traffic.change(hand, by="Dr Bo", why="theirs", at=now())
    assert refused(client.get("/api/v1/tasks/hand/traffic")) == (404, "unknown-task")
    body = {"why": "w", "follows": 1, "mode": "off"}
    assert refused(client.request("PUT", "/api/v1/tasks/hand/traffic", auth=ENGINEER, json=body))[0] == 404
    with database.unit_of_work(other, read_only=True) as work:
        assert work.traffic.current("hand") == hand
