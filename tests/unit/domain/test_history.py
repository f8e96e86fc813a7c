"""Who served when is told exactly, from the first policy to the one in force."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.canonical import readable_json
from domain.change_control import GateDecision
from domain.codes import PNEUMONIA
from domain.dataset import DatasetVersion
from domain.errors import IntegrityViolation, InvalidField
from domain.history import Evidence, Period, line_of_champions, serving_records
from domain.identifiers import Pseudonym, sha256_of
from domain.intended_use import IntendedUse
from domain.model_version import ModelManifest, OperatingPoint
from domain.preprocessing import Preprocessing
from domain.traffic import Challenger, Mode, Pin, Role, TrafficPolicy

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DIGEST = sha256_of(b"")


@dataclass(frozen=True)
class Put:
    """A policy and who put it in force."""

    policy: TrafficPolicy
    at: datetime
    by: str = "Dr Ada"
    why: str = "better"


def manifest(version: int) -> ModelManifest:
    return ModelManifest(
        task="chest", title="Chest", version=version, variant=f"network-seed{version}", demo=False,
        intended_use=IntendedUse(
            statement="s", modalities=frozenset(), body_parts=frozenset(), view_positions=frozenset()
        ),
        finding=PNEUMONIA, preprocessing=Preprocessing(size_px=32),
        operating_point=OperatingPoint(threshold=version / 10, rule="test", chosen_on="tune"),
        engine="onnxruntime", explains=True, parameters=1, weights_sha256=sha256_of(b"w%d" % version),
        model_sha256=sha256_of(b"m%d" % version), report_sha256=sha256_of(b"r%d" % version),
        dataset_version=DatasetVersion(
            source="phantom", distribution="generated", digest=DIGEST, synthetic=True, counts={}, excluded={}, shards={}
        ),
        run_id="run", git_commit="c" * 40, git_dirty=False, seed=1, performance=(), criteria=(), reference_answers=(),
        approver=f"Dr {version}",
    )  # fmt: skip


def policy(number: int, champion: int, **parts: Any) -> TrafficPolicy:
    return TrafficPolicy(task="chest", policy_version=number, champion=champion, **parts)


def decision(version: int, *, at: datetime, verdict: str = "promote") -> GateDecision:
    return GateDecision.model_validate(
        {"task": "chest", "model_version": f"chest@{version}", "variant": "v", "champion": None, "verdict": verdict,
         "changes": (), "checks": (), "report_sha256": DIGEST, "plan_sha256": DIGEST, "pccp_sha256": DIGEST,
         "decided_by": "Dr Ada", "decided_at": at, "why": "ä reason"}
    )  # fmt: skip


def champions(*served: int) -> list[Put]:
    return [Put(policy(number, champion), NOON) for number, champion in enumerate(served, start=1)]


EVIDENCE = Evidence(manifests={version: manifest(version) for version in (1, 2, 3)})


def test_a_policy_serves_until_the_next_one_and_the_last_is_in_force() -> None:
    first, second = serving_records(
        [Put(policy(1, 1), NOON), Put(policy(2, 2), NOON + timedelta(hours=1), by="Dr Bo", why="newer data")], EVIDENCE
    )
    assert (first.since, first.until, first.by, first.why) == (NOON, NOON + timedelta(hours=1), "Dr Ada", "better")
    assert (second.since, second.until, second.by, second.why) == (first.until, None, "Dr Bo", "newer data")


def test_each_version_has_its_part_its_share_and_its_own_evidence() -> None:
    parts = {"challengers": (Challenger(version=2, share=0.25),), "shadows": (3,)}
    (record,) = serving_records([Put(policy(1, 1, **parts), NOON)], EVIDENCE)
    assert [(one.model_version, one.role, one.share) for one in record.versions] == [
        ("chest@1", Role.CHAMPION, 0.75), ("chest@2", Role.CHALLENGER, 0.25), ("chest@3", Role.SHADOW, 0.0),
    ]  # fmt: skip
    challenger = record.versions[1]
    assert (challenger.threshold, challenger.approver, challenger.variant) == (0.2, "Dr 2", "network-seed2")
    assert (challenger.weights_sha256, challenger.report_sha256) == (sha256_of(b"w2"), sha256_of(b"r2"))


def test_a_record_tells_the_kill_switch_and_how_many_patients_were_pinned_never_whom() -> None:
    pins = (Pin(patient=Pseudonym("a" * 32), version=1), Pin(patient=Pseudonym("b" * 32), version=1))
    plain, steered = serving_records(
        [Put(policy(1, 1), NOON), Put(policy(2, 1, pins=pins, mode=Mode.OFF), NOON + TICK)], EVIDENCE
    )
    assert (plain.mode, plain.pinned_patients) == (Mode.NORMAL, 0)
    assert (steered.mode, steered.pinned_patients) == (Mode.OFF, 2)
    assert "a" * 32 not in steered.model_dump_json()


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        (Period.instant(NOON - TICK), []), (Period.instant(NOON), [1]),
        (Period.instant(NOON + timedelta(hours=1) - TICK), [1]), (Period.instant(NOON + timedelta(hours=1)), [2]),
        (Period.instant(NOON + timedelta(days=9)), [2]),
    ],
)  # fmt: skip
def test_a_change_takes_effect_at_its_own_instant(asked: Period, served: list[int]) -> None:
    records = serving_records([Put(policy(1, 1), NOON), Put(policy(2, 2), NOON + timedelta(hours=1))], EVIDENCE)
    assert [one.policy_version for one in records if one.served_during(asked)] == served


@pytest.mark.parametrize(
    ("day", "served"),
    [("2026-11-23", []), ("2026-11-24", [1, 2]), ("2026-11-25", [2, 3]), ("2026-11-26", [3]), ("2026-11-27", [3])],
)
def test_a_day_names_every_version_that_served_in_it(day: str, served: list[int]) -> None:
    midnight = datetime(2026, 11, 26, tzinfo=UTC)
    records = serving_records(
        [Put(policy(1, 1), NOON), Put(policy(2, 2), NOON + TICK), Put(policy(3, 3), midnight - TICK)], EVIDENCE
    )
    asked = Period.parse(day, now=NOON + timedelta(days=30))
    assert [one.policy_version for one in records if one.served_during(asked)] == served


def test_a_policy_overtaken_at_once_never_served_even_where_the_clock_went_back() -> None:
    records = serving_records([Put(policy(1, 1), NOON), Put(policy(2, 2), NOON - timedelta(minutes=5))], EVIDENCE)
    for moment in (NOON - timedelta(minutes=1), NOON, NOON + timedelta(days=1)):
        assert [one.policy_version for one in records if one.served_during(Period.instant(moment))] == [2]


def test_the_decision_told_is_the_last_before_the_policy_by_the_digest_of_its_file() -> None:
    decisions = [
        decision(1, at=NOON - timedelta(days=2), verdict="refuse"), decision(1, at=NOON - timedelta(days=1)),
        decision(2, at=NOON - timedelta(hours=1)), decision(1, at=NOON + timedelta(days=1), verdict="refuse"),
    ]  # fmt: skip
    evidence = EVIDENCE.model_copy(update={"decisions": decisions})
    (record,) = serving_records([Put(policy(1, 1), NOON)], evidence)
    told = record.versions[0].decision
    assert told is not None
    assert (told.verdict, told.decided_at) == ("promote", NOON - timedelta(days=1))
    assert told.sha256 == sha256_of(readable_json(decisions[1].model_dump(mode="json")))


def test_a_policy_whose_version_is_not_on_record_is_no_history_to_trust() -> None:
    with pytest.raises(IntegrityViolation, match="Policy 1 of chest names version 9"):
        serving_records([Put(policy(1, 9), NOON)], EVIDENCE)


@pytest.mark.parametrize(
    ("served", "line"),
    [((1,), (1,)), ((1, 2, 3), (1, 2, 3)), ((1, 1, 2), (1, 2)), ((1, 2, 3, 2), (1, 2)), ((1, 2, 1), (1,)),
     ((1, 2, 1, 3), (1, 3)), ((1, 2, 3, 1, 3), (1, 3))],
)  # fmt: skip
def test_whoever_was_rolled_back_is_not_in_the_line_of_champions(
    served: tuple[int, ...], line: tuple[int, ...]
) -> None:
    assert line_of_champions(champions(*served)) == line


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-11-24T13:00:00+01:00", NOON, NOON + TICK), ("2026-11-24T12:00:00Z", NOON, NOON + TICK),
    ],
)  # fmt: skip
def test_a_date_is_its_whole_day_in_utc_and_a_time_its_instant(text: str, start: datetime, end: datetime) -> None:
    asked = Period.parse(text, now=NOON)
    assert (asked.start, asked.end, asked.is_day) == (start, end, "T" not in text)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "24.11.2026", "2026-02-30", "2026-13-01", "2026-11-24T12:00:00", "2026-11-24 12:00:00 01:00",
     "0001-01-01T00:00:00+14:00", "2026-11-24T25:00:00Z"],
)  # fmt: skip
def test_what_is_no_moment_is_refused_with_the_forms_that_are_taken(text: str) -> None:
    with pytest.raises(InvalidField, match="is no moment") as refused:
        Period.parse(text, now=NOON)
    assert "2026-11-24T09:30:00Z" in str(refused.value)


@pytest.mark.parametrize("text", ["2026-11-25", "2026-11-24T12:00:01Z", "9999-12-30"])
def test_nothing_is_told_of_the_future(text: str) -> None:
    with pytest.raises(InvalidField, match="lies in the future"):
        Period.parse(text, now=NOON)
