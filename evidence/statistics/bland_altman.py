"""Two ways of measuring the same thing: Bland and Altman's limits of agreement, Lin's concordance correlation.

One pair per subject; subjects are taken as independent and differences as normal. The estimates' ``positives`` is 0 (no
reference standard), ``n`` the number of pairs.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Estimate, normal_quantile
from evidence.statistics.ratings import Floats

LimitInterval = Literal["exact", "approximate 1999", "approximate 1986"]


@dataclass(frozen=True, slots=True)
class LimitsOfAgreement:
    """First minus second: mean (``bias``), standard deviation (n − 1), and limits that hold most differences."""

    bias: Estimate
    sd: Estimate
    lower: Estimate
    upper: Estimate
    multiplier: float


@dataclass(frozen=True, slots=True)
class ProportionalBias:
    """Line of the difference on the mean of both: ``slope`` ≠ 0 where the difference grows with what is measured."""

    slope: Estimate
    intercept: Estimate
    correlation: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Concordance:
    """Lin's ρc = Pearson's correlation (precision) × ``bias_correction`` (accuracy, 1 where the line is y = x).

    ``coefficient`` carries Fisher's z interval, ``coefficient_wald`` the one without the transform. ``location_shift``
    is (mean of second − mean of first)/√(sd · sd), ``scale_shift`` sd of first / sd of second.
    """

    coefficient: Estimate
    coefficient_wald: Estimate
    standard_error: float
    pearson: float
    bias_correction: float
    location_shift: float
    scale_shift: float


def limits_of_agreement(
    first: ArrayLike,
    second: ArrayLike,
    *,
    level: float = 0.95,
    coverage: float = 0.95,
    multiplier: float | None = None,
    interval: LimitInterval = "exact",
) -> LimitsOfAgreement:
    """Bias and limits of agreement bias ± multiplier · sd of two measurements (n,) each.

    The multiplier is the normal quantile of ``coverage`` (1.96 for 0.95) unless given. Bias: t interval; sd: χ²
    interval. Intervals of the limits: "exact" by the noncentral t distribution (Carkeet, Optom Vis Sci 92:e71, 2015);
    "approximate 1999", variance s²(1/n + m²/(2(n − 1))), t (Bland, Altman, Stat Methods Med Res 8:135, 1999);
    "approximate 1986", variance 3s²/n, t (Lancet 327:307, 1986).

    Raises:
        NotEstimable: not two rows of one length, a number missing, differences all the same, a level or coverage
            outside (0, 1), or a multiplier that is not above 0.
        TooFewSamples: fewer than three pairs.
    """
    from scipy.stats import chi2, t

    one, two = _pairs(first, second)
    normal_quantile(level)
    factor = normal_quantile(coverage) if multiplier is None else multiplier
    if not (factor > 0.0 and math.isfinite(factor)):
        raise NotEstimable(f"Limits {factor} standard deviations wide are no limits.")
    n, difference = one.size, one - two
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    if sd <= 1e-12 * float(np.abs(np.stack([one, two])).max()):
        raise NotEstimable("All differences are the same.")
    half = float(t.ppf(0.5 + level / 2.0, n - 1)) * sd / math.sqrt(n)
    low, high = (sd * math.sqrt((n - 1) / float(chi2.ppf(p, n - 1))) for p in (0.5 + level / 2.0, 0.5 - level / 2.0))
    inner, outer = _ends(n, factor, level=level, interval=interval)
    below, above = bias - factor * sd, bias + factor * sd
    return LimitsOfAgreement(
        Estimate(bias, bias - half, bias + half, level, "t", n, 0),
        Estimate(sd, low, high, level, "χ²", n, 0),
        Estimate(below, bias - outer * sd, bias - inner * sd, level, interval, n, 0),
        Estimate(above, bias + inner * sd, bias + outer * sd, level, interval, n, 0),
        factor,
    )


def proportional_bias(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> ProportionalBias:
    """Least-squares line of first − second on their mean, for measurements (n,) each (Bland, Altman, Stat Methods Med
    Res 8:135, 1999, section 3.2). Its test is Pitman's of equal variances.

    Raises:
        NotEstimable: as ``limits_of_agreement``, or means all the same, or differences exactly on a line.
        TooFewSamples: fewer than three pairs.
    """
    from scipy.stats import linregress, t

    one, two = _pairs(first, second)
    normal_quantile(level)
    mean, difference = (one + two) / 2.0, one - two
    if float(np.ptp(mean)) == 0.0 or float(np.ptp(difference)) == 0.0:
        raise NotEstimable("All means, or all differences, are the same.")
    line = linregress(mean, difference)
    if not float(line.stderr) > 1e-14 * abs(float(line.slope)):
        raise NotEstimable("The differences lie exactly on a line: there is no error to judge it by.")
    quantile = float(t.ppf(0.5 + level / 2.0, one.size - 2))

    def estimate(value: float, error: float) -> Estimate:
        return Estimate(
            value, value - quantile * error, value + quantile * error, level, "least squares, t", one.size, 0
        )

    return ProportionalBias(
        estimate(float(line.slope), float(line.stderr)),
        estimate(float(line.intercept), float(line.intercept_stderr)),
        float(line.rvalue),
        float(line.pvalue),
    )


def concordance(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Concordance:
    """Lin's concordance correlation of two measurements (n,) each, moments with 1/n.

    Lin, Biometrics 45:255 (1989), variance as corrected in Biometrics 56:324 (2000), divisor n − 2.

    Raises:
        NotEstimable: not two rows of one length, a number missing, one of them constant, no correlation at all (the
            variance divides by it), or both the same up to rounding (no variance).
        TooFewSamples: fewer than three pairs.
    """
    one, two = _pairs(first, second)
    n, quantile = one.size, normal_quantile(level)
    sd_one, sd_two = float(one.std()), float(two.std())
    if min(sd_one, sd_two) <= 1e-12 * float(np.abs(np.stack([one, two])).max()):
        raise NotEstimable("One of the two measurements does not vary.")
    covariance = float(((one - one.mean()) * (two - two.mean())).mean())
    shift = float(two.mean() - one.mean())
    value = 2.0 * covariance / (sd_one**2 + sd_two**2 + shift**2)
    pearson, location = covariance / (sd_one * sd_two), shift / math.sqrt(sd_one * sd_two)
    if abs(pearson) < 1e-9 or abs(value) > 1.0 - 1e-14:
        raise NotEstimable("Without any correlation, or with no difference at all, Lin's variance has no value.")
    precision = (1.0 - pearson**2) * value**2 * (1.0 - value**2) / pearson**2
    accuracy = 2.0 * value**3 * (1.0 - value) * location**2 / pearson - value**4 * location**4 / (2.0 * pearson**2)
    error = math.sqrt(max(precision + accuracy, 0.0) / (n - 2))
    half = quantile * error / (1.0 - value**2)
    low, high = math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half)
    return Concordance(
        Estimate(value, low, high, level, "Lin, Fisher's z", n, 0),
        Estimate(value, value - quantile * error, value + quantile * error, level, "Lin, Wald", n, 0),
        error,
        pearson,
        value / pearson,
        location,
        sd_one / sd_two,
    )


def _pairs(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise NotEstimable(f"{one.size} and {two.size} measurements are no pairs.")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise NotEstimable("A measurement is missing or infinite.", next_step="Leave out the pair, and say so.")
    if one.size < 3:
        raise TooFewSamples(f"{one.size} pairs are too few.")
    return one, two


def _ends(n: int, factor: float, *, level: float, interval: LimitInterval) -> tuple[float, float]:
    """The two ends of the interval of a limit, in standard deviations from the bias."""
    from scipy.stats import nct, t

    if interval == "exact":
        tails = (0.5 - level / 2.0, 0.5 + level / 2.0)
        inner, outer = (float(nct.ppf(p, n - 1, factor * math.sqrt(n))) / math.sqrt(n) for p in tails)
        if not (math.isfinite(inner) and math.isfinite(outer)):
            raise NotEstimable("The noncentral t distribution has no value here.", next_step="Use approximate 1999.")
        return inner, outer
    variance = 3.0 / n if interval == "approximate 1986" else 1.0 / n + factor**2 / (2.0 * (n - 1))
    half = float(t.ppf(0.5 + level / 2.0, n - 1)) * math.sqrt(variance)
    return factor - half, factor + half
