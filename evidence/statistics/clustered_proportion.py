"""A share of clustered samples: sensitivity or specificity where patients have several images.

Wilson's score interval at the effective sample size n / D, after Rao and Scott, Biometrics 48:577 (1992) and Korn and
Graubard, Survey Methodology 24:193 (1998). D, the design effect, is the variance of the share as a ratio over clusters
(Cochran, Sampling Techniques, 1977, section 11.12) over that of independent samples. Clusters are independent.
"""

import numpy as np
from numpy.typing import ArrayLike

from domain.errors import TooFewSamples
from evidence.statistics.clusters import cluster_index
from evidence.statistics.estimate import Estimate, as_labels, normal_quantile
from evidence.statistics.proportion import score_limits


def share(successes: ArrayLike, clusters: ArrayLike, *, level: float = 0.95, positives: int | None = None) -> Estimate:
    """The share of successes (n,) in {0, 1} with cluster keys (n,); equal to Wilson's where no cluster repeats.

    A design effect below 1 counts as 1: that several samples of a patient say more than as many patients is not
    believed. At 0 of n and n of n nothing shows how alike a patient's samples are, and each cluster counts once.
    ``positives`` says how many of the samples carry the finding; left out, the successes are meant.

    Raises:
        TooFewSamples: there is no sample.
        NotEstimable: a success is neither 0 nor 1, or a sample has no cluster.
    """
    if np.size(successes) == 0:
        raise TooFewSamples("A proportion of no samples has no value.")
    called = as_labels(successes, n=np.size(successes))
    n, total = called.size, int(called.sum())
    effective = n / design_effect(called, clusters)
    low, high = score_limits(total / n * effective, effective, z=normal_quantile(level))
    repeats = effective < n
    method = f"Wilson, clustered, effective n {effective:.0f}" if repeats else "Wilson"
    return Estimate(total / n, low, high, level, method, n, total if positives is None else positives)


def design_effect(successes: ArrayLike, clusters: ArrayLike) -> float:
    """How many times as wide as for independent samples the variance of the share of (n,) successes is; at least 1.

    Raises:
        NotEstimable, TooFewSamples: as ``share``.
    """
    called = as_labels(successes, n=np.size(successes)).astype(np.float64)
    index = cluster_index(clusters, n=called.size)
    n, count = called.size, int(index.max()) + 1
    mean = float(called.mean())
    if mean in (0.0, 1.0) or count < 2:
        return n / count
    excess = np.bincount(index, weights=called - mean)
    of_clusters = count / (count - 1) * float(excess @ excess) / n**2
    of_samples = mean * (1.0 - mean) / (n - 1)
    return max(of_clusters / of_samples, 1.0)
