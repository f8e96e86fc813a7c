"""Partial areas agree with scikit-learn and numerical integration, in either focus."""

from itertools import pairwise

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import partial_area, roc
from evidence.statistics.bootstrap import Resampling


def scored(n: int = 300, *, seed: int = 0, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = (draw.random(n) < 0.4).astype(int)
    return labels, np.round(draw.normal(labels, 1.0), decimals)


@pytest.mark.parametrize("limit", [0.05, 0.1, 0.37, 1.0])
def test_corrected_area_of_high_specificity_is_what_scikit_learn_returns(limit: float) -> None:
    from sklearn.metrics import roc_auc_score

    labels, scores = scored()
    found = partial_area.partial_area(labels, scores, between=(1.0 - limit, 1.0))
    assert found.corrected == pytest.approx(roc_auc_score(labels, scores, max_fpr=limit if limit < 1 else None))


@pytest.mark.parametrize("focus", ["specificity", "sensitivity"])
def test_the_whole_range_is_the_whole_area(focus: partial_area.Focus) -> None:
    labels, scores = scored()
    found = partial_area.partial_area(labels, scores, between=(0.0, 1.0), focus=focus)
    whole = roc.auroc(labels, scores).value
    assert (found.raw, found.corrected, found.mean) == pytest.approx((whole, whole, whole))


@pytest.mark.parametrize("focus", ["specificity", "sensitivity"])
def test_adjoining_ranges_add_up(focus: partial_area.Focus) -> None:
    labels, scores = scored(seed=2)
    cuts = [0.0, 0.13, 0.5, 0.77, 1.0]
    parts = [partial_area.partial_area(labels, scores, between=pair, focus=focus).raw for pair in pairwise(cuts)]
    assert sum(parts) == pytest.approx(roc.auroc(labels, scores).value)


def test_area_between_two_specificities_is_the_integral_of_the_interpolated_curve() -> None:
    labels, scores = scored(decimals=6)
    curve = roc.curve(labels, scores)
    grid = np.linspace(0.1, 0.35, 200_001)
    height = np.interp(
        grid, curve.false_positive_rate + 1e-13 * np.arange(curve.thresholds.size), curve.true_positive_rate
    )
    found = partial_area.partial_area(labels, scores, between=(0.65, 0.9))
    assert found.raw == pytest.approx(np.trapezoid(height, grid), abs=1e-5)


def test_sensitivity_focus_is_specificity_focus_with_the_classes_swapped() -> None:
    labels, scores = scored(seed=3)
    one = partial_area.partial_area(labels, scores, between=(0.8, 0.95), focus="sensitivity")
    other = partial_area.partial_area(1 - labels, -scores, between=(0.8, 0.95), focus="specificity")
    assert (one.raw, one.corrected) == pytest.approx((other.raw, other.corrected))


def test_bounds_in_either_order_and_any_rising_transform_of_scores_change_nothing() -> None:
    labels, scores = scored(seed=4)
    one = partial_area.partial_area(labels, scores, between=(1.0, 0.9))
    assert one == partial_area.partial_area(labels, np.exp(scores), between=(0.9, 1.0))


def test_chance_is_one_half_and_perfection_one() -> None:
    ties = partial_area.partial_area([0, 1, 0, 1], [1, 1, 1, 1], between=(0.6, 0.9))
    perfect = partial_area.partial_area([0, 0, 1, 1], [1, 2, 3, 4], between=(0.6, 0.9), focus="sensitivity")
    assert (ties.corrected, perfect.corrected) == pytest.approx((0.5, 1.0))


def test_below_chance_is_below_one_half_and_not_cut() -> None:
    found = partial_area.partial_area([0, 0, 1, 1], [3, 4, 1, 2], between=(0.9, 1.0))
    assert found.raw == 0.0
    assert found.corrected == pytest.approx((1 - 0.005 / 0.095) / 2)


@pytest.mark.parametrize("between", [(0.9, 0.9), (0.9, 1.1), (-0.1, 0.5), (np.nan, 1.0)])
def test_a_range_without_area_is_refused(between: tuple[float, float]) -> None:
    labels, scores = scored()
    with pytest.raises(NotEstimable):
        partial_area.partial_area(labels, scores, between=between)


def test_one_class_and_bad_scores_are_refused() -> None:
    with pytest.raises(OneClassOnly):
        partial_area.partial_area([1, 1], [1, 2], between=(0.9, 1.0))
    with pytest.raises(NotEstimable):
        partial_area.partial_area([0, 1], [1, np.inf], between=(0.9, 1.0))


@pytest.mark.parametrize("corrected", [False, True])
def test_interval_holds_the_value_and_repeats(corrected: bool) -> None:
    labels, scores = scored()
    resampling = Resampling("percentile", resamples=300)
    patients = np.arange(300) // 2
    one, other = (
        partial_area.partial_area_interval(
            labels, scores, patients, between=(0.8, 1.0), corrected=corrected, resampling=resampling
        )
        for _ in range(2)
    )
    assert one == other
    assert one.low < one.value < one.high
    assert one.positives == labels.sum()
