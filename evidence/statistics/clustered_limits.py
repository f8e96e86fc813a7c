"""One-sided limits that hold their error where patients have several films: what a gate may decide on.

The intervals of a report may be a little too short at a bound that lies near 1 or with few patients; a test against a
bound must not promote more often than alpha. Hence here: scores or transformed scales instead of Wald, and Student's
quantile with clusters − 1 degrees of freedom instead of the normal one (Korn and Graubard, Survey Methodology 24:193,
1998). Clusters are assumed independent. ``tests/unit/evidence/test_gate_simulation.py`` measures the error of each.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import clustered, clustered_proportion
from evidence.statistics.clustered_mcnemar import PairedCounts
from evidence.statistics.clusters import cluster_index
from evidence.statistics.estimate import Estimate, as_labels, as_scores
from evidence.statistics.paired_intervals import limits as paired_limits
from evidence.statistics.paired_intervals import score_variance
from evidence.statistics.proportion import score_limits
from evidence.statistics.roc import NO_ERROR

Pair = tuple[float, float]
LARGEST_QUANTILE = 1e6  # beyond it a p-value is 0


@dataclass(frozen=True, slots=True)
class Limits:
    """A value that can be held against any bound at any alpha.

    ``at`` gives the two limits for a quantile q > 0. ``distance`` gives, for a bound, the quantile at which the limit
    meets it; negative where the value lies below the bound.
    """

    value: float
    at: Callable[[float], Pair]
    distance: Callable[[float], float]
    degrees: int  # of freedom
    method: str
    n: int
    positives: int

    def interval(self, level: float) -> Estimate:
        """The two-sided interval of that level. Raises NotEstimable for a level outside (0, 1)."""
        low, high = self.at(student_quantile(level, self.degrees))
        return Estimate(self.value, low, high, level, self.method, self.n, self.positives)

    def p_above(self, bound: float) -> float:
        """One-sided p-value against «at most ``bound``»."""
        return student_tail(self.distance(bound), self.degrees)

    def p_below(self, bound: float) -> float:
        """One-sided p-value against «at least ``bound``»."""
        return student_tail(-self.distance(bound), self.degrees)


def area(labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike) -> Limits:
    """Area under the ROC curve: Obuchowski's variance (Biometrics 53:567, 1997) on the logit scale.

    Without variance (perfect separation), Wilson's limits count the clusters of the rarer class.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``clustered.areas``.
    """
    found = clustered.areas(labels, scores, clusters)
    at, distance = _area_limits(float(found.areas[0]), float(found.covariance[0, 0]), found.smaller)
    method = "Obuchowski, clustered, logit, Student"
    return Limits(float(found.areas[0]), at, distance, found.smaller - 1, method, found.n, found.positives)


def area_difference(labels: ArrayLike, first: ArrayLike, second: ArrayLike, clusters: ArrayLike) -> Limits:
    """Area of ``first`` less that of ``second`` on the same samples, each limit from the two areas' own limits by
    square-and-add (Zou and Donner, Stat Med 27:1693, 2008) with Obuchowski's correlation: a Wald interval is symmetric
    and promotes too often when both areas are near 1.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``clustered.areas``.
    """
    one, two = as_scores(first), as_scores(second)
    if one.shape != two.shape:
        raise NotEstimable(f"Scores of shapes {one.shape} and {two.shape} are not of the same samples.")
    found = clustered.areas(labels, np.stack([one, two]), clusters)
    value, errors = float(found.areas[0] - found.areas[1]), np.sqrt(np.maximum(np.diag(found.covariance), 0.0))
    correlation = float(found.covariance[0, 1] / errors.prod()) if errors.min() > NO_ERROR else 0.0
    each = [_area_limits(float(found.areas[k]), float(found.covariance[k, k]), found.smaller)[0] for k in (0, 1)]

    def at(quantile: float) -> Pair:
        (low_1, high_1), (low_2, high_2) = each[0](quantile), each[1](quantile)
        a, b = (float(area) for area in found.areas)
        return (
            value - _reach(a - low_1, high_2 - b, correlation),
            value + _reach(high_1 - a, b - low_2, correlation),
        )

    method = "paired Obuchowski, clustered, square-and-add of logit limits, Student"
    return Limits(value, at, _meeting(value, at), found.smaller - 1, method, found.n, found.positives)


def share(successes: ArrayLike, clusters: ArrayLike, *, positives: int) -> Limits:
    """A sensitivity, specificity or predictive value from successes (n,) in {0, 1}: the score test at the effective
    number of samples, as in ``clustered_proportion.share``.

    Raises:
        TooFewSamples: no sample, or one cluster.
        NotEstimable: as ``clustered_proportion.share``.
    """
    if np.size(successes) == 0:
        raise TooFewSamples("A proportion of no samples has no value.")
    called = as_labels(successes, n=np.size(successes))
    count = _clusters(clusters, n=called.size)
    n = called.size / clustered_proportion.design_effect(called, clusters)
    value = float(called.mean())
    method = f"Wilson, clustered, effective n {n:.0f}, Student"
    at, distance = _wilson_limits(value, n)
    return Limits(value, at, distance, count - 1, method, called.size, positives)


def share_difference(counts: PairedCounts, *, positives: int) -> Limits:
    """Share right by the first less that by the second: the score test with the restricted nuisance rate (Tango, Stat
    Med 17:891, 1998) at the effective number of pairs (Rao and Scott, Biometrics 48:577, 1992).

    The design effect is the variance of the difference as a ratio over clusters over that of independent pairs; below
    1 it counts as 1. Where the readings never differ, each cluster counts once.

    Raises:
        TooFewSamples: fewer than two clusters.
    """
    if counts.size.size < 2:
        raise TooFewSamples("One cluster alone has no variance.", next_step="Use more patients.")
    value, effect = float(counts.gap.sum()) / counts.n, _pair_effect(counts)
    n = counts.n / effect
    b, c = float(counts.first_only.sum()) / effect, float(counts.second_only.sum()) / effect

    def at(quantile: float) -> Pair:
        # Only the discordant cells and n enter; cells may be fractions.
        cells: tuple[float, float, float, float] = (n - b - c, b, c, 0.0)
        return paired_limits(cells, z=quantile, method="tango")  # type: ignore[arg-type]

    def distance(bound: float) -> float:
        return _over(b - c - n * bound, math.sqrt(score_variance(b, c, n, bound)))

    method = f"Tango, clustered, effective n {n:.0f}, Student"
    return Limits(value, at, distance, counts.size.size - 1, method, counts.n, positives)


def positive_mean(values: ArrayLike, clusters: ArrayLike, *, positives: int) -> Limits:
    """Mean of values > 0 (n,), as of a Brier score's squares: the variance of a ratio over clusters (Cochran, Sampling
    Techniques, 1977, 11.12), on the logarithmic scale, since a skewed mean that is small by luck shows little variance.

    Raises:
        TooFewSamples: one cluster.
        NotEstimable: a value that is not finite, or a mean of 0.
    """
    array = as_scores(values)
    index = cluster_index(clusters, n=array.size)
    count, mean = _clusters(clusters, n=array.size), float(array.mean())
    if not mean > 0.0:
        raise NotEstimable("A mean of 0 has no limits.")
    excess = np.bincount(index, weights=array - mean)
    error = math.sqrt(count / (count - 1) * float(excess @ excess)) / array.size / mean

    def at(quantile: float) -> Pair:
        return mean * math.exp(-quantile * error), mean * math.exp(quantile * error)

    def distance(bound: float) -> float:
        return _over(math.log(mean / bound), error)

    return Limits(mean, at, distance, count - 1, "clustered, log scale, Student", array.size, positives)


def wald(value: float, error: float, *, degrees: int, method: str, n: int, positives: int) -> Limits:
    """A near normal value with its cluster-robust standard error."""
    return Limits(
        value, lambda q: (value - q * error, value + q * error), lambda bound: _over(value - bound, error), degrees,
        method, n, positives,
    )  # fmt: skip


def student_quantile(level: float, degrees: int) -> float:
    """Quantile of a two-sided interval of that level. Raises NotEstimable for a level outside (0, 1)."""
    from scipy.special import stdtrit  # late: scipy costs 0.3 s

    if not 0.0 < level < 1.0:
        raise NotEstimable(f"A confidence level of {level} does not exist.", next_step="Choose one between 0 and 1.")
    return float(stdtrit(degrees, 0.5 + level / 2.0))


def student_tail(quantile: float, degrees: int) -> float:
    """Chance that Student's t exceeds the quantile."""
    from scipy.special import stdtr  # late: scipy costs 0.3 s

    return float(stdtr(degrees, -quantile))


def _area_limits(
    value: float, variance: float, smaller: int
) -> tuple[Callable[[float], Pair], Callable[[float], float]]:
    error = math.sqrt(max(variance, 0.0))
    if error <= NO_ERROR:
        return _wilson_limits(value, float(smaller))
    spread, middle = error / (value * (1.0 - value)), _logit(value)
    return (
        lambda q: (_logistic(middle - q * spread), _logistic(middle + q * spread)),
        lambda bound: (middle - _logit(bound)) / spread,
    )


def _wilson_limits(value: float, n: float) -> tuple[Callable[[float], Pair], Callable[[float], float]]:
    return (
        lambda q: score_limits(value * n, n, z=q),
        lambda bound: _over(value - bound, math.sqrt(bound * (1.0 - bound) / n)),
    )


def _reach(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(one * one - 2.0 * correlation * one * other + other * other, 0.0))


def _meeting(value: float, at: Callable[[float], Pair]) -> Callable[[float], float]:
    """The signed quantile at which the limit on the bound's side meets the bound, by bisection."""

    def distance(bound: float) -> float:
        side, sign = (0, 1.0) if value >= bound else (1, -1.0)
        near, far = 0.0, 1.0
        while sign * (at(far)[side] - bound) > 0.0:
            near, far = far, 2.0 * far
            if far > LARGEST_QUANTILE:
                return sign * math.inf
        for _ in range(60):
            middle = (near + far) / 2.0
            near, far = (middle, far) if sign * (at(middle)[side] - bound) > 0.0 else (near, middle)
        return sign * near

    return distance


def _pair_effect(counts: PairedCounts) -> float:
    n, k, value = counts.n, counts.size.size, float(counts.gap.sum()) / counts.n
    discordant = float((counts.first_only + counts.second_only).sum())
    independent = (discordant - n * value * value) / (n - 1)
    if independent <= 0.0:
        return n / k
    excess: NDArray[np.float64] = counts.gap - counts.size * value
    return max(k / (k - 1) * float(excess @ excess) / n / independent, 1.0)


def _clusters(clusters: ArrayLike, *, n: int) -> int:
    count = int(cluster_index(clusters, n=n).max()) + 1
    if count < 2:
        raise TooFewSamples("One cluster alone has no variance.", next_step="Use more patients.")
    return count


def _over(distance: float, error: float) -> float:
    if error > 0.0:
        return distance / error
    return math.copysign(math.inf, distance) if distance else 0.0


def _logit(p: float) -> float:
    return math.log(p) - math.log1p(-p)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
