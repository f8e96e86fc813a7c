"""Two raters, or many, and categories: Cohen's kappa, Fleiss' kappa, Gwet's AC1 and AC2.

Subjects are taken as independent. There is no reference standard here: the estimates' ``positives`` is 0, ``n`` is the
number of subjects.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate, normal_quantile
from evidence.statistics.operating_point import wilson
from evidence.statistics.ratings import Floats, as_counts, as_table

Weights = Literal["none", "linear", "quadratic"] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CohenKappa:
    """Agreement of two raters beyond chance. ``standard_error`` is the one at the estimate, used for the interval;
    ``null_standard_error`` holds if agreement is by chance only, and gives ``z`` and the two-sided ``p_value``.
    """

    kappa: Estimate
    standard_error: float
    null_standard_error: float
    z: float
    p_value: float
    observed: float
    expected: float


@dataclass(frozen=True, slots=True)
class CategoryKappa:
    """Fleiss' kappa of one category against all others."""

    kappa: float
    z: float
    p_value: float
    share: float


@dataclass(frozen=True, slots=True)
class FleissKappa:
    """Agreement of m raters beyond chance; ``z`` and ``p_value`` as in ``CohenKappa``."""

    kappa: Estimate
    standard_error: float
    null_standard_error: float
    z: float
    p_value: float
    observed: float
    expected: float
    categories: tuple[CategoryKappa, ...]


@dataclass(frozen=True, slots=True)
class GwetCoefficient:
    """AC1, or AC2 where disagreements are weighted; ``p_value`` is two-sided."""

    coefficient: Estimate
    standard_error: float
    p_value: float
    observed: float
    expected: float


def agreement_weights(categories: int, weights: Weights = "none") -> Floats:
    """Weights of agreement (k, k): 1 on the diagonal; none: 0 elsewhere; linear: 1 − |i − j|/(k − 1) (Cicchetti,
    Allison 1971); quadratic: 1 − (i − j)²/(k − 1)² (Fleiss, Cohen 1973); or those given.

    Raises:
        NotEstimable: those given do not fit: shape, diagonal of 1, symmetry, all within [0, 1].
    """
    if isinstance(weights, str):
        distance = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))) / max(categories - 1, 1)
        return {"none": np.eye(categories), "linear": 1.0 - distance, "quadratic": 1.0 - distance**2}[weights]
    matrix = np.asarray(weights, dtype=np.float64)
    fits = matrix.shape == (categories, categories) and bool(np.all((matrix >= 0) & (matrix <= 1)))
    if not fits or not np.allclose(matrix, matrix.T) or not np.allclose(np.diag(matrix), 1.0):
        raise NotEstimable(
            f"The weights are no symmetric {categories} × {categories} matrix in [0, 1] with diagonal 1."
        )
    return matrix


def cohen_kappa(table: ArrayLike, *, weights: Weights = "none", level: float = 0.95) -> CohenKappa:
    """Cohen's kappa, weighted if asked, from a cross table (k, k) of two raters (``ratings.cross_table``).

    Cohen, Educ Psychol Meas 20:37 (1960), Psychol Bull 70:213 (1968); standard errors: Fleiss, Cohen, Everitt, Psychol
    Bull 72:323 (1969). Wald interval, cut to [−1, 1]; where the standard error is 0 (no disagreement at all), Wilson's
    of the observed agreement, chance agreement held fixed.

    Raises:
        NotEstimable: not a cross table, weights that do not fit, or one category only (chance alone agrees fully).
        TooFewSamples: fewer than two subjects.
    """
    cells = as_table(table)
    n = int(cells.sum())
    weight = agreement_weights(cells.shape[0], weights)
    share = cells / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    observed, expected = float((weight * share).sum()), float(rows @ weight @ columns)
    value = _beyond_chance(observed, expected)
    marginal = (weight @ columns)[:, None] + (rows @ weight)[None, :]
    spread = float((share * (weight - marginal * (1.0 - value)) ** 2).sum())
    error = _root(spread - (value - expected * (1.0 - value)) ** 2, n) / (1.0 - expected)
    chance = float((np.outer(rows, columns) * (weight - marginal) ** 2).sum())
    null_error = _root(chance - expected**2, n) / (1.0 - expected)
    z = _ratio(value, null_error)
    kappa = _interval((value, observed, expected), error, n, level=level, quantile=normal_quantile(level))
    return CohenKappa(kappa, error, null_error, z, _two_sided(z), observed, expected)


def fleiss_kappa(counts: ArrayLike, *, level: float = 0.95) -> FleissKappa:
    """Fleiss' kappa from counts (subjects, categories), each subject rated by the same number of raters, two or more.

    Fleiss, Psychol Bull 76:378 (1971); z from the null standard error of Fleiss, Nee, Landis, Psychol Bull 86:974
    (1979), also per category; interval from the standard error at the estimate, t with n − 1 degrees of freedom (Gwet,
    Educ Psychol Meas 81:781, 2021).

    Raises:
        NotEstimable: not counts, differing numbers of raters, or all ratings in one category.
        TooFewSamples: fewer than two subjects.
    """
    cells = as_counts(counts)
    cells = cells[:, cells.sum(axis=0) > 0]
    n, raters = cells.shape[0], float(cells[0].sum())
    if raters < 2 or not np.all(cells.sum(axis=1) == raters):
        raise NotEstimable("The subjects differ in their number of raters.", next_step="Use Gwet's or Krippendorff's.")
    share = cells.mean(axis=0) / raters
    other = share * (1.0 - share)
    # One subject's agreeing pairs over all its pairs; one subject's chance to agree with the shares of all.
    each = ((cells**2).sum(axis=1) - raters) / (raters * (raters - 1.0))
    value, error, observed, expected = _linearised(each, (cells @ share) / raters, float((share**2).sum()))
    scale = math.sqrt(2.0 / (n * raters * (raters - 1.0)))
    null_error = scale * math.sqrt(other.sum() ** 2 - float((other * (1.0 - 2.0 * share)).sum())) / float(other.sum())
    z = value / null_error
    within = ((cells**2).sum(axis=0) - n * raters * share) / (n * raters * (raters - 1.0) * share)
    kappa = _interval((value, observed, expected), error, n, level=level, quantile=_t_quantile(level, n - 1))
    found = tuple(
        CategoryKappa(one, one / scale, _two_sided(one / scale), p)
        for one, p in zip(((within - share) / (1.0 - share)).tolist(), share.tolist(), strict=True)
    )
    p_value = _two_sided(z)
    return FleissKappa(kappa, error, null_error, z, p_value, observed, expected, found)


def gwet(
    counts: ArrayLike, *, weights: Weights = "none", divisor: Literal["n - 1", "n"] = "n - 1", level: float = 0.95
) -> GwetCoefficient:
    """Gwet's AC1 (AC2 with weights) from counts (subjects, categories); raters may differ in number and be missing.

    Every column counts as a category, also one nobody used: state the scale. Gwet, Br J Math Stat Psychol 61:29 (2008);
    Handbook of Inter-Rater Reliability, 4th ed. 2014, chapters 4–5. Interval: t with n − 1 degrees of freedom over
    subjects, raters taken as they are. The variance over subjects has ``divisor`` n − 1, or n as in the formula Gwet
    prints for a cross table of two raters (``ratings.counts_of_table``).

    Raises:
        NotEstimable: not counts, weights that do not fit, or no subject rated twice.
        TooFewSamples: fewer than two subjects.
    """
    from scipy.stats import t

    cells = as_counts(counts)
    n, categories = cells.shape
    weight = agreement_weights(categories, weights)
    raters = cells.sum(axis=1)
    twice = raters >= 2
    if not twice.any():
        raise NotEstimable("No subject was rated twice.")
    pairs = np.where(twice, raters * (raters - 1.0), 1.0)
    each = (cells * (cells @ weight - 1.0)).sum(axis=1) / pairs * twice
    share = (cells / raters[:, None]).mean(axis=0)
    scale = float(weight.sum()) / (categories * (categories - 1.0))
    chance = scale * (cells @ (1.0 - share)) / raters
    expected = scale * float((share * (1.0 - share)).sum())
    value, error, observed, expected = _linearised(each, chance, expected, rated=twice)
    error *= math.sqrt((n - 1) / n) if divisor == "n" else 1.0
    coefficient = _interval((value, observed, expected), error, n, level=level, quantile=_t_quantile(level, n - 1))
    p_value = 2.0 * float(t.sf(abs(_ratio(value, error)), n - 1))
    return GwetCoefficient(coefficient, error, p_value, observed, expected)


def _linearised(
    each: Floats, chance: Floats, expected: float, *, rated: NDArray[np.bool_] | None = None
) -> tuple[float, float, float, float]:
    """Coefficient, its standard error, observed and expected agreement from each subject's own."""
    n = each.size
    rated = np.ones(n, dtype=np.bool_) if rated is None else rated
    observed = float(each[rated].mean())
    value = _beyond_chance(observed, expected)
    own = n / int(rated.sum()) * (each - expected * rated) / (1.0 - expected)
    own = own - 2.0 * (1.0 - value) * (chance - expected) / (1.0 - expected)
    error = _root(float(((own - value) ** 2).sum()) / (n - 1), n)
    return value, error, observed, expected


def _interval(
    agreement: tuple[float, float, float], error: float, n: int, *, level: float, quantile: float
) -> Estimate:
    value, observed, expected = agreement
    if error > 1e-9:
        low, high = max(value - quantile * error, -1.0), min(value + quantile * error, 1.0)
        return Estimate(value, low, high, level, "Wald", n, 0)
    edge = wilson(round(min(max(observed, 0.0), 1.0) * n), n, level=level)
    low, high = ((end - expected) / (1.0 - expected) for end in (edge.low, edge.high))
    return Estimate(value, max(min(low, value), -1.0), max(high, value), level, "Wilson on the agreement", n, 0)


def _beyond_chance(observed: float, expected: float) -> float:
    if 1.0 - expected < 1e-12:
        raise NotEstimable("All ratings lie in one category: chance alone agrees fully.")
    return (observed - expected) / (1.0 - expected)


def _root(variance: float, n: int) -> float:
    return math.sqrt(max(variance, 0.0) / n)


def _ratio(value: float, error: float) -> float:
    if error > 1e-12:
        return value / error
    return math.copysign(math.inf, value) if value else 0.0


def _two_sided(z: float) -> float:
    """p of a standard normal, far into the tails."""
    return math.erfc(abs(z) / math.sqrt(2.0))


def _t_quantile(level: float, freedom: int) -> float:
    from scipy.stats import t

    normal_quantile(level)  # refuses a level that does not exist
    return float(t.ppf(0.5 + level / 2.0, freedom))
