"""Likelihood ratios of one threshold where patients have several samples.

The variance of the log ratio is linearised over clusters (delta method of two ratios over the same clusters: Cochran,
Sampling Techniques, 1977, section 11.12; for likelihood ratios Simel, Samsa, Matchar, J Clin Epidemiol 44:763, 1991).
Clusters are independent. A variance below that of independent samples, which is Simel's, is not believed: the larger
of the two is taken, as for shares (``clustered_proportion``).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.clusters import cluster_index
from evidence.statistics.estimate import Estimate, as_labels, need_both_classes, normal_quantile


def positive_likelihood_ratio(
    labels: ArrayLike, called: ArrayLike, clusters: ArrayLike, *, level: float = 0.95
) -> Estimate:
    """sensitivity / (1 − specificity) of calls (n,) in {0, 1} for labels (n,) of clusters (n,).

    Raises:
        OneClassOnly: no positive or no negative sample.
        TooFewSamples: fewer than two clusters.
        NotEstimable: a cell of the table is empty, or numbers are not 0 or 1.
    """
    calls = as_labels(called, n=np.size(called))
    return _ratio(as_labels(labels, n=calls.size), calls, clusters, level=level)


def negative_likelihood_ratio(
    labels: ArrayLike, called: ArrayLike, clusters: ArrayLike, *, level: float = 0.95
) -> Estimate:
    """(1 − sensitivity) / specificity; shapes and errors as ``positive_likelihood_ratio``."""
    calls = as_labels(called, n=np.size(called))
    return _ratio(as_labels(labels, n=calls.size), ~calls, clusters, level=level)


def _ratio(truth: NDArray[np.bool_], marked: NDArray[np.bool_], clusters: ArrayLike, *, level: float) -> Estimate:
    """The share marked among positives over that among negatives."""
    need_both_classes(truth)
    index = cluster_index(clusters, n=truth.size)
    count = int(index.max()) + 1
    if count < 2:
        raise TooFewSamples("One patient gives no interval.", next_step="Give at least two.")
    above, below = int((marked & truth).sum()), int((marked & ~truth).sum())
    if not (above and below):
        raise NotEstimable("A cell of the table is empty: the ratio or its interval does not exist.")
    share_above, share_below = above / int(truth.sum()), below / int((~truth).sum())
    # What each sample adds to the log ratio.
    influence = np.where(truth, (marked - share_above) / above, -(marked - share_below) / below)
    by_cluster = np.bincount(index, weights=influence)
    of_clusters = count / (count - 1) * float(by_cluster @ by_cluster)
    error = math.sqrt(max(of_clusters, float(influence @ influence)))
    value, factor = share_above / share_below, math.exp(normal_quantile(level) * error)
    named = "Simel, log, clustered"
    return Estimate(value, value / factor, value * factor, level, named, truth.size, int(truth.sum()))
