"""The two-sample Kolmogorov–Smirnov test of one feature, two-sided and one-sided, exact with ties or in the limit.

The two-sided exact test is that of ``drift``. The one-sided one counts, in the same way, the deals of the pooled values
whose path leaves the band on one side only (Hodges, Ark Mat 3:469, 1958); ties are values after which alone the
distribution functions may be compared. Limits are Kolmogorov's and Smirnov's, without small-sample correction.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics import drift
from evidence.statistics.estimate import as_scores

Alternative = Literal["two-sided", "greater", "less"]
Method = Literal["exact", "limit"]


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """Largest gap of two distribution functions and the chance of one as large when nothing differs."""

    statistic: float
    p_value: float
    alternative: Alternative
    method: Method
    n: int
    m: int


def kolmogorov_smirnov(
    first: ArrayLike, second: ArrayLike, *, alternative: Alternative = "two-sided", method: Method = "exact"
) -> KolmogorovSmirnov:
    """Test samples (n,) and (m,). "greater" looks for a distribution function of ``first`` that lies *above* that of
    ``second``, so for smaller values in ``first`` (as R's ``ks.test``); "less" for the reverse.

    The exact p-value costs O(n·m); the two-sided one turns to the limit beyond ``drift.EXACT_UP_TO``, which ``method``
    of the answer then says.

    Raises:
        TooFewSamples: a sample is empty.
        NotEstimable: a value not finite, or samples not one-dimensional.
    """
    one, other = as_scores(first), as_scores(second)
    if one.ndim != 1 or other.ndim != 1:
        raise NotEstimable(f"Samples of shapes {one.shape} and {other.shape} are not one-dimensional.")
    n, m = one.size, other.size
    if min(n, m) == 0:
        raise TooFewSamples("A sample of no values cannot be compared.")
    steps, last_of_ties = _path(one, other)
    signed = steps if alternative == "greater" else -steps if alternative == "less" else np.abs(steps)
    widest = max(int(signed.max()), 0)
    used: Method = "limit" if method == "limit" or n * m > drift.EXACT_UP_TO else "exact"
    scaled = widest / math.sqrt(float(n) * m * (n + m))
    if alternative == "two-sided":
        p = float(drift.kolmogorov_smirnov(one, other)[1][0]) if used == "exact" else _kolmogorov_limit(scaled)
    elif used == "exact":
        # Ties stay where they are: "less" is the walk with the samples exchanged, not the same walk backwards.
        p = _one_sided(*((n, m) if alternative == "greater" else (m, n)), widest, last_of_ties)
    else:
        p = math.exp(-2.0 * scaled * scaled)
    return KolmogorovSmirnov(widest / (n * m), min(p, 1.0), alternative, used, n, m)


def _path(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """n·m·(F − G) after each pooled value, 0 inside ties, and whether it is the last of its equals."""
    pooled = np.concatenate([one, other])
    order = np.argsort(pooled, kind="stable")
    last_of_ties = np.append(np.diff(pooled[order]) != 0, True)
    steps = np.cumsum(np.where(order < one.size, other.size, -one.size))
    return np.where(last_of_ties, steps, 0), last_of_ties


def _one_sided(n: int, m: int, widest: int, last_of_ties: NDArray[np.bool_]) -> float:
    """Share of paths from (0, 0) to (n, m) on which i·m − j·n reaches ``widest`` where no tie hides it."""
    if widest == 0:
        return 1.0
    outside = np.zeros(n + 1)  # by i, of the paths that have reached (i, step − i)
    for step in range(1, n + m + 1):
        i = np.arange(max(0, step - m), min(n, step) + 1)
        came_from_below = i / step
        moved = (1.0 - came_from_below) * outside[i]
        moved[i > 0] += came_from_below[i > 0] * outside[i[i > 0] - 1]
        if last_of_ties[step - 1]:
            moved[i * m - (step - i) * n >= widest] = 1.0
        outside[i] = moved
    return float(outside[n])


def _kolmogorov_limit(scaled: float) -> float:
    from scipy.special import kolmogorov  # late: scipy costs 0.3 s

    return float(kolmogorov(scaled))
