"""Did the distribution change? Two-sample Kolmogorov–Smirnov tests, column by column, with Holm's adjustment.

The p-value is the exact one given the pooled values, so ties cost nothing and no small-sample approximation enters:
it is the share of all ways to deal the pooled values into two windows that differ at least as much (Schröer and
Trenkler, Comput Stat Data Anal 20:185, 1995; as R's ``ks.test``). It assumes independent samples: many films of one
patient make it too small.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.drift import DriftedFeature
from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores
from evidence.statistics.multiplicity import holm

EXACT_UP_TO = (
    10_000_000  # product of window sizes; beyond it the limit distribution differs by less than anyone can see
)
TEST_NAME = "Kolmogorov–Smirnov two-sample, exact, Holm-adjusted"
Columns = NDArray[np.float64]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Gaps:
    """How far apart the distribution functions of k columns of windows of n and m samples lie.

    ``widest`` (k,) is n·m·D as an integer, ``place`` (k,) the place in pooled order, from 1, where it is found, and
    ``last_of_ties`` (k, n + m) says whether the value at a place is the last of its equals.
    """

    n: int
    m: int
    widest: NDArray[np.int64]
    place: NDArray[np.int64]
    last_of_ties: NDArray[np.bool_]

    def of(self, columns: NDArray[np.bool_]) -> "_Gaps":
        """Only some of the columns."""
        return replace(
            self, widest=self.widest[columns], place=self.place[columns], last_of_ties=self.last_of_ties[columns]
        )


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

    Holm rejects something exactly when the smallest p-value is at most alpha / k. A column's p-value is at least the
    chance of a gap as wide at the one place where its gap is widest, which is hypergeometric; only columns for which
    that chance is small need the whole computation.

    Raises:
        TooFewSamples: a window is empty.
        NotEstimable: a value is not finite.
    """
    before, now = _columns(reference), _columns(current)
    _require_rows(before, now)
    gaps = _gaps(before, now)
    bound = alpha / len(gaps.widest)
    doubtful = _chance_at_widest(gaps) <= bound
    return bool(doubtful.any() and (_p_values(gaps.of(doubtful)) <= bound).any())


def kolmogorov_smirnov(reference: ArrayLike, current: ArrayLike) -> tuple[Vector, Vector]:
    """Two-sided statistics D (k,) and p-values (k,) for columns of (n, k) and (m, k), or for (n,) and (m,): k = 1.

    Raises:
        TooFewSamples: a window is empty.
        NotEstimable: a value is not finite.
    """
    before, now = _columns(reference), _columns(current)
    _require_rows(before, now)
    gaps = _gaps(before, now)
    return gaps.widest / (gaps.n * gaps.m), _p_values(gaps)


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


def _gaps(before: Columns, now: Columns) -> _Gaps:
    pooled = np.concatenate([before, now]).T
    order = np.argsort(pooled, axis=1, kind="stable")
    ordered = np.take_along_axis(pooled, order, axis=1)
    last_of_ties = np.append(np.diff(ordered, axis=1) != 0, np.ones((len(ordered), 1), dtype=bool), axis=1)
    # Integers, so that equal distances are equal and not one rounding apart.
    gap = np.cumsum(np.where(order < len(before), len(now), -len(before)), axis=1)
    gap = np.abs(np.where(last_of_ties, gap, 0))
    return _Gaps(len(before), len(now), gap.max(axis=1), gap.argmax(axis=1) + 1, last_of_ties)


def _chance_at_widest(gaps: _Gaps) -> Vector:
    """Probability (k,) of a gap at least as wide at the place of the widest gap: a lower bound of the p-value."""
    from scipy.stats import hypergeom  # late: it costs a second, and most callers do not come here

    total, drawn = gaps.n + gaps.m, gaps.place
    # Of the first ``drawn`` pooled values x are the reference's; the gap is x·(n + m) − drawn·n.
    at_least = -((-gaps.widest - drawn * gaps.n) // total)
    at_most = (drawn * gaps.n - gaps.widest) // total
    chance: Vector = hypergeom.sf(at_least - 1, total, gaps.n, drawn) + hypergeom.cdf(at_most, total, gaps.n, drawn)
    return chance


def _p_values(gaps: _Gaps) -> Vector:
    if gaps.n * gaps.m <= EXACT_UP_TO:
        return _exact_p(gaps)
    return _limit_p(gaps.widest / np.sqrt(float(gaps.n) * gaps.m * (gaps.n + gaps.m)))


def _exact_p(gaps: _Gaps) -> Vector:
    """Probability that a random path from (0, 0) to (n, m) leaves the band |i/n − j/m| < D where no tie hides it.

    ``outside[:, i]`` is that probability for paths that have reached (i, step − i); all columns advance together.
    """
    short, long = sorted((gaps.n, gaps.m))  # the band is symmetric; the shorter side makes the shorter vector
    widest = gaps.widest[:, None]
    outside = np.zeros((len(widest), short + 1))
    for step in range(1, short + long + 1):
        first, last = max(0, step - long), min(short, step)
        i = np.arange(first, last + 1)
        came_from_below = i / step
        moved = (1.0 - came_from_below) * outside[:, first : last + 1]
        moved[:, i > 0] += came_from_below[i > 0] * outside[:, max(first - 1, 0) : last]
        beyond = (np.abs(i * long - (step - i) * short)[None, :] >= widest) & gaps.last_of_ties[:, step - 1, None]
        moved[beyond] = 1.0
        outside[:, first : last + 1] = moved
    return np.clip(outside[:, short], 0.0, 1.0)


def _limit_p(scaled: Vector) -> Vector:
    """Kolmogorov's limit distribution, upper tail."""
    from scipy.special import kolmogorov  # late: scipy costs 0.3 s and small windows do not need it

    p: Vector = kolmogorov(scaled)
    return p
