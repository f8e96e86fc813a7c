"""Quality on tuning data, as values that carry their interval and provenance."""

import numpy as np
from numpy.typing import NDArray

from domain.acceptance import MetricValue
from domain.dataset import Split
from evidence.statistics import operating_point, roc
from evidence.statistics.estimate import Estimate


def auroc(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve, for choosing an epoch."""
    return float(roc.delong(labels, scores).areas[0])


def on_tuning_data(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    *,
    threshold: float,
    dataset_version: str,
    model_version: str,
) -> tuple[MetricValue, ...]:
    """AUROC, sensitivity and specificity: optimistic, since the epoch and the threshold were chosen on these data."""
    counts = operating_point.confusion(labels, probabilities, threshold=threshold)
    estimates: dict[str, Estimate] = {
        "auroc": roc.auroc(labels, probabilities),
        "sensitivity": operating_point.sensitivity(counts),
        "specificity": operating_point.specificity(counts),
    }
    return tuple(
        MetricValue(
            name=name,
            value=estimate.value,
            interval=(estimate.low, estimate.high),
            level=estimate.level,
            method=estimate.method,
            n=estimate.n,
            positives=estimate.positives,
            split=Split.TUNE,
            dataset_version=dataset_version,
            model_version=model_version,
        )
        for name, estimate in estimates.items()
    )
