"""A version is stopped by what its own patients show, and by nothing else."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from domain.canonical import canonical_json
from domain.experiment import DEFAULT_STOP_RULES, ArmRow, StopRule
from domain.traffic import Role
from evidence.experiment.simulation import alarms
from evidence.experiment.stopping import STEP, evaluate, evaluate_all, judge, parts_of_error
from evidence.statistics.confidence_sequences import log_evidence, proportion

POSITIVES = StopRule(name="positives", measure="positives", low=0.1, high=0.5)
AGREEMENT = StopRule(name="agreement", measure="agreement", low=0.8)
ERRORS, ABSTENTIONS, SLOW = DEFAULT_STOP_RULES


def of_challenger(rule: StopRule, rows: list[ArmRow], reviews: Any = ()) -> Any:
    return evaluate(rule, rows, list(reviews), version=2, role=Role.CHALLENGER)


def test_acts_just_when_the_interval_lies_outside_the_band_and_says_so(row: Callable[..., ArmRow]) -> None:
    rows = [row(n, challenger=True, finding_present=n % 10 != 0) for n in range(1, 41)]
    acted = []
    for n in range(1, 41):
        state = of_challenger(POSITIVES, rows[:n])
        assert state.acts is (state.low > 0.5)
        acted.append(state.acts)
    assert acted == sorted(acted)
    assert acted[-1]
    last = of_challenger(POSITIVES, rows)
    assert last.sentence == (
        f"positives 36 of 40 patients, 0.90 ({last.low:.2f}–{last.high:.2f} at any time), outside 0.10–0.50"
    )
    assert (last.low, last.high) == (
        proportion(36, 40, level=1 - 0.0005).low,
        proportion(36, 40, level=1 - 0.0005).high,
    )


def test_evidence_is_json_and_holds_counts_interval_rows_and_rule(row: Callable[..., ArmRow]) -> None:
    rows = [row(n, challenger=True) for n in range(3, 60)]
    evidence = json.loads(canonical_json(of_challenger(POSITIVES, rows).evidence()))
    assert (evidence["count"], evidence["patients"], evidence["acts"]) == (57, 57, True)
    assert evidence["rows"] == {"first": 3, "last": 59}
    assert StopRule.model_validate(evidence["rule"]) == POSITIVES
    assert evidence["interval"]["low"] > 0.5


def test_only_the_first_row_of_a_patient_counts(row: Callable[..., ArmRow]) -> None:
    once = [row(n, challenger=True, finding_present=False) for n in range(1, 21)]
    again = [row(100 + n, challenger=True, patient="patient-1") for n in range(200)]
    assert of_challenger(POSITIVES, [*again, *once]).count == 0
    assert of_challenger(POSITIVES, [*again, *once]).patients == 20


def test_other_versions_other_roles_and_pinned_patients_do_not_count(row: Callable[..., ArmRow]) -> None:
    rows = [
        row(1, challenger=True),
        row(2),
        row(3, challenger=True, role=Role.PINNED),
        row(4, challenger=True, assigned=3, answered=3),
    ]
    assert of_challenger(POSITIVES, rows).patients == 1


def test_a_rule_never_acts_on_a_role_it_does_not_apply_to(row: Callable[..., ArmRow]) -> None:
    rule = POSITIVES.model_copy(update={"applies_to": (Role.CHAMPION,)})
    state = of_challenger(rule, [row(n, challenger=True) for n in range(1, 200)])
    assert not state.acts
    assert state.sentence == "positives: does not apply to a challenger"


def test_without_a_patient_nothing_is_known(row: Callable[..., ArmRow]) -> None:
    state = of_challenger(AGREEMENT, [row(1, challenger=True)])
    assert (state.patients, state.share, state.low, state.high, state.acts) == (0, None, 0.0, 1.0, False)
    assert of_challenger(POSITIVES, []).sentence == "positives: no patient yet"


def test_a_fall_back_is_an_error_of_the_assigned_version_and_not_its_answer(row: Callable[..., ArmRow]) -> None:
    fell = [row(n, challenger=True, answered=1) for n in range(1, 11)]
    failed = [row(n, challenger=True, answered=None, outcome="failed", finding_present=None) for n in range(11, 16)]
    good = [row(n, challenger=True) for n in range(16, 26)]
    errors, positives = (of_challenger(rule, fell + failed + good) for rule in (ERRORS, POSITIVES))
    assert (errors.count, errors.patients) == (15, 25)
    assert errors.acts
    assert positives.patients == 10


def test_abstentions_are_of_all_patients_and_slow_of_all_timed_answers(row: Callable[..., ArmRow]) -> None:
    silent = [row(n, challenger=True, outcome="abstained", finding_present=None) for n in range(1, 31)]
    slow = [row(n, challenger=True, seconds=9.0) for n in range(31, 41)]
    waited = [row(n, challenger=True, seconds=9.0, answered=1) for n in range(41, 51)]
    abstentions, late = (of_challenger(rule, silent + slow + waited) for rule in (ABSTENTIONS, SLOW))
    assert (abstentions.count, abstentions.patients, abstentions.acts) == (30, 50, True)
    assert (late.count, late.patients) == (10, 40)


def test_agreement_is_with_the_latest_review_and_never_with_the_reference_standard(
    row: Callable[..., ArmRow], review: Callable[..., Any]
) -> None:
    rows = [row(n, challenger=True) for n in range(1, 31)]
    first = [review(n, present=True) for n in range(1, 31)]
    later = [review(n, present=False, minutes=500 + n) for n in range(1, 31)]
    truth = [review(n, present=True, source="reference standard", minutes=900) for n in range(1, 31)]
    other = [review(n, present=True, task="another", minutes=900) for n in range(1, 31)]
    assert of_challenger(AGREEMENT, rows, first).count == 30
    state = of_challenger(AGREEMENT, rows, [*truth, *other, *later, *first])
    assert (state.count, state.patients, state.acts) == (0, 30, True)


def test_all_rules_at_once_say_what_each_says_alone(row: Callable[..., ArmRow], review: Callable[..., Any]) -> None:
    rows = [row(n, challenger=True, finding_present=n % 3 == 0) for n in range(1, 90)]
    reviews = [review(n, present=n % 2 == 0) for n in range(1, 90)]
    rules = (POSITIVES, AGREEMENT, *DEFAULT_STOP_RULES)
    together = evaluate_all(rules, rows, reviews, version=2, role=Role.CHALLENGER)
    assert together == tuple(of_challenger(rule, rows, reviews) for rule in rules)


def test_parts_of_the_error_never_exceed_it() -> None:
    assert parts_of_error(0.01, 100_000).sum() <= 0.01
    assert parts_of_error(0.01, 2).tolist() == pytest.approx([0.005, 0.01 / 6])


def test_evidence_and_interval_are_one_and_the_same_test() -> None:
    for hits, n in ((0, 7), (3, 7), (7, 7), (40, 52), (250, 1000)):
        interval = proportion(hits, n, level=0.99)
        for rate in np.linspace(0.01, 0.99, 99):
            excluded = log_evidence(hits, n, rate=float(rate)) > np.log(100)
            assert excluded == (not interval.low <= rate <= interval.high)


def test_a_thousand_good_patients_do_not_cover_for_a_version_that_turned_bad() -> None:
    draw = np.random.default_rng(0)
    hits = np.append(draw.random(1000) < 0.3, draw.random(300) < 0.7)
    start, level, acts = judge(POSITIVES, hits)
    assert acts
    assert start >= 1000 - STEP
    assert level > 0.999
    assert proportion(int(hits.sum()), hits.size, level=0.999).low < 0.5  # what all patients together would say


@pytest.mark.parametrize(("rate", "rule"), [(0.3, POSITIVES), (0.5, POSITIVES), (0.1, POSITIVES), (0.8, AGREEMENT)])
def test_a_share_in_its_band_is_stopped_no_more_often_than_alpha(rate: float, rule: StopRule) -> None:
    lenient = rule.model_copy(update={"alpha": 0.05})
    found = alarms(lenient, np.random.default_rng(7).random((1000, 1000)) < rate)
    assert np.isfinite(found).mean() <= 0.05  # looked at after each of a thousand patients


def test_an_interval_of_one_look_would_stop_many_in_the_band() -> None:
    hits = np.random.default_rng(7).random((1000, 1000)) < 0.5
    n = np.arange(1, 1001)
    share = hits.cumsum(axis=1) / n
    late = (share - 1.96 * 0.5 / np.sqrt(n) > 0.5)[:, 30:].any(axis=1)
    assert late.mean() > 0.15


def test_faults_are_found_after_few_patients() -> None:
    draw = np.random.default_rng(8)
    flipped = alarms(POSITIVES, draw.random((300, 1500)) < 0.7)
    fallen = alarms(AGREEMENT, draw.random((300, 1500)) < 0.5)
    after = alarms(AGREEMENT, np.append(draw.random((300, 200)) < 0.9, draw.random((300, 800)) < 0.5, axis=1))
    assert np.median(flipped) < 130
    assert np.median(fallen) < 45
    assert (after > 200).all()
    assert np.median(after - 200) < 65
    assert np.isfinite(np.concatenate([flipped, fallen, after])).all()


def test_the_simulation_alarms_where_the_live_rule_does(row: Callable[..., ArmRow]) -> None:
    for seed in range(5):
        hits = np.random.default_rng(seed).random(300) < 0.75
        rows = [row(n + 1, challenger=True, finding_present=bool(hit)) for n, hit in enumerate(hits)]
        at = int(alarms(POSITIVES, hits[None, :])[0])
        assert of_challenger(POSITIVES, rows[:at]).acts
        assert not of_challenger(POSITIVES, rows[: at - 1]).acts
