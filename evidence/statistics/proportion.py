"""A proportion and its interval, two-sided or one-sided, by the method that a plan names.

Successes are counted among independent samples: several films of one patient make every interval here too narrow.
"""

import math
from statistics import NormalDist
from typing import Literal

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import Estimate, normal_quantile

Interval = Literal["wilson", "clopper-pearson", "agresti-coull", "jeffreys"]
NAMES: dict[Interval, str] = {
    "wilson": "Wilson",
    "clopper-pearson": "Clopper–Pearson",
    "agresti-coull": "Agresti–Coull",
    "jeffreys": "Jeffreys",
}


def proportion(
    successes: int, n: int, *, level: float = 0.95, interval: Interval = "wilson", positives: int | None = None
) -> Estimate:
    """``successes`` of ``n`` with a two-sided interval of confidence ``level``.

    - ``wilson``: score interval without continuity correction (Wilson, J Am Stat Assoc 22:209, 1927).
    - ``clopper-pearson``: exact, never below its level and often well above (Biometrika 26:404, 1934).
    - ``agresti-coull``: Wald interval around Wilson's centre, cut to [0, 1] (Am Stat 52:119, 1998).
    - ``jeffreys``: quantiles of Beta(x + ½, n − x + ½), 0 at no success and 1 at no failure (Brown, Cai, DasGupta,
      Stat Sci 16:101, 2001).

    ``positives`` says how many of the ``n`` carry the finding; left out, the successes are meant.

    Raises:
        TooFewSamples: ``n`` is 0.
        NotEstimable: successes outside 0…n, a level outside (0, 1), or no interval of that name.
    """
    _need_counts(successes, n, interval)
    low, high = _limits(successes, n, z=normal_quantile(level), interval=interval)
    share = successes / n
    return Estimate(share, low, high, level, NAMES[interval], n, successes if positives is None else positives)


def wilson(successes: int, n: int, *, level: float = 0.95, positives: int | None = None) -> Estimate:
    """``proportion`` with Wilson's interval. Raises TooFewSamples, NotEstimable."""
    return proportion(successes, n, level=level, interval="wilson", positives=positives)


def clopper_pearson(successes: int, n: int, *, level: float = 0.95, positives: int | None = None) -> Estimate:
    """``proportion`` with the exact interval of Clopper and Pearson. Raises TooFewSamples, NotEstimable."""
    return proportion(successes, n, level=level, interval="clopper-pearson", positives=positives)


def agresti_coull(successes: int, n: int, *, level: float = 0.95, positives: int | None = None) -> Estimate:
    """``proportion`` with the interval of Agresti and Coull. Raises TooFewSamples, NotEstimable."""
    return proportion(successes, n, level=level, interval="agresti-coull", positives=positives)


def lower_limit(successes: int, n: int, *, level: float = 0.95, interval: Interval = "clopper-pearson") -> Estimate:
    """The proportion with a one-sided lower limit of confidence ``level``; ``high`` is 1.

    It is the lower end of the two-sided interval of level 2 · ``level`` − 1. Exact at n of n: (1 − level)^(1/n).

    Raises:
        TooFewSamples, NotEstimable: as ``proportion``; a level outside [0.5, 1).
    """
    _need_counts(successes, n, interval)
    low, _ = _limits(successes, n, z=_one_sided_quantile(level), interval=interval)
    return Estimate(successes / n, low, 1.0, level, f"{NAMES[interval]}, one-sided lower limit", n, successes)


def upper_limit(successes: int, n: int, *, level: float = 0.95, interval: Interval = "clopper-pearson") -> Estimate:
    """The proportion with a one-sided upper limit of confidence ``level``; ``low`` is 0.

    Exact at 0 of n: 1 − (1 − level)^(1/n), near 3/n at 0.95 (the rule of three).

    Raises:
        TooFewSamples, NotEstimable: as ``proportion``; a level outside [0.5, 1).
    """
    _need_counts(successes, n, interval)
    _, high = _limits(successes, n, z=_one_sided_quantile(level), interval=interval)
    return Estimate(successes / n, 0.0, high, level, f"{NAMES[interval]}, one-sided upper limit", n, successes)


def score_limits(successes: float, n: float, *, z: float) -> tuple[float, float]:
    """Wilson's two limits for the normal quantile ``z``; the counts, effective ones too, are taken to be right."""
    return _limits(successes, n, z=z, interval="wilson")


def _need_counts(successes: int, n: int, interval: Interval) -> None:
    if n < 1:
        raise TooFewSamples("A proportion of no samples has no value.")
    if not 0 <= successes <= n:
        raise NotEstimable(f"{successes} of {n} is no proportion.")
    if interval not in NAMES:
        raise NotEstimable(f"There is no interval named {interval}.", next_step=f"Choose one of {', '.join(NAMES)}.")


def _one_sided_quantile(level: float) -> float:
    if not 0.5 <= level < 1.0:
        raise NotEstimable(f"A one-sided level of {level} does not exist.", next_step="Choose one from 0.5 up to 1.")
    return NormalDist().inv_cdf(level)


def _limits(successes: float, n: float, *, z: float, interval: Interval) -> tuple[float, float]:
    if interval == "wilson":
        low, high = _wilson(successes, n, z)
    elif interval == "agresti-coull":
        low, high = _agresti_coull(successes, n, z)
    else:
        low, high = _beta(successes, n, tail=NormalDist().cdf(-z), exact=interval == "clopper-pearson")
    # At 0 of n and n of n one end is exact; rounding must not move it past the value.
    return (0.0 if successes == 0 else max(low, 0.0)), (1.0 if successes == n else min(high, 1.0))


def _wilson(successes: float, n: float, z: float) -> tuple[float, float]:
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def _agresti_coull(successes: float, n: float, z: float) -> tuple[float, float]:
    more = n + z * z
    centre = (successes + z * z / 2) / more
    half = z * math.sqrt(centre * (1 - centre) / more)
    return centre - half, centre + half


def _beta(successes: float, n: float, *, tail: float, exact: bool) -> tuple[float, float]:
    from scipy.special import betaincinv  # late: scipy costs 0.3 s

    failures = n - successes
    before, after = (0.0, 1.0) if exact else (0.5, 0.5)
    low = float(betaincinv(successes + before, failures + after, tail)) if successes else 0.0
    high = float(betaincinv(successes + after, failures + before, 1.0 - tail)) if failures else 1.0
    return low, high
