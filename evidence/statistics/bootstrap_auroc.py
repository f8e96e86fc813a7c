"""Intervals of AUROC, and of the difference of two, by resampling patients; no binormal or normal form is assumed.

Scores are sorted once. A replicate is a number of copies of each patient, and its area a weighted count of pairs by
running sums, O(n); leaving each patient out in turn, for BCa, is one pass in O(n log n).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.bootstrap import DEFAULT, Resampling, limits, require_clusters
from evidence.statistics.clusters import cluster_index
from evidence.statistics.estimate import Estimate, Labels, Scores, as_labels, as_scores, need_both_classes
from evidence.statistics.placements import placements, tie_groups

Vector = NDArray[np.float64]
Index = NDArray[np.intp]


def auroc(labels: ArrayLike, scores: ArrayLike, patients: ArrayLike, *, resampling: Resampling = DEFAULT) -> Estimate:
    """Area under the ROC curve of scores (n,) for labels (n,), interval by resampling patients (n,).

    Assumes independent patients and at least two with and two without a positive sample.

    Raises:
        OneClassOnly: no positive or no negative sample.
        TooFewSamples: fewer than two patients of a class, or too few for most resamples to hold both.
        NotEstimable: numbers that are not finite, a sample without patient, perfect separation (all resamples alike).
    """
    return _estimate(labels, as_scores(scores)[None], patients, resampling=resampling)


def paired_difference(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    patients: ArrayLike,
    *,
    resampling: Resampling = DEFAULT,
) -> Estimate:
    """Area of ``scores_a`` minus area of ``scores_b``, both (n,) on the same samples, resampled together.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``auroc``; also scores that rank all samples alike.
    """
    a, b = as_scores(scores_a), as_scores(scores_b)
    if a.shape != b.shape:
        raise NotEstimable(f"Scores of shapes {a.shape} and {b.shape} are not of the same samples.")
    return _estimate(labels, np.stack([a, b]), patients, resampling=resampling)


def leave_one_out(labels: ArrayLike, scores: ArrayLike, patients: ArrayLike) -> Vector:
    """The areas (K,) that remain when each of K patients in turn is left out, in O(n log n).

    Raises:
        OneClassOnly, NotEstimable: as ``auroc``.
        TooFewSamples: a patient holds all samples of a class.
    """
    places = placements(labels, as_scores(scores))
    truth, patient = places.truth, cluster_index(patients, n=places.truth.size)
    count = int(patient.max()) + 1
    m, n = places.of_positives.shape[1], places.of_negatives.shape[1]
    with_positives = np.bincount(patient[truth], minlength=count)
    with_negatives = np.bincount(patient[~truth], minlength=count)
    left = (m - with_positives) * (n - with_negatives)
    if not left.all():
        raise TooFewSamples("One patient holds all samples of a class.", next_step="Use more patients.")
    wins = float(places.of_positives.sum()) * n
    lost = np.bincount(patient[truth], weights=places.of_positives[0] * n, minlength=count)
    lost += np.bincount(patient[~truth], weights=places.of_negatives[0] * m, minlength=count)
    # Pairs within the patient were taken off twice.
    areas: Vector = (wins - lost + _wins_within(truth, as_scores(scores), patient)) / left
    return areas


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Patients of the positives (m,) and negatives (n,) in order of score, and for each positive how many negatives lie
    below it, and below or level with it (m,).
    """

    of_positives: Index
    of_negatives: Index
    below: Index
    upto: Index

    @classmethod
    def of(cls, truth: Labels, values: Scores, patient: Index) -> "_Pairs":
        order = np.argsort(values, kind="stable")
        positives, negatives = order[truth[order]], order[~truth[order]]
        below = np.searchsorted(values[negatives], values[positives], side="left")
        upto = np.searchsorted(values[negatives], values[positives], side="right")
        return cls(patient[positives], patient[negatives], below, upto)

    def area(self, copies: Vector) -> float:
        """The area with so many copies of each patient (K,); NaN when a class is missing."""
        weights = copies[self.of_positives]
        running = np.concatenate([[0.0], np.cumsum(copies[self.of_negatives])])
        pairs = float(weights.sum()) * float(running[-1])
        wins = float(weights @ (running[self.below] + running[self.upto])) / 2.0
        return wins / pairs if pairs else np.nan


def _estimate(labels: ArrayLike, columns: Scores, patients: ArrayLike, *, resampling: Resampling) -> Estimate:
    """Area of one column, or the first column's less the second's."""
    if columns.ndim != 2:
        raise NotEstimable(f"Scores of shape {columns.shape[1:]} are not one column.")
    truth = as_labels(labels, n=columns.shape[1])
    need_both_classes(truth)
    patient = cluster_index(patients, n=truth.size)
    count = int(patient.max()) + 1
    require_clusters(count)
    signs, pairs = (1.0, -1.0), [_Pairs.of(truth, values, patient) for values in columns]

    def statistic(copies: Vector) -> float:
        return sum(sign * one.area(copies) for sign, one in zip(signs, pairs, strict=False))

    left_out = [leave_one_out(truth, values, patient) for values in columns]
    jackknife = left_out[0] - left_out[1] if len(left_out) == 2 else left_out[0]
    draw = np.random.default_rng(resampling.seed)
    replicates = np.empty(resampling.resamples)
    for k in range(resampling.resamples):
        copies = np.bincount(draw.integers(0, count, count), minlength=count).astype(np.float64)
        replicates[k] = statistic(copies)
    value = statistic(np.ones(count))
    low, high = limits(value, replicates, jackknife, resampling=resampling)
    return Estimate(value, low, high, resampling.level, resampling.name, truth.size, int(truth.sum()))


def _wins_within(truth: Labels, values: Scores, patient: Index) -> Vector:
    """Per patient (K,): pairs of an own positive above an own negative, ties one half."""
    order = np.lexsort((values, patient))
    negatives = np.concatenate([[0], np.cumsum(~truth[order])])
    # Runs of one patient and one score, by one key that grows along the order.
    steps = (np.diff(patient[order]) != 0) | (np.diff(values[order]) != 0)
    runs = tie_groups(np.concatenate([[0], np.cumsum(steps)]).astype(np.float64))
    owner = patient[order][runs.start]
    before = np.concatenate([[0], np.cumsum(np.bincount(patient[~truth], minlength=int(patient.max()) + 1))])[:-1]
    below = (negatives[runs.start] + negatives[runs.end]) / 2.0 - before[owner]
    positives = (runs.end - runs.start) - (negatives[runs.end] - negatives[runs.start])
    wins: Vector = np.bincount(owner, weights=positives * below, minlength=int(patient.max()) + 1).astype(np.float64)
    return wins
