"""The chart of outcomes: its steps, its exact run length, its design."""

import math
from fractions import Fraction

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import bernoulli_cusum


def test_reference_value_is_that_of_reynolds_and_stoumbos() -> None:
    # J Qual Technol 31:87 (1999): 0.01 to 0.025 gives 1 / 61.
    assert bernoulli_cusum.reference_value(rate=0.01, shifted_rate=0.025) == Fraction(1, 61)
    assert 0.3 < bernoulli_cusum.reference_value(rate=0.3, shifted_rate=0.5) < 0.5


def test_sum_rises_at_a_positive_and_falls_to_zero_otherwise() -> None:
    made = bernoulli_cusum.bernoulli_cusum([1, 0, 0, 0, 0, 1, 1], gamma=Fraction(1, 4), h=1.5 - 1e-6)
    assert made.sums.tolist() == [0.75, 0.5, 0.25, 0.0, 0.0, 0.75, 1.5]
    assert made.first_alarm == 7
    assert bernoulli_cusum.bernoulli_cusum([1, 1], gamma=0.25, h=1.5).first_alarm is None


def test_two_positives_in_a_row_are_awaited_as_long_as_theory_says() -> None:
    # γ near 1 and a limit just below one step: the sum must take one step up from 0, so one positive.
    assert bernoulli_cusum.bernoulli_arl(rate=0.2, gamma=Fraction(1, 2), h=0.25) == pytest.approx(5.0)
    # γ = 1/2, limit 1/2: two more positives than negatives since the last 0; E = 1/p + (1/p)(1/p) for a walk held at 0.
    p = 0.2
    assert bernoulli_cusum.bernoulli_arl(rate=p, gamma=Fraction(1, 2), h=0.5) == pytest.approx((1 + 1 / p) / p)


def test_run_length_is_that_of_simulated_charts() -> None:
    gamma, draw = Fraction(3, 10), np.random.default_rng(0)
    outcomes = draw.random((3000, 500)) < 0.3
    sums, stopped = np.zeros(3000), np.zeros(3000)
    for t in range(500):
        sums = np.maximum(0.0, sums + outcomes[:, t] - 0.3)
        stopped[(stopped == 0) & (sums > 1.5 + 1e-9)] = t + 1
    made = bernoulli_cusum.bernoulli_arl(rate=0.3, gamma=gamma, h=1.5)
    assert made == pytest.approx(stopped.mean(), abs=4 * stopped.std() / math.sqrt(3000))


def test_limit_is_the_smallest_that_runs_long_enough() -> None:
    gamma = Fraction(1, 20)
    h = bernoulli_cusum.bernoulli_limit(arl0=1000.0, rate=0.03, gamma=gamma)
    assert bernoulli_cusum.bernoulli_arl(rate=0.03, gamma=gamma, h=h) >= 1000.0
    assert bernoulli_cusum.bernoulli_arl(rate=0.03, gamma=gamma, h=h - 1 / 20) < 1000.0
    assert bernoulli_cusum.bernoulli_arl(rate=0.1, gamma=gamma, h=h) < 100.0


def test_charts_that_do_not_exist_are_refused() -> None:
    with pytest.raises(TooFewSamples):
        bernoulli_cusum.bernoulli_cusum([], gamma=0.1, h=1.0)
    for outcomes, gamma, h in (([2], 0.1, 1.0), ([1], 0.0, 1.0), ([1], 0.1, 0.0)):
        with pytest.raises(NotEstimable):
            bernoulli_cusum.bernoulli_cusum(outcomes, gamma=gamma, h=h)
    for rate, gamma, h in ((0.0, Fraction(1, 4), 1.0), (0.1, Fraction(1, 10**6), 1.0)):
        with pytest.raises(NotEstimable):
            bernoulli_cusum.bernoulli_arl(rate=rate, gamma=gamma, h=h)
    with pytest.raises(NotEstimable):
        bernoulli_cusum.reference_value(rate=0.2, shifted_rate=0.1)
    with pytest.raises(NotEstimable):
        bernoulli_cusum.bernoulli_limit(arl0=0.5, rate=0.1, gamma=Fraction(1, 4))
