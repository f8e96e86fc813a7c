"""The ROC curve, its area with DeLong's variance, and the difference of two paired areas.

DeLong, DeLong, Clarke-Pearson, Biometrics 44:837 (1988); computed from midranks in O(n log n) after Sun and Xu, IEEE
Signal Processing Letters 21:1389 (2014). Assumes independent samples: several films of one patient make the intervals
too narrow.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate, as_labels, as_scores, need_both_classes, normal_quantile
from evidence.statistics.operating_point import wilson
from evidence.statistics.placements import placements, tie_groups

Interval = Literal["logit", "wald"]
NO_ERROR = 1e-12  # a standard error below this is rounding


@dataclass(frozen=True, slots=True)
class Sampled:
    """By which method, and from how many samples and positives, a number comes.

    ``independent`` is the number of independent units (patients, where samples are clustered) in the smaller class;
    0 means that every sample is one.
    """

    method: str
    n: int
    positives: int
    independent: int = 0


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
    """Area of the first scores minus that of the second, on the same samples; ``p_value`` is two-sided."""

    difference: Estimate
    z: float
    p_value: float
    standard_error: float

    @property
    def p_greater(self) -> float:
        """One-sided p-value against «the first area is not larger»."""
        return normal_tail(self.z)

    @property
    def p_less(self) -> float:
        """One-sided p-value against «the first area is not smaller»."""
        return normal_tail(-self.z)


def delong(labels: ArrayLike, scores: ArrayLike) -> DeLong:
    """Areas and their covariance for scores of shape (n,) or (k, n) on the same n samples; ties count one half.

    Raises:
        OneClassOnly: no positive or no negative sample.
        NotEstimable: fewer than two samples of a class (no variance), or numbers that are not finite.
    """
    places = placements(labels, scores)
    positives, negatives = places.of_positives.shape[1], places.of_negatives.shape[1]
    if min(positives, negatives) < 2:
        raise NotEstimable(f"{positives} positive and {negatives} negative samples give no variance.")
    covariance = np.cov(places.of_positives) / positives + np.cov(places.of_negatives) / negatives
    return DeLong(places.areas, np.atleast_2d(covariance), positives, negatives)


def auroc(labels: ArrayLike, scores: ArrayLike, *, level: float = 0.95, interval: Interval = "logit") -> Estimate:
    """Area under the ROC curve of scores (n,) for labels (n,) in {0, 1}, larger meaning positive.

    The logit interval (Pepe 2003, section 5.2) stays inside (0, 1); the Wald interval is cut to [0, 1]. Perfect
    separation, or scores that are all the same, have a DeLong variance of zero; a Wilson interval on the smaller class,
    the widest a mean of that many values in [0, 1] can have, stands in and is named in ``method``.

    Raises:
        OneClassOnly, NotEstimable: as ``delong``.
    """
    result = delong(labels, scores)
    sampled = Sampled("DeLong", result.positives + result.negatives, result.positives)
    return area_of(
        float(result.areas[0]),
        math.sqrt(max(float(result.covariance[0, 0]), 0.0)),
        sampled,
        level=level,
        interval=interval,
    )


def area_of(area: float, error: float, sampled: Sampled, *, level: float, interval: Interval) -> Estimate:
    """An area with its standard error as an estimate; the interval as ``auroc`` says."""
    n, positives = sampled.n, sampled.positives
    z = normal_quantile(level)
    if error < NO_ERROR:
        smaller = sampled.independent or min(positives, n - positives)
        edge = wilson(round(area * smaller), smaller, level=level)
        return Estimate(
            area, min(edge.low, area), max(edge.high, area), level, "Wilson on the smaller class", n, positives
        )
    if interval == "wald":
        low, high = max(area - z * error, 0.0), min(area + z * error, 1.0)
    else:
        half = z * error / (area * (1.0 - area))
        low, high = _logistic(_logit(area) - half), _logistic(_logit(area) + half)
    return Estimate(area, low, high, level, f"{sampled.method}, {interval}", n, positives)


def paired_difference(
    labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike, *, level: float = 0.95
) -> PairedDifference:
    """Area of ``scores_a`` minus area of ``scores_b``, both (n,) on the same samples, with DeLong's covariance.

    Raises:
        OneClassOnly, NotEstimable: as ``delong``.
    """
    result = delong(labels, np.stack([as_scores(scores_a), as_scores(scores_b)]))
    contrast = np.array([1.0, -1.0])
    return difference_of(
        float(result.areas[0] - result.areas[1]),
        math.sqrt(max(float(contrast @ result.covariance @ contrast), 0.0)),
        Sampled("paired DeLong, Wald", result.positives + result.negatives, result.positives),
        level=level,
    )


def difference_of(difference: float, error: float, sampled: Sampled, *, level: float) -> PairedDifference:
    """A difference of two areas with its standard error as an estimate with Wald interval and z test.

    Without variance, either the ranks are the same (no difference, z = 0, p = 1), or one column is all right and the
    other all wrong (z infinite).
    """
    half = normal_quantile(level) * error
    z = difference / error if error > NO_ERROR else math.copysign(math.inf, difference) if difference else 0.0
    estimate = Estimate(
        difference, difference - half, difference + half, level, sampled.method, sampled.n, sampled.positives
    )
    return PairedDifference(estimate, z, 2.0 * normal_tail(abs(z)), error)


def normal_tail(z: float) -> float:
    """Chance that a standard normal value exceeds z, with all its digits however small it is."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


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
    last_of_ties = tie_groups(values).end - 1
    true_positives = np.cumsum(truth)[last_of_ties]
    false_positives = 1 + last_of_ties - true_positives
    return RocCurve(
        np.concatenate([[np.inf], values[last_of_ties]]),
        np.concatenate([[0.0], false_positives / int((~truth).sum())]),
        np.concatenate([[0.0], true_positives / int(truth.sum())]),
    )


def _logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
