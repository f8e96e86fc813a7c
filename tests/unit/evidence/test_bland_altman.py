"""Limits of agreement and concordance: published values, coverage of their intervals, invariances, refusals."""

import numpy as np
import pytest

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.bland_altman import LimitInterval, concordance, limits_of_agreement, proportional_bias

# Bland and Altman, Lancet 1986: peak expiratory flow, first reading by each meter.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_the_published_example_with_its_factor_of_two() -> None:
    found = limits_of_agreement(WRIGHT, MINI, multiplier=2.0, interval="approximate 1986")
    assert round(found.bias.value, 1) == -2.1 and round(found.sd.value, 1) == 38.8
    assert [round(x.value, 1) for x in (found.lower, found.upper)] == [-79.6, 75.4]
    assert [round(found.bias.low, 1), round(found.bias.high, 1)] == [-22.0, 17.8]
    assert [found.upper.low, found.upper.high] == pytest.approx([40.9, 109.9], abs=0.1)
    assert [found.lower.low, found.lower.high] == pytest.approx([-114.1, -45.1], abs=0.1)


def test_exchanging_the_two_mirrors_everything() -> None:
    ours, mirrored = limits_of_agreement(WRIGHT, MINI), limits_of_agreement(MINI, WRIGHT)
    assert mirrored.lower.low == pytest.approx(-ours.upper.high)
    assert mirrored.lower.high == pytest.approx(-ours.upper.low)
    assert mirrored.bias.value == pytest.approx(-ours.bias.value)
    assert concordance(MINI, WRIGHT).coefficient.low == pytest.approx(concordance(WRIGHT, MINI).coefficient.low)


def test_the_exact_interval_of_a_limit_holds_the_truth_95_times_in_100_even_of_few() -> None:
    held: dict[LimitInterval, int] = {"exact": 0, "approximate 1999": 0}
    draw = np.random.default_rng(0)
    for _ in range(1_000):
        difference = draw.normal(0.3, 1.0, 8)
        for method in held:
            found = limits_of_agreement(difference, np.zeros(8), interval=method).upper
            held[method] += found.low <= 0.3 + 1.959964 <= found.high
    assert 930 <= held["exact"] <= 968
    assert held["approximate 1999"] < held["exact"]


def test_the_three_intervals_meet_as_pairs_grow() -> None:
    one, two = np.random.default_rng(1).normal(0, 1, (2, 3_000))
    exact = limits_of_agreement(one, two).upper
    for method in ("approximate 1999", "approximate 1986"):
        other = limits_of_agreement(one, two, interval=method).upper
        assert other.high - other.low == pytest.approx(exact.high - exact.low, rel=0.02)


def test_limits_hold_the_share_asked_for() -> None:
    one, two = np.random.default_rng(2).normal(0, 1, (2, 20_000))
    found = limits_of_agreement(one, two, coverage=0.8)
    inside = ((one - two >= found.lower.value) & (one - two <= found.upper.value)).mean()
    assert inside == pytest.approx(0.8, abs=0.01)
    assert found.multiplier == pytest.approx(1.281552)


def test_a_difference_that_grows_with_the_measurement_is_found_and_pitmans_test_is_the_same() -> None:
    draw = np.random.default_rng(3)
    truth = draw.normal(100, 20, 60)
    one, two = truth * 1.2 + draw.normal(0, 3, 60), truth + draw.normal(0, 3, 60)
    found = proportional_bias(one, two)
    assert found.slope.low > 0.1 and found.p_value < 1e-6
    assert found.correlation == pytest.approx(np.corrcoef(one - two, one + two)[0, 1])
    assert not proportional_bias(WRIGHT, MINI).p_value < 0.5


def test_the_line_of_differences_is_statsmodels() -> None:
    from statsmodels.api import OLS, add_constant

    one, two = np.array(WRIGHT, dtype=float), np.array(MINI, dtype=float)
    expected = OLS(one - two, add_constant((one + two) / 2)).fit()
    found = proportional_bias(one, two)
    assert [found.intercept.value, found.slope.value] == pytest.approx(expected.params.tolist())
    ends = [[found.intercept.low, found.intercept.high], [found.slope.low, found.slope.high]]
    assert np.allclose(ends, expected.conf_int())


def test_concordance_is_precision_times_accuracy_and_shifts_lower_it() -> None:
    found = concordance(WRIGHT, MINI)
    assert found.coefficient.value == pytest.approx(found.pearson * found.bias_correction)
    scale, location = found.scale_shift, found.location_shift
    assert found.bias_correction == pytest.approx(2 / (scale + 1 / scale + location**2))
    moved = concordance(WRIGHT, np.array(MINI) + 100.0)
    assert moved.pearson == pytest.approx(found.pearson) and moved.coefficient.value < 0.8


def test_concordance_intervals_hold_the_truth_about_95_times_in_100() -> None:
    held = np.zeros(2)
    truth = 2 * 0.8 * 1.2 / (1 + 1.2**2 + 0.3**2)
    for seed in range(500):
        draw = np.random.default_rng(seed)
        one = draw.normal(0, 1, 60)
        two = 0.3 + 1.2 * (0.8 * one + 0.6 * draw.normal(0, 1, 60))
        found = concordance(one, two)
        held += [e.low <= truth <= e.high for e in (found.coefficient, found.coefficient_wald)]
    assert (held >= 460).all() and held[0] <= 488


def test_what_the_data_cannot_support_is_refused() -> None:
    for first, second in (
        ([1.0, 2.0, 3.0], [1.0, 2.0]),
        ([1.0, 2.0, float("nan")], [1.0, 2.0, 3.0]),
        ([1.1, 2.3, 3.7], [2.1, 3.3, 4.7]),
    ):
        for statistic in (limits_of_agreement, proportional_bias):
            with pytest.raises(NotEstimable):
                statistic(first, second)
    for first, second in (
        ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [1.0, 5.0, 1.0]),
    ):
        with pytest.raises(NotEstimable):
            concordance(first, second)
    with pytest.raises(NotEstimable):
        proportional_bias([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    with pytest.raises(TooFewSamples):
        concordance([1.0, 2.0], [1.0, 2.5])
    for options in ({"level": 1.0}, {"coverage": 0.0}, {"multiplier": -1.0}):
        with pytest.raises(NotEstimable):
            limits_of_agreement(WRIGHT, MINI, **options)
