"""How long CUSUM and EWMA charts run until they alarm (ARL), and the limit that gives a wanted run length.

Values are independent and normal with standard deviation 1 and mean ``shift``: ARL0 at 0, ARL1 elsewhere. Two ways:

``integral``  Fredholm's equation of the second kind for the run length from each state, by Gauss–Legendre quadrature
              (Crowder, Technometrics 29:401, 1987, for EWMA): exact to ten digits, the default.
``markov``    the chart as a Markov chain on a grid of states (Brook and Evans, Biometrika 59:539, 1972; Lucas and
              Saccucci, Technometrics 32:1, 1990), extrapolated in the width of a state.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable
from evidence.statistics.control_charts import Limits, need_cusum, need_ewma
from evidence.statistics.quadrature import panels

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Sides = Literal["one", "two"]
Method = Literal["integral", "markov"]
SETTLED = 1e-10  # exact EWMA limits this close to their end are treated as there
STATES = 101  # of the coarser of the two Markov chains


def cusum_arl(
    *, k: float, h: float, shift: float = 0.0, headstart: float = 0.0, sides: Sides = "two", method: Method = "integral"
) -> float:
    """Mean number of values until a CUSUM (``control_charts.cusum``) alarms, from its headstart ("zero state").

    The one-sided chart is the upper one. The two sides of a two-sided chart never interact when k ≥ 0 and are joined by
    Lucas and Crosier's formula, Technometrics 24:199 (1982).

    Raises:
        NotEstimable: settings no CUSUM has.
    """
    need_cusum(k, h, headstart)
    _need_finite(shift)
    side = _cusum_integral if method == "integral" else _cusum_markov
    up, up_started = side(k - shift, h, headstart)
    if sides == "one":
        return up_started
    down, down_started = side(k + shift, h, headstart)
    # L = (L⁺(s) L⁻(0) + L⁺(0) L⁻(s) − L⁺(0) L⁻(0)) / (L⁺(0) + L⁻(0)), written so that large ones do not overflow.
    return (up_started * down + up * down_started - up * down) / (up + down)


def cusum_limit(*, arl0: float, k: float, headstart_share: float = 0.0, sides: Sides = "two") -> float:
    """The limit h that gives a CUSUM the in-control run length ``arl0``; it starts at ``headstart_share`` · h.

    Raises:
        NotEstimable: arl0 not above 2, k negative, or a share outside [0, 1).
    """
    if not (math.isfinite(arl0) and arl0 > 2.0 and 0.0 <= headstart_share < 1.0):
        raise NotEstimable(f"No limit gives a run length of {arl0} from a start at {headstart_share} of it.")

    def run_length(h: float) -> float:
        return cusum_arl(k=k, h=h, headstart=headstart_share * h, sides=sides)

    return _solve(run_length, arl0)


def ewma_arl(
    *,
    weight: float,
    width: float,
    shift: float = 0.0,
    start: float = 0.0,
    limits: Limits = "asymptotic",
    method: Method = "integral",
) -> float:
    """Mean number of values until a two-sided EWMA (``control_charts.ewma``) leaves its limits.

    ``start`` is where the average begins, in standard deviations of a value (off 0: a headstart). Exact limits
    widen with time and are followed until they stand still.

    Raises:
        NotEstimable: settings no EWMA has, a start beyond the limits, or exact limits by Markov chain.
    """
    need_ewma(weight, width)
    _need_finite(shift)
    half = width * math.sqrt(weight / (2.0 - weight))
    if not abs(start) <= half:
        raise NotEstimable(f"A start at {start} lies beyond the limits of ± {half:g}.")
    if method == "markov":
        if limits == "exact":
            raise NotEstimable("A Markov chain of fixed states has no widening limits.", next_step="Use the integral.")
        return _extrapolated(lambda states: _ewma_chain(weight, half, shift, start, states))
    if limits == "exact":
        return _ewma_widening(weight, half, shift, start)
    nodes, weights = panels(-half, half, deviation=weight)
    from_nodes = np.linalg.solve(
        np.eye(nodes.size) - _ewma_density(nodes, nodes, weight, shift) * weights, np.ones(nodes.size)
    )
    return 1.0 + float(_ewma_density(np.array([start]), nodes, weight, shift)[0] @ (weights * from_nodes))


def ewma_one_sided_arl(
    *, weight: float, width: float, shift: float = 0.0, barrier: float = 0.0, start: float = 0.0
) -> float:
    """Mean number of values until the upper EWMA Z = max(barrier, (1 − λ) Z + λ x) passes its asymptotic limit.

    ``barrier`` and ``start`` are in standard deviations of a value, like ``start`` of ``ewma_arl`` (R's ``spc`` counts
    them in standard deviations of the average).

    Raises:
        NotEstimable: settings no EWMA has, or barrier ≤ start ≤ limit does not hold.
    """
    from scipy.special import ndtr  # late: scipy costs 0.3 s

    need_ewma(weight, width)
    _need_finite(shift)
    limit = width * math.sqrt(weight / (2.0 - weight))
    if not barrier <= start <= limit or barrier == limit:
        raise NotEstimable(f"A start at {start} does not lie between {barrier} and the limit {limit:g}.")
    nodes, weights = panels(barrier, limit, deviation=weight)
    states = np.concatenate([[barrier, start], nodes])
    kernel = np.zeros((states.size, states.size))
    kernel[:, 0] = ndtr((barrier - (1.0 - weight) * states) / weight - shift)
    kernel[:, 2:] = _ewma_density(states, nodes, weight, shift) * weights
    return float(np.linalg.solve(np.eye(states.size) - kernel, np.ones(states.size))[1])


def ewma_limit(*, arl0: float, weight: float, limits: Limits = "asymptotic") -> float:
    """The width of the limits, in standard deviations of the average, that gives an EWMA the run length ``arl0``.

    Raises:
        NotEstimable: arl0 not above 2, or weight outside (0, 1].
    """
    if not (math.isfinite(arl0) and arl0 > 2.0):
        raise NotEstimable(f"No limit gives a run length of {arl0}.")
    return _solve(lambda width: ewma_arl(weight=weight, width=width, limits=limits), arl0)


def _cusum_integral(drop: float, h: float, start: float) -> tuple[float, float]:
    """Run lengths from 0 and from ``start`` of max(0, S + z − drop), z standard normal.

    L(u) = 1 + L(0) Φ(drop − u) + ∫₀ʰ L(y) φ(y − u + drop) dy; the unknowns are L(0) and L at the nodes.
    """
    from scipy.special import ndtr  # late: scipy costs 0.3 s

    nodes, weights = panels(0.0, h, deviation=1.0)
    states = np.concatenate([[0.0], nodes])
    kernel = np.empty((states.size, states.size))
    kernel[:, 0] = ndtr(drop - states)
    kernel[:, 1:] = _normal_density(nodes[None, :] - states[:, None] + drop) * weights
    lengths = np.linalg.solve(np.eye(states.size) - kernel, np.ones(states.size))
    onward = _normal_density(nodes - start + drop) * weights
    started = 1.0 + float(lengths[0] * ndtr(drop - start) + onward @ lengths[1:])
    return float(lengths[0]), started


def _cusum_markov(drop: float, h: float, start: float) -> tuple[float, float]:
    zero = _extrapolated(lambda states: _cusum_chain(drop, h, 0.0, states))
    return zero, _extrapolated(lambda states: _cusum_chain(drop, h, start, states)) if start else zero


def _cusum_chain(drop: float, h: float, start: float, states: int) -> float:
    """Brook and Evans' chain: state 0 is half as wide as the others; the first step leaves from ``start`` itself."""
    from scipy.special import ndtr  # late: scipy costs 0.3 s

    step = 2.0 * h / (2 * states - 1)
    centres: Vector = step * np.arange(states, dtype=np.float64)
    edges: Vector = np.concatenate([[-np.inf], centres + step / 2.0])

    def onward(origins: Vector) -> Matrix:
        chances: Matrix = np.diff(ndtr(edges[None, :] - origins[:, None] + drop), axis=1)
        return chances

    lengths = np.linalg.solve(np.eye(states) - onward(centres), np.ones(states))
    return 1.0 + float(onward(np.array([start]))[0] @ lengths)


def _ewma_chain(weight: float, half: float, shift: float, start: float, states: int) -> float:
    from scipy.special import ndtr  # late: scipy costs 0.3 s

    edges: Vector = np.linspace(-half, half, states + 1)
    centres: Vector = (edges[1:] + edges[:-1]) / 2.0

    def onward(origins: Vector) -> Matrix:
        arrived = (edges[None, :] - (1.0 - weight) * origins[:, None]) / weight - shift
        chances: Matrix = np.diff(ndtr(arrived), axis=1)
        return chances

    lengths = np.linalg.solve(np.eye(states) - onward(centres), np.ones(states))
    return 1.0 + float(onward(np.array([start]))[0] @ lengths)


def _extrapolated(chain: Callable[[int], float]) -> float:
    """Richardson: a chain's error falls with the square of the width of a state."""
    coarse, fine = chain(STATES), chain(3 * STATES)
    return fine + (fine - coarse) / 8.0


def _ewma_widening(weight: float, half: float, shift: float, start: float) -> float:
    """Σ P(still running after t values) while the limits widen, then the run length from where the average stands."""
    settled = max(1, math.ceil(math.log(SETTLED) / (2.0 * math.log1p(-weight)))) if weight < 1.0 else 1
    total, nodes, mass = 0.0, np.array([start]), np.ones(1)
    for t in range(1, settled + 1):
        total += float(mass.sum())
        # The last time the limits are set to their end, so that both parts share their nodes.
        now = half if t == settled else half * math.sqrt(-math.expm1(2.0 * t * math.log1p(-weight)))
        fresh, weights = panels(-now, now, deviation=weight)
        mass = (mass @ _ewma_density(nodes, fresh, weight, shift)) * weights
        nodes = fresh
    kernel = _ewma_density(nodes, nodes, weight, shift) * weights
    return total + float(mass @ np.linalg.solve(np.eye(nodes.size) - kernel, np.ones(nodes.size)))


def _ewma_density(origins: Vector, arrivals: Vector, weight: float, shift: float) -> Matrix:
    values = (arrivals[None, :] - (1.0 - weight) * origins[:, None]) / weight - shift
    return _normal_density(values) / weight


def _normal_density(values: NDArray[np.float64]) -> NDArray[np.float64]:
    density: NDArray[np.float64] = np.exp(-0.5 * values * values) / math.sqrt(2.0 * math.pi)
    return density


def _solve(run_length: Callable[[float], float], wanted: float) -> float:
    """Where a run length, which rises with the limit, takes the wanted value."""
    from scipy.optimize import brentq  # late: it costs a second

    low, high = 1e-3, 1.0
    if run_length(low) > wanted:
        raise NotEstimable(f"Even without limits the chart runs longer than {wanted}.")
    while run_length(high) < wanted:
        high *= 1.5
    return float(brentq(lambda x: math.log(run_length(x) / wanted), low, high, xtol=1e-11, rtol=1e-12))


def _need_finite(shift: float) -> None:
    if not math.isfinite(shift):
        raise NotEstimable(f"A shift of {shift} cannot be charted.")
