"""Calibration statistics agree with their definitions and with scikit-learn and statsmodels."""

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import calibration


def drawn(
    n: int = 3_000, *, slope: float = 1.0, intercept: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels whose true logit is intercept + slope · logit of the stated probability."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(0, 1.5, n)
    truth = 1 / (1 + np.exp(-(intercept + slope * logits)))
    return (draw.random(n) < truth).astype(int), 1 / (1 + np.exp(-logits))


def test_expected_calibration_error_of_a_set_done_by_hand() -> None:
    probabilities = [0.05, 0.15, 0.15, 0.25, 0.35, 0.45, 0.55, 0.55, 0.65, 0.75, 0.85, 0.95, 0.9, 0.1]
    labels = [0, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0]
    bins = calibration.reliability(labels, probabilities, bins=5)
    assert calibration.expected_calibration_error(bins) == pytest.approx(0.207142857142857)
    assert calibration.maximum_calibration_error(bins) == pytest.approx(0.3)
    assert calibration.calibration_error(labels, probabilities, bins=5).value == pytest.approx(0.207142857142857)


@pytest.mark.parametrize("rule", ["equal width", "equal count"])
def test_reliability_bins_hold_every_sample_once(rule: calibration.Bins) -> None:
    labels, probabilities = drawn()
    bins = calibration.reliability(labels, probabilities, rule=rule)
    assert sum(b.observed.n for b in bins) == 3_000
    assert sum(b.observed.positives for b in bins) == labels.sum()
    assert all(b.lower <= b.mean_probability <= b.upper for b in bins)


def test_probabilities_of_exactly_0_and_1_fall_into_the_outer_bins() -> None:
    bins = calibration.reliability([0, 1], [0.0, 1.0])
    assert [(b.lower, b.upper, b.observed.n) for b in bins] == [(0.0, 0.1, 1), (0.9, 1.0, 1)]


def test_equal_count_bins_are_scikit_learns() -> None:
    from sklearn.calibration import calibration_curve

    labels, probabilities = drawn()
    share, mean = calibration_curve(labels, probabilities, n_bins=10, strategy="quantile")
    bins = calibration.reliability(labels, probabilities, rule="equal count")
    assert [b.observed.value for b in bins] == pytest.approx(share.tolist())
    assert [b.mean_probability for b in bins] == pytest.approx(mean.tolist())


def test_brier_score_is_scikit_learns_and_its_interval_holds_it() -> None:
    from sklearn.metrics import brier_score_loss

    labels, probabilities = drawn()
    found = calibration.brier(labels, probabilities)
    assert found.value == pytest.approx(brier_score_loss(labels, probabilities))
    assert found.low < found.value < found.high


def test_slope_and_intercept_are_statsmodels() -> None:
    from statsmodels.api import Logit, add_constant

    labels, probabilities = drawn(slope=0.6, intercept=0.4)
    logits = np.log(probabilities / (1 - probabilities))
    expected = Logit(labels, add_constant(logits)).fit(disp=0)
    found = calibration.slope_and_intercept(labels, probabilities)
    assert [found.intercept.value, found.slope.value] == pytest.approx(expected.params.tolist(), abs=1e-8)
    intervals = [[found.intercept.low, found.intercept.high], [found.slope.low, found.slope.high]]
    assert np.allclose(intervals, expected.conf_int(), atol=1e-7)
    large = Logit(labels, np.ones(3_000), offset=logits).fit(disp=0)
    assert found.in_the_large.value == pytest.approx(large.params[0], abs=1e-8)


def test_overconfident_probabilities_have_a_slope_below_one() -> None:
    labels, probabilities = drawn(slope=0.5)
    assert calibration.slope_and_intercept(labels, probabilities).slope.high < 0.6


def test_calibrated_probabilities_have_an_error_near_zero_and_shifted_ones_do_not() -> None:
    labels, probabilities = drawn()
    good = calibration.calibration_error(labels, probabilities)
    bad = calibration.calibration_error(*drawn(intercept=1.5))
    assert good.low <= good.value <= good.high < 0.05 < 0.1 < bad.low
    assert good == calibration.calibration_error(labels, probabilities)  # the bootstrap is repeatable


def test_probabilities_that_separate_perfectly_have_no_finite_line() -> None:
    with pytest.raises(NotEstimable):
        calibration.slope_and_intercept([0] * 20 + [1] * 20, np.linspace(0.01, 0.99, 40))
    with pytest.raises(NotEstimable):
        calibration.slope_and_intercept([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5])


def test_extreme_probabilities_that_are_sometimes_wrong_still_have_a_line() -> None:
    labels = [0] * 50 + [1] * 50 + [1, 0]
    found = calibration.slope_and_intercept(labels, [0.0] * 50 + [1.0] * 50 + [0.0, 1.0])
    assert 0.1 < found.slope.value < 0.5


def test_logits_and_single_classes_are_refused() -> None:
    with pytest.raises(NotEstimable):
        calibration.brier([0, 1], [-2.0, 3.0])
    with pytest.raises(OneClassOnly):
        calibration.slope_and_intercept([1, 1, 1], [0.2, 0.4, 0.9])


def test_a_probability_on_an_edge_goes_up_or_down_as_said() -> None:
    labels, probabilities = [0, 1, 1, 0], [0.1, 0.3, 0.3, 0.9]
    above = calibration.reliability(labels, probabilities)
    below = calibration.reliability(labels, probabilities, closed="right")
    assert [b.lower for b in above] == [0.1, 0.3, 0.9]
    assert [b.upper for b in below] == [0.1, 0.3, 0.9]


def test_bins_closed_on_the_right_are_scikit_learns() -> None:
    from sklearn.calibration import calibration_curve

    labels, probabilities = drawn(400)
    probabilities = np.round(probabilities * 8) / 8  # every value on an edge
    share, mean = calibration_curve(labels, probabilities, n_bins=8)
    bins = calibration.reliability(labels, probabilities, bins=8, closed="right")
    assert [b.observed.value for b in bins] == pytest.approx(share.tolist())
    assert [b.mean_probability for b in bins] == pytest.approx(mean.tolist())


def test_bins_of_equal_ranks_differ_by_one_sample_at_most_even_with_ties() -> None:
    labels, probabilities = drawn(103)
    sizes = [b.observed.n for b in calibration.reliability(labels, np.round(probabilities, 1), rule="equal ranks")]
    assert sum(sizes) == 103 and set(sizes) == {10, 11}
    assert len(calibration.reliability([0, 1], [0.2, 0.3], bins=10, rule="equal ranks")) == 2


def test_calibration_error_over_equal_counts_is_that_of_its_bins() -> None:
    labels, probabilities = drawn()
    bins = calibration.reliability(labels, probabilities, rule="equal count")
    found = calibration.calibration_error(labels, probabilities, rule="equal count", resamples=200)
    assert found.value == pytest.approx(calibration.expected_calibration_error(bins))
    assert found.low <= found.value <= found.high


def test_a_marker_of_any_unit_becomes_the_logistic_regression_of_the_labels_on_it() -> None:
    from statsmodels.api import Logit, add_constant

    labels, _ = drawn(500)
    marker = labels * 40.0 + np.random.default_rng(1).normal(900, 60, 500)
    fitted = Logit(labels, add_constant(marker)).fit(disp=0).predict()
    assert calibration.as_probability(labels, marker) == pytest.approx(fitted, abs=1e-6)
    assert calibration.as_probability(labels, -5.0 * marker) == pytest.approx(fitted, abs=1e-6)
    with pytest.raises(NotEstimable):
        calibration.as_probability([0, 1, 0, 1], [3.0, 3.0, 3.0, 3.0])


def test_no_bins_are_refused() -> None:
    with pytest.raises(NotEstimable):
        calibration.reliability([0, 1], [0.2, 0.3], bins=0)
