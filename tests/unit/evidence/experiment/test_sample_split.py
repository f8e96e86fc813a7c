"""A split that is not the planned one is found, and a right one is left in peace."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from evidence.experiment.decision import decide
from evidence.experiment.sample_split import ALPHA, always_valid_p_value

Make = Callable[..., Any]


def test_a_broken_split_makes_the_comparison_untrustworthy_and_says_why(
    row: Make, declaration: Make, policy: Make
) -> None:
    rows = [row(n, challenger=n % 2 == 0) for n in range(1, 301)]  # half, where a fifth was planned
    view = decide(declaration(), rows, [], policies=(policy(),))
    assert not view.trustworthy
    assert view.sample_split.sentence.startswith(
        "150 of 300 patients were assigned to version 2 where 0.20 was planned"
    )


def test_a_right_split_is_trusted(row: Make, declaration: Make, policy: Make) -> None:
    view = decide(declaration(), [row(n, challenger=n % 5 == 0) for n in range(1, 301)], [], policies=(policy(),))
    assert view.trustworthy
    assert view.sample_split.expected == pytest.approx(0.2)


def test_without_a_policy_the_split_is_said_not_to_be_checked(row: Make, declaration: Make) -> None:
    split = decide(declaration(), [row(1)], []).sample_split
    assert (split.p_value, split.expected) == (None, None)
    assert "not checked" in split.sentence


def test_many_studies_of_one_patient_are_one_assignment(row: Make, declaration: Make, policy: Make) -> None:
    rows = [row(n, challenger=True, patient="patient-1") for n in range(1, 500)]
    split = decide(declaration(), rows, [], policies=(policy(),)).sample_split
    assert (split.challenger, split.champion, split.trustworthy) == (1, 0, True)


def test_patients_are_held_against_the_shares_they_came_under(row: Make, declaration: Make, policy: Make) -> None:
    few = [row(n, challenger=n % 10 == 0) for n in range(1, 1001)]
    many = [row(n, challenger=n % 2 == 0, policy_version=2) for n in range(1001, 2001)]
    both = (policy(0.1), policy(0.5, policy_version=2))
    assert decide(declaration(), few + many, [], policies=both).trustworthy
    swapped = (policy(0.5), policy(0.1, policy_version=2))
    assert not decide(declaration(), few + many, [], policies=swapped).trustworthy


@pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
def test_false_alarms_at_any_of_a_thousand_patients_stay_below_alpha(share: float) -> None:
    draw = np.random.default_rng(11)
    shares = np.full(1000, share)
    found = [always_valid_p_value((draw.random(1000) < share).astype(np.int64), shares) for _ in range(1000)]
    assert np.mean(np.array(found) <= 0.05) <= binom.ppf(0.999, 1000, 0.05) / 1000
    assert np.mean(np.array(found) <= ALPHA) <= binom.ppf(0.999, 1000, ALPHA) / 1000


def test_a_halved_share_is_found() -> None:
    draw = np.random.default_rng(12)
    shares = np.full(1000, 0.2)
    found = [always_valid_p_value((draw.random(1000) < 0.1).astype(np.int64), shares) <= ALPHA for _ in range(200)]
    assert np.mean(found) > 0.99
