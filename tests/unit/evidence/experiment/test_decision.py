"""A comparison decides as it was declared, and nothing that comes later changes a look."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from domain.errors import NotEstimable
from domain.experiment import ArmRow
from domain.review import Review
from domain.traffic import Mode, Role
from evidence.experiment.decision import ExperimentView, decide
from evidence.experiment.designs import boundaries, looks_at
from evidence.experiment.simulation import compare
from evidence.statistics.independent_difference import difference
from evidence.statistics.proportion import clopper_pearson

Make = Callable[..., Any]
LOOKS = {"kind": "group sequential", "looks": [0.25, 0.5, 1.0]}


@pytest.fixture(scope="module")
def study(row: Make, review: Make) -> Callable[..., tuple[list[ArmRow], list[Review]]]:
    """n patients, a third of them the challenger's, who agree with the review at the rate of their arm."""

    def make(n: int, *, champion: float, challenger: float, seed: int = 0) -> tuple[list[ArmRow], list[Review]]:
        draw = np.random.default_rng(seed)
        rows = [row(number, challenger=number % 3 == 0) for number in range(1, n + 1)]
        agreed = [bool(draw.random() < (challenger if one.assigned == 2 else champion)) for one in rows]
        return rows, [review(one.number, present=hit) for one, hit in zip(rows, agreed, strict=True)]

    return make


@pytest.mark.parametrize("design", [LOOKS, {"kind": "always valid"}])
@pytest.mark.parametrize(
    ("rate", "verdict"), [(0.97, "challenger accepted"), (0.6, "challenger rejected"), (0.86, "stopped at maximum")]
)
def test_verdicts_of_both_designs(
    study: Make, declaration: Make, design: dict[str, Any], rate: float, verdict: str
) -> None:
    view = decide(declaration(design=design), *study(1000, champion=0.9, challenger=rate))
    assert view.verdict == verdict
    estimate = view.looks[-1].difference
    assert estimate is not None
    assert estimate.low < estimate.value < estimate.high
    assert (estimate.low > -0.05) is (verdict == "challenger accepted")
    assert (estimate.high < -0.05) is (verdict == "challenger rejected")
    assert verdict.split()[-1] in view.sentence or "not accepted" in view.sentence
    assert view.next_look_at is None


def test_between_looks_the_verdict_is_to_go_on_and_the_next_look_is_told(study: Make, declaration: Make) -> None:
    declared = declaration(design=LOOKS)
    view = decide(declared, *study(249, champion=0.9, challenger=0.9))
    assert (view.verdict, view.looks, view.next_look_at, view.known) == ("continue", (), 250, 249)
    assert view.sentence == "No look has been taken yet. The next look is at 250 patients; 249 are known."
    after = decide(declared, *study(420, champion=0.9, challenger=0.9))
    assert [look.patients for look in after.looks] == [250]
    assert (after.verdict, after.next_look_at) == ("continue", 500)


def test_later_patients_and_later_corrections_do_not_change_a_look(
    study: Make, declaration: Make, review: Make
) -> None:
    declared = declaration(design=LOOKS)
    rows, reviews = study(499, champion=0.9, challenger=0.88)
    before = decide(declared, rows[:300], reviews[:300])
    corrected = [review(number, present=False, minutes=10_000) for number in range(1, 200)]
    after = decide(declared, list(reversed(rows)), [*corrected, *reviews])
    assert before.looks == after.looks
    assert len(before.looks) == 1


def test_a_correction_before_the_look_is_seen_by_it(study: Make, declaration: Make, review: Make) -> None:
    rows, reviews = study(250, champion=1.0, challenger=1.0)
    wrong = [review(number, present=False, minutes=number + 0.2) for number in range(3, 31, 3)]
    once = decide(declaration(design=LOOKS), rows, [*reviews, *wrong]).looks[0]
    assert once.challenger is not None
    assert once.challenger.positives == once.challenger.n == 83
    late = [review(number, present=False, minutes=number + 100) for number in range(3, 31, 3)]
    twice = decide(declaration(design=LOOKS), rows, [*reviews, *late]).looks[0]
    assert twice.challenger is not None
    assert (twice.challenger.positives, twice.challenger.n) == (73, 83)


def test_patients_count_in_the_order_in_which_their_endpoint_became_known(
    study: Make, declaration: Make, review: Make
) -> None:
    rows, _ = study(500, champion=1.0, challenger=1.0)
    backwards = [review(one.number, present=one.number > 250, minutes=2000 - one.number) for one in rows]
    look = decide(declaration(design=LOOKS), rows, backwards).looks[0]
    assert look.champion is not None
    assert look.champion.positives == look.champion.n


def test_interval_is_the_repeated_one_of_that_look(study: Make, declaration: Make) -> None:
    declared = declaration(design=LOOKS)
    look = decide(declared, *study(300, champion=0.9, challenger=0.9)).looks[0]
    limits = boundaries(declared)
    assert limits is not None
    assert look.champion is not None
    assert look.challenger is not None
    assert look.z == limits.z[0]
    assert look.champion == clopper_pearson(look.champion.positives, look.champion.n, level=look.champion.level)
    assert look.difference == difference(look.challenger, look.champion)
    assert look.champion.level > 0.9999  # O'Brien and Fleming spend next to nothing at a quarter


def test_sensitivity_counts_patients_with_the_finding_and_specificity_the_others(
    row: Make, review: Make, declaration: Make
) -> None:
    rows = [row(n, challenger=n % 2 == 0, finding_present=n % 3 == 0) for n in range(1, 61)]
    truth = [review(n, present=n % 4 < 2, source="reference standard") for n in range(1, 61)]
    clinician = [review(n, present=True) for n in range(1, 61)]
    sensitivity = decide(declaration(endpoint="sensitivity"), rows, truth + clinician)
    specificity = decide(declaration(endpoint="specificity"), rows, truth + clinician)
    assert (sensitivity.known, specificity.known) == (30, 30)
    for view, present in ((sensitivity, True), (specificity, False)):
        look = view.looks[-1]
        assert look.champion is not None
        those = [one for one in rows if one.number % 2 and (one.number % 4 < 2) is present]
        assert look.champion.n == len(those)
        assert look.champion.positives == sum(one.finding_present is present for one in those)


def test_what_the_assigned_version_did_not_answer_itself_is_no_success(
    row: Make, review: Make, declaration: Make
) -> None:
    rows = [
        row(1),
        row(2, challenger=True, answered=1),
        row(3, challenger=True, outcome="abstained", finding_present=None),
        row(4, challenger=True, answered=None, outcome="failed", finding_present=None),
        row(5, challenger=True),
    ]
    look = decide(declaration(), rows, [review(n) for n in range(1, 6)]).looks[0]
    assert look.challenger is not None
    assert (look.challenger.positives, look.challenger.n) == (1, 4)


def test_a_patient_counts_once_in_its_first_arm_and_pinned_ones_never(
    row: Make, review: Make, declaration: Make
) -> None:
    rows = [
        row(1),
        row(2, challenger=True),
        row(3, challenger=True, patient="patient-1"),
        row(4, challenger=True, role=Role.PINNED),
        row(5, assigned=3, answered=3, role=Role.CHALLENGER),
        row(6, task="another"),
    ]
    view = decide(declaration(), rows, [review(n) for n in range(1, 7)])
    assert (view.assigned, view.known_champion, view.known_challenger, view.moved) == (2, 1, 1, 1)


def test_rows_of_a_policy_that_did_not_randomise_are_left_out(
    row: Make, review: Make, declaration: Make, policy: Make
) -> None:
    rows = [row(1), row(2, policy_version=2), row(3, policy_version=3), row(4, challenger=True)]
    policies = (policy(), policy(policy_version=2, mode=Mode.CHAMPION_ONLY), policy(0.0, policy_version=3))
    view = decide(declaration(), rows, [review(n) for n in range(1, 5)], policies=policies)
    assert (view.known_champion, view.known_challenger) == (1, 1)


def test_later_patients_change_nothing_once_an_always_valid_comparison_decided(study: Make, declaration: Make) -> None:
    rows, reviews = study(900, champion=0.9, challenger=0.5)
    view = decide(declaration(), rows, reviews)
    until = view.looks[0].patients
    assert view.verdict == "challenger rejected"
    assert until < 300
    assert decide(declaration(), rows[:until], reviews[:until]).looks == view.looks
    assert decide(declaration(), rows[: until - 1], reviews[: until - 1]).verdict == "continue"


@pytest.mark.parametrize("design", [LOOKS, {"kind": "always valid"}])
def test_the_simulation_decides_as_live_comparisons_do(study: Make, declaration: Make, design: dict[str, Any]) -> None:
    declared = declaration(design=design)
    for seed, rate in enumerate((0.97, 0.9, 0.7)):
        rows, reviews = study(1000, champion=0.9, challenger=rate, seed=seed)
        view = decide(declared, rows, reviews)
        arms = np.array([one.assigned == 2 for one in rows])
        success = np.array([one.finding_present for one in reviews])
        runs = compare(declared, arms[None, :], success[None, :])
        assert runs.verdicts == (view.verdict,)
        assert runs.patients.tolist() == [view.looks[-1].patients]


def test_a_view_goes_through_json_unchanged(study: Make, declaration: Make) -> None:
    view = decide(declaration(design=LOOKS), *study(300, champion=0.9, challenger=0.9))
    assert ExperimentView.model_validate_json(view.model_dump_json()) == view


def test_superiority_is_held_against_nought_whatever_the_margin(study: Make, declaration: Make) -> None:
    equal = study(1000, champion=0.9, challenger=0.9)
    assert decide(declaration(hypothesis="superiority", margin=0.2), *equal).verdict == "stopped at maximum"
    assert decide(declaration(margin=0.2), *equal).verdict == "challenger accepted"


@pytest.mark.parametrize("looks", [[], [0.5], [0.5, 0.5, 1.0], [0.0, 1.0], [1.0, 0.5], [0.5001, 0.5002, 1.0]])
def test_looks_that_cannot_be_kept_are_refused(declaration: Make, looks: list[float]) -> None:
    with pytest.raises(NotEstimable):
        boundaries(declaration(design={"kind": "group sequential", "looks": looks}))


def test_an_early_look_that_may_spend_nothing_decides_nothing(study: Make, declaration: Make) -> None:
    declared = declaration(design={"kind": "group sequential", "looks": [0.05, 1.0]})
    look = decide(declared, *study(60, champion=1.0, challenger=0.0)).looks[0]
    assert (look.patients, look.z, look.difference, look.verdict) == (50, None, None, "continue")
    assert looks_at(declared) == (50, 1000)
