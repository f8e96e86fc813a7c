"""The ROC curve, its area with DeLong's variance, and the difference of two paired areas.

DeLong, DeLong, Clarke-Pearson, Biometrics 44:837 (1988); computed from midranks in O(n log n) after Sun and Xu, IEEE
Signal Processing Letters 21:1389 (2014). Assumes independent samples: several films of one patient make the intervals
too narrow.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate, as_labels, as_scores, need_both_classes, normal_quantile
from evidence.statistics.operating_point import wilson

Interval = Literal["logit", "wald"]


@dataclass(frozen=True, slots=True)
class DeLong:
    """Areas of k score columns and their covariance matrix (k, k)."""

    areas: NDArray[np.float64]
    covariance: NDArray[np.float64]
    positives: int
    negatives: int


@dataclass(frozen=True, slots=True)
class RocCurve:
    """One point per distinct score, from (0, 0) to (1, 1); positive means score ≥ threshold."""

    thresholds: NDArray[np.float64]
    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Area of the first scores minus that of the second, on the same samples; the test is two-sided."""

    difference: Estimate
    z: float
    p_value: float


def delong(labels: ArrayLike, scores: ArrayLike) -> DeLong:
    """Areas and their covariance for scores of shape (n,) or (k, n) on the same n samples; ties count one half.

    Raises:
        OneClassOnly: no positive or no negative sample.
        NotEstimable: fewer than two samples of a class (no variance), or numbers that are not finite.
    """
    columns = np.atleast_2d(as_scores(scores))
    truth = as_labels(labels, n=columns.shape[1])
    need_both_classes(truth)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if min(positives, negatives) < 2:
        raise NotEstimable(f"{positives} positive and {negatives} negative samples give no variance.")
    # Placement of each positive among the negatives and the reverse: rank among all minus rank within its own class.
    among_all = _midranks(columns)
    of_positives = (among_all[:, truth] - _midranks(columns[:, truth])) / negatives
    of_negatives = 1.0 - (among_all[:, ~truth] - _midranks(columns[:, ~truth])) / positives
    covariance = np.cov(of_positives) / positives + np.cov(of_negatives) / negatives
    return DeLong(of_positives.mean(axis=1), np.atleast_2d(covariance), positives, negatives)


def auroc(labels: ArrayLike, scores: ArrayLike, *, level: float = 0.95, interval: Interval = "logit") -> Estimate:
    """Area under the ROC curve of scores (n,) for labels (n,) in {0, 1}, larger meaning positive.

    The logit interval (Pepe 2003, section 5.2) stays inside (0, 1); the Wald interval is cut to [0, 1]. Perfect
    separation, or scores that are all the same, have a DeLong variance of zero; a Wilson interval on the smaller class,
    the widest a mean of that many values in [0, 1] can have, stands in and is named in ``method``.

    Raises:
        OneClassOnly, NotEstimable: as ``delong``.
    """
    result = delong(labels, scores)
    area, n = float(result.areas[0]), result.positives + result.negatives
    error = math.sqrt(max(float(result.covariance[0, 0]), 0.0))
    if error < 1e-12:
        smaller = min(result.positives, result.negatives)
        edge = wilson(round(area * smaller), smaller, level=level)
        return Estimate(
            area, min(edge.low, area), max(edge.high, area), level, "Wilson on the smaller class", n, result.positives
        )
    z = normal_quantile(level)
    if interval == "wald":
        low, high = max(area - z * error, 0.0), min(area + z * error, 1.0)
    else:
        half = z * error / (area * (1.0 - area))
        low, high = _logistic(_logit(area) - half), _logistic(_logit(area) + half)
    return Estimate(area, low, high, level, f"DeLong, {interval}", n, result.positives)


def paired_difference(
    labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike, *, level: float = 0.95
) -> PairedDifference:
    """Area of ``scores_a`` minus area of ``scores_b``, both (n,) on the same samples, with DeLong's covariance.

    Raises:
        OneClassOnly, NotEstimable: as ``delong``.
    """
    result = delong(labels, np.stack([as_scores(scores_a), as_scores(scores_b)]))
    difference = float(result.areas[0] - result.areas[1])
    contrast = np.array([1.0, -1.0])
    error = math.sqrt(max(float(contrast @ result.covariance @ contrast), 0.0))
    half = normal_quantile(level) * error
    # No variance: the same ranks (no difference, p = 1), or one column all right and the other all wrong.
    z = difference / error if error > 1e-12 else math.copysign(math.inf, difference) if difference else 0.0
    estimate = Estimate(
        difference,
        difference - half,
        difference + half,
        level,
        "paired DeLong, Wald",
        result.positives + result.negatives,
        result.positives,
    )
    return PairedDifference(estimate, z, 2.0 * NormalDist().cdf(-abs(z)))


def curve(labels: ArrayLike, scores: ArrayLike) -> RocCurve:
    """The empirical ROC curve of scores (n,); thresholds fall, the first is infinite.

    Raises:
        OneClassOnly: no positive or no negative sample.
        NotEstimable: numbers that are not finite.
    """
    values = as_scores(scores)
    truth = as_labels(labels, n=values.size)
    need_both_classes(truth)
    order = np.argsort(-values, kind="stable")
    values, truth = values[order], truth[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(values)), values.size - 1)
    true_positives = np.cumsum(truth)[last_of_ties]
    false_positives = 1 + last_of_ties - true_positives
    return RocCurve(
        np.concatenate([[np.inf], values[last_of_ties]]),
        np.concatenate([[0.0], false_positives / int((~truth).sum())]),
        np.concatenate([[0.0], true_positives / int(truth.sum())]),
    )


def _midranks(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks 1…n along the last axis of (k, n), ties sharing their mean rank."""
    ranks = np.empty(columns.shape)
    for row, values in enumerate(columns):
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        last = np.cumsum(counts)
        ranks[row] = (last - (counts - 1) / 2.0)[inverse]
    return ranks


def _logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
