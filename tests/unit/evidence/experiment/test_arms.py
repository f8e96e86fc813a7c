"""Each arm shows its own patients, each number with its interval and n."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.experiment import ArmRow
from domain.traffic import Pin, Role, TrafficPolicy
from evidence.experiment.arms import Arm, arms
from evidence.statistics.proportion import wilson

Make = Callable[..., Any]


def test_every_visible_version_has_an_arm_and_pinned_patients_one_of_their_own(
    row: Callable[..., ArmRow], policy: Callable[..., TrafficPolicy]
) -> None:
    rows = [row(1), row(2, challenger=True), row(3, challenger=True, role=Role.PINNED, patient="pinned")]
    seen = arms(rows, [], policy=policy(pins=(Pin(patient="pinned", version=2),)))  # type: ignore[arg-type]
    assert [(arm.version, arm.role, arm.planned_share, arm.patients) for arm in seen] == [
        (1, Role.CHAMPION, 0.8, 1),
        (2, Role.CHALLENGER, 0.2, 1),
        (2, Role.PINNED, None, 1),
    ]


def test_nobody_to_count_is_none_and_not_nought(policy: Callable[..., TrafficPolicy]) -> None:
    champion, _ = arms([], [], policy=policy())
    assert (champion.studies, champion.patients) == (0, 0)
    assert champion.positives is champion.scores is champion.agreement is champion.sensitivity is None
    assert champion.errors is champion.abstentions is champion.seconds is champion.specificity is None


def test_shares_are_of_patients_and_carry_interval_and_n(row: Make, review: Make, policy: Make) -> None:
    rows = [row(n, finding_present=n <= 6) for n in range(1, 11)]
    rows += [row(20 + n, patient="patient-1") for n in range(5)]  # more studies of one patient
    reviews = [review(n, present=n <= 4) for n in range(1, 9)]
    truth = [review(n, present=n != 2, source="reference standard") for n in range(1, 11)]
    champion = arms(rows, reviews + truth, policy=policy())[0]
    assert (champion.studies, champion.patients) == (15, 10)
    assert champion.positives == wilson(6, 10)
    assert champion.agreement == wilson(6, 8)
    assert champion.sensitivity == wilson(5, 9)
    assert champion.specificity == wilson(0, 1)


def test_errors_and_abstentions_are_the_assigned_versions_and_their_answers_not(row: Make, policy: Make) -> None:
    rows = [
        row(1, challenger=True, answered=1),
        row(2, challenger=True, answered=None, outcome="failed", finding_present=None, seconds=None),
        row(3, challenger=True, outcome="abstained", finding_present=None, probability=None),
        row(4, challenger=True, finding_present=False, probability=0.2, seconds=0.4),
    ]
    champion, challenger = arms(rows, [], policy=policy())
    assert challenger.errors == wilson(2, 4)
    assert challenger.abstentions == wilson(1, 4)
    assert challenger.positives == wilson(0, 1)
    assert challenger.seconds is not None
    assert challenger.seconds.n == 2
    assert champion.patients == 0


def test_distribution_of_scores_and_seconds(row: Make, policy: Make) -> None:
    rows = [row(n + 1, probability=min(n / 100 + 0.0001, 1.0), seconds=n / 10) for n in range(101)]
    champion = arms(rows, [], policy=policy())[0]
    assert champion.scores is not None
    assert champion.seconds is not None
    assert [share for share, _ in champion.scores.quantiles] == [0.05, 0.25, 0.5, 0.75, 0.95]
    assert [value for _, value in champion.scores.quantiles] == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95], abs=0.005)
    assert sum(champion.scores.histogram) == champion.scores.n == 101
    assert champion.scores.histogram == (10,) * 9 + (11,)
    assert [value for _, value in champion.seconds.quantiles] == pytest.approx([5.0, 9.5, 9.9])


def test_an_arm_goes_through_json_unchanged(row: Make, policy: Make) -> None:
    arm = arms([row(1), row(2)], [], policy=policy())[0]
    assert Arm.model_validate_json(arm.model_dump_json()) == arm
