"""The curves of one scored set, and the figures that only a whole set has: average precision, likelihood ratios."""

from collections.abc import Callable

import numpy as np

from evidence.record import DecisionPoint
from evidence.scored_set import ScoredSet
from evidence.statistics import (
    clustered_ratio,
    decision_curve,
    likelihood_ratio,
    operating_point,
    precision_recall,
    roc,
)
from evidence.statistics.bootstrap import Resampling, cluster_bootstrap
from evidence.statistics.decision_curve import Sampling
from evidence.statistics.estimate import Estimate

# From 0.05 to 0.95: harm has no weight at 0 and at 1.
THRESHOLDS = tuple(round(0.05 + 0.025 * step, 3) for step in range(37))
DRAWS = 400
SEED = 0  # fixed: the same set always has the same intervals
Points = tuple[tuple[float, float], ...]


def roc_points(scored: ScoredSet) -> Points:
    """The corners of the ROC curve: (1 − specificity, sensitivity); empty when a class is missing."""
    if _one_class(scored):
        return ()
    found = roc.curve(scored.labels, scored.probabilities)
    x, y = found.false_positive_rate, found.true_positive_rate
    straight = np.zeros(x.size, dtype=bool)
    dx, dy = np.diff(x), np.diff(y)
    straight[1:-1] = np.abs(dx[:-1] * dy[1:] - dx[1:] * dy[:-1]) < 1e-15
    return tuple((float(a), float(b)) for a, b in zip(x[~straight], y[~straight], strict=True))


def precision_recall_points(scored: ScoredSet) -> Points:
    """(recall, precision) by falling threshold; empty when a class is missing.

    Of the points of one recall only the first and the last stay: between them precision just falls.
    """
    if _one_class(scored):
        return ()
    found = precision_recall.curve(scored.labels, scored.probabilities)
    same = np.diff(found.recall) == 0.0
    inside = np.zeros(found.recall.size, dtype=bool)
    inside[1:-1] = same[:-1] & same[1:]
    kept = zip(found.recall[~inside], found.precision[~inside], strict=True)
    return tuple((float(recall), float(precision)) for recall, precision in kept)


def decision_points(scored: ScoredSet, *, level: float) -> tuple[DecisionPoint, ...]:
    """Net benefit from 0.05 to 0.95 at the set's own prevalence, with a bootstrap interval by patient.

    Raises:
        DataProblem: one class only, fewer than two patients, or resamples of one class.
    """
    sampling = Sampling("bootstrap", scored.patient_keys, level=level, resamples=DRAWS, seed=SEED)
    found = decision_curve.decision_curve(
        scored.labels, scored.probabilities, thresholds=THRESHOLDS, sampling=sampling
    )  # fmt: skip
    return tuple(
        DecisionPoint(
            threshold=point.threshold,
            net_benefit=point.model.value,
            interval=(point.model.low, point.model.high),
            treat_all=point.treat_all.value,
            interventions_avoided=100.0 * point.interventions_avoided.value,
        )
        for point in found
    )


def further(scored: ScoredSet, *, threshold: float, level: float) -> dict[str, Callable[[], Estimate]]:
    """How to measure what a subgroup is too small for; patients, not samples, are independent."""
    repeats = scored.patients < len(scored.sample_ids)
    called = scored.probabilities >= threshold

    def average_precision() -> Estimate:
        if not repeats:
            return precision_recall.average_precision(scored.labels, scored.probabilities, level=level)
        return cluster_bootstrap(
            scored.patient_keys,
            lambda rows: precision_recall.areas(scored.labels[rows], scored.probabilities[rows]).average_precision,
            positives=int(scored.labels.sum()),
            resampling=Resampling("percentile", resamples=DRAWS, level=level, seed=SEED),
        )

    def ratio(positive: bool) -> Estimate:
        if repeats:
            of = clustered_ratio.positive_likelihood_ratio if positive else clustered_ratio.negative_likelihood_ratio
            return of(scored.labels, called, scored.patient_keys, level=level)
        simple = (
            likelihood_ratio.positive_likelihood_ratio if positive else likelihood_ratio.negative_likelihood_ratio
        )  # fmt: skip
        return simple(
            operating_point.confusion(scored.labels, scored.probabilities, threshold=threshold), level=level
        )  # fmt: skip

    return {
        "average_precision": average_precision,
        "likelihood_ratio_positive": lambda: ratio(True),
        "likelihood_ratio_negative": lambda: ratio(False),
    }


def _one_class(scored: ScoredSet) -> bool:
    return bool(scored.labels.all()) or not scored.labels.any()
