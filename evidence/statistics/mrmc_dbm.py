"""Dorfman–Berbaum–Metz analysis of a reader study: jackknife pseudovalues in a three-way ANOVA.

Dorfman, Berbaum and Metz, Invest Radiol 27:723 (1992), with the model simplification, degrees of freedom and normalised
pseudovalues of Hillis, Berbaum and Metz, Acad Radiol 15:647 (2008). For random readers it gives the same test as
Obuchowski–Rockette with jackknife covariance.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.mrmc_covariance import ReaderFigures
from evidence.statistics.mrmc_inference import (
    Contrast,
    Equality,
    Factors,
    Sample,
    TestMean,
    contrast,
    f_test,
    mean_of_test,
    satterthwaite,
)

Array = NDArray[np.float64]
SOURCES = ("T", "R", "C", "TR", "TC", "RC", "TRC")


@dataclass(frozen=True, slots=True)
class PseudovalueComponents:
    """Variance components of the pseudovalues (Dorfman 1992); they may come out negative and are kept so."""

    reader: float
    case: float
    test_reader: float
    test_case: float
    reader_case: float
    error: float


@dataclass(frozen=True, slots=True)
class DorfmanBerbaumMetz:
    """Mean squares in the order T, R, C, TR, TC, RC, TRC, components, and what they say about the tests."""

    factors: Factors
    mean_squares: tuple[float, ...]
    components: PseudovalueComponents
    equality: Equality
    differences: tuple[Contrast, ...]
    means: tuple[TestMean, ...]


def dorfman_berbaum_metz(
    figures: ReaderFigures, *, factors: Factors = "random readers and cases", level: float = 0.95
) -> DorfmanBerbaumMetz:
    """Compare the tests of a fully crossed study by pseudovalues K·θ − (K − 1)·θ₍₋ₖ₎.

    Denominators: MS(TR) + max(MS(TC) − MS(TRC), 0) for random readers and cases, MS(TC) for fixed readers, MS(TR) for
    fixed cases; a single test's interval uses that test's readings alone.

    Raises:
        TooFewSamples: fewer than two tests or readers.
        NotEstimable: a design that is not fully crossed, figures without the jackknife, or pseudovalues that do not
            vary.
    """
    values = pseudovalues(figures)
    t, r, c = values.shape
    if min(t, r) < 2:
        raise TooFewSamples(f"{t} test(s) and {r} reader(s) give no three-way analysis.", next_step="See mrmc_or.")
    squares = dict(zip(SOURCES, _mean_squares(values), strict=True))
    sample = Sample(level, f"Dorfman–Berbaum–Metz, {factors}", figures.n, figures.positives, figures.bounds)
    denominator, df = _denominator(squares, (t, r, c), factors)
    names, means = figures.tests, figures.values.mean(axis=1)
    return DorfmanBerbaumMetz(
        factors=factors,
        mean_squares=tuple(squares.values()),
        components=_components(squares, (t, r, c)),
        equality=f_test(squares["T"], denominator, df1=t - 1, df2=df),
        differences=tuple(
            contrast((names[i], names[j]), float(means[i] - means[j]), 2 * denominator / (r * c), df=df, sample=sample)
            for i, j in combinations(range(t), 2)
        ),
        means=tuple(_mean(figures, row, values[row], factors, sample) for row in range(t)),
    )


def pseudovalues(figures: ReaderFigures) -> Array:
    """Normalised pseudovalues (tests, readers, cases): their mean over cases is the figure itself.

    Raises:
        NotEstimable: a design that is not fully crossed, or figures without the jackknife.
    """
    if figures.leave_one_out is None or figures.design != "factorial":
        raise NotEstimable("Pseudovalues need the jackknife of a fully crossed study.", next_step="See mrmc_or.")
    k = figures.leave_one_out.shape[2]
    raw = k * figures.values[:, :, None] - (k - 1) * figures.leave_one_out
    return np.asarray(raw + (figures.values - raw.mean(axis=2))[:, :, None])


def _mean_squares(y: Array) -> tuple[float, ...]:
    """Mean squares of a three-way layout without replication, in the order of ``SOURCES``."""
    grand = y.mean()
    main = [y.mean(axis=tuple({0, 1, 2} - {axis}), keepdims=True) - grand for axis in range(3)]
    pairs = [y.mean(axis=3 - i - j, keepdims=True) - grand - main[i] - main[j] for i, j in ((0, 1), (0, 2), (1, 2))]
    rest = y - grand - sum(main) - sum(pairs)
    found = []
    for effect in (*main, *pairs, rest):
        replicates = y.size / effect.size
        df = math.prod(n - 1 for n in effect.shape if n > 1)
        found.append(float(replicates * (effect**2).sum() / df))
    return tuple(found)


def _denominator(squares: dict[str, float], shape: tuple[int, int, int], factors: Factors) -> tuple[float, float]:
    """Mean square to divide by, and its degrees of freedom."""
    t, r, c = shape
    if factors == "fixed readers":
        return squares["TC"], float((t - 1) * (c - 1))
    if factors == "fixed cases":
        return squares["TR"], float((t - 1) * (r - 1))
    total = squares["TR"] + max(squares["TC"] - squares["TRC"], 0.0)
    return total, satterthwaite(total, squares["TR"], (t - 1) * (r - 1))


def _components(squares: dict[str, float], shape: tuple[int, int, int]) -> PseudovalueComponents:
    t, r, c = shape
    rest = squares["TRC"]
    return PseudovalueComponents(
        reader=(squares["R"] - squares["TR"] - squares["RC"] + rest) / (t * c),
        case=(squares["C"] - squares["TC"] - squares["RC"] + rest) / (t * r),
        test_reader=(squares["TR"] - rest) / c,
        test_case=(squares["TC"] - rest) / r,
        reader_case=(squares["RC"] - rest) / t,
        error=rest,
    )


def _mean(figures: ReaderFigures, row: int, y: Array, factors: Factors, sample: Sample) -> TestMean:
    """One test's mean from its pseudovalues (readers, cases)."""
    r, c = y.shape
    of_readers, of_cases = y.mean(axis=1, keepdims=True), y.mean(axis=0, keepdims=True)
    ms_r, ms_c = float(c * of_readers.var(ddof=1)), float(r * of_cases.var(ddof=1))
    ms_rc = float(((y - of_readers - of_cases + y.mean()) ** 2).sum()) / ((r - 1) * (c - 1))
    total, df = ms_r, float(r - 1)
    if factors == "fixed readers":
        total, df = ms_c, float(c - 1)
    elif factors == "random readers and cases":
        total = ms_r + max(ms_c - ms_rc, 0.0)
        df = satterthwaite(total, ms_r, r - 1)
    mean = float(figures.values[row].mean())
    return mean_of_test(figures.tests[row], mean, total / (r * c), df=df, sample=sample)
