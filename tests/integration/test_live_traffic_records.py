"""Records of live traffic on SQLite and on PostgreSQL: complete, in order, kept as they were written."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.canonical import canonical_json
from domain.errors import DigestMismatch, InvalidField, NotFound
from domain.experiment import DEFAULT_STOP_RULES, AlwaysValid, ArmRow, Declaration, Experiment, StopRule, TrafficEvent
from domain.identifiers import DEFAULT_TENANT, PredictionId, Pseudonym, StudyId, Tenant, sha256_of
from domain.prediction import Prediction
from domain.review import Review
from domain.traffic import Role
from infra.db.addresses import Address
from infra.db.session import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OTHER = Tenant("other")
RULE = StopRule(name="positives", measure="positives", low=0.1, high=0.4)


def arm_row(number: int = 0, **changes: Any) -> ArmRow:
    facts: dict[str, Any] = {
        "task": "chest", "prediction_id": PredictionId(f"pr_{number}"), "study_id": StudyId("st_1"),
        "patient": Pseudonym(f"p{number}"), "assigned": 2, "answered": 2, "role": Role.CHALLENGER, "policy_version": 3,
        "outcome": "done", "probability": 0.75, "finding_present": True, "seconds": 0.125, "recorded_at": NOW,
    }  # fmt: skip
    return ArmRow(**{**facts, **changes})


def review(**changes: Any) -> Review:
    facts: dict[str, Any] = {
        "study_id": "st_1", "task": "chest", "source": "review", "finding_present": True, "by": "ada", "at": NOW,
    }  # fmt: skip
    return Review(**{**facts, **changes})


def experiment(identifier: str, *, task: str = "chest") -> Experiment:
    declaration = Declaration(
        task=task,
        champion=1,
        challenger=2,
        endpoint="agreement",
        max_patients=200,
        design=AlwaysValid(),
        guards=(RULE,),
    )
    return Experiment(experiment_id=identifier, declaration=declaration, declared_by="ada", why="w", declared_at=NOW)


def event(**changes: Any) -> TrafficEvent:
    evidence: dict[str, Any] = {"share": 0.1, "interval": {"low": 0.05, "high": 0.3}, "rows": [1, 2]}
    facts: dict[str, Any] = {
        "task": "chest", "kind": "stopped", "version": 2, "policy_version": 4, "by": "watch", "why": "w",
        "evidence": evidence, "evidence_sha256": sha256_of(canonical_json(evidence)), "at": NOW,
    }  # fmt: skip
    return TrafficEvent(**{**facts, **changes})


def test_arm_rows_come_back_as_they_were_and_only_behind_the_number_read_last(database: Database) -> None:
    given = [
        arm_row(1),
        arm_row(2, answered=None, outcome="failed", probability=None, finding_present=None, seconds=None),
        arm_row(3, answered=1, role=Role.PINNED, outcome="abstained", probability=None, finding_present=None),
        arm_row(4, task="other"),
        arm_row(5, policy_version=4),
    ]
    with database.unit_of_work(DEFAULT_TENANT) as work:
        kept = [work.arm_rows.add(row) for row in given]
    assert [row.number for row in kept] == [1, 2, 3, 4, 5]
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        first = work.arm_rows.after("chest", 0, limit=2)
        rest = work.arm_rows.after("chest", first[-1].number)
        assert (*first, *rest) == (kept[0], kept[1], kept[2], kept[4])
        assert work.arm_rows.after("chest", 0, policy_version=4) == (kept[4],)
        assert work.arm_rows.after("chest", 5) == ()


def test_each_tenant_counts_its_own_rows(database: Database) -> None:
    for tenant in (DEFAULT_TENANT, OTHER):
        with database.unit_of_work(tenant) as work:
            assert work.arm_rows.add(arm_row(1)).number == 1
    with database.unit_of_work(OTHER, read_only=True) as work:
        assert len(work.arm_rows.after("chest", 0)) == 1


def test_a_row_is_numbered_in_the_order_of_the_commits_so_that_no_reader_misses_one(database: Database) -> None:
    """A number given early and committed late would lie behind what a reader has read already, for ever unseen."""
    first_has_its_number, second_tries = threading.Event(), threading.Event()
    seen: list[int] = []

    def add_slowly() -> None:
        with database.unit_of_work(DEFAULT_TENANT) as work:
            work.arm_rows.add(arm_row(1))
            first_has_its_number.set()
            second_tries.wait(5)
            threading.Event().wait(0.3)  # the second one could overtake now

    def add() -> None:
        first_has_its_number.wait(5)
        second_tries.set()
        with database.unit_of_work(DEFAULT_TENANT) as work:
            work.arm_rows.add(arm_row(2))
        with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
            seen.extend(row.number for row in work.arm_rows.after("chest", 0))

    threads = [threading.Thread(target=target) for target in (add_slowly, add)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1, 2]


def test_every_statement_about_a_study_is_kept(database: Database, pending: Prediction) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.reviews.add(review())
        work.reviews.add(review(finding_present=False, at=NOW + timedelta(days=1)))
        work.reviews.add(review(task="other", source="reference standard"))
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        of_task = work.reviews.of_task("chest")
        assert [(one.number, one.finding_present, one.by) for one in of_task] == [(1, True, "ada"), (2, False, "ada")]
        assert [one.number for one in work.reviews.of_task("chest", after=1)] == [2]
        assert [one.source for one in work.reviews.of_study(pending.study_id)] == ["review"] * 2 + [
            "reference standard"
        ]


def test_experiments_come_back_whole(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for one in (experiment("ex_1"), experiment("ex_2", task="other")):
            work.experiments.add(one)
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.experiments.get("ex_1") == experiment("ex_1")
        assert work.experiments.list("chest") == (experiment("ex_1"),)
        assert len(work.experiments.list()) == 2
        with pytest.raises(NotFound):
            work.experiments.get("ex_3")


def test_the_rules_declared_last_are_in_force_and_until_then_everybodys(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        assert work.stop_rules.in_force("chest") == DEFAULT_STOP_RULES
        work.stop_rules.declare("chest", [RULE], by="ada", why="w", at=NOW)
        work.stop_rules.declare("chest", (*DEFAULT_STOP_RULES, RULE), by="bo", why="more", at=NOW)
        assert work.stop_rules.in_force("other") == DEFAULT_STOP_RULES
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.stop_rules.in_force("chest") == (*DEFAULT_STOP_RULES, RULE)
        assert [(one.by, one.why, len(one.rules)) for one in work.stop_rules.list("chest")] == [
            ("ada", "w", 1), ("bo", "more", 4),
        ]  # fmt: skip


@pytest.mark.parametrize("rules", [(), (RULE, RULE.model_copy(update={"high": 0.5}))])
def test_a_task_is_never_without_rules_and_no_two_have_one_name(
    database: Database, rules: tuple[StopRule, ...]
) -> None:
    with pytest.raises(InvalidField), database.unit_of_work(DEFAULT_TENANT) as work:
        work.stop_rules.declare("chest", rules, by="ada", why="w", at=NOW)


def test_an_event_is_kept_with_evidence_of_its_digest_and_no_other(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.traffic_events.add(event())
    with pytest.raises(DigestMismatch), database.unit_of_work(DEFAULT_TENANT) as work:
        work.traffic_events.add(event(evidence={"share": 0.2}))
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        (kept,) = work.traffic_events.list("chest")
        assert work.traffic_events.list("other") == ()
    assert kept == event()
    assert sha256_of(canonical_json(kept.evidence)) == kept.evidence_sha256


def test_an_address_tells_how_long_its_version_took_to_load_and_what_it_holds(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        work.addresses.set("chest", 1, "http://127.0.0.1:1", load_s=1.5, rss_bytes=5 * 2**30)
        work.addresses.set("chest", 2, "http://127.0.0.1:2")
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        assert work.addresses.list() == (
            Address("chest", 1, "http://127.0.0.1:1", 1.5, 5 * 2**30), Address("chest", 2, "http://127.0.0.1:2"),
        )  # fmt: skip
