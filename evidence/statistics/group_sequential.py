"""Looking at accumulating evidence a few times without inflating the error rate: group sequential boundaries.

At each look the z statistic is compared with a limit. Its values at information fractions t₁ < … < t_K behave like a
Brownian motion S(t) = Z √t with drift E Z(1); the chance to cross follows by integrating its density from look to look
(Armitage, McPherson and Rowe, J R Stat Soc A 132:235, 1969), here with Gauss–Legendre panels, to about ten digits.

Two pairs of names that are often mixed up: ``obrien_fleming`` and ``pocock`` are the classical boundaries
(Biometrics 35:549, 1979; Biometrika 64:191, 1977), C / √t and C; the spending functions of ``spending``,
``obrien_fleming_type`` and ``pocock_type``, lead to others through ``spending_boundaries``.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable
from evidence.statistics.estimate import as_scores
from evidence.statistics.quadrature import panels
from evidence.statistics.spending import Spending

Vector = NDArray[np.float64]
Sides = Literal[1, 2]
Action = Literal["continue", "reject", "stop without rejecting"]
REACH = 10.0  # standard deviations of S(t) that are integrated; beyond it lie 1e-23
CLOSEST = 1e-3  # information fractions two looks may lie apart


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Limits for z at each look: the null hypothesis is rejected above ``z``, with two sides also below −``z``.

    ``alpha_spent`` (K,) is the cumulative chance, over all sides, to reject by each look when nothing differs; an
    infinite limit is a look at which nothing may be spent.
    """

    information: Vector
    z: Vector
    alpha_spent: Vector
    alpha: float
    sides: Sides
    method: str


@dataclass(frozen=True, slots=True)
class Crossing:
    """Chance to cross first at each look, under a drift; ``expected_information`` is a share of the largest."""

    upper: Vector
    lower: Vector
    expected_information: float

    @property
    def power(self) -> float:
        """To reject at any look, on either side."""
        return float(self.upper.sum() + self.lower.sum())


@dataclass(frozen=True, slots=True)
class Decision:
    """What the z values so far lead to; ``look`` counts from 1 and is the first that crossed, or the last so far."""

    action: Action
    look: int
    z: float
    limit: float


def obrien_fleming(information: ArrayLike, *, alpha: float = 0.05, sides: Sides = 2) -> Boundaries:
    """Classical O'Brien–Fleming limits C / √t at information fractions (K,), ending at 1.

    Raises:
        NotEstimable: as ``wang_tsiatis``.
    """
    return wang_tsiatis(information, delta=0.0, alpha=alpha, sides=sides)


def pocock(information: ArrayLike, *, alpha: float = 0.05, sides: Sides = 2) -> Boundaries:
    """Classical Pocock limits: the same C at each of the information fractions (K,), ending at 1.

    Raises:
        NotEstimable: as ``wang_tsiatis``.
    """
    return wang_tsiatis(information, delta=0.5, alpha=alpha, sides=sides)


def wang_tsiatis(information: ArrayLike, *, delta: float, alpha: float = 0.05, sides: Sides = 2) -> Boundaries:
    """Limits C t^{δ − 1/2} (Biometrics 43:193, 1987): δ = 0 is O'Brien–Fleming, 1/2 Pocock.

    Raises:
        NotEstimable: fractions that do not rise to 1 or lie closer than ``CLOSEST``, or α per side outside (0, ½).
    """
    from scipy.optimize import brentq  # late: it costs a second
    from scipy.special import ndtri

    t = _fractions(information)
    per_side = _per_side(alpha, sides)
    if not math.isclose(t[-1], 1.0) or not math.isfinite(delta):
        raise NotEstimable("Classical boundaries need all looks planned, the last at information 1.")
    shape = t ** (delta - 0.5)

    def excess(constant: float) -> float:
        return float(_exits(t, constant * shape, sides=sides, drift=0.0).sum()) - alpha

    # One look alone spends at least α at the lower end; at the upper, Bonferroni's, all together at most α.
    low, high = -ndtri(per_side) / shape.min(), -ndtri(per_side / t.size) / shape.min()
    constant = low if t.size == 1 else float(brentq(excess, low, high, xtol=1e-12))
    return _boundaries(t, constant * shape, alpha, sides, f"Wang–Tsiatis, delta {delta:g}")


def spending_boundaries(
    information: ArrayLike, *, spending: Spending, alpha: float = 0.05, sides: Sides = 2
) -> Boundaries:
    """Limits that spend ``spending`` at information fractions (K,), whatever they turned out to be; a plan in progress
    may end before 1. With two sides each has α / 2 of its own.

    Raises:
        NotEstimable: fractions that do not rise within (0, 1] or lie closer than ``CLOSEST``, α per side outside
            (0, ½), or spending that does not rise from 0 to at most that.
    """
    t = _fractions(information)
    per_side = _per_side(alpha, sides)
    spent = np.asarray(spending(t, per_side), dtype=np.float64)
    steps = np.diff(spent, prepend=0.0)
    if spent.shape != t.shape or not np.isfinite(spent).all() or steps.min() < 0.0 or spent[-1] > per_side * (1 + 1e-9):
        raise NotEstimable("A spending function must rise from 0 to the error rate.")
    walk = _Walk(t, sides, 0.0)
    limits = np.array([walk.step(walk.limit_for(float(step))) for step in steps])
    return _boundaries(t, limits, alpha, sides, "spending function")


def crossing(boundaries: Boundaries, *, drift: float) -> Crossing:
    """Chances to reject at each look when E Z = ``drift`` at information 1 (effect / its standard error there).

    Raises:
        NotEstimable: drift not finite.
    """
    if not math.isfinite(drift):
        raise NotEstimable(f"A drift of {drift} is not finite.")
    exits = _exits(boundaries.information, boundaries.z, sides=boundaries.sides, drift=drift)
    first = exits.sum(axis=1)
    last = float(boundaries.information[-1])
    expected = float(boundaries.information @ first) + last * (1.0 - float(first.sum()))
    return Crossing(exits[:, 0], exits[:, 1], expected)


def drift_for(boundaries: Boundaries, *, power: float) -> float:
    """The drift at which the upper boundary is crossed with chance ``power``: to reject on the wrong side is no power.

    Raises:
        NotEstimable: power not between the error rate of that side and 1.
    """
    from scipy.optimize import brentq  # late: it costs a second

    if not boundaries.alpha_spent[-1] / boundaries.sides < power < 1.0:
        raise NotEstimable(f"A power of {power} does not lie between the error rate and 1.")
    high = float(boundaries.z[-1]) + 10.0

    def excess(drift: float) -> float:
        return float(crossing(boundaries, drift=drift).upper.sum()) - power

    return float(brentq(excess, 0.0, high, xtol=1e-11))


def inflation_factor(boundaries: Boundaries, *, power: float) -> float:
    """Largest information of this plan over that of a single look of the same error rate and power (Jennison and
    Turnbull, Group Sequential Methods, 2000, section 2.2).

    Raises:
        NotEstimable: as ``drift_for``.
    """
    from scipy.special import ndtri  # late: scipy costs 0.3 s

    single = ndtri(power) - ndtri(boundaries.alpha / boundaries.sides)
    return float((drift_for(boundaries, power=power) / single) ** 2)


def decide(boundaries: Boundaries, z_values: ArrayLike) -> Decision:
    """What z values (k,), k ≤ K, of the looks so far lead to; a value equal to its limit does not reject.

    Raises:
        NotEstimable: no value, more than there are looks, or one that is not finite.
    """
    z = as_scores(z_values)
    looks = boundaries.z.size
    if z.ndim != 1 or not 1 <= z.size <= looks:
        raise NotEstimable(f"z values of shape {z.shape} do not belong to {looks} looks.")
    crossed = (z if boundaries.sides == 1 else np.abs(z)) > boundaries.z[: z.size]
    at = int(np.argmax(crossed)) if crossed.any() else z.size - 1
    over: Action = "stop without rejecting" if z.size == looks else "continue"
    return Decision("reject" if crossed.any() else over, at + 1, float(z[at]), float(boundaries.z[at]))


def stagewise_p_value(boundaries: Boundaries, *, look: int, z: float) -> float:
    """The p-value of stopping at that look (from 1) with that z: the chance, when nothing differs, to cross earlier or
    there as far out (Fairbanks and Madsen, Biometrika 69:69, 1982); over as many sides as the boundaries have.

    Raises:
        NotEstimable: no such look, or z not finite.
    """
    if not (1 <= look <= boundaries.z.size and math.isfinite(z)):
        raise NotEstimable(f"There is no look {look} with z = {z}.")
    limits = np.append(boundaries.z[: look - 1], z if boundaries.sides == 1 else abs(z))
    return float(_exits(boundaries.information[:look], limits, sides=boundaries.sides, drift=0.0).sum())


class _Walk:
    """The part of S(t) that has not crossed, as mass on nodes, taken from look to look."""

    def __init__(self, information: Vector, sides: Sides, drift: float) -> None:
        self.information, self.sides, self.drift = information, sides, drift
        self.look, self.time = 0, 0.0
        self.nodes, self.mass = np.zeros(1), np.ones(1)
        self.exits: list[tuple[float, float]] = []

    def beyond(self, limit: float, *, upper: bool = True) -> float:
        """Chance to be above S = limit (or below −limit) at the next look, having crossed nowhere before."""
        from scipy.special import ndtr  # late: scipy costs 0.3 s

        ahead, deviation = self._increment()
        sign = 1.0 if upper else -1.0
        return float(self.mass @ ndtr((sign * (self.nodes + self.drift * ahead) - limit) / deviation))

    def limit_for(self, chance: float) -> float:
        """The z whose upper side is crossed with that chance at the next look."""
        from scipy.optimize import brentq  # late: it costs a second
        from scipy.special import ndtri

        if chance <= 0.0:
            return math.inf
        root = math.sqrt(self.information[self.look])
        high = -float(ndtri(chance))  # a single look there; earlier ones can only lower the limit
        low = -REACH if self.sides == 1 else 0.0
        if self.look == 0 or self.beyond(high * root) >= chance:
            return high
        return float(brentq(lambda z: self.beyond(z * root) - chance, low, high, xtol=1e-13))

    def step(self, z: float) -> float:
        """Pass the next look with that limit; gives the limit back."""
        t = float(self.information[self.look])
        limit = z * math.sqrt(t)
        two = self.sides == 2
        self.exits.append((self.beyond(limit), self.beyond(limit, upper=False) if two else 0.0))
        if self.look + 1 < self.information.size:
            self._carry_on(t, limit)
        self.look, self.time = self.look + 1, t
        return z

    def _carry_on(self, t: float, limit: float) -> None:
        ahead, deviation = self._increment()
        next_deviation = math.sqrt(self.information[self.look + 1] - t)
        centre, reach = self.drift * t, REACH * math.sqrt(t)
        low = max(centre - reach, -limit) if self.sides == 2 else centre - reach
        nodes, weights = panels(low, min(centre + reach, limit), deviation=min(deviation, next_deviation))
        away = (nodes[None, :] - self.nodes[:, None] - self.drift * ahead) / deviation
        density = self.mass @ np.exp(-0.5 * away * away) / (deviation * math.sqrt(2.0 * math.pi))
        self.nodes, self.mass = nodes, density * weights

    def _increment(self) -> tuple[float, float]:
        ahead = float(self.information[self.look]) - self.time
        return ahead, math.sqrt(ahead)


def _exits(t: Vector, limits: Vector, *, sides: Sides, drift: float) -> Vector:
    """Chances (K, 2) to cross the upper and the lower limit first at each look."""
    walk = _Walk(t, sides, drift)
    for z in limits:
        walk.step(float(z))
    return np.array(walk.exits)


def _boundaries(t: Vector, limits: Vector, alpha: float, sides: Sides, method: str) -> Boundaries:
    spent = np.cumsum(_exits(t, limits, sides=sides, drift=0.0).sum(axis=1))
    return Boundaries(t, limits, spent, alpha, sides, method)


def _fractions(information: ArrayLike) -> Vector:
    t = as_scores(information)
    if t.ndim != 1 or t.size == 0 or t[0] < CLOSEST or t[-1] > 1.0 + 1e-12 or (np.diff(t) < CLOSEST).any():
        raise NotEstimable(f"Information fractions must rise within (0, 1], at least {CLOSEST:g} apart.")
    return t


def _per_side(alpha: float, sides: Sides) -> float:
    if not 0.0 < alpha / sides < 0.5:
        raise NotEstimable(f"An error rate of {alpha} on {sides} sides cannot be kept.")
    return alpha / sides
