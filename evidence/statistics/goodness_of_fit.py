"""Tests of calibration: Spiegelhalter, Hosmer–Lemeshow, Cox's recalibration, observed to expected.

All assume independent samples: several films of one patient make the p-values too small.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.calibration import brier, checked, log_likelihood, logits, slope_and_intercept
from evidence.statistics.estimate import Estimate, normal_quantile

Fit = Literal["fitted here", "external"]


@dataclass(frozen=True, slots=True)
class Spiegelhalter:
    """Is the Brier score what the probabilities themselves promise? Above 0: worse; the test is two-sided."""

    z: float
    p_value: float
    n: int
    positives: int


@dataclass(frozen=True, slots=True)
class RiskGroup:
    """Samples whose probability lies in (lower, upper], the first group closed at both ends."""

    lower: float
    upper: float
    n: int
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class HosmerLemeshow:
    """Pearson's χ² of observed and expected counts over groups of risk."""

    statistic: float
    degrees_of_freedom: int
    p_value: float
    groups: tuple[RiskGroup, ...]


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Likelihood-ratio test that Cox's line has intercept 0 and slope 1, and Harrell's indices per sample.

    ``discrimination`` D = (χ² of the recalibrated probabilities against none − 1)/n, ``unreliability`` U =
    (``statistic`` − 2)/n, ``quality`` Q = D − U.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    discrimination: float
    unreliability: float
    quality: float


def spiegelhalter(labels: ArrayLike, probabilities: ArrayLike) -> Spiegelhalter:
    """Spiegelhalter's z of probabilities (n,) for labels (n,) (Stat Med 5:421, 1986).

    Raises:
        NotEstimable: bad numbers, or probabilities of 0, ½ and 1 only, which promise a Brier score without variance.
        TooFewSamples: there are none.
    """
    truth, values = checked(labels, probabilities)
    variance = float(((1.0 - 2.0 * values) ** 2 * values * (1.0 - values)).sum())
    if variance <= 0.0:
        raise NotEstimable("Probabilities of 0, ½ and 1 alone give Spiegelhalter's test no variance.")
    z = float(((truth - values) * (1.0 - 2.0 * values)).sum()) / math.sqrt(variance)
    return Spiegelhalter(z, math.erfc(abs(z) / math.sqrt(2.0)), truth.size, int(truth.sum()))


def hosmer_lemeshow(labels: ArrayLike, probabilities: ArrayLike, *, data: Fit, groups: int = 10) -> HosmerLemeshow:
    """The Hosmer–Lemeshow test of probabilities (n,) for labels (n,) (Commun Stat Theory Methods 9:1043, 1980).

    Groups cut at quantiles (type 7) of the probability, closed on the right; ties stay together, so that fewer groups
    than asked for may remain: G of them. χ² has G − 2 degrees of freedom where the model was fitted to these samples
    and G on samples it has not seen (Hosmer, Lemeshow, Sturdivant, Applied Logistic Regression, 3rd ed. 2013, section
    5.2.2), so ``data`` must be said. The value depends on the number of groups; report the curve beside it.

    Raises:
        NotEstimable: bad numbers, or a group that expects no sample, or nothing but samples, with the finding.
        TooFewSamples: none, or too few distinct probabilities to leave a degree of freedom.
    """
    from scipy.stats import chi2

    truth, values = checked(labels, probabilities)
    if groups < 2:
        raise NotEstimable(f"{groups} groups compare nothing.", next_step="Ask for 10.")
    edges = np.unique(np.quantile(values, np.arange(groups + 1) / groups))
    index = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, None)
    size = np.bincount(index)
    observed, expected = np.bincount(index, weights=truth), np.bincount(index, weights=values)
    held = np.flatnonzero(size)
    size, observed, expected = size[held], observed[held], expected[held]
    freedom = int(held.size) - (2 if data == "fitted here" else 0)
    if freedom < 1 or held.size < 2:
        raise TooFewSamples(f"{held.size} groups of distinct probabilities are too few for this test.")
    if float(expected.min()) <= 0.0 or float((size - expected).min()) <= 0.0:
        raise NotEstimable("A group expects no sample with, or none without, the finding.")
    statistic = float(((observed - expected) ** 2 * (1.0 / expected + 1.0 / (size - expected))).sum())
    found = tuple(
        RiskGroup(float(edges[k]), float(edges[k + 1]), int(n), int(seen), float(said))
        for k, n, seen, said in zip(held, size, observed, expected, strict=True)
    )
    return HosmerLemeshow(statistic, freedom, float(chi2.sf(statistic, freedom)), found)


def recalibration_test(labels: ArrayLike, probabilities: ArrayLike) -> Recalibration:
    """Test of slope 1 and intercept 0 together (Miller, Hui, Tierney, Stat Med 10:1213, 1991) and the indices D, U, Q
    (Harrell, Lee, Mark, Stat Med 15:361, 1996).

    Raises:
        OneClassOnly, NotEstimable: as ``calibration.slope_and_intercept``.
    """
    truth, values = checked(labels, probabilities)
    line, odds = slope_and_intercept(truth, values), logits(values)
    raw = log_likelihood(odds, truth)
    fitted = log_likelihood(line.intercept.value + line.slope.value * odds, truth)
    share = float(truth.mean())
    none = log_likelihood(np.full(truth.size, math.log(share / (1.0 - share))), truth)
    statistic = max(2.0 * (fitted - raw), 0.0)
    discrimination = (2.0 * (fitted - none) - 1.0) / truth.size
    unreliability = (statistic - 2.0) / truth.size
    # χ² of 2 degrees of freedom has the survival function exp(−x/2).
    return Recalibration(
        statistic, 2, math.exp(-statistic / 2.0), discrimination, unreliability, discrimination - unreliability
    )


def observed_to_expected(labels: ArrayLike, probabilities: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Findings seen over findings said; above 1, the probabilities are too low on the whole. Interval on the log scale
    with variance (1 − share)/observed (Debray et al., BMJ 356:i6460, 2017).

    Raises:
        NotEstimable: bad numbers, or the probabilities are all 0.
        TooFewSamples: no sample, or none with the finding.
    """
    truth, values = checked(labels, probabilities)
    observed, expected = int(truth.sum()), float(values.sum())
    if observed == 0:
        raise TooFewSamples("No sample carries the finding.")
    if expected <= 0.0:
        raise NotEstimable("The probabilities are all 0.")
    ratio = observed / expected
    factor = math.exp(normal_quantile(level) * math.sqrt((1.0 - observed / truth.size) / observed))
    return Estimate(ratio, ratio / factor, ratio * factor, level, "log, Wald", truth.size, observed)


def scaled_brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """1 − Brier / Brier of the prevalence said for everybody: 1 is perfect, 0 no better (Steyerberg et al.,
    Epidemiology 21:128, 2010).

    Raises:
        NotEstimable, TooFewSamples: bad numbers, none, or one class only.
    """
    truth, values = checked(labels, probabilities)
    share = float(truth.mean())
    if share in (0.0, 1.0):
        raise NotEstimable("One class only: the prevalence alone already has a Brier score of 0.")
    return 1.0 - brier(truth, values).value / (share * (1.0 - share))
