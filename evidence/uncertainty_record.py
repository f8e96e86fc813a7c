"""What a report holds of prediction sets and abstention."""

from typing import Literal

from domain.acceptance import MetricValue
from domain.dataset import Split
from domain.model_version import ConformalSets, OutOfDistribution
from evidence.strict import Record


class SetUncertainty(Record):
    """One set of films. Coverage and the kinds of sets are those of all films, abstained on or not.

    Metrics of ``subgroup`` "films not abstained on" describe the films that get an answer; they are secondary, since a
    version that abstains on what it finds hard would flatter itself by them.
    """

    source: str
    split: Split | Literal["external"]
    n: int
    abstained: int
    metrics: tuple[MetricValue, ...]
    not_estimated: dict[str, str]


class UncertaintyResults(Record):
    """What was fitted on tuning data, and what it does on test data and then on each external set."""

    conformal: ConformalSets | None
    out_of_distribution: OutOfDistribution | None
    not_fitted: tuple[str, ...]  # why one of the two is missing
    sets: tuple[SetUncertainty, ...]
