"""A comparison of two model versions on live traffic, declared before it begins, and the rules that stop a version."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.identifiers import PredictionId, Pseudonym, Sha256, StudyId
from domain.traffic import Role

# agreement: with the reviews. sensitivity, specificity: against the reference standard, as it becomes known.
Endpoint = Literal["agreement", "sensitivity", "specificity"]
Hypothesis = Literal["non-inferiority", "superiority"]
# positives: findings called present. slow: answers that took longer than ``slow_s``. Each is a share of the patients.
Measure = Literal["positives", "agreement", "abstentions", "errors", "slow"]


class _Strict(BaseModel):
    """A value that never changes and takes no field it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StopRule(_Strict):
    """A band for one share. The rule acts when a confidence sequence of the share lies wholly outside the band: since
    the sequence holds at all times together, looking after every study raises no false alarm beyond ``alpha``."""

    name: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9 _-]*$")
    measure: Measure
    low: float = Field(0.0, ge=0.0, le=1.0)
    high: float = Field(1.0, ge=0.0, le=1.0)
    alpha: float = Field(0.001, gt=0.0, lt=0.5)
    slow_s: float | None = Field(None, gt=0.0)
    applies_to: tuple[Role, ...] = (Role.CHAMPION, Role.CHALLENGER)

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        if not self.low < self.high or (self.low, self.high) == (0.0, 1.0):
            raise ValueError("a stop rule needs a band that a share can leave: 0 ≤ low < high ≤ 1")
        if (self.slow_s is not None) != (self.measure == "slow"):
            raise ValueError("slow_s belongs to the measure 'slow', and that needs it")
        return self


# In force for every task until others are declared: they say nothing of prevalence, which differs between hospitals.
DEFAULT_STOP_RULES = (
    StopRule(name="errors", measure="errors", high=0.05),
    StopRule(name="abstentions", measure="abstentions", high=0.25),
    StopRule(name="slow answers", measure="slow", high=0.10, slow_s=5.0),
)


class GroupSequential(_Strict):
    """Looks at planned shares of the largest number of patients, with error spent after Lan and DeMets."""

    kind: Literal["group sequential"] = "group sequential"
    looks: tuple[float, ...]  # information fractions, rising to 1
    spending: Literal["obrien_fleming", "pocock"] = "obrien_fleming"


class AlwaysValid(_Strict):
    """A confidence sequence: look after every patient, stop when you like."""

    kind: Literal["always valid"] = "always valid"


class Declaration(_Strict):
    """What is written down before the first patient; nothing of it can be changed afterwards."""

    task: str
    champion: int
    challenger: int
    endpoint: Endpoint
    hypothesis: Hypothesis = "non-inferiority"
    margin: float = Field(0.05, ge=0.0, lt=1.0)  # superiority: 0
    alpha: float = Field(0.025, gt=0.0, lt=0.5)  # one-sided
    max_patients: int = Field(ge=20)  # of both arms together, with the endpoint known
    design: GroupSequential | AlwaysValid = Field(discriminator="kind")
    guards: tuple[StopRule, ...] = ()  # for the challenger, besides the task's own rules


class Experiment(_Strict):
    """A declaration on record."""

    experiment_id: str
    declaration: Declaration
    declared_by: str
    why: str
    declared_at: datetime


class ArmRow(BaseModel):
    """One prediction as the comparison sees it: whose patient it was, who was to answer, and what came of it."""

    model_config = ConfigDict(frozen=True)

    number: int = 0  # given by the database, rising
    task: str
    prediction_id: PredictionId
    study_id: StudyId
    patient: Pseudonym
    assigned: int  # the version that had to answer
    answered: int | None  # the version that did; None: nobody
    role: Role  # of the assigned version
    policy_version: int
    outcome: Literal["done", "abstained", "failed"]
    probability: float | None
    finding_present: bool | None
    seconds: float | None  # model answer, as the gateway measured it
    recorded_at: datetime

    @property
    def fell_back(self) -> bool:
        """Another version than the assigned one answered, or nobody: an error of the assigned one."""
        return self.answered != self.assigned


class TrafficEvent(BaseModel):
    """Something the watch over live traffic saw or did, with its evidence; kept for good."""

    model_config = ConfigDict(frozen=True)

    task: str
    kind: Literal["stopped", "decided", "rules declared"]
    version: int | None  # concerned
    policy_version: int | None  # put in force by it
    by: str
    why: str
    evidence: dict[str, object]
    evidence_sha256: Sha256  # of its canonical JSON
    at: datetime
