"""Samples for two decisions on the same samples: that they differ (McNemar), or that one is no worse."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics.paired_intervals import score_variance
from evidence.statistics.power import (
    EVERY_SAMPLE,
    Design,
    Hypothesis,
    Sampling,
    achieved,
    as_given,
    effective,
    inside,
    normal_power,
    normal_size,
    planned,
)

Method = Literal["connor", "miettinen", "exact", "mid-p"]
Vector = NDArray[np.float64]
LARGEST = 10_000_000


@dataclass(frozen=True, slots=True)
class DiscordantRates:
    """Shares of pairs on which only the first test, or only the second, says yes.

    For a sensitivity these are shares of the samples with the finding, for a specificity shares of those without
    (yes then meaning a right call).

    Raises:
        NotEstimable: a rate outside [0, 1), both 0, or more than 1 together.
    """

    first_only: float
    second_only: float

    def __post_init__(self) -> None:
        if not (min(self.first_only, self.second_only) >= 0.0 and 0.0 < self.discordant <= 1.0):
            raise NotEstimable(f"Discordant rates {self.first_only} and {self.second_only} cannot be planned for.")

    @classmethod
    def from_ratio(cls, ratio: float, *, discordant: float) -> "DiscordantRates":
        """From the ratio of the first to the second and their sum. Raises NotEstimable for a ratio not above 0."""
        if not 0.0 < ratio < math.inf:
            raise NotEstimable(f"A ratio of discordant rates of {ratio} cannot be planned for.")
        second = discordant / (1.0 + ratio)
        return cls(discordant - second, second)

    @classmethod
    def from_shares(cls, first: float, second: float, *, discordant: float) -> "DiscordantRates":
        """From the share of yes of each test and that of discordant pairs; independence given the reference standard
        makes that ``first``·(1 − ``second``) + ``second``·(1 − ``first``), positive dependence less.
        """
        difference = inside("share", first, high_allowed=True) - inside("share", second, high_allowed=True)
        return cls((discordant + difference) / 2.0, (discordant - difference) / 2.0)

    @property
    def discordant(self) -> float:
        """Share of pairs on which the tests disagree."""
        return self.first_only + self.second_only

    @property
    def difference(self) -> float:
        """Share of yes of the first test minus that of the second."""
        return self.first_only - self.second_only


def size_for_mcnemar(
    rates: DiscordantRates,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    method: Method = "connor",
    sampling: Sampling = EVERY_SAMPLE,
) -> Design:
    """Pairs to show, with two-sided ``alpha``, that two tests on the same samples differ; ψ discordant, δ difference.

    - ``connor``: (z_α·√ψ + z_β·√(ψ − δ²))² / δ² (Connor, Biometrics 43:207, 1987; Chow, Shao, Wang, Sample Size
      Calculations in Clinical Research, 6.4, write the same with the ratio of the two rates).
    - ``miettinen``: (z_α·ψ + z_β·√(ψ² − δ²(3 + ψ)/4))² / (ψδ²) (Biometrics 24:339, 1968): the number of discordant
      pairs varies; somewhat fewer.
    - ``exact``, ``mid-p``: power of those tests of ``mcnemar``, summed over the number of discordant pairs.

    Raises:
        NotEstimable: equal rates, numbers outside (0, 1), more than ten million pairs.
    """
    test = _mcnemar_test(alpha, method)
    needed = normal_size(abs(rates.difference), variances=_variances(rates, method), test=test, power=power)
    if method in ("exact", "mid-p"):
        needed = float(_fewest(needed, rates, test=test, power=power))
    reached = _power(achieved(needed, sampling), rates, test=test)
    return planned(needed, test=test, power=reached, sampling=sampling, assumed=_named(rates))


def power_for_mcnemar(
    n: int,
    rates: DiscordantRates,
    *,
    alpha: float = 0.05,
    method: Method = "connor",
    sampling: Sampling = EVERY_SAMPLE,
) -> Design:
    """Power of ``n`` collected samples for the test of ``size_for_mcnemar``; its errors.

    The exact methods also give the size of the test, at equal rates.
    """
    test = _mcnemar_test(alpha, method)
    power = _power(effective(n, sampling), rates, test=test)
    return as_given(n, test=test, power=power, sampling=sampling, assumed=_named(rates))


def size_for_paired_non_inferiority(
    rates: DiscordantRates,
    *,
    margin: float,
    power: float = 0.8,
    alpha: float = 0.025,
    sampling: Sampling = EVERY_SAMPLE,
) -> Design:
    """Pairs to show, with one-sided ``alpha``, that the first test's share is less than ``margin`` below the second's.

    For the score test of ``paired_binary.non_inferiority``: the variance under H0 is that of the rates nearest to
    those expected whose difference is −margin (Nam, Biometrics 53:1422, 1997), under H1 ψ − δ².

    Raises:
        NotEstimable: a margin outside (0, 1), an expected loss of the margin or more, numbers outside (0, 1).
    """
    test, distance, variances = _no_worse(rates, margin, alpha)
    needed = normal_size(distance, variances=variances, test=test, power=power)
    reached = normal_power(achieved(needed, sampling), distance, variances=variances, test=test)
    return planned(needed, test=test, power=reached, sampling=sampling, assumed={**_named(rates), "margin": margin})


def power_for_paired_non_inferiority(
    n: int,
    rates: DiscordantRates,
    *,
    margin: float,
    alpha: float = 0.025,
    sampling: Sampling = EVERY_SAMPLE,
) -> Design:
    """Power of ``n`` collected samples for the test of ``size_for_paired_non_inferiority``; its errors."""
    test, distance, variances = _no_worse(rates, margin, alpha)
    power = normal_power(effective(n, sampling), distance, variances=variances, test=test)
    return as_given(n, test=test, power=power, sampling=sampling, assumed={**_named(rates), "margin": margin})


def _named(rates: DiscordantRates) -> dict[str, float]:
    return {"first_only": rates.first_only, "second_only": rates.second_only}


def _mcnemar_test(alpha: float, method: Method) -> Hypothesis:
    if method not in ("connor", "miettinen", "exact", "mid-p"):
        raise NotEstimable(f"There is no power of McNemar's test by {method}.")
    return Hypothesis("difference of paired proportions, McNemar", method, inside("two-sided alpha", alpha), 2)


def _variances(rates: DiscordantRates, method: str) -> tuple[float, float]:
    """Of one pair, under H0 and H1."""
    psi, delta = rates.discordant, rates.difference
    alternative = psi - delta * delta
    if method == "miettinen":
        alternative = psi - delta * delta * (3.0 + psi) / (4.0 * psi)
    return psi, max(alternative, 0.0)


def _no_worse(rates: DiscordantRates, margin: float, alpha: float) -> tuple[Hypothesis, float, tuple[float, float]]:
    bound = -inside("non-inferiority margin", margin)
    test = Hypothesis(
        "non-inferiority of a paired proportion", "score, Nam", inside("one-sided alpha", alpha, high=0.5), 1
    )
    null = score_variance(rates.first_only, rates.second_only, 1.0, bound)
    return test, rates.difference - bound, (null, _variances(rates, "wald")[1])


def _power(n: float, rates: DiscordantRates, *, test: Hypothesis) -> float:
    if test.method in ("exact", "mid-p"):
        return _exact_power(max(math.floor(n + 1e-9), 1), rates, test=test)
    return normal_power(n, abs(rates.difference), variances=_variances(rates, test.method), test=test)


def _exact_power(n: int, rates: DiscordantRates, *, test: Hypothesis) -> float:
    """Sum over the number m of discordant pairs of P(m) times the power of the binomial test of m; both tails."""
    from scipy.stats import binom  # late: it costs a second

    psi = rates.discordant
    spread = 10.0 * math.sqrt(n * psi * (1.0 - psi)) + 10.0
    m = np.arange(max(0, math.floor(n * psi - spread)), min(n, math.ceil(n * psi + spread)) + 1)
    most = _critical(m, test)
    share = rates.first_only / psi
    rejected: Vector = binom.cdf(most, m, share) + binom.sf(m - most - 1, m, share)
    return float(binom.pmf(m, n, psi) @ np.where(most >= 0, rejected, 0.0))


def _critical(m: NDArray[np.int64], test: Hypothesis) -> NDArray[np.int64]:
    """The largest count of the rarer kind, of m discordant pairs, that is rejected; −1 where none is."""
    from scipy.stats import binom  # late: it costs a second

    # 2·cdf(k) ≤ alpha, a hair above it counting as equal; ppf gives the first k at or beyond.
    most = binom.ppf(test.alpha / 2.0, m, 0.5).astype(np.int64)
    most = np.where(2.0 * binom.cdf(most, m, 0.5) > test.alpha * (1.0 + 1e-12), most - 1, most)
    if test.method == "mid-p":
        following = most + 1
        mid = 2.0 * binom.cdf(following, m, 0.5) - binom.pmf(following, m, 0.5)
        most = np.where((mid <= test.alpha) & (2 * following < m), following, most)
    return np.where(m > 0, most, -1)


def _fewest(near: float, rates: DiscordantRates, *, test: Hypothesis, power: float) -> int:
    """Fewest pairs of that exact power, by bisection: averaging over m leaves a curve that all but never falls."""
    low, high = 0, max(math.ceil(near), 1)
    while _exact_power(high, rates, test=test) < power:
        low, high = high, 2 * high
        if high > LARGEST:
            raise NotEstimable("More than ten million pairs would be needed.", next_step="Expect a larger difference.")
    while high - low > 1:
        middle = (low + high) // 2
        if _exact_power(middle, rates, test=test) < power:
            low = middle
        else:
            high = middle
    return high
