"""CUSUM of single yes/no outcomes: has the share of positives risen?

Reynolds and Stoumbos, J Qual Technol 31:87 (1999). After each outcome x the sum is max(0, B + x − γ), with γ between
the rates before and after the change, and an alarm is a sum *above* the limit h. (Those authors alarm at or above: on a
lattice their limit is ours plus one step.) When γ is a fraction the sum moves on a lattice, the chart is a finite
Markov chain, and its run length is exact.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples

Vector = NDArray[np.float64]
STEPS_AT_MOST = 200_000  # lattice states of a chart


@dataclass(frozen=True, slots=True)
class BernoulliCusumPath:
    """The sum after each outcome; the alarm is counted from 1, None when there is none."""

    sums: Vector
    first_alarm: int | None


def reference_value(*, rate: float, shifted_rate: float) -> Fraction:
    """γ for a change from ``rate`` to ``shifted_rate``: that of the likelihood ratio, rounded to one over a whole
    number (which amounts to a slightly different shifted rate), or to hundredths when above one third.

    Raises:
        NotEstimable: not 0 < rate < shifted_rate < 1.
    """
    if not 0.0 < rate < shifted_rate < 1.0:
        raise NotEstimable(f"A rise from {rate} to {shifted_rate} cannot be charted.")
    up = math.log(shifted_rate / rate)
    down = math.log1p(-rate) - math.log1p(-shifted_rate)
    gamma = down / (up + down)
    return Fraction(1, round(1.0 / gamma)) if gamma <= 1.0 / 3.0 else Fraction(round(100 * gamma), 100)


def bernoulli_cusum(outcomes: ArrayLike, *, gamma: Fraction | float, h: float) -> BernoulliCusumPath:
    """The chart of outcomes (n,) in {0, 1}.

    Raises:
        TooFewSamples: no outcome.
        NotEstimable: an outcome neither 0 nor 1, γ outside (0, 1), or h not positive.
    """
    series = np.asarray(outcomes)
    _need_settings(float(gamma), h)
    if series.size == 0:
        raise TooFewSamples("A series of no outcomes cannot be charted.")
    if series.ndim != 1 or not np.isin(series, (0, 1)).all():
        raise NotEstimable("An outcome is neither 0 nor 1.")
    sums, last = np.empty(series.size), 0.0
    for i, step in enumerate(series - float(gamma)):
        last = max(0.0, last + float(step))
        sums[i] = last
    alarms = sums > h + 1e-9  # a sum on the limit may stand one rounding above it
    return BernoulliCusumPath(sums, int(np.argmax(alarms)) + 1 if alarms.any() else None)


def bernoulli_arl(*, rate: float, gamma: Fraction, h: float) -> float:
    """Mean number of outcomes until the chart alarms when positives come at ``rate``: exact.

    Raises:
        NotEstimable: rate or γ outside (0, 1), h not positive, or more than ``STEPS_AT_MOST`` states.
    """
    from scipy.linalg import solve_banded  # late: scipy costs a second

    _need_settings(float(gamma), h)
    if not 0.0 < rate < 1.0:
        raise NotEstimable(f"A rate of {rate} is not inside (0, 1).")
    down, up = gamma.numerator, gamma.denominator - gamma.numerator
    states = math.floor(h * gamma.denominator + 1e-9) + 1
    if states > STEPS_AT_MOST:
        raise NotEstimable(f"A chart of {states} states is too fine.", next_step="Round γ to a simpler fraction.")
    # (I − R) L = 1; row s has 1 at s, −rate at s + up while that is no alarm, −(1 − rate) at max(s − down, 0).
    above, below = min(up, states - 1), min(down, states - 1)
    bands = np.zeros((above + below + 1, states))

    def add(row: NDArray[np.int64], column: NDArray[np.int64], value: float) -> None:
        np.add.at(bands, (above + row - column, column), value)

    state = np.arange(states)
    add(state, state, 1.0)
    rising = state[state + up < states]
    add(rising, rising + up, -rate)
    add(state, np.maximum(state - down, 0), rate - 1.0)
    return float(solve_banded((below, above), bands, np.ones(states))[0])


def bernoulli_limit(*, arl0: float, rate: float, gamma: Fraction) -> float:
    """The smallest limit on the lattice whose run length at ``rate`` is at least ``arl0``.

    Raises:
        NotEstimable: as ``bernoulli_arl``, or arl0 below 1.
    """
    if not (math.isfinite(arl0) and arl0 >= 1.0):
        raise NotEstimable(f"A run length of {arl0} cannot be asked for.")
    unit = gamma.denominator
    low, high = 0, 1
    while bernoulli_arl(rate=rate, gamma=gamma, h=high / unit) < arl0:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = bernoulli_arl(rate=rate, gamma=gamma, h=middle / unit) >= arl0
        low, high = (low, middle) if enough else (middle, high)
    return high / unit


def _need_settings(gamma: float, h: float) -> None:
    if not (0.0 < gamma < 1.0 and math.isfinite(h) and h > 0.0):
        raise NotEstimable(f"No chart has γ = {gamma} and h = {h}.")
