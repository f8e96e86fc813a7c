"""An estimate on a scored set: how it is signed, and the area under the ROC curve that fits the set."""

from domain.acceptance import MetricValue
from evidence.scored_set import ScoredSet
from evidence.statistics import clustered, roc
from evidence.statistics.estimate import Estimate


def metric(scored: ScoredSet, name: str, estimate: Estimate, *, subgroup: str = "all") -> MetricValue:
    """An estimate with the set it was made on."""
    return MetricValue(
        name=name,
        value=estimate.value,
        interval=(estimate.low, estimate.high),
        level=estimate.level,
        method=estimate.method,
        n=estimate.n,
        positives=estimate.positives,
        split=scored.split,
        dataset_version=scored.dataset_version.name,
        model_version=scored.model_version,
        subgroup=subgroup,
    )


def area(scored: ScoredSet, *, level: float) -> Estimate:
    """The area under the ROC curve, with DeLong's interval, or Obuchowski's where a patient has several samples."""
    if scored.patients == len(scored.sample_ids):
        return roc.auroc(scored.labels, scored.probabilities, level=level)
    return clustered.auroc(scored.labels, scored.probabilities, scored.patient_keys, level=level)
