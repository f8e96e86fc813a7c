"""The mean of a quantity that each sample has, where samples come in clusters: films of a patient.

The mean as a ratio over clusters (Cochran, Sampling Techniques, 1977, section 11.12), with Student's t on the number of
clusters less one. With one sample a cluster it is the textbook interval of a mean. Clusters are independent.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t

from domain.errors import TooFewSamples
from evidence.statistics.clusters import cluster_index
from evidence.statistics.estimate import Estimate, as_scores, normal_quantile

NO_SPREAD = "all values the same"


def mean(values: ArrayLike, clusters: ArrayLike, *, level: float = 0.95, positives: int = 0) -> Estimate:
    """The mean of values (n,) with cluster keys (n,); ``positives`` is only reported.

    Values that are all the same have no interval: both ends are the value, and ``method`` says so.

    Raises:
        TooFewSamples: fewer than two clusters.
        NotEstimable: a value that is not finite, a sample without cluster, a level outside (0, 1).
    """
    numbers = as_scores(values)
    index = cluster_index(clusters, n=numbers.size)
    count = int(index.max(initial=-1)) + 1
    if count < 2:
        raise TooFewSamples(f"The mean over {count} clusters has no interval.", next_step="Use more patients.")
    normal_quantile(level)  # refuses a level that does not exist
    if numbers.min() == numbers.max():
        value = float(numbers[0])
        return Estimate(value, value, value, level, NO_SPREAD, numbers.size, positives)
    value = float(numbers.mean())
    excess = np.bincount(index, weights=numbers - value)
    error = math.sqrt(count / (count - 1) * float(excess @ excess)) / numbers.size
    half = float(t.ppf(0.5 + level / 2.0, count - 1)) * error
    method = "Student's t" if count == numbers.size else f"Student's t, {count} clusters"
    return Estimate(value, value - half, value + half, level, method, numbers.size, positives)
