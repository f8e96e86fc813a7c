"""The ROC area, its interval and paired differences agree with published values and with pair counting."""

import math

import numpy as np
import pytest

from domain.errors import NotEstimable, OneClassOnly
from evidence.statistics import roc

# Hanley and McNeil, Radiology 143:29 (1982), table I: CT ratings 1–5 of 58 normal and 51 abnormal patients.
RATINGS = np.repeat([1, 2, 3, 4, 5, 1, 2, 3, 4, 5], [33, 6, 6, 11, 2, 3, 2, 2, 11, 33])
ABNORMAL = np.repeat([0, 1], [58, 51])


def synthetic(n: int = 160, *, seed: int = 0, decimals: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and two correlated score columns with many ties."""
    draw = np.random.default_rng(seed)
    labels = (draw.random(n) < 0.4).astype(int)
    shared = draw.normal(labels, 1.0)
    return (
        labels,
        np.round(shared + draw.normal(0, 0.5, n), decimals),
        np.round(shared + draw.normal(0, 1, n), decimals),
    )


def delong_by_pairs(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Areas and their covariance straight from the definition (DeLong 1988, equations 4 and 5), in O(mn)."""
    areas, of_positives, of_negatives = [], [], []
    for scores in (a, b):
        above = np.subtract.outer(scores[labels == 1], scores[labels == 0])
        psi = (above > 0) + 0.5 * (above == 0)
        areas.append(psi.mean())
        of_positives.append(psi.mean(axis=1))
        of_negatives.append(psi.mean(axis=0))
    m, n = int(labels.sum()), int((1 - labels).sum())
    covariance = np.cov(*of_positives)[0, 1] / m + np.cov(*of_negatives)[0, 1] / n
    return areas[0], areas[1], float(covariance)


def test_area_and_error_of_hanley_and_mcneils_ct_ratings_are_the_published_ones() -> None:
    found = roc.delong(ABNORMAL, RATINGS)
    assert found.areas[0] == pytest.approx(0.8931710615280595, abs=1e-12)
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(0.0307244083793811, abs=1e-10)  # R pROC 1.18


@pytest.mark.parametrize("seed", range(5))
def test_midranks_give_the_covariance_that_counting_all_pairs_gives(seed: int) -> None:
    labels, a, b = synthetic(seed=seed)
    found = roc.delong(labels, np.stack([a, b]))
    area_a, area_b, covariance = delong_by_pairs(labels, a, b)
    assert found.areas == pytest.approx([area_a, area_b], abs=1e-12)
    assert found.covariance[0, 1] == pytest.approx(covariance, abs=1e-14)
    assert found.covariance[0, 0] == pytest.approx(delong_by_pairs(labels, a, a)[2], abs=1e-14)


def test_area_is_scikit_learns() -> None:
    from sklearn.metrics import roc_auc_score

    labels, scores, _ = synthetic(n=2_000, seed=3)
    assert roc.auroc(labels, scores).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_logit_interval_lies_inside_the_unit_interval_where_wald_is_cut() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    scores = np.arange(20.0)
    scores[9], scores[10] = scores[10], scores[9]
    logit, wald = roc.auroc(labels, scores), roc.auroc(labels, scores, interval="wald")
    assert logit.value == wald.value == 0.99
    assert wald.high == 1.0
    assert 0.85 < logit.low < 0.99 < logit.high < 1.0
    assert (logit.method, logit.n, logit.positives) == ("DeLong, logit", 20, 10)


def test_wald_interval_is_area_plus_minus_196_errors() -> None:
    found = roc.auroc(ABNORMAL, RATINGS, interval="wald")
    assert (found.low, found.high) == pytest.approx((0.832953, 0.953390), abs=1e-5)


@pytest.mark.parametrize(
    ("scores", "low", "high"), [([1, 2, 3, 4, 5, 6], 0.43850, 1.0), ([6, 5, 4, 3, 2, 1], 0.0, 0.56150)]
)
def test_a_perfect_area_does_not_claim_certainty(scores: list[int], low: float, high: float) -> None:
    found = roc.auroc([0, 0, 0, 1, 1, 1], scores)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    assert found.method == "Wilson on the smaller class"


def test_scores_that_are_all_the_same_do_not_claim_to_be_certainly_useless() -> None:
    found = roc.auroc([0] * 30 + [1] * 50, [0.5] * 80)
    assert found.value == 0.5
    assert found.low < 0.35 < 0.65 < found.high


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 0, 0]])
def test_one_class_is_refused_by_name(labels: list[int]) -> None:
    for refuse in (roc.auroc, roc.curve):
        with pytest.raises(OneClassOnly):
            refuse(labels, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([0, 1], [0.1, math.nan]), ([0, 2], [0.1, 0.2]), ([0, 1, 1], [0.1, 0.2]), ([0, 1, 1], [1.0, 2.0, 3.0])],
)
def test_numbers_that_mean_nothing_are_refused(labels: list[int], scores: list[float]) -> None:
    with pytest.raises(NotEstimable):
        roc.auroc(labels, scores)


def test_paired_difference_is_the_difference_of_areas_with_a_symmetric_test() -> None:
    labels, a, b = synthetic(n=400, seed=1)
    one, other = roc.paired_difference(labels, a, b), roc.paired_difference(labels, b, a)
    assert one.difference.value == pytest.approx(roc.auroc(labels, a).value - roc.auroc(labels, b).value)
    assert (one.z, one.p_value) == pytest.approx((-other.z, other.p_value))
    area_a, area_b, covariance = delong_by_pairs(labels, a, b)
    error = math.sqrt(delong_by_pairs(labels, a, a)[2] + delong_by_pairs(labels, b, b)[2] - 2 * covariance)
    assert one.z == pytest.approx((area_a - area_b) / error)


def test_the_same_scores_do_not_differ() -> None:
    labels, a, _ = synthetic()
    found = roc.paired_difference(labels, a, 3 * a + 1)
    assert (found.difference.value, found.z, found.p_value) == (0.0, 0.0, 1.0)


def test_paired_difference_rejects_equal_models_in_five_of_a_hundred_tests() -> None:
    draw = np.random.default_rng(7)
    labels = np.repeat([0, 1], 100)
    p_values = []
    for _ in range(400):
        shared = draw.normal(labels, 1.0)
        p_values.append(
            roc.paired_difference(labels, shared + draw.normal(0, 1, 200), shared + draw.normal(0, 1, 200)).p_value
        )
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.085


def test_curve_has_one_point_per_distinct_score_and_its_trapezia_are_the_area() -> None:
    found = roc.curve(ABNORMAL, RATINGS)
    assert found.thresholds.tolist() == [np.inf, 5, 4, 3, 2, 1]
    assert (found.false_positive_rate[0], found.true_positive_rate[0]) == (0.0, 0.0)
    assert (found.false_positive_rate[-1], found.true_positive_rate[-1]) == (1.0, 1.0)
    area = np.trapezoid(found.true_positive_rate, found.false_positive_rate)
    assert area == pytest.approx(roc.auroc(ABNORMAL, RATINGS).value, abs=1e-12)


def test_a_hundred_thousand_samples_take_no_time() -> None:
    # RC: quadratic DeLong would need 2.5·10⁹ pairs here; the suite's timeout is the control.
    draw = np.random.default_rng(0)
    labels = np.arange(100_000) % 2
    found = roc.auroc(labels, draw.normal(labels, 1.0))
    assert found.low < 0.7602 < found.high
