"""Samples for one sensitivity or specificity: an interval of a width, or a lower limit above a bound."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import normal_quantile
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
from evidence.statistics.proportion import NAMES, Interval, proportion

WidthMethod = Literal["normal", "wilson", "clopper-pearson", "agresti-coull", "jeffreys"]
BoundMethod = Literal["normal", "wilson", "clopper-pearson"]
Counts = NDArray[np.int64]
LARGEST = 10_000_000


def size_for_half_width(
    expected: float,
    *,
    half_width: float,
    level: float = 0.95,
    method: WidthMethod = "normal",
    sampling: Sampling = EVERY_SAMPLE,
) -> Design:
    """Samples for an interval of ± ``half_width`` around a proportion ``expected``.

    ``normal``: z²·p(1 − p)/w² (Buderer, Acad Emerg Med 3:895, 1996; Hajian-Tilaki, J Biomed Inform 48:193, 2014). By
    the name of an interval: the fewest samples whose half-width is at most ``half_width`` on average over the binomial
    distribution.

    Raises:
        NotEstimable: an expected proportion, half-width or level outside (0, 1), or more than ten million samples.
    """
    p, width, z = inside("proportion", expected), inside("half-width", half_width), normal_quantile(level)
    needed = z * z * p * (1.0 - p) / (width * width)
    if method != "normal":
        if method not in NAMES:
            raise NotEstimable(f"There is no interval named {method}.")
        needed = float(_fewest_of_width(p, width, level=level, interval=method))
    test = Hypothesis("proportion, half-width", f"{method}, two-sided interval", round(1.0 - level, 12), 2)
    return planned(
        needed, test=test, power=None, sampling=sampling, assumed={"expected": expected, "half_width": half_width}
    )


def size_for_bound(
    expected: float,
    *,
    bound: float,
    power: float = 0.8,
    alpha: float = 0.025,
    method: BoundMethod = "normal",
    sampling: Sampling = EVERY_SAMPLE,
) -> Design:
    """Samples to show, with one-sided ``alpha``, that a proportion ``expected`` is above ``bound``.

    ``normal``: (z_α·√(p₀q₀) + z_β·√(p₁q₁))² / (p₁ − p₀)². ``clopper-pearson`` and ``wilson`` ask that the one-sided
    lower limit of that interval is at or above the bound (the first is the exact binomial test, the second the score
    test), with exact binomial power: the fewest samples from which on it never falls below ``power`` again, since it
    goes up in saw-teeth (Chernick, Liu, Am Stat 56:149, 2002).

    Raises:
        NotEstimable: numbers outside (0, 1), a bound that is not below what is expected, more than ten million samples.
    """
    test = _bound_test(alpha, method)
    variances = _variances(expected, bound)
    needed = normal_size(expected - bound, variances=variances, test=test, power=power)
    if method != "normal":
        needed = float(_fewest_of_power(needed, expected, bound, test=test, power=power))
    reached = _power(achieved(needed, sampling), expected, bound, test=test)
    return planned(needed, test=test, power=reached, sampling=sampling, assumed={"expected": expected, "bound": bound})


def power_for_bound(
    n: int,
    *,
    expected: float,
    bound: float,
    alpha: float = 0.025,
    method: BoundMethod = "normal",
    sampling: Sampling = EVERY_SAMPLE,
) -> Design:
    """Power of ``n`` collected samples for the test of ``size_for_bound``; its errors.

    The exact methods take the whole number of independent samples that ``n`` is worth. Where what is expected is the
    bound itself, the power is the size of the test.
    """
    test = _bound_test(alpha, method)
    _variances(expected, bound)
    power = _power(effective(n, sampling), expected, bound, test=test)
    return as_given(n, test=test, power=power, sampling=sampling, assumed={"expected": expected, "bound": bound})


def _bound_test(alpha: float, method: BoundMethod) -> Hypothesis:
    if method not in ("normal", "wilson", "clopper-pearson"):
        raise NotEstimable(f"There is no power for a bound by {method}.")
    return Hypothesis("proportion above a bound", method, inside("one-sided alpha", alpha, high=0.5), 1)


def _variances(expected: float, bound: float) -> tuple[float, float]:
    p, q = inside("proportion", expected), inside("bound", bound)
    return q * (1.0 - q), p * (1.0 - p)


def _power(n: float, expected: float, bound: float, *, test: Hypothesis) -> float:
    if test.method == "normal":
        return normal_power(n, expected - bound, variances=_variances(expected, bound), test=test)
    whole = np.asarray([max(math.floor(n + 1e-9), 1)])
    return float(_exact_powers(whole, expected, bound, test=test)[0])


def _exact_powers(n: Counts, expected: float, bound: float, *, test: Hypothesis) -> NDArray[np.float64]:
    """Probability, for each of several n, of as many successes as put the lower limit at the bound or above."""
    from scipy.stats import binom  # late: it costs a second

    if test.method == "wilson":
        fewest = np.ceil(n * bound + test.z_alpha * np.sqrt(n * bound * (1.0 - bound)) - 1e-9)
    else:
        fewest = binom.isf(test.alpha, n, bound) + 1
    powers: NDArray[np.float64] = binom.sf(fewest - 1, n, expected)
    return powers


def _fewest_of_power(near: float, expected: float, bound: float, *, test: Hypothesis, power: float) -> int:
    """Smallest n from which on the exact power stays at or above ``power``; looked for around the normal one."""
    reach = 20.0 * math.sqrt(near) + 100.0
    while True:
        if near + reach > LARGEST:
            raise NotEstimable("More than ten million samples would be needed.", next_step="Expect a larger distance.")
        n = np.arange(max(1, math.floor(near - reach)), math.ceil(near + reach) + 1)
        short = np.flatnonzero(_exact_powers(n, expected, bound, test=test) < power)
        if short.size == 0 and n[0] == 1:
            return 1
        # Not found while the last n that falls short lies at an end of the window.
        if short.size and short[-1] < n.size - reach / 4.0:
            return int(n[short[-1]]) + 1
        reach *= 2.0


def _fewest_of_width(p: float, width: float, *, level: float, interval: Interval) -> int:
    high = 1
    while _mean_half_width(high, p, level=level, interval=interval) > width:
        high *= 2
        if high > LARGEST:
            raise NotEstimable("More than ten million samples would be needed.", next_step="Ask for a wider interval.")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if _mean_half_width(middle, p, level=level, interval=interval) > width:
            low = middle
        else:
            high = middle
    return high


def _mean_half_width(n: int, p: float, *, level: float, interval: Interval) -> float:
    """Half-width averaged over the binomial distribution of n and p, its far tails (beyond 8 deviations) left out."""
    from scipy.stats import binom  # late: it costs a second

    spread = 8.0 * math.sqrt(n * p * (1.0 - p)) + 8.0
    successes = np.arange(max(0, math.floor(n * p - spread)), min(n, math.ceil(n * p + spread)) + 1)
    weights = binom.pmf(successes, n, p)
    # Three hundred places describe a smooth curve as well as three thousand.
    places = np.unique(np.linspace(successes[0], successes[-1], 300).round().astype(np.int64))
    found = [proportion(int(x), n, level=level, interval=interval) for x in places]
    halves = np.interp(successes, places, [(e.high - e.low) / 2.0 for e in found])
    return float(weights @ halves / weights.sum())
