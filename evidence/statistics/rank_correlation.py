"""Spearman's rank correlation (Am J Psychol 15:72, 1904), ties by midranks."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """The correlation of the ranks of two arrays of the same shape: 1 the same order, −1 the reverse, 0 none.

    Raises:
        NotEstimable: shapes differ, a value is not finite, or all values of one array are the same.
        TooFewSamples: fewer than three values.
    """
    a, b = as_scores(first), as_scores(second)
    if a.shape != b.shape:
        raise NotEstimable(f"Values of shapes {a.shape} and {b.shape} are not pairs.")
    if a.size < 3:
        raise TooFewSamples(f"{a.size} pairs have no rank correlation.")
    if a.min() == a.max() or b.min() == b.max():
        raise NotEstimable("Values that are all the same have no order.")
    ranks_a, ranks_b = rankdata(a.ravel()), rankdata(b.ravel())
    return float(np.clip(np.corrcoef(ranks_a, ranks_b)[0, 1], -1.0, 1.0))
