"""What a report says of the engine that serves: what it was chosen from, and whether test data confirm the choice."""

from typing import Literal

from domain.acceptance import MetricValue
from domain.model_version import EngineChoice
from evidence.strict import Record

ROUNDING = 1e-4  # in probability: what two correct engines may differ by at fp32
MARGIN = 0.01  # of AUROC; one-sided, at half of what LEVEL leaves
LEVEL = 0.95


class EngineAgreement(Record):
    """How far the engine's probabilities are from the trained model's on one set of films."""

    against: Literal["torch", "scikit-learn"]
    n: int
    max_difference: float  # in probability; 1 where the engine gave no number
    tolerance: float
    auroc_difference: MetricValue | None  # engine minus trained model, paired by patient; None: too few patients
    margin: float

    @property
    def within(self) -> bool:
        """Worked out from the figures, by ``agrees``."""
        return agrees(self.max_difference, self.auroc_difference, tolerance=self.tolerance, margin=self.margin)


class EngineReport(Record):
    """The choice, made at training from tuning data, and its confirmation on test data."""

    choice: EngineChoice
    confirmation: EngineAgreement


def agrees(max_difference: float, auroc_difference: MetricValue | None, *, tolerance: float, margin: float) -> bool:
    """No probability differs by more than the tolerance, and the whole interval lies above −margin.

    Rounding that moves no film past another leaves the area as it is; a paired test has no variance to judge that by,
    and needs none. A larger difference without such an interval is not enough, though it may look like agreement.
    """
    if not max_difference <= tolerance:
        return False
    unmoved = auroc_difference is None or auroc_difference.value == 0.0
    if unmoved and max_difference <= ROUNDING:
        return True
    return auroc_difference is not None and auroc_difference.interval[0] > -margin
