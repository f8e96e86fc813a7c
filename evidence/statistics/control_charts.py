"""Charts that watch a series: CUSUM and EWMA paths with their first alarm.

Page, Biometrika 41:100 (1954); Roberts, Technometrics 1:239 (1959). Series are standardised with a given target and
standard deviation; both should come from the reference window, not from the series watched. An alarm is a value
*beyond* the limit, not on it. How long charts run until they alarm is in ``run_length``.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores

Vector = NDArray[np.float64]
Limits = Literal["exact", "asymptotic"]


@dataclass(frozen=True, slots=True)
class CusumPath:
    """Both one-sided sums after each value; alarms are counted from 1, None when there is none."""

    upper: Vector
    lower: Vector
    first_upper_alarm: int | None
    first_lower_alarm: int | None

    @property
    def first_alarm(self) -> int | None:
        """Of either side."""
        return min((a for a in (self.first_upper_alarm, self.first_lower_alarm) if a is not None), default=None)


@dataclass(frozen=True, slots=True)
class EwmaPath:
    """The moving average after each value with its limits there, in units of the series; alarms count from 1."""

    average: Vector
    low: Vector
    high: Vector
    first_alarm: int | None


def cusum(
    values: ArrayLike, *, k: float, h: float, headstart: float = 0.0, target: float = 0.0, deviation: float = 1.0
) -> CusumPath:
    """Tabular CUSUM S⁺ = max(0, S⁺ + z − k), S⁻ = max(0, S⁻ − z − k) of a series (n,), with z = (x − target) /
    deviation.

    ``k``, half the shift to be found, and ``h``, the limit, are in standard deviations, and so is ``headstart``, where
    both sums begin: h / 2 for the fast initial response of Lucas and Crosier, Technometrics 24:199 (1982).

    Raises:
        TooFewSamples: no value.
        NotEstimable: a number not finite, k negative, h or deviation not positive, or headstart outside [0, h].
    """
    z = standardised(values, target=target, deviation=deviation)
    need_cusum(k, h, headstart)
    upper, lower = _sums(z - k, headstart), _sums(-z - k, headstart)
    return CusumPath(upper, lower, _first(upper > h), _first(lower > h))


def ewma(
    values: ArrayLike,
    *,
    weight: float,
    width: float,
    limits: Limits = "exact",
    target: float = 0.0,
    deviation: float = 1.0,
) -> EwmaPath:
    """EWMA Z = (1 − λ) Z + λ x of a series (n,), started at the target, with limits ``width`` of its standard
    deviations away: exactly those of the t-th value, or those it tends to.

    Raises:
        TooFewSamples: no value.
        NotEstimable: a number not finite, weight outside (0, 1], width or deviation not positive.
    """
    z = standardised(values, target=target, deviation=deviation)
    need_ewma(weight, width)
    average = np.empty_like(z)
    last = 0.0
    for i, x in enumerate(z):
        last = (1.0 - weight) * last + weight * float(x)
        average[i] = last
    half = width * math.sqrt(weight / (2.0 - weight)) * np.ones_like(z)
    if limits == "exact":
        half *= np.sqrt(1.0 - (1.0 - weight) ** (2.0 * np.arange(1, z.size + 1)))
    first = _first(np.abs(average) > half)
    return EwmaPath(target + deviation * average, target - deviation * half, target + deviation * half, first)


def standardised(values: ArrayLike, *, target: float, deviation: float) -> Vector:
    """(x − target) / deviation of a series (n,).

    Raises:
        TooFewSamples: no value.
        NotEstimable: a number not finite, not one-dimensional, or deviation not positive.
    """
    series = as_scores(values)
    if series.ndim != 1 or not (math.isfinite(deviation) and deviation > 0.0 and math.isfinite(target)):
        raise NotEstimable(f"A series of shape {series.shape} and deviation {deviation} cannot be charted.")
    if series.size == 0:
        raise TooFewSamples("A series of no values cannot be charted.")
    return (series - target) / deviation


def need_cusum(k: float, h: float, headstart: float) -> None:
    """Refuse settings no CUSUM has. Raises NotEstimable."""
    if not (math.isfinite(k) and math.isfinite(h) and k >= 0.0 and h > 0.0 and 0.0 <= headstart <= h):
        raise NotEstimable(f"No CUSUM has k = {k}, h = {h} and headstart {headstart}.")


def need_ewma(weight: float, width: float) -> None:
    """Refuse settings no EWMA has. Raises NotEstimable."""
    if not (0.0 < weight <= 1.0 and math.isfinite(width) and width > 0.0):
        raise NotEstimable(f"No EWMA has weight {weight} and limits {width} standard deviations away.")


def _sums(steps: Vector, start: float) -> Vector:
    """max(0, S + step), step by step."""
    sums = np.empty_like(steps)
    last = start
    for i, step in enumerate(steps):
        last = max(0.0, last + float(step))
        sums[i] = last
    return sums


def _first(alarms: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(alarms)) + 1 if alarms.any() else None
