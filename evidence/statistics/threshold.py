"""Which threshold? Youden's, and the best one that keeps a stated sensitivity or specificity.

What is read here describes the samples it was read on. A threshold that will be used is chosen on tuning data and
judged on others: its sensitivity on the samples that chose it is too good.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics import roc
from evidence.statistics.estimate import Estimate, as_labels, as_scores, normal_quantile

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cut:
    """A threshold and what it gives on the samples it was read on.

    ``threshold`` lies midway between two neighbouring scores, or beyond all of them (infinite) where no sample, or
    every one, is called positive.
    """

    threshold: float
    sensitivity: float
    specificity: float

    @property
    def youden(self) -> float:
        """Sensitivity + specificity − 1."""
        return self.sensitivity + self.specificity - 1.0


def youden_cut(labels: ArrayLike, scores: ArrayLike, *, higher_means_positive: bool = True) -> Cut:
    """The threshold of the largest sensitivity + specificity − 1 (Youden, Cancer 3:32, 1950).

    Of several equally good ones, the most sensitive. Shapes (n,) and (n,).

    Raises:
        OneClassOnly, NotEstimable, TooFewSamples: one class only, numbers not finite, no samples.
    """
    cuts = _Cuts.of(labels, scores, higher_means_positive)
    index = cuts.sensitivity + cuts.specificity
    # Equal indices may differ by one rounding; the last of them is the most sensitive.
    return cuts.at(int(np.flatnonzero(index >= index.max() - 1e-12)[-1]))


def most_sensitive_cut(
    labels: ArrayLike, scores: ArrayLike, *, min_specificity: float, higher_means_positive: bool = True
) -> Cut:
    """The threshold of highest sensitivity among those of at least ``min_specificity``; no interpolation.

    Raises:
        OneClassOnly, NotEstimable, TooFewSamples: as ``youden_cut``; a target outside [0, 1].
    """
    cuts = _Cuts.of(labels, scores, higher_means_positive)
    kept = np.flatnonzero(cuts.specificity >= _target(min_specificity) - 1e-12)
    best = kept[cuts.sensitivity[kept] >= cuts.sensitivity[kept[-1]] - 1e-12]
    return cuts.at(int(best[0]))  # of equal sensitivities the most specific


def most_specific_cut(
    labels: ArrayLike, scores: ArrayLike, *, min_sensitivity: float, higher_means_positive: bool = True
) -> Cut:
    """The threshold of highest specificity among those of at least ``min_sensitivity``; no interpolation.

    Raises:
        OneClassOnly, NotEstimable, TooFewSamples: as ``youden_cut``; a target outside [0, 1].
    """
    cuts = _Cuts.of(labels, scores, higher_means_positive)
    kept = np.flatnonzero(cuts.sensitivity >= _target(min_sensitivity) - 1e-12)
    best = kept[cuts.specificity[kept] >= cuts.specificity[kept[0]] - 1e-12]
    return cuts.at(int(best[-1]))  # of equal specificities the most sensitive


def interpolated_sensitivity(labels: ArrayLike, scores: ArrayLike, *, specificity: float) -> float:
    """Height of the ROC curve at that specificity, on the straight line between its points; larger means positive.

    Where the curve climbs straight up, its top. A value between two points can be had only by calling at random
    between two thresholds: ``most_sensitive_cut`` gives what one threshold can do.

    Raises:
        OneClassOnly, NotEstimable, TooFewSamples: as ``youden_cut``; a target outside [0, 1].
    """
    curve = roc.curve(labels, scores)
    return _height(curve.false_positive_rate, curve.true_positive_rate, 1.0 - _target(specificity))


def interpolated_specificity(labels: ArrayLike, scores: ArrayLike, *, sensitivity: float) -> float:
    """Largest specificity of the ROC curve at that sensitivity, on straight lines; as ``interpolated_sensitivity``."""
    curve = roc.curve(labels, scores)
    return _height(
        1.0 - curve.true_positive_rate[::-1], 1.0 - curve.false_positive_rate[::-1], 1 - _target(sensitivity)
    )


def sensitivity_at_specificity(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    specificity: float,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Sensitivity of ``most_sensitive_cut`` with an interval that knows the threshold was read on these samples.

    A binomial interval would take the threshold as given and be too narrow (Platt, Hanley,
    Yang, Stat Med 19:313, 2000). Here each replicate draws the threshold from its bootstrap distribution
    among the negatives, exactly, as an order statistic, then the sensitivity above it from Beta(x + ½, n − x + ½), so
    that the interval does not shrink to a point at 0 or 1; limits are percentiles. O(n log n + replicates · log n).

    Raises:
        OneClassOnly, NotEstimable, TooFewSamples: as ``most_sensitive_cut``; a level outside (0, 1), no replicates.
    """
    normal_quantile(level)
    if replicates < 100:
        raise NotEstimable(f"{replicates} replicates give no percentiles.", next_step="Ask for 100 at least.")
    cut = most_sensitive_cut(labels, scores, min_specificity=specificity)
    values = as_scores(scores)
    truth = as_labels(labels, n=values.size)
    drawn = _draws(np.sort(values[truth]), np.sort(values[~truth]), specificity, replicates=replicates, seed=seed)
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    method = f"bootstrap percentile, {replicates} replicates, at specificity ≥ {specificity:g}"
    found, positives = cut.sensitivity, int(truth.sum())
    return Estimate(found, min(float(low), found), max(float(high), found), level, method, values.size, positives)


def specificity_at_sensitivity(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    sensitivity: float,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Specificity of ``most_specific_cut``; interval and errors as ``sensitivity_at_specificity``."""
    values = as_scores(scores)
    truth = as_labels(labels, n=values.size)
    # With classes exchanged and scores reversed, sensitivity and specificity change places.
    found = sensitivity_at_specificity(
        ~truth, -values, specificity=sensitivity, level=level, replicates=replicates, seed=seed
    )
    method = found.method.replace("specificity", "sensitivity")
    return Estimate(found.value, found.low, found.high, level, method, found.n, int(truth.sum()))


@dataclass(frozen=True, slots=True)
class _Cuts:
    """Every way to divide the samples, from none called positive to all: sensitivity rises, specificity falls."""

    threshold: Vector
    sensitivity: Vector
    specificity: Vector

    @classmethod
    def of(cls, labels: ArrayLike, scores: ArrayLike, higher_means_positive: bool) -> "_Cuts":
        values = as_scores(scores)
        curve = roc.curve(labels, values if higher_means_positive else -values)
        upper, lower = curve.thresholds[1:-1], curve.thresholds[2:]
        midway = lower + (upper - lower) / 2.0
        midway = np.where(midway > lower, midway, upper)  # neighbouring floats have nothing between them
        threshold = np.concatenate([[np.inf], midway, [-np.inf]])
        negatives = values.size - int(as_labels(labels, n=values.size).sum())
        # A share of whole samples: 1 − rate would miss it by a rounding.
        specificity = np.round((1.0 - curve.false_positive_rate) * negatives) / negatives
        return cls(threshold if higher_means_positive else -threshold, curve.true_positive_rate, specificity)

    def at(self, place: int) -> Cut:
        return Cut(float(self.threshold[place]), float(self.sensitivity[place]), float(self.specificity[place]))


def _target(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise NotEstimable(f"A target of {value} cannot be asked for.", next_step="State one from 0 to 1.")
    return value


def _height(x: Vector, y: Vector, at: float) -> float:
    """The highest point over ``at`` of a curve whose both coordinates rise."""
    right = int(np.searchsorted(x, at + 1e-12, side="right"))  # first point strictly to the right
    if right == x.size or x[right - 1] >= at - 1e-12:
        return float(y[right - 1])
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    return float(y[right - 1] + share * (y[right] - y[right - 1]))


def _draws(of_positives: Vector, of_negatives: Vector, specificity: float, *, replicates: int, seed: int) -> Vector:
    """Sensitivities of replicates; both classes sorted."""
    draw = np.random.default_rng(seed)
    n = of_negatives.size
    kept = math.ceil(specificity * n - 1e-9)
    if kept == 0:  # no specificity is asked for: everything is called positive
        return np.ones(replicates)
    # The kept-th smallest of a resample of n values is at place ⌊n · U⌋ with U the kept-th smallest of n uniforms.
    place = np.minimum((n * draw.beta(kept, n - kept + 1, replicates)).astype(np.int64), n - 1)
    above = of_positives.size - np.searchsorted(of_positives, of_negatives[place], side="right")
    drawn: Vector = draw.beta(above + 0.5, of_positives.size - above + 0.5)
    return drawn
