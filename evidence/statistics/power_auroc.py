"""Samples for an AUROC: an interval of a width, above a bound, different from a second one, or no worse."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal

from domain.errors import NotEstimable
from evidence.statistics.estimate import normal_quantile
from evidence.statistics.power import (
    Design,
    Hypothesis,
    Sampling,
    achieved,
    as_given,
    effective,
    inside,
    planned,
)

Model = Literal["obuchowski", "hanley-mcneil"]
LARGEST = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseMix:
    """Of which samples an AUROC will be computed: the share that carries the finding, how its variance is foreseen
    (``auroc_variance``), and clusters. Every sample counts, so ``sampling.share`` stays 1.

    Raises:
        NotEstimable: a prevalence outside (0, 1), no such model, or a share below 1.
    """

    prevalence: float
    model: Model = "obuchowski"
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        inside("prevalence", self.prevalence)
        if self.model not in ("obuchowski", "hanley-mcneil"):
            raise NotEstimable(f"There is no variance of an AUROC named {self.model}.")
        if self.sampling.share != 1.0:
            raise NotEstimable("An AUROC uses every sample.", next_step="State the prevalence instead of a share.")

    def variance(self, area: float, n: float) -> float:
        """Variance of an AUROC of n independent samples."""
        positives = n * self.prevalence
        return auroc_variance(area, positives=positives, negatives=n - positives, model=self.model)


@dataclass(frozen=True, slots=True)
class PairedAreas:
    """Two expected AUROCs on the same samples and the ``correlation`` of their two estimates (0 for different samples;
    0.3 to 0.7 is usual for two readings of the same images: Hanley, McNeil, Radiology 148:839, 1983).

    Raises:
        NotEstimable: an area outside (0, 1) or a correlation outside [−1, 1).
    """

    first: float
    second: float
    correlation: float

    def __post_init__(self) -> None:
        inside("first AUROC", self.first)
        inside("second AUROC", self.second)
        if not -1.0 <= self.correlation < 1.0:
            raise NotEstimable(f"A correlation of {self.correlation} cannot be planned for.")

    @property
    def difference(self) -> float:
        """First minus second."""
        return self.first - self.second


def auroc_variance(area: float, *, positives: float, negatives: float, model: Model = "obuchowski") -> float:
    """Variance foreseen for an AUROC of ``area``.

    - ``obuchowski``: scores that are binormal with equal variances, 0.0099·exp(−a²/2)·((5a² + 8) + (a² + 8)/κ) /
      positives with a = 1.414·Φ⁻¹(area) and κ = negatives / positives (Obuchowski, Invest Radiol 29:238, 1994, and AJR
      Am J Roentgenol 175:603, 2000). Made for ratings; for continuous scores too large, near 0.9 by one half.
    - ``hanley-mcneil``: exponential scores, Q₁ = A/(2 − A), Q₂ = 2A²/(1 + A) (Radiology 143:29, 1982).

    Raises:
        NotEstimable: an area outside (0, 1), or less than one sample of a class.
    """
    inside("AUROC", area)
    if min(positives, negatives) < 1.0:
        raise NotEstimable("An AUROC needs at least one sample with and one without the finding.")
    if model == "hanley-mcneil":
        q1, q2, square = area / (2.0 - area), 2.0 * area * area / (1.0 + area), area * area
        total = area * (1.0 - area) + (positives - 1.0) * (q1 - square) + (negatives - 1.0) * (q2 - square)
        return total / (positives * negatives)
    a = 1.414 * NormalDist().inv_cdf(area)
    spread = (5.0 * a * a + 8.0) + (a * a + 8.0) * positives / negatives
    return 0.0099 * math.exp(-a * a / 2.0) * spread / positives


@dataclass(frozen=True, slots=True)
class _Contrast:
    """What is shown: ``distance`` from H0, and the standard errors of n independent samples under H0 and H1."""

    test: Hypothesis
    mix: CaseMix
    distance: float
    errors: tuple[Callable[[float], float], Callable[[float], float]]
    assumed: dict[str, float]

    def size(self, power: float) -> Design:
        if not self.distance > 0.0:
            raise NotEstimable(
                "What is expected does not lie beyond the bound: no number of samples shows that it does.",
                next_step="Expect more, lower the bound or widen the margin.",
            )
        z_beta = NormalDist().inv_cdf(inside("power", power))
        null, alternative = self.errors
        needed = _fewest(
            lambda n: self.test.z_alpha * null(n) + z_beta * alternative(n), distance=self.distance, mix=self.mix
        )
        reached = self._power(achieved(needed, self.mix.sampling))
        return planned(needed, test=self.test, power=reached, sampling=self.mix.sampling, assumed=self.assumed)

    def power(self, n: int) -> Design:
        reached = self._power(effective(n, self.mix.sampling))
        return as_given(n, test=self.test, power=reached, sampling=self.mix.sampling, assumed=self.assumed)

    def _power(self, n: float) -> float:
        null, alternative = self.errors
        return NormalDist().cdf((self.distance - self.test.z_alpha * null(n)) / alternative(n))


def size_for_auroc_half_width(expected: float, *, half_width: float, mix: CaseMix, level: float = 0.95) -> Design:
    """Samples for a Wald interval of ± ``half_width`` around an AUROC ``expected``.

    Raises:
        NotEstimable: numbers outside (0, 1), or more than 10⁹ samples.
    """
    z, width = normal_quantile(level), inside("half-width", half_width)
    needed = _fewest(lambda n: z * math.sqrt(mix.variance(expected, n)), distance=width, mix=mix)
    test = Hypothesis("AUROC, half-width", f"{mix.model}, Wald interval", round(1.0 - level, 12), 2)
    assumed = {"expected": expected, "half_width": half_width, "prevalence": mix.prevalence}
    return planned(needed, test=test, power=None, sampling=mix.sampling, assumed=assumed)


def size_for_auroc(
    expected: float, *, mix: CaseMix, bound: float = 0.5, power: float = 0.8, alpha: float = 0.025
) -> Design:
    """Samples to show, with one-sided ``alpha``, that an AUROC ``expected`` is above ``bound``.

    z_α·√V(bound) + z_β·√V(expected) = expected − bound (Obuchowski, AJR Am J Roentgenol 175:603, 2000).

    Raises:
        NotEstimable: numbers outside (0, 1), a bound not below what is expected, more than 10⁹ samples.
    """
    return _above_bound(expected, bound, mix, alpha).size(power)


def power_for_auroc(n: int, *, expected: float, mix: CaseMix, bound: float = 0.5, alpha: float = 0.025) -> Design:
    """Power of ``n`` collected samples for the test of ``size_for_auroc``; its errors."""
    return _above_bound(expected, bound, mix, alpha).power(n)


def size_for_auroc_difference(areas: PairedAreas, *, mix: CaseMix, power: float = 0.8, alpha: float = 0.05) -> Design:
    """Samples to show, with two-sided ``alpha``, that two AUROCs on the same samples differ.

    Under H0 both areas are their mean, the variance of the difference then 2V(1 − r); under H1 it is
    V₁ + V₂ − 2r√(V₁V₂) (Obuchowski, McClish, Stat Med 16:1529, 1997). With a correlation of 0 and different samples,
    ``n`` is that of each group.

    Raises:
        NotEstimable: equal areas, numbers outside (0, 1), more than 10⁹ samples.
    """
    return _different(areas, mix, alpha).size(power)


def power_for_auroc_difference(n: int, areas: PairedAreas, *, mix: CaseMix, alpha: float = 0.05) -> Design:
    """Power of ``n`` collected samples for the test of ``size_for_auroc_difference``; its errors."""
    return _different(areas, mix, alpha).power(n)


def size_for_auroc_non_inferiority(
    areas: PairedAreas, *, margin: float, mix: CaseMix, power: float = 0.8, alpha: float = 0.025
) -> Design:
    """Samples to show, with one-sided ``alpha``, that the first AUROC is less than ``margin`` below the second.

    (z_α + z_β)·√(V₁ + V₂ − 2r√(V₁V₂)) = first − second + margin (Liu, Ma, Wu, Tai, Stat Med 25:1219, 2006).

    Raises:
        NotEstimable: a margin outside (0, 1), an expected loss of the margin or more, more than 10⁹ samples.
    """
    return _not_worse(areas, margin, mix, alpha).size(power)


def power_for_auroc_non_inferiority(
    n: int, areas: PairedAreas, *, margin: float, mix: CaseMix, alpha: float = 0.025
) -> Design:
    """Power of ``n`` collected samples for the test of ``size_for_auroc_non_inferiority``; its errors."""
    return _not_worse(areas, margin, mix, alpha).power(n)


def _above_bound(expected: float, bound: float, mix: CaseMix, alpha: float) -> _Contrast:
    inside("AUROC", expected), inside("bound", bound)
    return _Contrast(
        Hypothesis("AUROC above a bound", mix.model, inside("one-sided alpha", alpha, high=0.5), 1),
        mix,
        expected - bound,
        (lambda n: math.sqrt(mix.variance(bound, n)), lambda n: math.sqrt(mix.variance(expected, n))),
        {"expected": expected, "bound": bound, "prevalence": mix.prevalence},
    )


def _different(areas: PairedAreas, mix: CaseMix, alpha: float) -> _Contrast:
    mean = (areas.first + areas.second) / 2.0
    same = PairedAreas(mean, mean, areas.correlation)
    return _Contrast(
        Hypothesis("difference of paired AUROCs", mix.model, inside("two-sided alpha", alpha), 2),
        mix,
        abs(areas.difference),
        (lambda n: _error_of_difference(same, mix, n), lambda n: _error_of_difference(areas, mix, n)),
        _named(areas, mix),
    )


def _not_worse(areas: PairedAreas, margin: float, mix: CaseMix, alpha: float) -> _Contrast:
    def error(n: float) -> float:
        return _error_of_difference(areas, mix, n)

    return _Contrast(
        Hypothesis("non-inferiority of a paired AUROC", mix.model, inside("one-sided alpha", alpha, high=0.5), 1),
        mix,
        areas.difference + inside("non-inferiority margin", margin),
        (error, error),
        {**_named(areas, mix), "margin": margin},
    )


def _named(areas: PairedAreas, mix: CaseMix) -> dict[str, float]:
    return {
        "first": areas.first,
        "second": areas.second,
        "correlation": areas.correlation,
        "prevalence": mix.prevalence,
    }


def _error_of_difference(areas: PairedAreas, mix: CaseMix, n: float) -> float:
    first, second = mix.variance(areas.first, n), mix.variance(areas.second, n)
    return math.sqrt(first + second - 2.0 * areas.correlation * math.sqrt(first * second))


def _fewest(width: Callable[[float], float], *, distance: float, mix: CaseMix) -> float:
    """The n at which a falling ``width`` has come down to ``distance``; at least one sample of each class."""
    from scipy.optimize import brentq  # late: scipy costs 0.3 s

    low = 1.0 / min(mix.prevalence, 1.0 - mix.prevalence) * (1.0 + 1e-12)
    if width(low) <= distance:
        return low
    high = 2.0 * low
    while width(high) > distance:
        high *= 2.0
        if high > LARGEST:
            raise NotEstimable("More than 10⁹ samples would be needed.", next_step="Expect a larger distance.")
    return float(brentq(lambda n: width(n) - distance, low, high, xtol=1e-9, rtol=1e-12))
