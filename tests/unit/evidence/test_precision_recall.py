"""Each area under the precision–recall curve is the one its name says."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import precision_recall


def scored(n: int = 400, *, seed: int = 0, decimals: int = 1, prevalence: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = (draw.random(n) < prevalence).astype(int)
    return labels, np.round(draw.normal(1.5 * labels, 1.0), decimals)


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_average_precision_and_the_linear_trapezoid_are_scikit_learns(decimals: int) -> None:
    from sklearn.metrics import auc, average_precision_score, precision_recall_curve

    labels, scores = scored(decimals=decimals)
    found = precision_recall.areas(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    assert found.average_precision == pytest.approx(average_precision_score(labels, scores))
    assert found.linear_trapezoid == pytest.approx(auc(recall, precision))
    assert precision_recall.average_precision(labels, scores).value == found.average_precision


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_integral_is_the_numerical_integral_of_the_interpolated_curve(decimals: int) -> None:
    labels, scores = scored(decimals=decimals, seed=1)
    curve = precision_recall.curve(labels, scores)
    true = np.concatenate([[0], curve.true_positives]).astype(float)
    false = np.concatenate([[0], curve.false_positives]).astype(float)
    area = 0.0
    for k in range(true.size - 1):
        if (gained := true[k + 1] - true[k]) > 0:
            t = true[k] + (np.arange(20_000) + 0.5) / 20_000 * gained
            f = false[k] + (t - true[k]) * (false[k + 1] - false[k]) / gained
            area += float((t / (t + f)).mean()) * gained
    assert precision_recall.areas(labels, scores).integral == pytest.approx(area / true[-1], abs=1e-7)


def test_davis_and_goadrich_step_through_every_true_positive() -> None:
    # Five of 5 true and 5 of 15 false positives, then 5 and 10 at once (ties): slope 2 false per true positive.
    labels = np.repeat([1, 0, 1, 0], [5, 5, 5, 10])
    scores = np.repeat([3.0, 3.0, 1.0, 1.0], [5, 5, 5, 10])
    t = np.arange(5, 11)
    precision = t / (t + 5 + 2 * (t - 5))
    expected = 0.5 * 0.5 + float(((precision[1:] + precision[:-1]) / 2).sum()) / 10
    assert precision_recall.areas(labels, scores).davis_goadrich == pytest.approx(expected)


def test_stepping_and_integrating_meet_as_samples_grow_and_straight_lines_stay_above() -> None:
    labels, scores = scored(n=20_000, decimals=0, seed=2)
    found = precision_recall.areas(labels, scores)
    assert found.davis_goadrich == pytest.approx(found.integral, abs=1e-5)
    assert found.linear_trapezoid > found.integral + 0.01


def test_samples_of_one_score_are_one_point_whatever_their_order() -> None:
    labels, scores = scored(decimals=0)
    order = np.random.default_rng(0).permutation(labels.size)
    assert precision_recall.areas(labels, scores) == precision_recall.areas(labels[order], scores[order])
    curve = precision_recall.curve(labels, scores)
    assert curve.thresholds.tolist() == sorted(set(scores.tolist()), reverse=True)
    assert (curve.recall[-1], curve.precision[-1]) == (1.0, labels.mean())


def test_useless_scores_give_the_prevalence_in_every_area() -> None:
    found = precision_recall.areas([0] * 30 + [1] * 10, [0.5] * 40)
    assert (found.average_precision, found.davis_goadrich, found.integral) == pytest.approx((0.25, 0.25, 0.25))


def test_perfect_separation_is_one_without_certainty() -> None:
    labels, scores = [0] * 20 + [1] * 10, list(range(30))
    found = precision_recall.areas(labels, scores)
    assert (found.average_precision, found.davis_goadrich, found.integral) == (1.0, 1.0, 1.0)
    estimate = precision_recall.average_precision(labels, scores)
    assert (estimate.method, estimate.high) == ("Wilson on the positives", 1.0)
    assert estimate.low == pytest.approx(0.7225, abs=1e-4)


def test_logit_interval_is_boyds() -> None:
    labels, scores = scored()
    found = precision_recall.average_precision(labels, scores, level=0.9)
    error = 1 / math.sqrt(found.positives * found.value * (1 - found.value))
    assert math.log(found.high / (1 - found.high)) - math.log(found.value / (1 - found.value)) == pytest.approx(
        1.6448536 * error
    )
    assert 0 < found.low < found.value < found.high < 1


def test_one_class_and_bad_numbers_are_refused() -> None:
    with pytest.raises(OneClassOnly):
        precision_recall.areas([1, 1], [0.1, 0.2])
    with pytest.raises(NotEstimable):
        precision_recall.areas([0, 1], [0.1, math.nan])
    with pytest.raises(NotEstimable):
        precision_recall.average_precision([0, 1, 1], [0.1, 0.2, 0.0], level=1.0)


def test_a_hundred_thousand_samples_take_no_time() -> None:
    labels, scores = scored(n=100_000, decimals=8)
    found = precision_recall.areas(labels, scores)
    assert found.average_precision == pytest.approx(found.integral, abs=1e-3)
