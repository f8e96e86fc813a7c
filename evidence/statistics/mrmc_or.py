"""Obuchowski–Rockette analysis of a reader study: tests compared over readers, over cases, or over both.

Obuchowski and Rockette, Commun Stat Simul Comput 24:285 (1995), with the degrees of freedom of Hillis, Stat Med 26:596
(2007); readers nested within tests and split-plot designs by marginal means, Hillis, Stat Med 33:330 (2014). The model:
figure = test + reader + test·reader + error, the errors of two readings correlated because they share cases (cov1: same
reader, two tests; cov2: two readers, same test; cov3: neither).
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics.mrmc_covariance import ReaderFigures
from evidence.statistics.mrmc_inference import (
    Contrast,
    Equality,
    Factors,
    Sample,
    TestMean,
    chi_squared_test,
    contrast,
    f_test,
    mean_of_test,
    satterthwaite,
)
from evidence.statistics.mrmc_study import need_readers


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Mean squares and variance components of the figures; variances may come out negative and are kept so.

    ``ms_error`` is MS(test × reader), or MS(readers within tests) where readers are nested; then ``ms_r``, ``cov1`` and
    ``var_tr`` do not exist. ``ms_t`` does not exist for one test, ``ms_error`` not for one reader.
    """

    tests: int
    readers: int
    ms_t: float | None
    ms_r: float | None
    ms_error: float | None
    var_error: float
    cov1: float | None
    cov2: float
    cov3: float
    var_reader: float | None
    var_tr: float | None


@dataclass(frozen=True, slots=True)
class ObuchowskiRockette:
    """The analysis: components, the test of equality (none for a single test), every pair of tests, every test's mean,
    and, for fixed readers, every pair within each reader.
    """

    factors: Factors
    components: VarianceComponents
    equality: Equality | None
    differences: tuple[Contrast, ...]
    means: tuple[TestMean, ...]
    within_readers: tuple[Contrast, ...]


def obuchowski_rockette(
    figures: ReaderFigures, *, factors: Factors = "random readers and cases", level: float = 0.95
) -> ObuchowskiRockette:
    """Compare the tests of a study by readers' figures and their covariance.

    Random readers and cases speak about new readers and new cases (F, Hillis's df); fixed readers about these readers
    (χ², normal); fixed cases about these cases (F with (t − 1)(r − 1) df, a repeated-measures ANOVA). Covariances are
    means over all pairs of readings, 0 for pairs that share no case, which makes the same formulas hold for cases
    nested within readers or tests, split-plot and partially paired designs. A negative cov2 − cov3 counts as 0 where
    readers are random (with fixed readers it is kept, as in R MRMCaov; R RJafroc floors it there too), and a single
    test's negative cov2 as 0.

    Raises:
        TooFewSamples: one reader, unless readers are fixed.
        NotEstimable: figures that do not vary, or a level outside (0, 1).
    """
    need_readers(len(figures.readers), at_least=1 if factors == "fixed readers" else 2)
    components = variance_components(figures)
    method = f"Obuchowski–Rockette, {factors}, {figures.method}"
    sample = Sample(level, method, figures.n, figures.positives, figures.bounds)
    shape = _Comparison.of(figures, components, factors)
    return ObuchowskiRockette(
        factors=factors,
        components=components,
        equality=shape.equality(),
        differences=shape.differences(sample),
        means=tuple(_mean(figures, row, factors, sample) for row in range(len(figures.tests))),
        within_readers=_within_readers(figures, sample) if factors == "fixed readers" else (),
    )


def variance_components(figures: ReaderFigures) -> VarianceComponents:
    """Mean squares of the two-way (or nested) ANOVA of figures, mean covariances, and moment estimates of variances."""
    nested = figures.design == "readers nested within tests"
    values, (t, r) = figures.values, figures.values.shape
    cov1, cov2, cov3 = (_mean_covariance(figures.covariance, same) for same in ((0, 1), (1, 0), (0, 0)))
    error = float(np.nanmean(np.einsum("trtr->tr", figures.covariance)))
    if nested:
        counts, means = (~np.isnan(values)).sum(axis=1), np.nanmean(values, axis=1)
        ms_t = float((counts * (means - np.nansum(values) / r) ** 2).sum() / (t - 1))
        within = float(np.nansum((values - means[:, None]) ** 2)) / (r - t) if r > t else None
        reader = None if within is None else within - error + cov2
        return VarianceComponents(t, r, ms_t, None, within, error, None, cov2, cov3, reader, None)
    rows, columns, grand = values.mean(axis=1), values.mean(axis=0), values.mean()
    ms_t = float(r * ((rows - grand) ** 2).sum() / (t - 1)) if t > 1 else math.nan
    ms_r = float(t * ((columns - grand) ** 2).sum() / (r - 1)) if r > 1 else None
    if t == 1 or ms_r is None:
        var = ms_r - error + cov2 if ms_r is not None and t == 1 else None
        return VarianceComponents(t, r, ms_t if t > 1 else None, ms_r, None, error, cov1, cov2, cov3, var, None)
    residual = values - rows[:, None] - columns + grand
    ms_tr = float((residual**2).sum()) / ((t - 1) * (r - 1))
    var_reader = (ms_r - ms_tr) / t - cov1 + cov3
    return VarianceComponents(
        t, r, ms_t, ms_r, ms_tr, error, cov1, cov2, cov3, var_reader, ms_tr - error + cov1 + cov2 - cov3
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """How the mean of test i varies: Var(mean_i − mean_j) = (1/r_i + 1/r_j) · own + 2 · common."""

    tests: tuple[str, ...]
    means: NDArray[np.float64]
    counts: NDArray[np.int64]
    ms_t: float
    own: float
    own_df: float
    common: float
    normal: bool

    @classmethod
    def of(cls, figures: ReaderFigures, parts: VarianceComponents, factors: Factors) -> "_Comparison":
        counts = (~np.isnan(figures.values)).sum(axis=1)
        common = parts.cov2 - parts.cov3
        if factors == "fixed readers":
            # The quadratic form of the covariance matrix itself: never negative, so nothing to floor.
            own, df = parts.var_error - (parts.cov2 if parts.cov1 is None else parts.cov1 + common), math.inf
        elif parts.tests > 1 and parts.ms_error is None:
            raise NotEstimable("One reader per test does not show how readers vary.", next_step="Fix the readers.")
        else:
            own = parts.ms_error or 0.0
            between = (parts.tests - 1) * (parts.readers - 1)
            df = float(parts.readers - parts.tests if parts.cov1 is None else between)
            common = 0.0 if factors == "fixed cases" else max(common, 0.0)
        means = np.nanmean(figures.values, axis=1)
        return cls(figures.tests, means, counts, parts.ms_t or 0.0, own, df, common, factors == "fixed readers")

    def equality(self) -> Equality | None:
        t = len(self.tests)
        if t == 1:
            return None
        n = float(self.counts.sum())
        # Expected mean square of tests under equality: r, or its unbalanced counterpart, times the common part.
        crossed = float((self.counts == self.counts[0]).all())
        r = float(self.counts[0]) if crossed else (n - float((self.counts**2).sum()) / n) / (t - 1)
        denominator = self.own + r * self.common
        if self.normal:
            return chi_squared_test(self.ms_t, denominator, df=t - 1)
        return f_test(self.ms_t, denominator, df1=t - 1, df2=satterthwaite(denominator, self.own, self.own_df))

    def differences(self, sample: Sample) -> tuple[Contrast, ...]:
        found = []
        for i, j in combinations(range(len(self.tests)), 2):
            own = (1 / self.counts[i] + 1 / self.counts[j]) * self.own
            total = float(own + 2 * self.common)
            df = math.inf if self.normal else satterthwaite(total, float(own), self.own_df)
            difference = float(self.means[i] - self.means[j])
            found.append(contrast((self.tests[i], self.tests[j]), difference, total, df=df, sample=sample))
        return tuple(found)


def _mean(figures: ReaderFigures, row: int, factors: Factors, sample: Sample) -> TestMean:
    """One test's mean, its variance from that test's own readings."""
    mine = ~np.isnan(figures.values[row])
    values = figures.values[row, mine]
    covariance = figures.covariance[row, :, row][np.ix_(mine, mine)]
    r, error = values.size, float(np.diag(covariance).mean())
    cov2 = max(float(covariance.sum() - error * r) / (r * (r - 1)), 0.0) if r > 1 else 0.0
    name, mean = figures.tests[row], float(values.mean())
    if factors == "fixed readers":
        return mean_of_test(name, mean, (error + (r - 1) * cov2) / r, df=math.inf, sample=sample)
    need_readers(r, at_least=2)
    ms_r = float(values.var(ddof=1))
    if factors == "fixed cases":
        return mean_of_test(name, mean, ms_r / r, df=r - 1, sample=sample)
    total = ms_r + r * cov2
    return mean_of_test(name, mean, total / r, df=satterthwaite(total, ms_r, r - 1), sample=sample)


def _within_readers(figures: ReaderFigures, sample: Sample) -> tuple[Contrast, ...]:
    """Every pair of tests for each reader who used both; variance 2·(var − cov1) of that reader (Hillis 2007)."""
    found = []
    for reader, name in enumerate(figures.readers):
        used = np.flatnonzero(~np.isnan(figures.values[:, reader]))
        if used.size < 2:
            continue
        covariance = figures.covariance[:, reader, :, reader][np.ix_(used, used)]
        own = float(np.diag(covariance).mean())
        shared = float(covariance.sum() - own * used.size) / (used.size * (used.size - 1))
        for i, j in combinations(used, 2):
            difference = float(figures.values[i, reader] - figures.values[j, reader])
            names = (figures.tests[i], figures.tests[j])
            variance = 2 * (own - shared)
            if variance > 0:
                found.append(contrast(names, difference, variance, df=math.inf, sample=sample, readers=name))
    return tuple(found)


def _mean_covariance(covariance: NDArray[np.float64], same: tuple[int, int]) -> float:
    """Mean over pairs of readings of the same test or not, of the same reader or not; 0 where there is no such pair."""
    t, r = covariance.shape[:2]
    test, reader = np.eye(t, dtype=bool) == bool(same[0]), np.eye(r, dtype=bool) == bool(same[1])
    pairs = covariance[test[:, None, :, None] & reader[None, :, None, :]]
    pairs = pairs[~np.isnan(pairs)]
    return float(pairs.mean()) if pairs.size else 0.0
