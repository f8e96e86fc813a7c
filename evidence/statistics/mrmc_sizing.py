"""How many readers and cases a future study of two tests needs, from the variance components of a pilot.

Hillis, Obuchowski and Berbaum, Acad Radiol 18:129 (2011): components of cases shrink with their number, those of
readers do not, and the test's F is non-central with Hillis's degrees of freedom. For reader-averaged areas by
U-statistics, Gallas et al., Commun Stat Theory Methods 38:2586 (2009).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from domain.errors import NotEstimable
from evidence.statistics.mrmc_dbm import PseudovalueComponents
from evidence.statistics.mrmc_inference import Factors, satterthwaite
from evidence.statistics.mrmc_or import VarianceComponents
from evidence.statistics.mrmc_ustatistics import UStatistic

LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Pilot:
    """What sizing needs of a pilot with ``cases`` cases: var(test × reader), var(error) − cov1 and cov2 − cov3.

    Negative ``var_tr`` and ``between`` (cov2 − cov3) count as 0 (Hillis 2011).
    """

    cases: int
    var_tr: float
    within: float
    between: float

    @classmethod
    def of(cls, components: VarianceComponents, *, cases: int) -> "Pilot":
        """From an Obuchowski–Rockette analysis of a crossed pilot.

        Raises:
            NotEstimable: a pilot of one test or reader, or with readers nested within tests.
        """
        if components.var_tr is None or components.cov1 is None:
            raise NotEstimable("A pilot of at least two crossed tests and readers is needed.")
        between = components.cov2 - components.cov3
        return cls(cases, components.var_tr, components.var_error - components.cov1, between)

    @classmethod
    def of_pseudovalues(cls, components: PseudovalueComponents, *, cases: int) -> "Pilot":
        """From a Dorfman–Berbaum–Metz analysis (Hillis et al., Stat Med 24:1579, 2005)."""
        between = components.test_case / cases
        return cls(cases, components.test_reader, components.error / cases + between, between)


@dataclass(frozen=True, slots=True)
class Power:
    """The chance that a study of ``readers`` and ``cases`` rejects equality when the tests differ by the effect."""

    power: float
    readers: int
    cases: int
    noncentrality: float
    df: float
    critical: float


def power(
    pilot: Pilot,
    *,
    effect: float,
    readers: int,
    cases: int,
    factors: Factors = "random readers and cases",
    alpha: float = 0.05,
) -> Power:
    """Power of the two-sided test of two tests, fully crossed.

    F(1, df) with df of Hillis for random readers and cases, readers − 1 for fixed cases; χ²(1) for fixed readers.

    Raises:
        NotEstimable: fewer than 2 readers (1 if fixed) or cases, alpha outside (0, 1), an effect that is not finite, or
            components without variance.
    """
    fewest = 1 if factors == "fixed readers" else 2
    if readers < fewest or cases < 2 or not 0 < alpha < 1 or not math.isfinite(effect):
        raise NotEstimable(f"Power of {readers} readers, {cases} cases at {alpha} for {effect} has no value.")
    shrink = pilot.cases / cases
    between = max(pilot.between, 0.0)
    alone, shared = shrink * (pilot.within - between), shrink * readers * between
    of_readers = 0.0 if factors == "fixed readers" else max(pilot.var_tr, 0.0)
    total = of_readers + alone + (0.0 if factors == "fixed cases" else shared)
    if not total > 0:
        raise NotEstimable("The pilot's variance components add up to no variance.")
    df = {
        "random readers and cases": satterthwaite(total, of_readers + alone, readers - 1),
        "fixed readers": math.inf,
        "fixed cases": float(readers - 1),
    }[factors]
    noncentrality = effect**2 * readers / (2 * total)
    critical, chance = _upper_tail(noncentrality, df, alpha)
    return Power(chance, readers, cases, noncentrality, df, critical)


def cases_needed(
    pilot: Pilot,
    *,
    effect: float,
    readers: int,
    target: float = 0.8,
    factors: Factors = "random readers and cases",
    alpha: float = 0.05,
) -> Power:
    """The fewest cases that give these readers the power.

    Raises:
        NotEstimable: as ``power``; no number of cases gives it: more readers are needed.
    """
    return _fewest(
        lambda cases: power(pilot, effect=effect, readers=readers, cases=cases, factors=factors, alpha=alpha),
        target,
        next_step="Add readers.",
    )


def readers_needed(
    pilot: Pilot,
    *,
    effect: float,
    cases: int,
    target: float = 0.8,
    factors: Factors = "random readers and cases",
    alpha: float = 0.05,
) -> Power:
    """The fewest readers that give these cases the power.

    Raises:
        NotEstimable: as ``power``; no number of readers gives it: more cases are needed.
    """
    return _fewest(
        lambda readers: power(pilot, effect=effect, readers=readers, cases=cases, factors=factors, alpha=alpha),
        target,
        next_step="Add cases.",
    )


def detectable_effect(
    pilot: Pilot,
    *,
    readers: int,
    cases: int,
    target: float = 0.8,
    factors: Factors = "random readers and cases",
    alpha: float = 0.05,
) -> float:
    """The smallest difference that these readers and cases find with the power.

    Raises:
        NotEstimable: as ``power``, or a target outside (alpha, 1).
    """
    from scipy.optimize import brentq

    if not alpha < target < 1:
        raise NotEstimable(f"A power of {target} cannot be asked for.")

    def excess(effect: float) -> float:
        return power(pilot, effect=effect, readers=readers, cases=cases, factors=factors, alpha=alpha).power - target

    largest = 1.0
    while excess(largest) < 0:
        largest *= 2
    return float(brentq(excess, 0.0, largest, xtol=1e-12))


def projected_variance(statistic: UStatistic, *, readers: int, positives: int, negatives: int) -> float:
    """Variance of a U-statistic in a fully crossed study of that size, from the moments of a pilot.

    Raises:
        NotEstimable: a size below 1, or a variance that is not positive.
    """
    if min(readers, positives, negatives) < 1:
        raise NotEstimable("A study needs readers and cases of both classes.")
    shares = (1 / negatives, 1 / positives, 1 / (negatives * positives))
    weights = (*shares, 1 / readers, *(share / readers for share in shares))
    signs = (1.0, 1.0, -2.0)
    variance = sum(
        sign * float(weight * component)
        for sign, moments in zip(signs, statistic.of_test, strict=False)
        for weight, component in zip(weights, moments.components, strict=True)
    )
    if not variance > 0:
        raise NotEstimable("The pilot's moments give no positive variance.", next_step="Use a larger pilot.")
    return variance


def normal_power(effect: float, variance: float, *, alpha: float = 0.05) -> float:
    """Power of a two-sided normal test of an effect with that variance.

    Raises:
        NotEstimable: a variance that is not positive, or alpha outside (0, 1).
    """
    if not variance > 0 or not 0 < alpha < 1:
        raise NotEstimable(f"A test at {alpha} with variance {variance} has no power.")
    z, shift = NormalDist().inv_cdf(1 - alpha / 2), abs(effect) / math.sqrt(variance)
    return NormalDist().cdf(shift - z) + NormalDist().cdf(-shift - z)


def _upper_tail(noncentrality: float, df: float, alpha: float) -> tuple[float, float]:
    """Critical value of F(1, df), or of χ²(1) for df infinite, and the chance to exceed it."""
    from scipy.stats import chi2, f, ncf, ncx2

    if df > 1e8:
        critical = float(chi2.isf(alpha, 1))
        return critical, float(ncx2.sf(critical, 1, noncentrality))
    critical = float(f.isf(alpha, 1, df))
    # scipy 1.x gives a negative probability at non-centrality 0 itself.
    return critical, float(ncf.sf(critical, 1, df, max(noncentrality, 1e-12)))


def _fewest(of: Callable[[int], Power], target: float, *, next_step: str) -> Power:
    """The smallest number of at least 2 whose power reaches the target: doubled, then halved in."""
    if not 0 < target < 1:
        raise NotEstimable(f"A power of {target} cannot be asked for.")
    low, high = 1, 2
    while (found := of(high)).power < target:
        low, high = high, high * 2
        if high > LARGEST:
            raise NotEstimable(f"No number up to {LARGEST} gives a power of {target}.", next_step=next_step)
    while high - low > 1:
        middle = (low + high) // 2
        tried = of(middle)
        if tried.power >= target:
            high, found = middle, tried
        else:
            low = middle
    return found
