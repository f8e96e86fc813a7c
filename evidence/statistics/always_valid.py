"""Tests that may be looked at after every observation: the mixture sequential probability ratio test.

Robbins, Ann Math Stat 41:1397 (1970); Johari, Koomen, Pekelis and Walsh, KDD 2017:1517 and Oper Res 70:1806 (2022).
The likelihood ratio is averaged over a normal mixture of effects, N(θ₀, τ²). Under the null hypothesis it is a
martingale, so the chance that it *ever* passes 1/α is at most α (Ville), and 1/Λ is a p-value at any time. Observations
come in pairs, one of each arm, as they arrive; pairs must be independent of one another (patients, not images of one
patient).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import NotEstimable, TooFewSamples
from evidence.statistics.estimate import as_scores

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MixtureSprt:
    """The test after each of n pairs.

    ``log_ratio`` is ln Λ; ``p_value`` the smallest 1/Λ so far, at most 1; ``low`` and ``high`` the confidence sequence
    of the mean difference at level 1 − α that belongs to Λ, infinite where the variance is not known yet.
    ``stopped_at`` is the first pair, from 1, with Λ > 1/α, None when there is none.
    """

    difference: Vector
    variance: Vector
    log_ratio: Vector
    p_value: Vector
    low: Vector
    high: Vector
    stopped_at: int | None
    alpha: float
    tau: float
    method: str

    @property
    def ratio(self) -> Vector:
        """Λ itself, infinite beyond 10³⁰⁸."""
        with np.errstate(over="ignore"):
            likelihood: Vector = np.exp(self.log_ratio)
        return likelihood


def normal_msprt(
    first: ArrayLike,
    second: ArrayLike,
    *,
    deviation: float,
    tau: float,
    null_difference: float = 0.0,
    alpha: float = 0.05,
) -> MixtureSprt:
    """Test mean(first) − mean(second) = ``null_difference`` for pairs (n,), (n,) of normal values of one known standard
    deviation. Exact at every n. ``tau``, the standard deviation of the mixture, is best near the effect expected.

    Raises:
        TooFewSamples: no pair.
        NotEstimable: numbers not finite, different lengths, deviation or tau not positive, alpha outside (0, 1).
    """
    pairs = _pairs(first, second, tau, alpha)
    if not (math.isfinite(deviation) and deviation > 0.0):
        raise NotEstimable(f"A standard deviation of {deviation} is not known.")
    variance = np.full(pairs.shape[1], 2.0 * deviation * deviation)
    return _test(pairs, variance, tau=tau, null=null_difference, alpha=alpha, method="normal, known variance")


def bernoulli_msprt(
    first: ArrayLike, second: ArrayLike, *, tau: float, null_difference: float = 0.0, alpha: float = 0.05
) -> MixtureSprt:
    """Test a difference of proportions for pairs (n,), (n,) of outcomes 0 and 1, by the normal test with the variance
    p̂(1 − p̂) of both arms so far put in (Johari et al.).

    Valid for many pairs only: with few, and rates near 0 or 1, it errs more often than α. While neither arm has shown
    both outcomes nothing is known of the variance and Λ is 1. ``confidence_sequences`` has exact ways.

    Raises:
        TooFewSamples: no pair.
        NotEstimable: outcomes not 0 and 1, different lengths, tau not positive, alpha outside (0, 1).
    """
    pairs = _pairs(first, second, tau, alpha)
    if not np.isin(pairs, (0.0, 1.0)).all():
        raise NotEstimable("An outcome is neither 0 nor 1.")
    shares = np.cumsum(pairs, axis=1) / np.arange(1, pairs.shape[1] + 1)
    variance = (shares * (1.0 - shares)).sum(axis=0)
    return _test(pairs, variance, tau=tau, null=null_difference, alpha=alpha, method="Bernoulli, estimated variance")


def _test(pairs: Vector, variance: Vector, *, tau: float, null: float, alpha: float, method: str) -> MixtureSprt:
    """Λ = √(V / (V + n τ²)) exp(n² τ² (d − θ₀)² / (2 V (V + n τ²))) with V the variance of one pair's difference."""
    n = np.arange(1, variance.size + 1)
    difference = np.cumsum(pairs[0] - pairs[1]) / n
    known = variance > 0.0
    v = np.where(known, variance, 1.0)
    widened = v + n * tau * tau
    log_ratio = 0.5 * np.log(v / widened) + (n * tau * (difference - null)) ** 2 / (2.0 * v * widened)
    log_ratio = np.where(known, log_ratio, 0.0)
    half = np.sqrt(v * widened * (2.0 * math.log(1.0 / alpha) + np.log(widened / v))) / (n * tau)
    half = np.where(known, half, np.inf)
    p_value = np.minimum(np.exp(-np.maximum.accumulate(np.maximum(log_ratio, 0.0))), 1.0)
    passed = log_ratio > math.log(1.0 / alpha)
    stopped = int(np.argmax(passed)) + 1 if passed.any() else None
    low, high = difference - half, difference + half
    return MixtureSprt(difference, variance, log_ratio, p_value, low, high, stopped, alpha, tau, method)


def _pairs(first: ArrayLike, second: ArrayLike, tau: float, alpha: float) -> Vector:
    one, other = as_scores(first), as_scores(second)
    if one.ndim != 1 or one.shape != other.shape:
        raise NotEstimable(f"Samples of shapes {one.shape} and {other.shape} are no pairs.")
    if one.size == 0:
        raise TooFewSamples("There is no pair.")
    if not (math.isfinite(tau) and tau > 0.0 and 0.0 < alpha < 1.0):
        raise NotEstimable(f"No test has tau {tau} and alpha {alpha}.")
    return np.stack([one, other])
