"""How a model fared against its plan, as records."""

from datetime import datetime
from typing import Literal

from domain.acceptance import MetricValue
from domain.identifiers import Sha256
from evidence.plan import ValidationPlan
from evidence.strict import Record


class EndpointResult(Record):
    """One endpoint of the plan, tested: the interval has level 1 − 2·alpha, so one end is the one-sided limit."""

    name: str
    role: Literal["primary", "secondary"]
    kind: Literal["bound", "non_inferiority", "superiority", "calibration"]
    value: MetricValue | None  # None: not applicable or not estimable, see ``reason``
    bound: str
    alpha: float
    p_value: float | None
    met: bool
    applicable: bool  # False: there is no champion yet to be compared with
    reason: str


class FloorResult(Record):
    """One stratum against a floor of the plan."""

    name: str
    group: str
    value: str
    metric: MetricValue | None  # None: underpowered or not estimable
    n: int
    needed: int
    at_least: float
    met: bool | None  # None: decides nothing
    reason: str


class PlannedValidation(Record):
    """The plan this report answers, registered before the test set was opened, and what was done otherwise."""

    plan: ValidationPlan
    sha256: Sha256
    registered_by: str
    registered_at: datetime
    deviations: tuple[str, ...]


class ReuseCost(Record):
    """How many distinct models this test set has answered, this one included, and what that does to alpha."""

    models: int  # rank of this model among the distinct ones, by first opening
    max_models: int
    alpha: float  # of the plan
    adjusted_alpha: float  # used for this model's endpoints
    error_if_unadjusted: float  # chance that at least one of so many worthless models is promoted, at most
