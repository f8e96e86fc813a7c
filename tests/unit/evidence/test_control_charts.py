"""Charts move by their rules and alarm beyond their limits."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import control_charts


def test_cusum_adds_what_exceeds_k_and_alarms_beyond_h() -> None:
    made = control_charts.cusum([1.0, 2.0, 0.0, 1.5, -3.0, -3.0], k=0.5, h=2.0)
    assert made.upper.tolist() == [0.5, 2.0, 1.5, 2.5, 0.0, 0.0]
    assert made.lower.tolist() == [0.0, 0.0, 0.0, 0.0, 2.5, 5.0]
    assert (made.first_upper_alarm, made.first_lower_alarm, made.first_alarm) == (4, 5, 4)


def test_a_sum_on_the_limit_is_no_alarm() -> None:
    assert control_charts.cusum([1.0, 2.0], k=0.5, h=2.0).first_alarm is None


def test_headstart_begins_both_sums_off_zero() -> None:
    made = control_charts.cusum([0.0, 0.0], k=0.5, h=2.0, headstart=1.0)
    assert made.upper.tolist() == made.lower.tolist() == [0.5, 0.0]


def test_series_are_standardised_by_target_and_deviation() -> None:
    z = np.random.default_rng(0).normal(size=30)
    plain = control_charts.cusum(z, k=0.5, h=4.0)
    moved = control_charts.cusum(10 + 3 * z, k=0.5, h=4.0, target=10.0, deviation=3.0)
    assert moved.upper == pytest.approx(plain.upper)


def test_mirrored_series_exchange_the_sides() -> None:
    z = np.random.default_rng(1).normal(size=30)
    made, mirrored = control_charts.cusum(z, k=0.3, h=2.0), control_charts.cusum(-z, k=0.3, h=2.0)
    assert made.upper.tolist() == mirrored.lower.tolist()


def test_ewma_is_the_weighted_sum_of_all_values() -> None:
    x = np.random.default_rng(2).normal(5.0, 2.0, size=12)
    made = control_charts.ewma(x, weight=0.2, width=3.0, target=5.0, deviation=2.0)
    weights = 0.2 * 0.8 ** np.arange(12)[::-1]
    assert made.average[-1] == pytest.approx(weights @ x + 0.8**12 * 5.0)


def test_exact_ewma_limits_are_the_deviation_of_the_average_and_tend_to_the_asymptotic_ones() -> None:
    x = np.zeros(60)
    exact = control_charts.ewma(x, weight=0.2, width=3.0)
    asymptotic = control_charts.ewma(x, weight=0.2, width=3.0, limits="asymptotic")
    assert exact.high[0] == pytest.approx(3.0 * 0.2)
    assert exact.high[1] == pytest.approx(3.0 * math.hypot(0.2, 0.2 * 0.8))
    assert exact.high[-1] == pytest.approx(asymptotic.high[0], rel=1e-9)
    assert exact.low == pytest.approx(-exact.high)
    assert exact.first_alarm is None


def test_ewma_alarms_at_the_first_average_beyond_its_limit() -> None:
    made = control_charts.ewma([0.0, 0.0, 9.0, 9.0], weight=0.3, width=2.5)
    assert made.first_alarm == 3
    assert control_charts.ewma([0.0, -9.0], weight=1.0, width=3.0).first_alarm == 2


def test_charts_that_do_not_exist_are_refused() -> None:
    with pytest.raises(TooFewSamples):
        control_charts.cusum([], k=0.5, h=4.0)
    for settings in ({"k": -1.0, "h": 4.0}, {"k": 0.5, "h": 0.0}, {"k": 0.5, "h": 4.0, "headstart": 5.0}):
        with pytest.raises(NotEstimable):
            control_charts.cusum([1.0], **settings)
    with pytest.raises(NotEstimable):
        control_charts.cusum([1.0], k=0.5, h=4.0, deviation=0.0)
    with pytest.raises(NotEstimable):
        control_charts.cusum([1.0, math.nan], k=0.5, h=4.0)
    for weight, width in ((0.0, 3.0), (1.1, 3.0), (0.2, -1.0)):
        with pytest.raises(NotEstimable):
            control_charts.ewma([1.0], weight=weight, width=width)
