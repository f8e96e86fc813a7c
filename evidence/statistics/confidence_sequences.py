"""Intervals that hold at every sample size at once, so that one may look, and stop, whenever one likes.

A confidence *sequence* at level 1 − α covers the truth at all times together with chance 1 − α. Samples must be
independent in the order of arrival: patients, not images of one patient.

``empirical_bernstein``   mean of values in known bounds, exact: the predictable plug-in sequence of Waudby-Smith and
                          Ramdas, J R Stat Soc B 86:1 (2024), Theorem 2.
``asymptotic``            mean of any values, for large samples: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Ann
                          Stat 52:2613 (2024), Theorem 2.2.
``proportion``            a rate from its counts, exact: the beta mixture of Robbins, Ann Math Stat 41:1397 (1970); as
                          a test of one rate, for many counts at once, ``log_evidence``.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Estimate, as_scores

Vector = NDArray[np.float64]
LARGEST_BET = 0.5  # bound of the weights; the authors advise 1/2 or 3/4


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """Estimate and interval of a mean after each of n values."""

    value: Vector
    low: Vector
    high: Vector
    level: float
    method: str

    def last(self) -> Estimate:
        """The interval now; ``positives`` is 0, for a mean has none."""
        n = self.value.size
        return Estimate(
            float(self.value[-1]), float(self.low[-1]), float(self.high[-1]), self.level, self.method, n, positives=0
        )


def empirical_bernstein(
    values: ArrayLike, *, bounds: tuple[float, float] = (0.0, 1.0), level: float = 0.95
) -> ConfidenceSequence:
    """Mean of values (n,) that lie in ``bounds``, which must be known beforehand. The estimate is weighted, later
    values less; intervals are intersected as they come.

    Raises:
        TooFewSamples: no value.
        NotEstimable: a value not finite or out of bounds, bounds that do not rise, level outside (0, 1).
    """
    alpha = _error_rate(level)
    lower, upper = bounds
    x = _series(values)
    if not lower < upper or x.min() < lower or x.max() > upper:
        raise NotEstimable(f"Values do not lie between {lower} and {upper}.")
    x = (x - lower) / (upper - lower)
    t = np.arange(1, x.size + 1)
    means = (0.5 + np.cumsum(x)) / (t + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (t + 1)
    # Everything that weighs the t-th value is known before it: means and variances one step back.
    before = np.append(0.25, variances[:-1])
    bets = np.minimum(np.sqrt(2.0 * math.log(2.0 / alpha) / (before * t * np.log1p(t))), LARGEST_BET)
    surprise = 4.0 * (x - np.append(0.5, means[:-1])) ** 2
    total = np.cumsum(bets)
    centre = np.cumsum(bets * x) / total
    cost = surprise * (-np.log1p(-bets) - bets) / 4.0
    half = (math.log(2.0 / alpha) + np.cumsum(cost)) / total
    low = np.maximum.accumulate(np.maximum(centre - half, 0.0))
    high = np.minimum.accumulate(np.minimum(centre + half, 1.0))
    width = upper - lower
    return ConfidenceSequence(
        lower + width * centre, lower + width * low, lower + width * high, level, "empirical Bernstein, any time"
    )


def asymptotic(values: ArrayLike, *, tightest_at: int = 500, level: float = 0.95) -> ConfidenceSequence:
    """Mean of values (n,) of finite variance, by a normal mixture that is tightest near ``tightest_at`` values. It
    holds in the limit of many values; while their variance is 0 the interval is infinite.

    Raises:
        TooFewSamples: no value.
        NotEstimable: a value not finite, ``tightest_at`` below 1, level outside (0, 1).
    """
    from scipy.special import lambertw  # late: scipy costs 0.3 s

    alpha = _error_rate(level)
    x = _series(values)
    if tightest_at < 1:
        raise NotEstimable(f"A sequence cannot be tightest at {tightest_at} values.")
    t = np.arange(1, x.size + 1)
    # About the overall mean, so that sums of squares keep their digits.
    centred = x - x.mean()
    means = np.cumsum(centred) / t
    variances = np.maximum(np.cumsum(centred**2) / t - means**2, 0.0)
    # The ρ² whose interval is narrowest at that time (section 2.1 there).
    rho2 = (-float(lambertw(-alpha * alpha / math.e, -1).real) - 1.0) / tightest_at
    known = variances > 1e-300
    widened = t * rho2 + 1.0
    half = np.sqrt(variances * 2.0 * widened / (t * t * rho2) * np.log(np.sqrt(widened) / alpha))
    half = np.where(known, half, np.inf)
    value = x.mean() + means
    return ConfidenceSequence(value, value - half, value + half, level, "asymptotic normal mixture, any time")


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
    exact: bool = True,
) -> ConfidenceSequence:
    """mean(first) − mean(second) for pairs (n,), (n,) of values in ``bounds``, outcomes 0 and 1 as they stand.

    Raises:
        TooFewSamples: no pair.
        NotEstimable: different lengths, or as ``empirical_bernstein`` and ``asymptotic``.
    """
    one, other = as_scores(first), as_scores(second)
    if one.ndim != 1 or one.shape != other.shape:
        raise NotEstimable(f"Samples of shapes {one.shape} and {other.shape} are no pairs.")
    if not exact:
        return asymptotic(one - other, level=level)
    width = bounds[1] - bounds[0]
    return empirical_bernstein(one - other, bounds=(-width, width), level=level)


def proportion(successes: int, n: int, *, level: float = 0.95, prior: tuple[float, float] = (1.0, 1.0)) -> Estimate:
    """A rate with its exact interval at any time: all p whose likelihood is above α times that of the Beta(a, b)
    mixture, p^s (1 − p)^(n−s) ≥ α B(a + s, b + n − s) / B(a, b). The prior must be chosen beforehand.

    Raises:
        TooFewSamples: ``n`` is 0.
        NotEstimable: successes outside 0…n, level outside (0, 1), or a prior not positive.
    """
    alpha = _error_rate(level)
    if n < 1:
        raise TooFewSamples("A proportion of no samples has no value.")
    if not 0 <= successes <= n or min(prior) <= 0.0:
        raise NotEstimable(f"{successes} of {n} with prior {prior} is no proportion.")
    low = _lower(successes, n, alpha, prior)
    high = 1.0 - _lower(n - successes, n, alpha, (prior[1], prior[0]))
    return Estimate(successes / n, low, high, level, "beta mixture, any time", n, successes)


def log_evidence(successes: ArrayLike, n: ArrayLike, *, rate: float, prior: tuple[float, float] = (1.0, 1.0)) -> Vector:
    """ln of the e-value against a rate, for counts of any one shape: ``proportion`` leaves that rate out just where it
    is above ln 1/α.

    Raises:
        NotEstimable: successes outside 0…n, a rate outside [0, 1], or a prior not positive.
    """
    from scipy.special import betaln, xlog1py, xlogy  # late: scipy costs 0.3 s

    hits, total = as_scores(successes), as_scores(n)
    if (hits < 0).any() or (hits > total).any() or not 0.0 <= rate <= 1.0 or min(prior) <= 0.0:
        raise NotEstimable(f"Counts against a rate of {rate} with prior {prior} make no test.")
    mixture = betaln(prior[0] + hits, prior[1] + total - hits) - betaln(*prior)
    evidence: Vector = mixture - xlogy(hits, rate) - xlog1py(total - hits, -rate)
    return evidence


def proportion_difference(first: tuple[int, int], second: tuple[int, int], *, level: float = 0.95) -> Estimate:
    """Rate of the first arm minus that of the second, each (successes, n), exact at any time and any pair of sizes: the
    difference of two sequences at half the error rate each, therefore wide.

    Raises:
        TooFewSamples, NotEstimable: as ``proportion``.
    """
    half = 1.0 - _error_rate(level) / 2.0
    one, other = proportion(*first, level=half), proportion(*second, level=half)
    return Estimate(
        one.value - other.value,
        one.low - other.high,
        one.high - other.low,
        level,
        "two beta mixtures, any time",
        one.n + other.n,
        one.positives + other.positives,
    )


def _lower(successes: int, n: int, alpha: float, prior: tuple[float, float]) -> float:
    """Where the likelihood, rising towards successes / n, comes up to α times the mixture's."""
    from scipy.optimize import brentq  # late: it costs a second
    from scipy.special import betaln, xlog1py, xlogy

    if successes == 0:
        return 0.0
    needed = math.log(alpha) + float(betaln(prior[0] + successes, prior[1] + n - successes) - betaln(*prior))

    def excess(p: float) -> float:
        return float(xlogy(successes, p) + xlog1py(n - successes, -p)) - needed

    return float(brentq(excess, 1e-300, successes / n, xtol=1e-14))


def _error_rate(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise NotEstimable(f"A confidence level of {level} does not exist.", next_step="Choose one between 0 and 1.")
    return 1.0 - level


def _series(values: ArrayLike) -> Vector:
    series = as_scores(values)
    if series.ndim != 1:
        raise NotEstimable(f"Values of shape {series.shape} are no series.")
    if series.size == 0:
        raise TooFewSamples("A mean of no values does not exist.")
    return series
