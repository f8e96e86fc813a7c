"""What every analysis of a reader study answers: are the tests equal, by how much do they differ, what is each worth.

Shared by the Obuchowski–Rockette and the Dorfman–Berbaum–Metz analysis, which differ only in where the mean squares
come from.
"""

import math
from dataclasses import dataclass
from typing import Literal

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate, normal_quantile

Factors = Literal["random readers and cases", "fixed readers", "fixed cases"]


@dataclass(frozen=True, slots=True)
class Equality:
    """Test of "all tests have the same mean figure": F(df1, df2), or chi-squared(df1) with df2 infinite."""

    distribution: Literal["F", "chi-squared"]
    statistic: float
    df1: int
    df2: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Contrast:
    """Mean figure of the first test minus that of the second, over ``readers``; df is infinite for a normal one."""

    first: str
    second: str
    readers: str
    difference: Estimate
    standard_error: float
    df: float
    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True)
class TestMean:
    """The mean figure of one test, with an interval from that test's data alone (Hillis, Stat Med 26:596, 2007)."""

    __test__ = False  # its name begins with the word pytest collects

    test: str
    mean: Estimate
    standard_error: float
    df: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What an interval carries along: its level, who computed it, and the cases behind it."""

    level: float
    method: str
    n: int
    positives: int
    bounds: tuple[float, float] = (-math.inf, math.inf)


def t_quantile(level: float, df: float) -> float:
    """Two-sided quantile of Student's t, normal for df infinite.

    Raises:
        NotEstimable: the level is not inside (0, 1).
    """
    normal = normal_quantile(level)
    if math.isinf(df):
        return normal
    from scipy.stats import t

    return float(t.ppf(0.5 + level / 2, df))


def two_sided_p(statistic: float, df: float) -> float:
    """P(|T| ≥ |statistic|) for Student's t, normal for df infinite."""
    from scipy.stats import norm, t

    tail = norm.sf(abs(statistic)) if math.isinf(df) else t.sf(abs(statistic), df)
    return 2.0 * float(tail)


def f_test(mean_square: float, denominator: float, *, df1: int, df2: float) -> Equality:
    """F = mean square / denominator.

    Raises:
        NotEstimable: the denominator is not positive.
    """
    from scipy.stats import chi2, f

    statistic = mean_square / need_positive(denominator)
    p = chi2.sf(statistic * df1, df1) if math.isinf(df2) else f.sf(statistic, df1, df2)
    return Equality("F", statistic, df1, df2, float(p))


def chi_squared_test(mean_square: float, denominator: float, *, df: int) -> Equality:
    """χ² = df · mean square / denominator.

    Raises:
        NotEstimable: the denominator is not positive.
    """
    from scipy.stats import chi2

    statistic = df * mean_square / need_positive(denominator)
    return Equality("chi-squared", statistic, df, math.inf, float(chi2.sf(statistic, df)))


def contrast(
    names: tuple[str, str], difference: float, variance: float, *, df: float, sample: Sample, readers: str = "all"
) -> Contrast:
    """A difference with its t (or normal) interval and two-sided test.

    Raises:
        NotEstimable: the variance is not positive.
    """
    error = math.sqrt(need_positive(variance))
    half = t_quantile(sample.level, df) * error
    estimate = Estimate(
        difference, difference - half, difference + half, sample.level, sample.method, sample.n, sample.positives
    )
    statistic = difference / error
    return Contrast(*names, readers, estimate, error, df, statistic, two_sided_p(statistic, df))


def mean_of_test(name: str, mean: float, variance: float, *, df: float, sample: Sample) -> TestMean:
    """A mean with its t (or normal) interval, cut to the figure's bounds."""
    error = math.sqrt(max(variance, 0.0))
    half = t_quantile(sample.level, df) * error
    low, high = max(mean - half, sample.bounds[0]), min(mean + half, sample.bounds[1])
    estimate = Estimate(mean, low, high, sample.level, sample.method, sample.n, sample.positives)
    return TestMean(name, estimate, error, df)


def satterthwaite(total: float, estimated: float, df: float) -> float:
    """Degrees of freedom of ``total`` when only its part ``estimated``, with ``df``, is uncertain; Hillis's ddf."""
    return df * (total / estimated) ** 2 if estimated > 0 else math.inf


def need_positive(variance: float) -> float:
    """Refuse a variance that is not positive: readers and cases that do not vary test nothing.

    Raises:
        NotEstimable: as the name says.
    """
    if not variance > 1e-18:
        raise NotEstimable(
            "The readers' figures do not vary, so that nothing can be tested.",
            next_step="Look for readings copied from one test to another.",
        )
    return variance
