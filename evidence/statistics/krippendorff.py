"""Krippendorff's alpha: any number of raters, gaps allowed, four scales of measurement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Estimate, normal_quantile
from evidence.statistics.operating_point import wilson
from evidence.statistics.ratings import MISSING, Codes, Floats, coded

Scale = Literal["nominal", "ordinal", "interval", "ratio"]
Weighted = Callable[[Floats], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class KrippendorffAlpha:
    """1 − observed / expected disagreement. ``alpha.n`` is the number of units with two ratings or more, ``pairable``
    the number of their ratings.
    """

    alpha: Estimate
    scale: Scale
    observed_disagreement: float
    expected_disagreement: float
    pairable: int


def krippendorff_alpha(
    ratings: Any,
    *,
    scale: Scale,
    categories: Sequence[Any] | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> KrippendorffAlpha:
    """Krippendorff's alpha of ratings (units, raters), None or NaN where there is none.

    Krippendorff, Content Analysis, 2nd ed. 2004, chapter 11; Hayes, Krippendorff, Commun Methods Meas 1:77 (2007).
    Differences: nominal 0 or 1; ordinal (mean ranks)²; interval (a − b)²; ratio ((a − b)/(a + b))². On the
    interval and ratio scales, words are their places in ``categories``. Interval: percentile bootstrap of units (Zapf
    et al., BMC Med Res Methodol 16:93, 2016). Where all agree, resampling shows no spread: alpha is then 1 − the share
    of units rated by chance, and Wilson's interval of that share stands in, named in ``method``.

    Raises:
        NotEstimable: no matrix, ratings of one value only (no variation), ratio scale with a number below 0, words on
            an interval or ratio scale without stated categories, a level outside (0, 1), fewer than 100 resamples.
        TooFewSamples: fewer than two units with two ratings.
    """
    normal_quantile(level)
    if resamples < 100:
        raise NotEstimable(f"{resamples} resamples are too few for an interval.", next_step="Use 1,000.")
    codes, known = coded(ratings, categories=categories)
    numbers = _numbers(known, scale=scale, ordered=categories is not None)
    unit, code, size = _pairable(codes)
    disagreement = _disagreement(unit, code, size, numbers, scale=scale)
    observed, expected = disagreement(np.ones(size.size))
    if expected <= 0.0:
        raise NotEstimable("All ratings are the same: without variation, alpha has no value.")
    if observed == 0.0:
        edge = wilson(size.size, size.size, level=level)
        alpha = Estimate(1.0, edge.low, 1.0, level, "Wilson on the units", size.size, 0)
        return KrippendorffAlpha(alpha, scale, observed, expected, unit.size)
    value = 1.0 - observed / expected
    low, high = _bootstrap(disagreement, size.size, level=level, resamples=resamples, seed=seed)
    method = f"percentile bootstrap of units, {resamples} resamples"
    alpha = Estimate(value, min(low, value), max(high, value), level, method, size.size, 0)
    return KrippendorffAlpha(alpha, scale, observed, expected, unit.size)


def _bootstrap(disagreement: Weighted, units: int, *, level: float, resamples: int, seed: int) -> tuple[float, float]:
    draw = np.random.default_rng(seed)
    drawn = np.full(resamples, np.nan)
    for k in range(resamples):
        weights = np.bincount(draw.integers(0, units, size=units), minlength=units).astype(np.float64)
        again, by_chance = disagreement(weights)
        drawn[k] = 1.0 - again / by_chance if by_chance > 0.0 else np.nan
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size < 0.9 * resamples:
        raise TooFewSamples("More than a tenth of the resamples hold one value only.")
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def _numbers(known: tuple[Any, ...], *, scale: Scale, ordered: bool) -> Floats:
    if scale in ("nominal", "ordinal") or (ordered and isinstance(known[0], str)):
        return np.arange(len(known), dtype=np.float64)
    if isinstance(known[0], str):
        raise NotEstimable(f"Words have no places on the {scale} scale.", next_step="State the categories in order.")
    numbers = np.array(known, dtype=np.float64)
    if scale == "ratio" and numbers.min() < 0.0:
        raise NotEstimable("A ratio scale holds no number below 0.")
    return numbers


def _pairable(codes: Codes) -> tuple[Codes, Codes, Floats]:
    """Unit and code of each rating of the units with two ratings or more, and how many each of those units has."""
    kept = codes[(codes != MISSING).sum(axis=1) >= 2]
    if kept.shape[0] < 2:
        raise TooFewSamples(f"{kept.shape[0]} units with two ratings are too few for alpha.")
    unit, rater = np.nonzero(kept != MISSING)
    return unit, kept[unit, rater], np.bincount(unit).astype(np.float64)


def _disagreement(unit: Codes, code: Codes, size: Floats, numbers: Floats, *, scale: Scale) -> Weighted:
    """A function from weights of the units (u,) to observed and expected disagreement.

    Both are means of differences over pairs of ratings, within units and over all. Squared differences of numbers need
    no pairs: over m ratings they sum to 2(mΣx² − (Σx)²); the ordinal scale is that of mean ranks.
    """
    if scale == "nominal":
        return _of_cells(unit, code, size, len(numbers))
    if scale == "ratio":
        return _of_ratios(unit, code, size, numbers)

    def of_squares(weights: Floats) -> tuple[float, float]:
        each = weights[unit]
        marginal = np.bincount(code, weights=each, minlength=numbers.size)
        if np.count_nonzero(marginal) < 2:
            return 0.0, 0.0
        # On the ordinal scale the marginals, and with them the ranks, follow the weights.
        place = np.cumsum(marginal) - marginal / 2.0 if scale == "ordinal" else numbers
        place = place - marginal @ place / marginal.sum()
        values, total = place[code], float(marginal.sum())
        sums, squares = np.bincount(unit, weights=values), np.bincount(unit, weights=values**2)
        within = float((weights * 2.0 * (size * squares - sums**2) / (size - 1.0)).sum())
        overall = 2.0 * total * float(marginal @ place**2)
        expected = overall / (total * (total - 1.0))
        # Rounding of a sum of squares is no disagreement.
        return (within / total if within / total > 1e-12 * expected else 0.0), expected

    return of_squares


def _of_cells(unit: Codes, code: Codes, size: Floats, categories: int) -> Weighted:
    cells, counts = np.unique(unit * categories + code, return_counts=True)
    same = np.bincount(cells // categories, weights=counts.astype(np.float64) ** 2)
    apart = (size**2 - same) / (size - 1.0)

    def of_cells(weights: Floats) -> tuple[float, float]:
        marginal = np.bincount(code, weights=weights[unit], minlength=categories)
        total = float(marginal.sum())
        return float(weights @ apart) / total, (total**2 - float(marginal @ marginal)) / (total * (total - 1.0))

    return of_cells


def _of_ratios(unit: Codes, code: Codes, size: Floats, numbers: Floats) -> Weighted:
    total_of = np.add.outer(numbers, numbers)
    apart: NDArray[np.float64] = np.divide(
        np.subtract.outer(numbers, numbers), total_of, out=np.zeros_like(total_of), where=total_of > 0
    )
    differences = apart**2
    starts = np.concatenate([[0], np.cumsum(size)]).astype(np.intp)
    within = np.array([differences[np.ix_(c, c)].sum() for c in np.split(code, starts[1:-1])]) / (size - 1.0)

    def of_ratios(weights: Floats) -> tuple[float, float]:
        marginal = np.bincount(code, weights=weights[unit], minlength=numbers.size)
        total = float(marginal.sum())
        return float(weights @ within) / total, float(marginal @ differences @ marginal) / (total * (total - 1.0))

    return of_ratios
