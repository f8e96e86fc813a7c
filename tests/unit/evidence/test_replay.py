"""Figures of a replay: changes, agreement, and then against now where the truth is known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.identifiers import PredictionId, StudyId
from domain.replay import Outcome, ReplayedStudy, StudyAnswer
from domain.review import Review
from evidence.replay import AgainstTruth, Comparison, compare
from evidence.statistics import agreement, paired_binary
from evidence.statistics.proportion import wilson

AT = datetime(2026, 3, 1, tzinfo=UTC)


def answer(outcome: Outcome, probability: float | None = None) -> StudyAnswer:
    given = {"present": 0.9, "absent": 0.1}.get(outcome) if probability is None else probability
    return StudyAnswer(outcome=outcome, model_version=None if outcome == "refused" else "chest@1", probability=given)


def study(number: int, then: Outcome, now: Outcome, *, patient: int | None = None) -> ReplayedStudy:
    return ReplayedStudy(
        study_id=StudyId(f"st_{number}"), prediction_id=PredictionId(f"pr_{number}"), patient=patient or number,
        requested_at=AT, then=answer(then), now=answer(now),
    )  # fmt: skip


def studies(*counts: tuple[Outcome, Outcome, int], studies_a_patient: int = 1) -> list[ReplayedStudy]:
    pairs = [(then, now) for then, now, count in counts for _ in range(count)]
    return [
        study(number, then, now, patient=1 + (number - 1) // studies_a_patient)
        for number, (then, now) in enumerate(pairs, start=1)
    ]


def review(number: int, present: bool, *, source: Any = "reference standard", minutes: int = 0) -> Review:
    at = AT + timedelta(minutes=minutes)
    return Review(
        study_id=StudyId(f"st_{number}"), task="chest", source=source, finding_present=present, by="Dr B", at=at
    )


def named(found: Comparison | AgainstTruth, name: str) -> Any:
    return next(one for one in found.figures if one.name == name)


MIXED = (("present", "present", 30), ("present", "absent", 5), ("absent", "present", 3), ("absent", "absent", 62))


def test_shares_and_kappa_are_the_textbooks_where_each_patient_has_one_study() -> None:
    found = compare(studies(*MIXED))
    changed, expected = named(found, "answer changed"), wilson(8, 100)
    assert (changed.value, changed.low, changed.high) == pytest.approx((expected.value, expected.low, expected.high))
    kappa, textbook = named(found, "Cohen's kappa"), agreement.cohen_kappa([[62, 3], [5, 30]]).kappa
    assert (kappa.value, kappa.low, kappa.high) == pytest.approx((textbook.value, textbook.low, textbook.high))
    assert named(found, "changed to negative").value == 0.05
    assert named(found, "changed to positive").value == 0.03
    assert named(found, "finding present, now less then").value == pytest.approx(-0.02)


def test_intervals_widen_where_patients_repeat() -> None:
    alone, repeated = compare(studies(*MIXED)), compare(studies(*MIXED, studies_a_patient=5))
    for name in ("answer changed", "Cohen's kappa", "probability, mean difference"):
        one, other = named(alone, name), named(repeated, name)
        assert one.value == pytest.approx(other.value)
        assert other.high - other.low > one.high - one.low
        assert (other.n, other.patients) == (100, 20)


def test_full_agreement_of_repeated_patients_is_as_sure_as_the_patients_are_many() -> None:
    same = (("present", "present", 40), ("absent", "absent", 60))
    kappa = named(compare(studies(*same, studies_a_patient=5)), "Cohen's kappa")
    assert (kappa.value, kappa.high, kappa.patients) == (1.0, 1.0, 20)
    assert kappa.low < named(compare(studies(*same)), "Cohen's kappa").low < 1.0


def test_every_study_stands_in_one_cell_of_the_cross_table() -> None:
    found = compare(studies(*MIXED, ("refused", "absent", 2), ("present", "abstained", 4), ("abstained", "refused", 1)))
    assert sum(cell.studies for cell in found.cross_table) == found.studies == 107
    assert {(c.then, c.now): c.studies for c in found.cross_table if c.studies}["present", "abstained"] == 4
    assert named(found, "answer changed").n == 107
    assert named(found, "Cohen's kappa").n == 100  # only where both answered


def test_against_the_reference_standard_the_difference_is_mcnemars() -> None:
    # Of 40 with the finding: 30 found both times, 5 only then, 3 only now, 2 never.
    counted = (("present", "present", 30), ("present", "absent", 5), ("absent", "present", 3), ("absent", "absent", 2))
    found = compare(studies(*counted), [review(number, True) for number in range(1, 41)])
    (against,) = found.against
    assert (against.source, against.studies, against.present) == ("reference standard", 40, 40)
    assert named(against, "sensitivity, then").value == pytest.approx(35 / 40)
    assert named(against, "sensitivity, now").value == pytest.approx(33 / 40)
    difference = named(against, "sensitivity, now less then")
    tango = paired_binary.difference(paired_binary.PairedTable(30, 3, 5, 2))
    assert difference.value == pytest.approx(-2 / 40)
    assert (difference.low, difference.high) == pytest.approx((tango.low, tango.high))
    mcnemar = paired_binary.mcnemar(paired_binary.PairedTable(30, 3, 5, 2))
    assert against.tests["sensitivity"].p_value == pytest.approx(mcnemar.mid_p)
    assert named(against, "specificity, now").kind == "not estimated"


def test_where_patients_repeat_the_difference_and_its_test_are_the_clustered_ones() -> None:
    counted = (
        ("present", "present", 30),
        ("present", "absent", 16),
        ("absent", "present", 4),
        ("absent", "absent", 10),
    )
    truth = [review(number, True) for number in range(1, 61)]
    (alone,) = compare(studies(*counted), truth).against
    (repeated,) = compare(studies(*counted, studies_a_patient=4), truth).against
    one, other = (named(found, "sensitivity, now less then") for found in (alone, repeated))
    assert one.value == pytest.approx(other.value)
    assert other.high - other.low > one.high - one.low
    assert repeated.tests["sensitivity"].p_value > alone.tests["sensitivity"].p_value
    assert "clustered" in other.method


def test_of_several_statements_of_one_source_the_last_counts_and_sources_stay_apart() -> None:
    said = [review(1, True, minutes=5), review(1, False, minutes=9), review(1, True, source="review")]
    found = compare(studies(*MIXED), said)
    assert {(one.source, one.present) for one in found.against} == {("reference standard", 0), ("review", 1)}


def test_a_flipped_version_is_worse_beyond_doubt() -> None:
    flipped = studies(("present", "absent", 30), ("absent", "present", 50))
    truth = [review(one, one <= 30) for one in range(1, 81)]
    (against,) = compare(flipped, truth).against
    assert named(against, "agreement, now less then").high < -0.9
    assert against.tests["agreement"].p_value < 1e-6


def test_no_studies_give_no_figures_and_no_error() -> None:
    found = compare([])
    assert {one.kind for one in found.figures} == {"not estimated"}
    assert found.largest_difference is None


def test_one_patient_alone_gives_shares_and_says_what_cannot_be_told() -> None:
    found = compare([study(1, "present", "absent")])
    assert named(found, "answer changed").value == 1.0
    assert named(found, "probability, mean difference").kind == "not estimated"
    assert found.largest_difference == pytest.approx(0.8)
