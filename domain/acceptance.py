"""Metric values that carry their evidence, and the bounds a model version must meet."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.dataset import Split


class MetricValue(BaseModel):
    """An estimate with its interval, sample size, split, dataset version and model version."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: float
    interval: tuple[float, float]
    level: float = 0.95
    method: str  # e.g. "DeLong, logit" or "Wilson"
    n: int
    positives: int
    split: Split | Literal["external"]
    dataset_version: str
    model_version: str
    subgroup: str = "all"

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.name} {self.value:.3f} ({self.level:.0%} CI {low:.3f}–{high:.3f}, n={self.n})"


class AcceptanceCriterion(BaseModel):
    """A bound on one end of a metric's interval, pre-specified by the task."""

    model_config = ConfigDict(frozen=True)

    metric: str
    lower_bound: float

    def is_met_by(self, value: MetricValue) -> bool:
        """True when the whole interval lies at or above the bound."""
        return value.interval[0] >= self.lower_bound


class CriterionResult(BaseModel):
    """How one model version fared against one criterion."""

    model_config = ConfigDict(frozen=True)

    criterion: AcceptanceCriterion
    value: MetricValue
    met: bool


def at_least(metric: str, *, lower_bound: float) -> AcceptanceCriterion:
    """The criterion that the lower end of ``metric``'s interval reaches ``lower_bound``."""
    return AcceptanceCriterion(metric=metric, lower_bound=lower_bound)


def judge(criteria: tuple[AcceptanceCriterion, ...], values: tuple[MetricValue, ...]) -> tuple[CriterionResult, ...]:
    """Each criterion against the value of the same name for the whole test set.

    Raises:
        KeyError: a criterion names a metric that was not measured.
    """
    measured = {value.name: value for value in values if value.subgroup == "all" and value.split == Split.TEST}
    return tuple(
        CriterionResult(criterion=c, value=measured[c.metric], met=c.is_met_by(measured[c.metric])) for c in criteria
    )
