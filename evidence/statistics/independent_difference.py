"""The difference of two estimates of which each has an interval but whose covariance is not known.

MOVER, the method of variance estimates recovery: Zou and Donner, Stat Med 27:1693 (2008), section 2.
"""

import math

from domain.errors import NotEstimable
from evidence.statistics.estimate import Estimate


def difference(first: Estimate, second: Estimate) -> Estimate:
    """The first value minus the second, with the limits that their own intervals give if they are independent.

    Where the two vary together, as on the same samples, the interval is too wide, not too narrow. ``n`` and
    ``positives`` are those of the first.

    Raises:
        NotEstimable: the two intervals have different levels.
    """
    if first.level != second.level:
        raise NotEstimable(f"Intervals of {first.level:.0%} and {second.level:.0%} make no interval of a difference.")
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, low, high, first.level, "MOVER", first.n, first.positives)
