"""How much of an error rate may be spent by the time a share t of the information is in: spending functions.

Lan and DeMets, Biometrika 70:659 (1983). Each takes information fractions (k,) in (0, 1] and the error rate of *one*
side, and gives what is spent by then, rising to that rate at 1.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from domain.errors import NotEstimable

Vector = NDArray[np.float64]
Spending = Callable[[Vector, float], Vector]


def obrien_fleming_type(information: Vector, alpha: float) -> Vector:
    """2 − 2 Φ(z_{α/2} / √t): boundaries *like* O'Brien and Fleming's, not theirs."""
    from scipy.special import ndtr, ndtri  # late: scipy costs 0.3 s

    spent: Vector = 2.0 * ndtr(ndtri(alpha / 2.0) / np.sqrt(information))
    return spent


def pocock_type(information: Vector, alpha: float) -> Vector:
    """α ln(1 + (e − 1) t): boundaries *like* Pocock's, not his."""
    spent: Vector = alpha * np.log1p((math.e - 1.0) * information)
    return spent


def power_family(rho: float) -> Spending:
    """α t^ρ (Kim and DeMets, Biometrika 74:149, 1987): 1 is even, 3 near O'Brien–Fleming.

    Raises:
        NotEstimable: ρ not positive.
    """
    if not (math.isfinite(rho) and rho > 0.0):
        raise NotEstimable(f"A power of {rho} does not rise.")

    def spent(information: Vector, alpha: float) -> Vector:
        so_far: Vector = alpha * information**rho
        return so_far

    return spent


def hwang_shih_decani(gamma: float) -> Spending:
    """α (1 − e^{−γ t}) / (1 − e^{−γ}) (Stat Med 9:1439, 1990): −4 near O'Brien–Fleming, 1 near Pocock, 0 even.

    Raises:
        NotEstimable: γ not finite.
    """
    if not math.isfinite(gamma):
        raise NotEstimable(f"A parameter of {gamma} is not finite.")

    def spent(information: Vector, alpha: float) -> Vector:
        if gamma == 0.0:
            return alpha * information
        so_far: Vector = alpha * np.expm1(-gamma * information) / math.expm1(-gamma)
        return so_far

    return spent
