"""Did the distribution change? Two-sample Kolmogorov–Smirnov tests, column by column, with Holm's adjustment.

The p-value is the exact one given the pooled values, so ties cost nothing and no small-sample approximation enters:
it is the share of all ways to deal the pooled values into two windows that differ at least as much (Schröer and
Trenkler, Comput Stat Data Anal 20:185, 1995; as R's ``ks.test``). It assumes independent samples: many films of one
patient make it too small.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.drift import DriftedFeature
from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores

EXACT_UP_TO = (
    10_000_000  # product of window sizes; beyond it the limit distribution differs by less than anyone can see
)
TEST_NAME = "Kolmogorov–Smirnov two-sample, exact, Holm-adjusted"
Columns = NDArray[np.float64]


def two_sample(
    reference: ArrayLike, current: ArrayLike, *, names: tuple[str, ...], alpha: float
) -> tuple[DriftedFeature, ...]:
    """One test per column of reference (n, k) against current (m, k); family-wise error rate over the k columns ≤
    alpha.

    Raises:
        TooFewSamples: a window is empty.
        NotEstimable: a value is not finite, or columns and names differ in number.
    """
    before, now = as_scores(reference), as_scores(current)
    if before.ndim != 2 or now.ndim != 2 or before.shape[1] != len(names) or now.shape[1] != len(names):
        raise NotEstimable(f"Windows of shapes {before.shape} and {now.shape} do not hold {len(names)} features.")
    statistics, p_values = kolmogorov_smirnov(before, now)
    adjusted = holm(p_values)
    return tuple(
        DriftedFeature(
            feature=name, statistic=float(d), p_value=float(p), adjusted_p_value=float(q), drifted=bool(q <= alpha)
        )
        for name, d, p, q in zip(names, statistics, p_values, adjusted, strict=True)
    )


def any_drifted(reference: ArrayLike, current: ArrayLike, *, alpha: float) -> bool:
    """Whether ``two_sample`` would call any column of (n, k) against (m, k) drifted, at a fraction of the cost.

    Holm rejects something exactly when the smallest p-value is at most alpha / k; and among columns without ties the
    smallest p-value belongs to the largest statistic, so only that one and the columns with ties need a p-value.

    Raises:
        TooFewSamples: a window is empty.
        NotEstimable: a value is not finite.
    """
    before, now = _columns(reference), _columns(current)
    _require_rows(before, now)
    distances, last_of_ties = _distances(before, now)
    untied = last_of_ties.all(axis=1)
    wanted = ~untied
    if untied.any():
        wanted[np.argmax(np.where(untied, distances, -1.0))] = True
    p = _p_values(distances[wanted], last_of_ties[wanted], n=len(before), m=len(now))
    return bool(p.min() <= alpha / len(distances))


def kolmogorov_smirnov(reference: ArrayLike, current: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two-sided statistics D (k,) and p-values (k,) for the columns of (n, k) and (m, k), or for (n,) and (m,) with k
    = 1.

    Raises:
        TooFewSamples: a window is empty.
        NotEstimable: a value is not finite.
    """
    before, now = _columns(reference), _columns(current)
    _require_rows(before, now)
    distances, last_of_ties = _distances(before, now)
    return distances, _p_values(distances, last_of_ties, n=len(before), m=len(now))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down adjusted p-values (k,), Scand J Stat 6:65 (1979): compare each with alpha itself."""
    p = as_scores(p_values)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def pooled_components(reference: ArrayLike, current: ArrayLike, *, count: int) -> tuple[Columns, Columns]:
    """Scores (n, count) and (m, count) of two sets of embeddings (n, d), (m, d) on the first principal components of
    both together.

    Fitting on the pooled windows, blind to which is which, keeps the tests on the scores exact; fitting on the
    reference alone would make the reference look different from any new window. Fewer columns come back when there are
    fewer dimensions.
    """
    before, now = _columns(reference), _columns(current)
    pooled = np.concatenate([before, now])
    centred = pooled - pooled.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    kept = [i for i in np.argsort(-values)[:count] if values[i] > 1e-12 * max(float(values.max()), 1e-300)]
    scores = centred @ vectors[:, kept]
    return scores[: len(before)], scores[len(before) :]


def _columns(values: ArrayLike) -> Columns:
    array = as_scores(values)
    return array[:, None] if array.ndim == 1 else array


def _require_rows(before: Columns, now: Columns) -> None:
    if min(len(before), len(now)) == 0:
        raise TooFewSamples("A window of no samples cannot be compared.", next_step="Wait for predictions.")


def _distances(before: Columns, now: Columns) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """D of each column, and for each place in the pooled order whether the value there ends a run of ties: (k,), (k, n
    + m).
    """
    pooled = np.concatenate([before, now]).T
    order = np.argsort(pooled, axis=1, kind="stable")
    ordered = np.take_along_axis(pooled, order, axis=1)
    last_of_ties = np.append(np.diff(ordered, axis=1) != 0, np.ones((len(ordered), 1), dtype=bool), axis=1)
    is_reference = order < len(before)
    # Integers, so that equal distances are equal and not one rounding apart.
    gap = np.cumsum(np.where(is_reference, len(now), -len(before)), axis=1)
    distances = np.abs(np.where(last_of_ties, gap, 0)).max(axis=1)
    return distances / (len(before) * len(now)), last_of_ties


def _p_values(
    distances: NDArray[np.float64], last_of_ties: NDArray[np.bool_], *, n: int, m: int
) -> NDArray[np.float64]:
    if n * m <= EXACT_UP_TO:
        return _exact_p(distances, last_of_ties, n=n, m=m)
    return _limit_p(distances * np.sqrt(n * m / (n + m)))


def _exact_p(distances: NDArray[np.float64], last_of_ties: NDArray[np.bool_], *, n: int, m: int) -> NDArray[np.float64]:
    """Probability that a random path from (0, 0) to (n, m) leaves the band |i/n − j/m| < D at a place where no tie
    hides it.

    ``outside[:, i]`` is that probability for paths that have reached (i, step − i); all columns advance together.
    """
    short, long = min(n, m), max(n, m)  # the band is symmetric; the shorter side makes the shorter vector
    reached = np.rint(distances * n * m)[:, None]
    outside = np.zeros((len(distances), short + 1))
    for step in range(1, n + m + 1):
        first, last = max(0, step - long), min(short, step)
        i = np.arange(first, last + 1)
        came_from_below = i / step
        moved = (1.0 - came_from_below) * outside[:, first : last + 1]
        moved[:, i > 0] += came_from_below[i > 0] * outside[:, max(first - 1, 0) : last]
        beyond = (np.abs(i * long - (step - i) * short)[None, :] >= reached) & last_of_ties[:, step - 1, None]
        moved[beyond] = 1.0
        outside[:, first : last + 1] = moved
    return np.clip(outside[:, short], 0.0, 1.0)


def _limit_p(scaled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kolmogorov's limit distribution, upper tail."""
    from scipy.special import kolmogorov  # late: scipy costs 0.3 s and small windows do not need it

    p: NDArray[np.float64] = kolmogorov(scaled)
    return p
