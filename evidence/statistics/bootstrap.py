"""Intervals by resampling whole clusters, most often patients: percentile and BCa, for any statistic of rows.

Samples of one patient are drawn together, so that their dependence enters the interval; patients are assumed
independent of each other. Efron, Ann Stat 7:1 (1979); BCa: Efron, J Am Stat Assoc 82:171 (1987); whole clusters: Field
and Welsh, J R Stat Soc B 69:369 (2007).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, OneClassOnly, TooFewSamples
from evidence.statistics.clusters import cluster_index
from evidence.statistics.estimate import Estimate, normal_quantile

Statistic = Callable[[NDArray[np.intp]], float]
Vector = NDArray[np.float64]
MOST_UNDEFINED = 0.05  # share of replicates without a value (one class only …) that is borne


@dataclass(frozen=True, slots=True)
class Resampling:
    """How the replicates are drawn and made an interval of; a fixed seed gives the same interval again."""

    method: Literal["BCa", "percentile"] = "BCa"
    resamples: int = 2000
    level: float = 0.95
    seed: int = 0

    @property
    def name(self) -> str:
        """What ``Estimate.method`` says."""
        return f"{self.method} bootstrap of clusters, {self.resamples} resamples"


DEFAULT = Resampling()


def cluster_bootstrap(
    clusters: ArrayLike, statistic: Statistic, *, positives: int = 0, resampling: Resampling = DEFAULT
) -> Estimate:
    """A statistic of rows with its interval by resampling clusters (n,); with one row each, the ordinary bootstrap.

    ``statistic`` takes row indices (any number, with repetition) and gives a float. It is called once per replicate,
    and for BCa once more per cluster (leave one out): for an area under the ROC curve ``bootstrap_auroc`` is far
    faster. Replicates that it refuses (one class only, too few samples, not estimable) are left out. ``positives`` is
    only reported.

    Raises:
        TooFewSamples: fewer than two clusters, or more than one in twenty replicates has no value.
        NotEstimable: a value that is not finite, replicates that are all the same, a level outside (0, 1).
    """
    keys = np.asarray(clusters)
    index = cluster_index(keys, n=keys.size)
    rows = _Rows.of(index)
    require_clusters(rows.count)
    draw = np.random.default_rng(resampling.seed)
    value = _finite(statistic(np.arange(index.size)))
    drawn = (rows.of_clusters(draw.integers(0, rows.count, rows.count)) for _ in range(resampling.resamples))
    replicates = np.array([_value_or_nan(statistic, chosen) for chosen in drawn])
    jackknife = (
        np.array([_finite(statistic(np.flatnonzero(index != k))) for k in range(rows.count)])
        if resampling.method == "BCa"
        else np.empty(0)
    )
    low, high = limits(value, replicates, jackknife, resampling=resampling)
    return Estimate(value, low, high, resampling.level, resampling.name, index.size, positives)


def limits(value: float, replicates: Vector, jackknife: Vector, *, resampling: Resampling) -> tuple[float, float]:
    """The two ends of the interval from replicates (B,), NaN where there was no value; BCa also needs the statistic
    with each cluster left out in turn (K,).

    Raises:
        TooFewSamples: more than one in twenty replicates has no value.
        NotEstimable: all replicates are the same or on one side of the value; a level outside (0, 1).
    """
    tail = (1.0 - resampling.level) / 2.0
    z = normal_quantile(resampling.level)
    defined = replicates[~np.isnan(replicates)]
    if defined.size < max(2.0, (1.0 - MOST_UNDEFINED) * replicates.size):
        raise TooFewSamples(
            f"The statistic has no value in {replicates.size - defined.size} of {replicates.size} resamples.",
            next_step="Use more patients of the rarer class, or more resamples.",
        )
    if defined.min() == defined.max():
        raise NotEstimable("All resamples give the same value: resampling cannot tell how sure it is.")
    shares = (tail, 1.0 - tail) if resampling.method == "percentile" else _adjusted(value, defined, jackknife, z=z)
    low, high = np.quantile(defined, shares)
    return float(low), float(high)


def require_clusters(count: int) -> None:
    """Refuse to resample fewer than two clusters.

    Raises:
        TooFewSamples: there are fewer.
    """
    if count < 2:
        raise TooFewSamples(f"{count} clusters cannot be resampled.")


def _adjusted(value: float, replicates: Vector, jackknife: Vector, *, z: float) -> tuple[float, float]:
    """The shares of the replicates below the two BCa ends: corrected for median bias and for acceleration."""
    below = float((replicates < value).mean() + (replicates == value).mean() / 2.0)
    if not 0.0 < below < 1.0:
        raise NotEstimable("All resamples lie on one side of the value.", next_step="Take the percentile interval.")
    normal = NormalDist()
    bias = normal.inv_cdf(below)
    gaps = jackknife.mean() - jackknife
    spread = float((gaps**2).sum())
    acceleration = float((gaps**3).sum()) / (6.0 * spread**1.5) if spread > 0.0 else 0.0

    def share(quantile: float) -> float:
        reach = 1.0 - acceleration * (bias + quantile)
        if reach <= 0.0:
            raise NotEstimable("The statistic is too skewed for a BCa interval.")
        return normal.cdf(bias + (bias + quantile) / reach)

    return share(-z), share(z)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows in the order of their clusters (n,), with each cluster's first place and size (K,)."""

    order: NDArray[np.intp]
    first: NDArray[np.intp]
    size: NDArray[np.intp]

    @classmethod
    def of(cls, index: NDArray[np.intp]) -> "_Rows":
        size = np.bincount(index).astype(np.intp)
        return cls(np.argsort(index, kind="stable"), np.cumsum(size) - size, size)

    @property
    def count(self) -> int:
        return self.size.size

    def of_clusters(self, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
        """All rows of these clusters, a cluster that is chosen twice twice."""
        size = self.size[chosen]
        within = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
        rows: NDArray[np.intp] = self.order[np.repeat(self.first[chosen], size) + within]
        return rows


def _value_or_nan(statistic: Statistic, rows: NDArray[np.intp]) -> float:
    try:
        return _finite(statistic(rows))
    except (OneClassOnly, TooFewSamples, NotEstimable):
        return math.nan


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise NotEstimable(f"The statistic gives {value}.")
    return float(value)
