"""Tests of calibration hold their size, and agree with other routes to the same number."""

import numpy as np
import pytest

from domain.errors import DataProblem, NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics import goodness_of_fit
from evidence.statistics.calibration import brier, slope_and_intercept


def drawn(n: int, seed: int, *, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    logits = draw.normal(-0.5, 1.2, n)
    return (draw.random(n) < 1 / (1 + np.exp(-logits - shift))).astype(int), 1 / (1 + np.exp(-logits))


def share_refused(test: object, *, repeats: int = 400, shift: float = 0.0) -> float:
    assert callable(test)
    return float(np.mean([test(*drawn(400, seed, shift=shift)).p_value < 0.05 for seed in range(repeats)]))


def test_spiegelhalter_is_the_brier_score_less_its_expectation_in_standard_errors() -> None:
    labels, probabilities = drawn(500, 1)
    promised = (probabilities * (1 - probabilities)).mean()
    simulated = np.random.default_rng(0).random((20_000, 500)) < probabilities
    spread = ((simulated - probabilities) ** 2).mean(axis=1).std()
    expected = (brier(labels, probabilities).value - promised) / spread
    assert goodness_of_fit.spiegelhalter(labels, probabilities).z == pytest.approx(expected, rel=0.03)


def test_calling_the_other_class_the_finding_changes_no_test() -> None:
    labels, probabilities = drawn(500, 2)
    ours, mirrored = (
        goodness_of_fit.spiegelhalter(labels, probabilities),
        goodness_of_fit.spiegelhalter(1 - labels, 1 - probabilities),
    )
    assert ours.z == pytest.approx(mirrored.z)
    line = goodness_of_fit.recalibration_test(labels, probabilities)
    assert line.statistic == pytest.approx(
        goodness_of_fit.recalibration_test(1 - labels, 1 - probabilities).statistic, abs=1e-6
    )


def test_calibrated_probabilities_are_called_so_95_times_in_100_and_shifted_ones_are_not() -> None:
    def hosmer_lemeshow(labels: np.ndarray, probabilities: np.ndarray) -> goodness_of_fit.HosmerLemeshow:
        return goodness_of_fit.hosmer_lemeshow(labels, probabilities, data="external")

    for test in (goodness_of_fit.spiegelhalter, hosmer_lemeshow, goodness_of_fit.recalibration_test):
        assert 0.025 < share_refused(test) < 0.08
    assert share_refused(goodness_of_fit.recalibration_test, repeats=50, shift=0.6) > 0.9
    assert share_refused(hosmer_lemeshow, repeats=50, shift=0.6) > 0.8


def test_hosmer_lemeshow_adds_up_group_by_group_and_spends_two_degrees_on_a_model_fitted_here() -> None:
    labels, probabilities = drawn(1_000, 3)
    found = goodness_of_fit.hosmer_lemeshow(labels, probabilities, data="external")
    fitted = goodness_of_fit.hosmer_lemeshow(labels, probabilities, data="fitted here")
    assert (found.degrees_of_freedom, fitted.degrees_of_freedom) == (10, 8)
    assert fitted.statistic == found.statistic and fitted.p_value < found.p_value
    assert sum(g.n for g in found.groups) == 1_000 and sum(g.observed for g in found.groups) == labels.sum()
    assert {g.n for g in found.groups} == {100}
    by_hand = sum(
        (g.observed - g.expected) ** 2 / (g.n * (g.expected / g.n) * (1 - g.expected / g.n)) for g in found.groups
    )
    assert found.statistic == pytest.approx(by_hand)


def test_ties_stay_in_one_group_and_cost_the_degrees_of_freedom_of_the_groups_lost() -> None:
    labels, probabilities = drawn(1_000, 4)
    rounded = np.clip(np.round(probabilities * 4) / 4, 0.05, 0.95)
    found = goodness_of_fit.hosmer_lemeshow(labels, rounded, data="fitted here")
    assert found.degrees_of_freedom == len(found.groups) - 2 < 5
    with pytest.raises(TooFewSamples):
        goodness_of_fit.hosmer_lemeshow(labels, np.full(1_000, 0.3), data="external")
    with pytest.raises(TooFewSamples):
        goodness_of_fit.hosmer_lemeshow([0, 1] * 50, [0.2, 0.4] * 50, data="fitted here")


def test_recalibration_is_the_likelihood_ratio_of_statsmodels() -> None:
    from statsmodels.api import Logit, add_constant

    labels, probabilities = drawn(800, 5, shift=0.4)
    logits = np.log(probabilities / (1 - probabilities))
    fitted = Logit(labels, add_constant(logits)).fit(disp=0)
    raw = np.log(np.where(labels == 1, probabilities, 1 - probabilities)).sum()
    found = goodness_of_fit.recalibration_test(labels, probabilities)
    assert found.statistic == pytest.approx(2 * (fitted.llf - raw))
    assert found.discrimination == pytest.approx((fitted.llr - 1) / 800)
    assert found.quality == pytest.approx(found.discrimination - (found.statistic - 2) / 800)
    recalibrated = fitted.predict()
    assert goodness_of_fit.recalibration_test(labels, recalibrated).statistic == pytest.approx(0, abs=1e-8)
    assert slope_and_intercept(labels, recalibrated).slope.value == pytest.approx(1)


def test_observed_to_expected_covers_one_when_calibrated() -> None:
    covered = 0
    for seed in range(300):
        found = goodness_of_fit.observed_to_expected(*drawn(300, seed))
        covered += found.low <= 1.0 <= found.high
    assert covered >= 275
    assert goodness_of_fit.observed_to_expected([0, 1], [0.25, 0.25]).value == pytest.approx(2.0)


def test_scaled_brier_is_one_for_the_truth_and_zero_for_the_prevalence() -> None:
    labels, probabilities = drawn(200, 6)
    assert goodness_of_fit.scaled_brier(labels, labels) == 1.0
    assert goodness_of_fit.scaled_brier(labels, np.full(200, labels.mean())) == pytest.approx(0.0)
    assert 0.0 < goodness_of_fit.scaled_brier(labels, probabilities) < 1.0


@pytest.mark.parametrize(
    ("labels", "probabilities"), [([0, 1], [0.0, 1.0]), ([0, 1, 1], [0.5, 0.5, 1.0]), ([0, 1], [0.2, float("nan")])]
)
def test_spiegelhalter_without_variance_is_refused(labels: list[int], probabilities: list[float]) -> None:
    with pytest.raises(NotEstimable):
        goodness_of_fit.spiegelhalter(labels, probabilities)


def test_what_the_data_cannot_support_is_refused() -> None:
    for refused in (
        lambda: goodness_of_fit.hosmer_lemeshow([0, 1] * 20, np.linspace(0, 1, 40) // 0.5, data="external"),
        lambda: goodness_of_fit.hosmer_lemeshow([0, 1], [0.1, 0.9], data="external", groups=1),
        lambda: goodness_of_fit.observed_to_expected([0, 0], [0.1, 0.2]),
        lambda: goodness_of_fit.observed_to_expected([0, 1], [0.0, 0.0]),
        lambda: goodness_of_fit.scaled_brier([1, 1], [0.1, 0.2]),
    ):
        with pytest.raises(DataProblem):
            refused()
    with pytest.raises(OneClassOnly):
        goodness_of_fit.recalibration_test([1, 1], [0.1, 0.2])
