"""Did the arms of a comparison receive the shares they should? If not, its result cannot be trusted.

Once: Pearson's chi-square (Fabijan et al., KDD 2019:2156). While it runs: the Dirichlet mixture of Lindon and Malek,
Adv Neural Inf Process Syst 35 (2022), whose p-value holds at every time. Count what was randomised: patients, not
images.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores

Vector = NDArray[np.float64]
SMALLEST_EXPECTED = 5.0  # per arm, for the chi-square limit


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Pearson's statistic of k arms with k − 1 degrees of freedom."""

    statistic: float
    degrees_of_freedom: int
    p_value: float
    expected: Vector


@dataclass(frozen=True, slots=True)
class SequentialSampleRatio:
    """ln of the Bayes factor against the shares, and the always-valid p-value, after each assignment; ``detected_at``
    counts from 1, None when it never came to α."""

    log_bayes_factor: Vector
    p_value: Vector
    detected_at: int | None


def sample_ratio(counts: ArrayLike, shares: ArrayLike) -> SampleRatio:
    """Test counts (k,) against planned shares (k,), which are divided by their sum.

    Raises:
        TooFewSamples: fewer than five expected in an arm.
        NotEstimable: shapes that do not fit, counts that are negative or not whole, or a share not positive.
    """
    from scipy.special import chdtrc  # late: scipy costs 0.3 s

    observed, planned = as_scores(counts), _planned(shares)
    if observed.shape != planned.shape or (observed < 0).any() or (observed != np.round(observed)).any():
        raise NotEstimable("Counts and planned shares do not fit.")
    expected = observed.sum() * planned
    if expected.min() < SMALLEST_EXPECTED:
        raise TooFewSamples(f"An arm expects {expected.min():g} of {observed.sum():g} assignments.")
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return SampleRatio(statistic, planned.size - 1, float(chdtrc(planned.size - 1, statistic)), expected)


def sequential_sample_ratio(
    assignments: ArrayLike, shares: ArrayLike, *, concentration: float | None = None, alpha: float = 0.05
) -> SequentialSampleRatio:
    """Test assignments (n,) of arms 0 … k − 1, in order of arrival, against planned shares (k,).

    The mixture is Dirichlet(concentration · shares); a larger concentration finds smaller mismatches later. Left
    out, it is the number of arms, which for equal shares is the uniform prior.

    Raises:
        TooFewSamples: no assignment.
        NotEstimable: an arm that does not exist, a share or concentration not positive, alpha outside (0, 1).
    """
    from scipy.special import gammaln  # late: scipy costs 0.3 s

    planned, arms = _planned(shares), np.asarray(assignments)
    if arms.size == 0:
        raise TooFewSamples("There is no assignment.")
    weight = float(planned.size) if concentration is None else concentration
    if arms.ndim != 1 or not np.isin(arms, np.arange(planned.size)).all():
        raise NotEstimable("An assignment is to an arm that does not exist.")
    if not (math.isfinite(weight) and weight > 0.0 and 0.0 < alpha < 1.0):
        raise NotEstimable(f"No test has concentration {weight} and alpha {alpha}.")
    so_far = np.cumsum(arms[:, None] == np.arange(planned.size), axis=0)
    prior = weight * planned
    n = np.arange(1, arms.size + 1)
    mixture = gammaln(weight) - gammaln(weight + n) + (gammaln(prior + so_far) - gammaln(prior)).sum(axis=1)
    log_factor: Vector = mixture - so_far @ np.log(planned)
    p_value = np.minimum(np.exp(-np.maximum.accumulate(np.maximum(log_factor, 0.0))), 1.0)
    found = log_factor > math.log(1.0 / alpha)
    return SequentialSampleRatio(log_factor, p_value, int(np.argmax(found)) + 1 if found.any() else None)


def _planned(shares: ArrayLike) -> Vector:
    planned = as_scores(shares)
    if planned.ndim != 1 or planned.size < 2 or planned.min() <= 0.0:
        raise NotEstimable("Planned shares must be positive, for two arms or more.")
    total: float = planned.sum()
    return np.asarray(planned / total, dtype=np.float64)
