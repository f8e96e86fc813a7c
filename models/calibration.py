"""From a network's logit to a probability, fitted on tuning data."""

import numpy as np
from numpy.typing import NDArray

from models.checkpoints import ProbabilityScale

_STEPS = 100


def fit(logits: NDArray[np.float64], labels: NDArray[np.int64], *, fitted_on: str) -> ProbabilityScale:
    """Platt scaling by Newton's method, with Platt's softened labels (1999), which keep a perfect separation finite."""
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.column_stack([logits.astype(np.float64), np.ones(len(logits))])
    coefficients = np.zeros(2)
    for _ in range(_STEPS):
        probabilities = logistic(design @ coefficients)
        gradient = design.T @ (probabilities - targets)
        curvature = (design.T * (probabilities * (1 - probabilities))) @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 1.0 / float(np.abs(step).max() + 1e-12))  # far from the optimum a full step overshoots
        coefficients -= step
        if np.abs(step).max() < 1e-10:
            break
    return ProbabilityScale(slope=coefficients[0], intercept=coefficients[1], fitted_on=fitted_on, n=len(labels))


def logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))
