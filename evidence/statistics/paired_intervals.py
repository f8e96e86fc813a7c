"""Intervals of the difference of two paired proportions, δ = (b − c) / n, from the four cells (a, b, c, d).

- ``tango``: score interval, the differences that the score test with a restricted nuisance rate does not reject
  (Tango, Stat Med 17:891, 1998); near its level also in small samples.
- ``newcombe``: square-and-add of the two Wilson intervals with the corrected φ (method 10 of Newcombe, Stat Med
  17:2635, 1998): where ad > bc, its numerator is max(ad − bc − n/2, 0).
- ``newcombe-uncorrected``: the same with φ as it is (method 8); a rival convention under the same name.
- ``bonett-price``: Wald after one pair is added to each discordant cell (J Educ Behav Stat 37:479, 2012).
- ``wald``: too narrow in small samples; a rival for comparison.
"""

import math
from typing import Literal

from evidence.statistics.proportion import score_limits

Method = Literal["tango", "newcombe", "newcombe-uncorrected", "bonett-price", "wald"]
METHODS: dict[Method, str] = {
    "tango": "Tango score",
    "newcombe": "Newcombe, corrected φ",
    "newcombe-uncorrected": "Newcombe, uncorrected φ",
    "bonett-price": "Bonett–Price",
    "wald": "Wald, paired",
}
Cells = tuple[int, int, int, int]


def limits(cells: Cells, *, z: float, method: Method) -> tuple[float, float]:
    """Lower and upper limit for the normal quantile ``z``, inside [−1, 1]."""
    _, b, c, _ = cells
    n = sum(cells)
    if method == "tango":
        return _tango(b, c, n, z)
    if method == "wald":
        low, high = _wald(b, c, n, z)
    elif method == "bonett-price":
        low, high = _wald(b + 1, c + 1, n + 2, z)
    else:
        low, high = _newcombe(cells, z, corrected=method == "newcombe")
    return max(low, -1.0), min(high, 1.0)


def restricted_rate(b: float, c: float, n: float, delta: float) -> float:
    """Maximum-likelihood rate of the cell c where b − c = n·delta is imposed (Tango 1998, equation 5)."""
    linear = (2.0 * n - b + c) * delta - b - c
    root = math.sqrt(max(linear * linear + 8.0 * n * c * delta * (1.0 - delta), 0.0))
    # Two forms of one root; the one that does not subtract near-equal numbers.
    rate = (root - linear) / (4.0 * n) if linear <= 0 else 2.0 * c * delta * (1.0 - delta) / (root + linear)
    return max(rate, -delta, 0.0)


def score_variance(b: float, c: float, n: float, delta: float) -> float:
    """Variance of b − c in n pairs if the difference is ``delta``: n(2q + δ(1 − δ)) with the restricted rate q."""
    return n * max(2.0 * restricted_rate(b, c, n, delta) + delta * (1.0 - delta), 0.0)


def score_z(b: int, c: int, n: int, delta: float) -> float:
    """Score statistic of H0: difference = delta. Where the variance is 0 only one table is possible: 0 for that table,
    else infinite.
    """
    distance = b - c - n * delta
    variance = score_variance(b, c, n, delta)
    if variance > 1e-300:
        return distance / math.sqrt(variance)
    return math.copysign(math.inf, distance) if abs(distance) > 1e-12 * n else 0.0


def _tango(b: int, c: int, n: int, z: float) -> tuple[float, float]:
    from scipy.optimize import brentq  # late: scipy costs 0.3 s

    value = (b - c) / n

    def beyond(delta: float, side: float) -> float:
        # Finite at ±1, where the score is infinite; the sign is that of the score minus ±z.
        return (b - c - n * delta) - side * z * math.sqrt(score_variance(b, c, n, delta))

    # Without discordant pairs the variance at the value itself is 0 and looks like a root: begin beside it.
    beside = 1e-10
    low = -1.0 if beyond(-1.0, 1.0) <= 0 else float(brentq(beyond, -1.0, value - beside, args=(1.0,), xtol=1e-13))
    high = 1.0 if beyond(1.0, -1.0) >= 0 else float(brentq(beyond, value + beside, 1.0, args=(-1.0,), xtol=1e-13))
    return low, high


def _wald(b: int, c: int, n: int, z: float) -> tuple[float, float]:
    value = (b - c) / n
    half = z * math.sqrt(max(b + c - n * value * value, 0.0)) / n
    return value - half, value + half


def _newcombe(cells: Cells, z: float, *, corrected: bool) -> tuple[float, float]:
    a, b, c, _ = cells
    n = sum(cells)
    first, second = (a + b) / n, (a + c) / n
    first_low, first_high = score_limits(a + b, n, z=z)
    second_low, second_high = score_limits(a + c, n, z=z)
    phi = _phi(cells, corrected=corrected)

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(one * one - 2.0 * phi * one * other + other * other, 0.0))

    value = (b - c) / n
    low = value - reach(first - first_low, second_high - second)
    return low, value + reach(first_high - first, second - second_low)


def _phi(cells: Cells, *, corrected: bool) -> float:
    """Correlation of the two decisions; 0 where a test always says the same."""
    a, b, c, d = cells
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    numerator = float(a * d - b * c)
    if corrected and numerator > 0:
        numerator = max(numerator - sum(cells) / 2.0, 0.0)
    return numerator / math.sqrt(margins)
