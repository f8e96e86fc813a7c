"""Where each sample stands among the samples of the other class: the terms of which every empirical ROC area is a mean.

One sort per column of scores, O(n log n), after Sun and Xu, IEEE Signal Processing Letters 21:1389 (2014).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import Labels, Scores, as_labels, as_scores, need_both_classes

Columns = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Placements:
    """For k score columns: share of the negatives below each of m positives (k, m), and share of the positives above
    each of n negatives (k, n), ties counting one half; in the samples' order. ``truth`` (m + n,) says which is which.
    """

    truth: Labels
    of_positives: Columns
    of_negatives: Columns

    @property
    def areas(self) -> NDArray[np.float64]:
        """The k empirical areas under the ROC curve (k,)."""
        areas: NDArray[np.float64] = self.of_positives.mean(axis=1)
        return areas


@dataclass(frozen=True, slots=True)
class TieGroups:
    """Sorted values cut into runs of equals: ``start`` and ``end`` (g,) are the places of their first member and of the
    one after their last.
    """

    start: Places
    end: Places


def placements(labels: ArrayLike, scores: ArrayLike) -> Placements:
    """Placements of scores (n,) or (k, n) on the same n samples, for labels (n,) in {0, 1}; larger means positive.

    Raises:
        OneClassOnly: no positive or no negative sample.
        NotEstimable: numbers that are not finite, or shapes that do not fit.
        TooFewSamples: no samples.
    """
    columns = np.atleast_2d(as_scores(scores))
    if columns.ndim != 2:
        raise NotEstimable(f"Scores of shape {columns.shape} are neither one column nor several.")
    truth = as_labels(labels, n=columns.shape[1])
    need_both_classes(truth)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    of_positives, of_negatives = np.empty((len(columns), positives)), np.empty((len(columns), negatives))
    for row, values in enumerate(columns):
        below, above = _counts(truth, values)
        of_positives[row] = below[truth] / negatives
        of_negatives[row] = above[~truth] / positives
    return Placements(truth, of_positives, of_negatives)


def tie_groups(ordered: Scores) -> TieGroups:
    """The runs of equal values of ascending or descending values (n,), n ≥ 1."""
    start = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    return TieGroups(start, np.append(start[1:], ordered.size))


def _counts(truth: Labels, values: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per sample (n,): negatives below it and positives above it, half of those it is tied with included."""
    order = np.argsort(values)
    groups = tie_groups(values[order])
    positives_upto = np.concatenate([[0], np.cumsum(truth[order])])
    at_start, at_end = positives_upto[groups.start], positives_upto[groups.end]
    negatives_below = (groups.start + groups.end - at_start - at_end) / 2.0
    positives_above = positives_upto[-1] - (at_start + at_end) / 2.0
    size = groups.end - groups.start
    below, above = np.empty(values.size), np.empty(values.size)
    below[order] = np.repeat(negatives_below, size)
    above[order] = np.repeat(positives_above, size)
    return below, above
