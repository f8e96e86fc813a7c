"""Policies, Bentos, addresses and running services: whoever tampers with one of them is found, or changes nothing."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import text

from domain.audit import AuditAction, AuditEvent
from domain.errors import IntegrityViolation, Refused
from domain.experiment import ArmRow
from domain.identifiers import DEFAULT_TENANT, PredictionId, StudyId, pseudonym_of
from domain.traffic import Role, TrafficPolicy, assign
from infra.clock import now
from infra.settings import Settings
from pipelines import agreeing
from pipelines.agreeing import Agreement
from pipelines.wiring import Offline
from serving.gateway_client import npy_bytes
from serving.routing import MAX_AGE_S

pytestmark = [pytest.mark.slow, pytest.mark.servers]
TASK = "chest"
IMAGE = npy_bytes(np.arange(2500, dtype=np.uint16).reshape(50, 50))


def audit(platform: Any, policy: TrafficPolicy) -> None:
    with platform.database.unit_of_work(DEFAULT_TENANT) as work:
        work.audit.append(
            AuditEvent(
                tenant=DEFAULT_TENANT, agent="test", action=AuditAction.TRAFFIC_CHANGED,
                entity=f"{TASK} policy {policy.policy_version}", outcome="success", recorded=now(),
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def own_bentos(bentos: dict[int, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """Copies, to be altered."""
    folder = tmp_path_factory.mktemp("own")
    return {v: replace(one, bento=shutil.copytree(one.bento, folder / str(v))) for v, one in bentos.items()}


@pytest.fixture(scope="module")
def running(new_platforms: Callable[..., Any], own_bentos: dict[int, Any]) -> Any:
    """Version 1 is champion, version 2 has half of the patients; the supervisor runs both."""
    platform = new_platforms()
    audit(platform, platform.promote(own_bentos, champion=1, challenger=2, share=0.5))
    for root in ("services", "gateway"):
        platform.start(root)
    platform.wait_served(1, 2)
    time.sleep(MAX_AGE_S)  # the gateway's view of the addresses
    return platform


@pytest.fixture
def root(running: Any) -> Iterator[Offline]:
    root = Offline(Settings(home=running.home))
    yield root
    root.database.close()


def examine(root: Offline) -> Agreement:
    (found,) = agreeing.examine(root)
    return found


def test_what_runs_is_what_is_registered_and_in_force(root: Offline) -> None:
    found = examine(root)
    agreeing.require_agreement([found])
    assert (found.agreeing, found.absent, found.wrong) == (("chest@1", "chest@2"), (), ())
    assert str(found) == "chest: policy 1; running as registered: chest@1, chest@2"


def test_an_address_that_leads_to_another_version_is_found(running: Any, root: Offline) -> None:
    right = running.address(2)
    try:
        with running.database.unit_of_work(DEFAULT_TENANT) as work:
            work.addresses.set(TASK, 2, running.address(1))
        found = examine(root)
        assert found.wrong == (f"{running.address(1)} is on record as chest@2, and chest@1 answers there.",)
        with pytest.raises(IntegrityViolation, match="chest@1 answers there"):
            agreeing.require_agreement([found])
    finally:
        with running.database.unit_of_work(DEFAULT_TENANT) as work:
            work.addresses.set(TASK, 2, right)
    assert examine(root).wrong == ()


def test_the_gateway_never_takes_another_versions_answer_for_the_assigned_ones(running: Any) -> None:
    with running.database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        policy = work.traffic.current(TASK)
    patient_id = running.patient_with(Role.CHALLENGER, policy)
    headers = {
        "X-Fiducial-Tenant": DEFAULT_TENANT, "X-Fiducial-Prediction": "pr_1",
        "X-Fiducial-Patient": pseudonym_of(patient_id, key=running.secrets.pseudonym_key, tenant=DEFAULT_TENANT),
    }  # fmt: skip

    def ask() -> tuple[str, bool]:
        url = f"{running.gateway_url}/v1/tasks/{TASK}/predict"
        answer = httpx.post(url, content=IMAGE, headers=headers, timeout=30, trust_env=False).raise_for_status().json()
        return answer["model_version"], answer["fell_back"]

    assert ask() == ("chest@2", False)
    right = running.address(2)
    try:
        with running.database.unit_of_work(DEFAULT_TENANT) as work:
            work.addresses.set(TASK, 2, running.address(1))
        time.sleep(1.5 * MAX_AGE_S)
        assert ask() == ("chest@1", True)  # the champion answers in its place, and is named
    finally:
        with running.database.unit_of_work(DEFAULT_TENANT) as work:
            work.addresses.set(TASK, 2, right)


def test_an_address_where_something_else_or_nobody_answers_is_told(running: Any, root: Offline) -> None:
    right = running.address(2)
    try:
        with running.database.unit_of_work(DEFAULT_TENANT) as work:
            work.addresses.set(TASK, 2, f"{running.address(1)}/metrics")
        (told,) = examine(root).wrong
        assert "does not say which model version it is" in told
        with running.database.unit_of_work(DEFAULT_TENANT) as work:
            work.addresses.set(TASK, 2, "http://127.0.0.1:9")
        assert (examine(root).absent, examine(root).wrong) == (("chest@2",), ())
    finally:
        with running.database.unit_of_work(DEFAULT_TENANT) as work:
            work.addresses.set(TASK, 2, right)


def test_a_model_altered_on_disk_is_found_and_answers_nobody(
    running: Any, root: Offline, own_bentos: dict[int, Any]
) -> None:
    model: Path = own_bentos[2].bento / "src" / "model" / "model.onnx"
    whole = model.read_bytes()

    def answer() -> Any:
        return httpx.post(f"{running.address(2)}/predict", content=IMAGE, trust_env=False).json()["probability"]

    before = answer()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        (told,) = examine(root).wrong
        assert "is not the model of chest@2" in told
        assert answer() == before  # the process holds what it loaded; started again, it would refuse
    finally:
        model.write_bytes(whole)
    assert examine(root).wrong == ()


def test_a_manifest_exchanged_on_disk_is_found(root: Offline, own_bentos: dict[int, Any]) -> None:
    manifest: Path = own_bentos[2].bento / "src" / "model" / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text((own_bentos[1].bento / "src" / "model" / "manifest.json").read_text())
    try:
        (told,) = examine(root).wrong
        assert "carries another manifest than chest@2" in told
    finally:
        manifest.write_text(whole)


def forced(platform: Any, statement: str) -> None:
    """What somebody with the database's password does: past the repositories, and past the triggers."""
    with platform.database.engine.begin() as connection:
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))
        for _, sql in triggers:
            connection.execute(text(sql))


@pytest.fixture
def recorded(new_platform: Callable[..., Any], bentos: dict[int, Any]) -> Any:
    """A platform that is not started; version 1 is champion."""
    platform = new_platform()
    audit(platform, platform.promote(bentos, champion=1))
    return platform


@pytest.fixture
def its_root(recorded: Any) -> Iterator[Offline]:
    root = Offline(Settings(home=recorded.home))
    yield root
    root.database.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE traffic_policies SET changed_by = 'nobody'", "DELETE FROM traffic_policies", "DELETE FROM audit_events"],
)
def test_a_policy_or_its_audit_event_is_neither_altered_nor_deleted(recorded: Any, statement: str) -> None:
    with pytest.raises(Refused, match="never altered"), recorded.database.unit_of_work(DEFAULT_TENANT) as work:
        work.traffic._session.execute(text(statement))


def test_a_policy_slipped_in_past_fiducial_is_found(recorded: Any, its_root: Offline) -> None:
    forced(
        recorded,
        "INSERT INTO traffic_policies SELECT tenant, task, 2, json_replace(policy, '$.policy_version', 2, "
        "'$.champion', 2), changed_by, why, changed_at FROM traffic_policies",
    )
    (told,) = examine(its_root).wrong
    assert "Policy 2 of chest, by test, has no audit event" in told


def answered(platform: Any, patient_id: str) -> None:
    """An arm row as the worker writes it, by the policy in force."""
    patient = pseudonym_of(patient_id, key=platform.secrets.pseudonym_key, tenant=DEFAULT_TENANT)
    with platform.database.unit_of_work(DEFAULT_TENANT) as work:
        policy = work.traffic.current(TASK)
        assert policy is not None
        assigned = assign(patient, policy, key=platform.secrets.routing_key)
        work.arm_rows.add(
            ArmRow(
                task=TASK, prediction_id=PredictionId(f"pr_{patient_id}"), study_id=StudyId(f"st_{patient_id}"),
                patient=patient, assigned=assigned.version, answered=assigned.version, role=assigned.role,
                policy_version=policy.policy_version, outcome="done", probability=0.5, finding_present=True,
                seconds=0.1, recorded_at=now(),
            )
        )  # fmt: skip


def test_a_policy_altered_past_fiducial_contradicts_the_answers_given_under_it(
    recorded: Any, its_root: Offline
) -> None:
    for number in range(20):
        answered(recorded, f"P-{number}")
    assert examine(its_root).wrong == ()
    forced(recorded, "UPDATE traffic_policies SET policy = json_replace(policy, '$.champion', 2)")
    assert "Policy 1 of chest would have assigned 20 answered studies otherwise." in examine(its_root).wrong


def test_an_audit_event_written_for_it_by_hand_breaks_the_chain(recorded: Any, its_root: Offline) -> None:
    forced(
        recorded,
        "INSERT INTO audit_events SELECT tenant, sequence + 1, agent, action, 'chest policy 2', outcome, recorded, "
        "previous, digest FROM audit_events",
    )
    with pytest.raises(IntegrityViolation, match="The audit log is broken"):
        agreeing.examine(its_root)
