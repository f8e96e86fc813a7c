"""Several hypotheses, one error rate: adjusted p-values, each to be compared with alpha itself, and gatekeeping.

Bonferroni and Holm hold the family-wise error rate under any dependence, Hochberg under independence or positive
dependence. Benjamini–Hochberg holds the false discovery rate under the same, Benjamini–Yekutieli under any dependence.
Adjusted values are those of R's ``p.adjust``; they come back in the order of the p-values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a fixed sequence says of one hypothesis. ``tested`` is False behind the first that could not be rejected;
    such a hypothesis is not rejected however small its own p-value.
    """

    name: str
    p_value: float
    adjusted_p_value: float
    alpha: float
    tested: bool
    rejected: bool


def bonferroni(p_values: ArrayLike) -> Vector:
    """k · p for p-values (k,), at most 1 (Dunn, J Am Stat Assoc 56:52, 1961). Raises NotEstimable, TooFewSamples."""
    p = _p_values(p_values)
    return np.minimum(p * p.size, 1.0)


def holm(p_values: ArrayLike) -> Vector:
    """Step-down: the smallest first, each by the number that is left (Holm, Scand J Stat 6:65, 1979).

    Raises:
        NotEstimable, TooFewSamples: a p-value outside [0, 1] or not in one row, none at all.
    """
    p = _p_values(p_values)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    return _in_order_of_entry(stepped, order)


def hochberg(p_values: ArrayLike) -> Vector:
    """Step-up with Holm's factors: the largest first (Hochberg, Biometrika 75:800, 1988); never above Holm's value.

    Raises:
        NotEstimable, TooFewSamples: as ``holm``.
    """
    p = _p_values(p_values)
    return _step_up(p, np.arange(p.size, 0, -1.0))


def benjamini_hochberg(p_values: ArrayLike) -> Vector:
    """False discovery rate, step-up by k / rank (Benjamini, Hochberg, J R Stat Soc B 57:289, 1995).

    Raises:
        NotEstimable, TooFewSamples: as ``holm``.
    """
    p = _p_values(p_values)
    return _step_up(p, p.size / np.arange(1.0, p.size + 1))


def benjamini_yekutieli(p_values: ArrayLike) -> Vector:
    """As ``benjamini_hochberg``, times 1 + 1/2 + … + 1/k, for any dependence (Ann Stat 29:1165, 2001).

    Raises:
        NotEstimable, TooFewSamples: as ``holm``.
    """
    p = _p_values(p_values)
    rank = np.arange(1.0, p.size + 1)
    return _step_up(p, p.size * (1.0 / rank).sum() / rank)


def fixed_sequence(p_values: ArrayLike, *, alpha: float, names: Sequence[str] = ()) -> tuple[Decision, ...]:
    """Hypotheses tested in the pre-declared order of ``p_values`` (k,), each at the full ``alpha``, up to the first
    that is not rejected (Wiens, Pharm Stat 2:211, 2003). Holds the family-wise error rate under any dependence, as long
    as the order was fixed before the data were seen.

    Raises:
        NotEstimable: an alpha outside (0, 1), names that repeat or are not one per hypothesis; as ``holm``.
        TooFewSamples: no hypothesis.
    """
    p = _p_values(p_values)
    called = tuple(names) or tuple(f"H{place}" for place in range(1, p.size + 1))
    if len(called) != p.size or len(set(called)) != p.size:
        raise NotEstimable(f"{p.size} hypotheses have {len(set(called))} names.")
    if not 0.0 < alpha < 1.0:
        raise NotEstimable(f"An alpha of {alpha} does not exist.", next_step="Choose one between 0 and 1.")
    adjusted = np.maximum.accumulate(p)
    reached = np.concatenate([[0.0], adjusted[:-1]]) <= alpha
    return tuple(
        Decision(name, float(own), float(worst), alpha, tested=bool(open_), rejected=bool(worst <= alpha))
        for name, own, worst, open_ in zip(called, p, adjusted, reached, strict=True)
    )


def _p_values(p_values: ArrayLike) -> Vector:
    p = as_scores(p_values)
    if p.ndim != 1:
        raise NotEstimable(f"p-values of shape {p.shape} are not one per hypothesis.")
    if p.size == 0:
        raise TooFewSamples("There is no hypothesis.")
    if p.min() < 0.0 or p.max() > 1.0:
        raise NotEstimable("A p-value lies outside [0, 1].")
    return p


def _step_up(p: Vector, factors: Vector) -> Vector:
    """Running minimum, from the largest p-value down, of p times the factor of its rank from the smallest."""
    order = np.argsort(p, kind="stable")
    stepped = np.minimum.accumulate((p[order] * factors)[::-1])[::-1]
    return _in_order_of_entry(stepped, order)


def _in_order_of_entry(stepped: Vector, order: NDArray[np.int64]) -> Vector:
    adjusted = np.empty_like(stepped)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
