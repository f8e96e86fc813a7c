"""What a new model learned against the champion, apart from what other test data did: learning, potential, retention.

Definitions as in ``evidence.record.Adaptation``.
"""

from dataclasses import dataclass, replace

from domain.acceptance import MetricValue
from domain.dataset import Split
from domain.model_version import ModelManifest
from evidence.area_difference import area_difference
from evidence.record import Adaptation
from evidence.results import area, metric
from evidence.scored_set import ScoredSet
from evidence.statistics import independent_difference
from evidence.statistics.estimate import Estimate

SAME = "Both were tested on the same data, so that potential is 0 and retention the AUROC above, by definition."
UNCHECKED = "Whether the champion was trained on films of the present test set is not checked here."
NO_RETENTION = "The films of the champion's own test data are not here: retention was not measured."


@dataclass(frozen=True, slots=True)
class EarlierTest:
    """The champion's own test data, scored by it and by the new model."""

    champion: ScoredSet
    new: ScoredSet


def adaptation(
    new: ScoredSet, champion: ScoredSet, *, manifest: ModelManifest, earlier: EarlierTest | None = None, level: float
) -> Adaptation:
    """Both models on the present test data; where the champion's own were others, also what those say.

    Without ``earlier``, potential rests on the AUROC in the champion's manifest, and retention has no value.

    Raises:
        OneClassOnly, TooFewSamples, NotEstimable: the present test data cannot carry a paired difference.
    """
    learning = metric(new, "learning", area_difference(new, champion.in_order_of(new), level=level))
    if manifest.dataset_version.digest == new.dataset_version.digest:
        return Adaptation(previous=manifest.model_version, learning=learning, potential=None, retention=None, note=SAME)
    own = area(earlier.champion, level=level) if earlier is not None else _recorded(manifest, level=level)
    said = [f"The champion was tested on {manifest.dataset_version.name}, not on {new.dataset_version.name}."]
    said.append(UNCHECKED)
    said += [] if earlier is not None else [NO_RETENTION]
    said += [f"Its manifest holds no AUROC with a {level:.0%} interval: no potential."] if own is None else []
    return Adaptation(
        previous=manifest.model_version,
        learning=learning,
        potential=None if own is None else _potential(own, champion, level=level),
        retention=None if earlier is None else metric(earlier.new, "retention", area(earlier.new, level=level)),
        note=" ".join(said),
    )


def _potential(own: Estimate, present: ScoredSet, *, level: float) -> MetricValue:
    """Films of a patient in both sets make the interval too wide, not too narrow."""
    found = independent_difference.difference(own, area(present, level=level))
    counted = replace(found, n=len(present.sample_ids), positives=int(present.labels.sum()))
    return metric(present, "potential", replace(counted, method=f"{found.method}, against {own.n} films"))


def _recorded(manifest: ModelManifest, *, level: float) -> Estimate | None:
    """The AUROC of the whole test set as the manifest states it."""
    for value in manifest.performance:
        if (value.name, value.split, value.subgroup, value.level) == ("auroc", Split.TEST, "all", level):
            return Estimate(value.value, *value.interval, value.level, value.method, value.n, value.positives)
    return None
