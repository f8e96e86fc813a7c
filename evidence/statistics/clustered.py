"""ROC areas of clustered samples: several images of a patient, several candidates of an image.

Obuchowski, Biometrics 53:567 (1997). The clusters, not the samples in them, are assumed independent; a cluster may hold
samples of both classes. With one sample per cluster everything equals DeLong's, so that callers need not ask whether
patients repeat. O(n log n).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.clusters import cluster_index
from evidence.statistics.estimate import Estimate, as_scores
from evidence.statistics.non_inferiority import NonInferiority, check_margin, non_inferiority
from evidence.statistics.placements import placements
from evidence.statistics.roc import Interval, PairedDifference, Sampled, area_of, difference_of
from evidence.statistics.roc_tests import EqualAreas, contrast_test

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClusteredAreas:
    """Areas of k score columns (k,), their covariance (k, k) by Obuchowski, and by the infinitesimal jackknife over
    clusters (without Obuchowski's small-sample factors, so a little smaller).
    """

    areas: NDArray[np.float64]
    covariance: Matrix
    infinitesimal_jackknife: Matrix
    positives: int
    negatives: int
    clusters: int
    clusters_with_positives: int
    clusters_with_negatives: int

    @property
    def n(self) -> int:
        """All samples."""
        return self.positives + self.negatives

    @property
    def smaller(self) -> int:
        """Clusters that hold the class that fewer hold."""
        return min(self.clusters_with_positives, self.clusters_with_negatives)


def areas(labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike) -> ClusteredAreas:
    """Areas and covariance for scores (n,) or (k, n), labels (n,) in {0, 1} and cluster keys (n,).

    S10 and S01 carry I10/(I10 − 1) and I01/(I01 − 1), with the numbers of clusters that hold a positive and a negative
    sample, and S11 carries I/(I − 1); the variance is S10/M + S01/N + 2·S11/(M·N).

    Raises:
        OneClassOnly: no positive or no negative sample.
        TooFewSamples: fewer than two clusters hold positive, or negative, samples.
        NotEstimable: numbers that are not finite, or a sample without cluster.
    """
    places = placements(labels, scores)
    truth, index = places.truth, cluster_index(clusters, n=places.truth.size)
    count = int(index.max()) + 1
    m, n = places.of_positives.shape[1], places.of_negatives.shape[1]
    with_positives, with_negatives = (np.unique(index[of]).size for of in (truth, ~truth))
    if min(with_positives, with_negatives) < 2:
        raise TooFewSamples(
            f"{with_positives} clusters hold positive and {with_negatives} hold negative samples: no variance.",
            next_step="Use more patients.",
        )
    found = places.areas
    # What each cluster adds to the areas, by its positives and by its negatives, each (k, clusters).
    by_positives = _sums(places.of_positives - found[:, None], index[truth], count) / m
    by_negatives = _sums(places.of_negatives - found[:, None], index[~truth], count) / n
    cross = by_positives @ by_negatives.T
    covariance = (
        by_positives @ by_positives.T * (with_positives / (with_positives - 1))
        + by_negatives @ by_negatives.T * (with_negatives / (with_negatives - 1))
        + (cross + cross.T) * (count / (count - 1))
    )
    influence = by_positives + by_negatives
    return ClusteredAreas(found, covariance, influence @ influence.T, m, n, count, with_positives, with_negatives)


def auroc(
    labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike, *, level: float = 0.95, interval: Interval = "logit"
) -> Estimate:
    """Area under the ROC curve of scores (n,), clusters (n,), with Obuchowski's variance; intervals as ``roc.auroc``.

    Without variance (perfect separation), Wilson's interval counts the clusters of the rarer class.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``areas``.
    """
    found = areas(labels, scores, clusters)
    error = math.sqrt(max(float(found.covariance[0, 0]), 0.0))
    sampled = Sampled("Obuchowski, clustered", found.n, found.positives, found.smaller)
    return area_of(float(found.areas[0]), error, sampled, level=level, interval=interval)


def paired_difference(
    labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike, clusters: ArrayLike, *, level: float = 0.95
) -> PairedDifference:
    """Area of ``scores_a`` minus area of ``scores_b``, both (n,) on the same samples of clusters (n,), Wald.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``areas``.
    """
    a, b = as_scores(scores_a), as_scores(scores_b)
    if a.shape != b.shape:
        raise NotEstimable(f"Scores of shapes {a.shape} and {b.shape} are not of the same samples.")
    found = areas(labels, np.stack([a, b]), clusters)
    contrast = np.array([1.0, -1.0])
    error = math.sqrt(max(float(contrast @ found.covariance @ contrast), 0.0))
    sampled = Sampled("paired Obuchowski, clustered, Wald", found.n, found.positives)
    return difference_of(float(found.areas[0] - found.areas[1]), error, sampled, level=level)


def equal_areas(
    labels: ArrayLike, scores: ArrayLike, clusters: ArrayLike, *, contrasts: ArrayLike | None = None
) -> EqualAreas:
    """Global test of k ≥ 2 score columns (k, n) as ``roc_tests.equal_areas``, with Obuchowski's covariance.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``areas`` and ``roc_tests.contrast_test``.
    """
    found = areas(labels, scores, clusters)
    return contrast_test(found.areas, found.covariance, contrasts=contrasts)


def non_inferior_auroc(
    labels: ArrayLike,
    new: ArrayLike,
    reference: ArrayLike,
    clusters: ArrayLike,
    *,
    margin: float,
    alpha: float = 0.025,
) -> NonInferiority:
    """Is the area of scores ``new`` (n,) no more than ``margin`` below that of ``reference`` (n,), clusters (n,)?

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: as ``areas`` and ``non_inferiority.non_inferiority``.
    """
    check_margin(margin, alpha)
    found = paired_difference(labels, new, reference, clusters)
    value = found.difference
    sampled = Sampled(value.method, value.n, value.positives)
    return non_inferiority(value.value, found.standard_error, sampled, margin=margin, alpha=alpha)


def _sums(values: Matrix, index: NDArray[np.intp], count: int) -> Matrix:
    """Row sums per cluster: (k, samples) to (k, count)."""
    return np.stack([np.bincount(index, weights=row, minlength=count) for row in values])
