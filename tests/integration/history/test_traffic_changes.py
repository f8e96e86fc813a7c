"""Only what may serve is put in force, by whoever asks; what takes patients away is never held up; all is recorded."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.audit import AuditAction
from domain.change_control import GateDecision
from domain.errors import (
    Conflict,
    CriteriaNotMet,
    DigestMismatch,
    FiducialError,
    ForbiddenByLevel,
    InvalidField,
    ModelUnavailable,
    Refused,
    UnknownModelVersion,
    UnknownTask,
)
from domain.identifiers import DEFAULT_TENANT, Pseudonym, sha256_of
from domain.level import LEVELS, LevelName
from domain.traffic import Challenger, Mode, Pin, Segment, TrafficPolicy
from domain.traffic_request import TrafficRequest
from infra import traffic_changes
from infra.db.session import Database, UnitOfWork

NOW = datetime(2026, 3, 9, tzinfo=UTC)
SAID: dict[str, Any] = {"by": "Dr Ada", "why": "worse at site north", "at": NOW}
STARTER = LEVELS[LevelName.STARTER]
CLINICAL = LEVELS[LevelName.CLINICAL]
PATIENT = Pseudonym("a" * 32)
Record = Callable[..., None]


def decide(work: UnitOfWork, version: int, verdict: str) -> None:
    work.decisions.add(
        GateDecision.model_validate(
            {"task": "chest", "model_version": f"chest@{version}", "variant": "v", "champion": None, "verdict": verdict,
             "changes": (), "checks": (), "decided_by": "Dr Ada", "decided_at": NOW, "why": "w",
             **dict.fromkeys(("report_sha256", "plan_sha256", "pccp_sha256"), sha256_of(b""))}
        )
    )  # fmt: skip


@pytest.fixture
def served(database: Database, record: Record) -> Database:
    """Version 1 and then 2 served; 3 was promoted by the gate and never served."""
    with database.unit_of_work(DEFAULT_TENANT) as work:
        record(work, 1, 2)
        decide(work, 3, "promote")
    return database


def bento(tmp_path: Path, version: int) -> Path:
    return tmp_path / "bentos" / str(version) / "src" / "model" / "model.onnx"


def policy(number: int = 3, champion: int = 2, **parts: Any) -> TrafficPolicy:
    return TrafficPolicy(task="chest", policy_version=number, champion=champion, **parts)


def share(version: int, of: float) -> dict[str, Any]:
    return {"challengers": (Challenger(version=version, share=of),)}


def change(database: Database, wanted: TrafficPolicy, **said: Any) -> TrafficPolicy:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        return traffic_changes.change(work, wanted, **{**SAID, **said})


def current(database: Database) -> TrafficPolicy:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return traffic_changes.in_force(work, "chest")


def audited(database: Database, entity: str) -> list[tuple[AuditAction, str]]:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return [(one.action, one.agent) for one in work.audit.of(entity)]


def test_a_change_is_in_force_with_who_when_and_why_and_in_the_audit_trail(served: Database) -> None:
    put = change(served, policy(shadows=(1,), **share(3, 0.2)))
    assert current(served) == put
    with served.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        last = work.traffic.history("chest")[-1]
    assert (last.by, last.why, last.at) == ("Dr Ada", "worse at site north", NOW)
    assert audited(served, "chest policy 3") == [(AuditAction.TRAFFIC_CHANGED, "Dr Ada")]
    assert audited(served, "chest@2") == []  # it was champion before, too
    change(served, policy(4, champion=3))
    assert audited(served, "chest@3") == [(AuditAction.MODEL_PROMOTED, "Dr Ada")]


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        (policy(**share(9, 0.2)), UnknownModelVersion, "chest@9"),
        (policy(shadows=(9,)), UnknownModelVersion, "chest@9"),
        (policy(champion=9), UnknownModelVersion, "chest@9"), (policy(4, champion=1), Conflict, "does not follow 2"),
        (policy(2, champion=1), Conflict, "does not follow 2"),
        (policy(pins=(Pin(patient=Pseudonym("P-4711"), version=2),)), InvalidField, "by pseudonym"),
    ],
)  # fmt: skip
def test_what_may_not_be_in_force_is_refused_with_a_reason_and_changes_nothing(
    wanted: TrafficPolicy, error: type[FiducialError], said: str, served: Database
) -> None:
    before = audited(served, f"chest policy {wanted.policy_version}")
    with pytest.raises(error, match=said):
        change(served, wanted)
    assert current(served) == policy(2)
    assert audited(served, f"chest policy {wanted.policy_version}") == before


@pytest.mark.parametrize("said", [{"why": " "}, {"by": ""}, {"by": "x" * 201}])
def test_nothing_is_changed_without_a_name_and_a_reason(said: dict[str, str], served: Database) -> None:
    with pytest.raises(InvalidField):
        change(served, policy(**share(1, 0.1)), **said)
    assert current(served) == policy(2)


def test_what_the_gate_has_not_promoted_may_be_a_shadow_and_answers_nobody(database: Database, record: Record) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        record(work, 1, 2)
    change(database, policy(shadows=(3,)))
    for wanted in (policy(4, **share(3, 0.2)), policy(4, **share(3, 0.0)), policy(4, champion=3)):
        with pytest.raises(CriteriaNotMet, match="chest@3 has never answered for a patient, and the gate"):
            change(database, wanted)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        decide(work, 3, "promote")
        decide(work, 3, "refuse")
    with pytest.raises(CriteriaNotMet):
        change(database, policy(4, champion=3))


def test_a_version_that_answered_before_may_answer_again(served: Database) -> None:
    assert change(served, policy(**share(1, 0.1))).visible == (2, 1)


@pytest.mark.parametrize("version", [2, 3], ids=["champion in force", "new challenger"])
def test_a_version_whose_bento_is_altered_or_gone_is_not_put_in_force(
    version: int, served: Database, tmp_path: Path
) -> None:
    model = bento(tmp_path, version)
    model.write_bytes(b"other")
    with pytest.raises(DigestMismatch, match=f"is not the model of chest@{version}"):
        change(served, policy(**share(3, 0.2)))
    model.unlink()
    with pytest.raises(ModelUnavailable, match=f"The Bento of chest@{version} is not at"):
        change(served, policy(**share(3, 0.2)))
    assert current(served) == policy(2)


def test_whoever_takes_patients_away_need_not_wait_for_a_file(served: Database, tmp_path: Path) -> None:
    change(served, policy(**share(3, 0.2)))
    for version in (2, 3):
        bento(tmp_path, version).unlink()
    assert change(served, policy(4, mode=Mode.CHAMPION_ONLY, **share(3, 0.2))).mode is Mode.CHAMPION_ONLY
    assert change(served, policy(5, mode=Mode.OFF, **share(3, 0.1))).mode is Mode.OFF
    with served.unit_of_work(DEFAULT_TENANT) as work:
        traffic_changes.stop_challenger(work, "chest", 3, **SAID)
    with pytest.raises(ModelUnavailable):  # switching on gives patients back
        change(served, policy(7, **share(3, 0.0)))


def test_segments_are_those_that_move_the_fewest_whatever_the_caller_says(served: Database) -> None:
    first = change(served, policy(challengers=(Challenger(version=1, share=0.1), Challenger(version=3, share=0.1))))
    elsewhere = (Segment(version=3, first=5000, end=6000),)
    then = change(served, policy(4, segments=elsewhere, **share(3, 0.1)))
    assert then.segments == first.segments[1:] == (Segment(version=3, first=1000, end=2000),)


def test_a_stopped_challenger_has_no_share_and_no_pin_and_everything_else_stays(served: Database) -> None:
    kept = Pin(patient=Pseudonym("b" * 32), version=1)
    before = change(
        served,
        policy(
            challengers=(Challenger(version=1, share=0.1), Challenger(version=3, share=0.2)),
            pins=(Pin(patient=PATIENT, version=3), kept),
        ),
    )
    with served.unit_of_work(DEFAULT_TENANT) as work:
        after = traffic_changes.stop_challenger(work, "chest", 3, **SAID)
    assert after.challengers == (Challenger(version=1, share=0.1), Challenger(version=3, share=0.0))
    assert (after.pins, after.segments, after.versions) == ((kept,), before.segments[:1], before.versions)
    assert audited(served, "chest@3") == [(AuditAction.VERSION_STOPPED, "Dr Ada")]
    assert audited(served, "chest policy 4") == [(AuditAction.TRAFFIC_CHANGED, "Dr Ada")]
    with served.unit_of_work(DEFAULT_TENANT) as work:
        assert traffic_changes.stop_challenger(work, "chest", 3, **SAID) == after  # once is enough
        for version in (2, 9):
            with pytest.raises(Refused, match=f"chest@{version} is no challenger"):
                traffic_changes.stop_challenger(work, "chest", version, **SAID)
        with pytest.raises(UnknownTask):
            traffic_changes.stop_challenger(work, "absent", 3, **SAID)
    assert current(served) == after


def test_a_rollback_keeps_challengers_mode_and_pins_but_none_to_whom_it_left(served: Database) -> None:
    pins = (Pin(patient=PATIENT, version=3), Pin(patient=Pseudonym("b" * 32), version=2))
    before = change(served, policy(pins=pins, mode=Mode.CHAMPION_ONLY, **share(3, 0.2)))
    with served.unit_of_work(DEFAULT_TENANT) as work:
        done = traffic_changes.roll_back(work, "chest", **SAID)
    after = done.policy
    assert (done.left, after.champion, after.pins, after.mode) == (2, 1, pins[:1], Mode.CHAMPION_ONLY)
    assert after.segments == before.segments
    assert audited(served, "chest@1") == [(AuditAction.MODEL_ROLLED_BACK, "Dr Ada")]


def test_a_rollback_passes_over_what_it_must_not_return_to(served: Database) -> None:
    change(served, policy(champion=3))
    with served.unit_of_work(DEFAULT_TENANT) as work:
        with pytest.raises(Refused, match="chest@2 is not to come back"):
            traffic_changes.roll_back(work, "chest", **SAID, to=2, not_to=frozenset({2}))
        done = traffic_changes.roll_back(work, "chest", **SAID, not_to=frozenset({2}))
    assert done.policy.champion == 1
    with served.unit_of_work(DEFAULT_TENANT) as work, pytest.raises(Refused, match="No champion came before"):
        traffic_changes.roll_back(work, "chest", **SAID)


def amend(database: Database, by: str = "Dr Ada", level: Any = STARTER, **asked: Any) -> TrafficPolicy:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        request = TrafficRequest(**asked)
        return traffic_changes.amend(work, "chest", request, by=by, why="a reason", at=NOW, level=level)


def test_what_the_policy_says_already_makes_no_new_policy(served: Database) -> None:
    off = amend(served, mode=Mode.OFF)
    assert amend(served, mode=Mode.OFF) == off
    assert current(served).policy_version == 3


def test_from_the_clinical_level_on_demo_changes_no_traffic_and_what_it_approved_is_not_put_in_force(
    database: Database, record: Record
) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        record(work, 1, 2, approver_1="demo")
    for by in ("demo", " Demo "):
        with pytest.raises(ForbiddenByLevel, match="A change by 'demo' is not allowed at the level clinical"):
            amend(database, by=by, level=CLINICAL, mode=Mode.OFF)
    with pytest.raises(ForbiddenByLevel, match="chest@1, approved only by 'demo', is not allowed"):
        amend(database, level=CLINICAL, **share(1, 0.1))
    assert current(database) == policy(2)
    assert amend(database, **share(1, 0.1)).visible == (2, 1)
    assert amend(database, level=CLINICAL, challengers=()).visible == (2,)  # taking it out is always allowed


def test_of_two_changes_at_once_one_is_in_force_and_the_other_a_conflict(served: Database) -> None:
    ready, outcomes = threading.Barrier(2), dict[str, object]()

    def put(by: str) -> None:
        with served.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            seen = traffic_changes.in_force(work, "chest").policy_version
        ready.wait(timeout=30)
        try:
            outcomes[by] = change(served, policy(seen + 1, **share(3, 0.2)), by=by).policy_version
        except Conflict as conflict:
            outcomes[by] = type(conflict)

    both = [threading.Thread(target=put, args=(by,)) for by in ("Dr Ada", "Dr Bo")]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=60)
    assert sorted(map(str, outcomes.values())) == sorted(["3", str(Conflict)])
    (winner,) = [by for by, outcome in outcomes.items() if outcome == 3]
    assert audited(served, "chest policy 3") == [(AuditAction.TRAFFIC_CHANGED, winner)]
