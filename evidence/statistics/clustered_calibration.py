"""Calibration slope and intercept where patients have several films: the line fitted as if films were independent, its
variance robust to what the films of a patient share.

Liang and Zeger, Biometrika 73:13 (1986): with working independence, A⁻¹·(Σ_k U_k U_kᵀ)·A⁻¹ with the score U_k of
cluster k; times K/(K − 1) and with Student's quantile of K − 1 degrees of freedom (Cameron and Miller, J Hum Resour
50:317, 2015). With one film per patient it is White's sandwich. Clusters are assumed independent.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.errors import TooFewSamples
from evidence.statistics.calibration import CalibrationLine, checked, logits, slope_and_intercept
from evidence.statistics.clustered_limits import Limits, wald
from evidence.statistics.clusters import cluster_index

METHOD = "logistic regression, clustered sandwich, Student"
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClusteredLine:
    """Cox's recalibration line and calibration-in-the-large, each to be held against any bound."""

    slope: Limits
    intercept: Limits
    in_the_large: Limits

    def at(self, level: float) -> CalibrationLine:
        """The three with intervals of that level."""
        return CalibrationLine(
            slope=self.slope.interval(level),
            intercept=self.intercept.interval(level),
            in_the_large=self.in_the_large.interval(level),
        )


def line(labels: ArrayLike, probabilities: ArrayLike, clusters: ArrayLike) -> ClusteredLine:
    """The line of ``calibration.slope_and_intercept`` for labels, probabilities and cluster keys, each (n,).

    Raises:
        OneClassOnly, NotEstimable, TooFewSamples: as ``slope_and_intercept``; fewer than three clusters.
    """
    truth, values = checked(labels, probabilities)
    fitted, odds = slope_and_intercept(truth, values), logits(values)
    index = cluster_index(clusters, n=truth.size)
    count = int(index.max()) + 1
    if count < 3:
        raise TooFewSamples(f"{count} clusters cannot tell how sure a line is.", next_step="Use more patients.")
    ones = np.ones_like(odds)
    intercept, slope = fitted.intercept.value, fitted.slope.value
    errors = _errors(np.stack([ones, odds], axis=1), truth, mean=_logistic(intercept + slope * odds), index=index)
    large = fitted.in_the_large.value
    (large_error,) = _errors(ones[:, None], truth, mean=_logistic(large + odds), index=index)

    def limits(value: float, error: float) -> Limits:
        return wald(
            value, error, degrees=count - 1, method=METHOD, n=truth.size, positives=int(truth.sum())
        )  # fmt: skip

    return ClusteredLine(limits(slope, errors[1]), limits(intercept, errors[0]), limits(large, large_error))


def _errors(design: Matrix, truth: NDArray[np.bool_], *, mean: Matrix, index: NDArray[np.intp]) -> list[float]:
    """Robust standard errors of the coefficients of a design (n, k) whose fitted probabilities are ``mean`` (n,)."""
    bread = np.linalg.inv((design * (mean * (1.0 - mean))[:, None]).T @ design)
    residual, count = truth - mean, int(index.max()) + 1
    scores = np.stack([np.bincount(index, weights=column * residual, minlength=count) for column in design.T])
    variance = bread @ (scores @ scores.T) @ bread * (count / (count - 1))
    return [math.sqrt(max(float(found), 0.0)) for found in np.diag(variance)]


def _logistic(odds: Matrix) -> Matrix:
    fitted: Matrix = 1.0 / (1.0 + np.exp(-np.clip(odds, -500.0, 500.0)))
    return fitted
