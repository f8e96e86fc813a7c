"""Who served when and who answered, told by the database alone, while MLflow and Prefect are stopped."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import IntegrityViolation, UnknownStudy, UnknownTask
from domain.history import Period
from domain.identifiers import DEFAULT_TENANT, StudyId, Tenant, sha256_of
from domain.prediction import Abstained, Done, Prediction
from domain.traffic import Role, TrafficPolicy
from infra import history
from infra.db.session import Database, UnitOfWork
from serving.demo import DEMO_MANIFEST

Record = Callable[..., None]


@pytest.fixture
def start(pending: Prediction) -> Any:
    return pending.requested_at  # 2026-03-01 12:00 UTC, as the first policy's


def answer(database: Database, pending: Prediction, model_version: str, *, policy_version: int, **facts: Any) -> None:
    told = {"role": Role.CHAMPION, "fell_back": False, "demo": False, "threshold": 0.2} | facts
    state = Done(
        probability=0.9, finding_present=True, model_version=model_version, policy_version=policy_version,
        instances=(), explained_instance=None, answered_at=pending.requested_at + timedelta(seconds=1), **told,
    )  # fmt: skip
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.predictions.set_state(pending.prediction_id, state)


def recorded(database: Database, record: Record, *champions: int) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        record(work, *champions)


def reading(database: Database) -> Any:
    return database.unit_of_work(DEFAULT_TENANT, read_only=True)


def test_the_version_that_served_is_told_for_every_instant(database: Database, record: Record, start: Any) -> None:
    recorded(database, record, 1, 2)
    hour, tick = timedelta(hours=1), timedelta(microseconds=1)

    def champion(work: UnitOfWork, at: Any) -> str | None:
        found = history.served_on(work, "chest", at)
        return found.versions[0].model_version if found else None

    with reading(database) as work:
        asked = (start - tick, start, start + hour - tick, start + hour, start + 99 * hour)
        assert [champion(work, at) for at in asked] == [None, "chest@1", "chest@1", "chest@2", "chest@2"]
        for at in asked:
            change, found = work.traffic.in_force("chest", at), history.served_on(work, "chest", at)
            assert (change and change.policy.policy_version) == (found and found.policy_version)


def test_the_whole_history_names_who_decided_why_and_on_which_evidence(
    database: Database, record: Record, with_challenger: TrafficPolicy, start: Any
) -> None:
    recorded(database, record, 1)
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.traffic.change(with_challenger, by="Dr Bo", why="newer data", at=start + timedelta(hours=1))
        work.evidence_files.add("chest", 2, "report.json", sha256=sha256_of(b"r2"), size_bytes=2)
    with reading(database) as work:
        first, second = history.history(work, "chest")
    assert (first.until, second.until) == (second.since, None)
    assert (second.by, second.why) == ("Dr Bo", "newer data")
    assert [(one.model_version, one.role, one.share) for one in second.versions] == [
        ("chest@2", Role.CHAMPION, 0.8), ("chest@3", Role.CHALLENGER, 0.2), ("chest@1", Role.SHADOW, 0.0),
    ]  # fmt: skip
    assert second.versions[0].evidence_files == {"report.json": sha256_of(b"r2")}


def test_a_day_shows_every_policy_in_force_within_it(database: Database, record: Record, start: Any) -> None:
    recorded(database, record, 1, 2, 3)
    with reading(database) as work:
        for day, served in (("2026-02-28", []), ("2026-03-01", [1, 2, 3]), ("2026-03-02", [3])):
            found = history.of_task(work, "chest", asked=Period.parse(day, now=start + timedelta(days=9)))
            assert [one.policy_version for one in found.records] == served


def test_a_study_tells_who_answered_it_with_the_evidence_and_the_reason(
    database: Database, record: Record, pending: Prediction
) -> None:
    recorded(database, record, 1, 2, 3)
    answer(database, pending, "chest@2", policy_version=2, threshold=0.25)
    with reading(database) as work:
        (told,) = history.answered(work, pending.study_id)
    assert told.evidence is not None
    assert (told.model_version, told.policy_version, told.threshold) == ("chest@2", 2, 0.25)
    assert (told.promoted_by, told.why) == ("Dr 2", "[bold]reason[/bold] 2")
    assert told.in_force_since == pending.requested_at + timedelta(hours=1)
    assert (told.evidence.weights_sha256, told.evidence.report_sha256) == (sha256_of(b"w2"), sha256_of(b"r2"))
    assert (told.evidence.approver, told.answered_at) == ("Dr 2", pending.requested_at + timedelta(seconds=1))
    assert "probability" not in told.model_dump()  # who answered, not what was said of the patient


def test_who_abstained_is_told_like_who_answered(database: Database, record: Record, pending: Prediction) -> None:
    recorded(database, record, 1, 2)
    state = Abstained(
        reasons=("Unlike.",), model_version="chest@2", role=Role.CHAMPION, policy_version=2, fell_back=False,
        answered_at=pending.requested_at + timedelta(seconds=1),
    )  # fmt: skip
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.predictions.set_state(pending.prediction_id, state)
    with reading(database) as work:
        (told,) = history.answered(work, pending.study_id)
    assert told.evidence is not None
    assert (told.abstained, told.threshold, told.model_version, told.why) == (
        True, None, "chest@2", "[bold]reason[/bold] 2",
    )  # fmt: skip
    assert (told.evidence.weights_sha256, told.in_force_since) == (
        sha256_of(b"w2"), pending.requested_at + timedelta(hours=1),
    )  # fmt: skip


def test_an_unanswered_study_has_no_answer_and_the_demo_classifiers_has_no_evidence(
    database: Database, pending: Prediction
) -> None:
    with reading(database) as work:
        assert history.answered(work, pending.study_id) == ()
    answer(database, pending, DEMO_MANIFEST.model_version, policy_version=0, demo=True)
    with reading(database) as work:
        (told,) = history.answered(work, pending.study_id)
    assert (told.demo, told.evidence, told.why, told.policy_version) == (True, None, None, 0)


def test_an_answer_under_a_policy_that_nobody_put_in_force_is_found(
    database: Database, record: Record, pending: Prediction
) -> None:
    recorded(database, record, 1)
    answer(database, pending, "chest@1", policy_version=7)
    with reading(database) as work, pytest.raises(IntegrityViolation, match="policy 7, which is not on record"):
        history.answered(work, pending.study_id)


def test_what_is_unknown_is_named_and_another_tenant_sees_nothing(
    database: Database, record: Record, pending: Prediction
) -> None:
    recorded(database, record, 1)
    with reading(database) as work:
        with pytest.raises(UnknownTask, match=r"'absent' was ever put into service here. Known: chest."):
            history.history(work, "absent")
        with pytest.raises(UnknownStudy):
            history.answered(work, StudyId("st_absent"))
    with database.unit_of_work(Tenant("other"), read_only=True) as work:
        with pytest.raises(UnknownTask):
            history.history(work, "chest")
        with pytest.raises(UnknownStudy):
            history.answered(work, pending.study_id)
