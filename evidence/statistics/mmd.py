"""Maximum mean discrepancy of two sets of vectors, with a permutation test.

Gretton, Borgwardt, Rasch, Schölkopf and Smola, J Mach Learn Res 13:723 (2012). The kernel is the Gaussian
exp(−|x − y|² / (2 σ²)); σ is given or the median distance between distinct pairs of the pooled vectors. Assumes
exchangeable samples: many films of one patient make the p-value too small.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
LARGEST = 6_000  # pooled vectors: their kernel matrix takes 288 MB


@dataclass(frozen=True, slots=True)
class MmdTest:
    """MMD² of two sets and how often a random relabelling reaches it.

    ``unbiased`` leaves each vector's kernel with itself out and may be negative; ``biased`` keeps it and is at least 0.
    The p-value is (1 + permutations at least as large) / (1 + permutations), of the unbiased statistic.
    """

    unbiased: float
    biased: float
    bandwidth: float
    p_value: float
    permutations: int
    n: int
    m: int


def mmd(
    reference: ArrayLike,
    current: ArrayLike,
    *,
    bandwidth: float | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> MmdTest:
    """MMD² of vectors (n, d) and (m, d), or of values (n,) and (m,).

    All permutations are evaluated as one matrix product: O((n + m)² · permutations) multiplications.

    Raises:
        TooFewSamples: fewer than two vectors in a set.
        NotEstimable: numbers not finite, shapes that do not fit, bandwidth not positive, all vectors equal, or more
            than ``LARGEST`` vectors together (draw a sample).
    """
    before, now = _vectors(reference), _vectors(current)
    n, m = len(before), len(now)
    _need_sizes(n, m, permutations)
    if before.shape[1] != now.shape[1]:
        raise NotEstimable(f"Vectors of {before.shape[1]} and {now.shape[1]} numbers cannot be compared.")
    squared = _squared_distances(np.concatenate([before, now]))
    width = _median_distance(squared) if bandwidth is None else bandwidth
    if not (math.isfinite(width) and width > 0.0):
        raise NotEstimable(f"A bandwidth of {width} does not exist.", next_step="Give one that is positive.")
    kernel = np.exp(squared / (-2.0 * width * width), out=squared)
    members = np.zeros((n + m, permutations + 1))
    members[:n, 0] = 1.0
    draw = np.random.default_rng(seed)
    for column in range(1, permutations + 1):
        members[draw.permutation(n + m)[:n], column] = 1.0
    unbiased, biased = _statistics(kernel, members, n, m)
    # Relabellings that deal the same sets differ by rounding only and count as equal.
    reached = int((unbiased[1:] >= unbiased[0] - 1e-12).sum())
    p = (1 + reached) / (1 + permutations)
    return MmdTest(float(unbiased[0]), float(biased[0]), float(width), p, permutations, n, m)


def _statistics(kernel: Matrix, members: Matrix, n: int, m: int) -> tuple[Vector, Vector]:
    """Unbiased and biased MMD² for every column of ``members``, which marks the first set with 1."""
    towards = kernel @ members
    first = (members * towards).sum(axis=0)
    cross = towards.sum(axis=0) - first
    second = kernel.sum() - first - 2.0 * cross
    unbiased = (first - n) / (n * (n - 1)) + (second - m) / (m * (m - 1)) - 2.0 * cross / (n * m)
    biased = first / (n * n) + second / (m * m) - 2.0 * cross / (n * m)
    return unbiased, np.maximum(biased, 0.0)


def _vectors(values: ArrayLike) -> Matrix:
    array = as_scores(values)
    if array.ndim not in (1, 2):
        raise NotEstimable(f"An array of shape {array.shape} holds no vectors.")
    return array[:, None] if array.ndim == 1 else array


def _need_sizes(n: int, m: int, permutations: int) -> None:
    if min(n, m) < 2:
        raise TooFewSamples(f"Sets of {n} and {m} vectors have no unbiased discrepancy.")
    if n + m > LARGEST:
        raise NotEstimable(f"{n + m} vectors are more than {LARGEST}.", next_step="Draw a sample of them.")
    if permutations < 0:
        raise NotEstimable(f"{permutations} permutations cannot be made.")


def _squared_distances(vectors: Matrix) -> Matrix:
    from scipy.spatial.distance import pdist, squareform  # late: scipy costs a second

    squared: Matrix = squareform(pdist(vectors, "sqeuclidean"))
    return squared


def _median_distance(squared: Matrix) -> float:
    upper = squared[np.triu_indices(len(squared), k=1)]
    return float(np.median(np.sqrt(upper)))
