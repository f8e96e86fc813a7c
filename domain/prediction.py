"""Predictions: what a model version says of one study, or why it says nothing."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.identifiers import PredictionId, Sha256, SOPInstanceUID, StudyId
from domain.traffic import Role

PossibleFinding = Literal["present", "absent"]


class ImageScore(BaseModel):
    """What a service answers for one radiograph."""

    model_config = ConfigDict(frozen=True)

    probability: float
    image_features: dict[str, float]  # see domain/drift.py; no patient data
    embedding: tuple[float, ...] = ()
    activation_map: tuple[tuple[float, ...], ...] | None = (
        None  # rows × columns, larger = more evidence for the finding
    )
    prediction_set: tuple[PossibleFinding, ...] | None = None  # conformal; None: the version gives none
    distance: float | None = None  # of the embedding from the training data's; None: not measured
    abstained: str | None = None  # why the version does not stand behind this probability


class RoutedScore(BaseModel):
    """An image score with who gave it: the gateway's answer."""

    model_config = ConfigDict(frozen=True)

    score: ImageScore
    model_version: str
    role: Role
    policy_version: int
    fell_back: bool = False  # the assigned version was out; the champion answered in its place
    assigned: int | None = None  # the version the policy names for this patient; None: the demo classifier
    assigned_role: Role | None = None
    seconds: float | None = None  # from the gateway's question to the answer


class ScoredInstance(BaseModel):
    """One instance of the study that a model version looked at."""

    model_config = ConfigDict(frozen=True)

    sop_instance_uid: SOPInstanceUID
    object_sha256: Sha256


class InstanceScore(ScoredInstance):
    """The score kept for one instance of the study."""

    probability: float


class Pending(BaseModel):
    """Accepted, not yet answered."""

    model_config = ConfigDict(frozen=True)
    kind: Literal["pending"] = "pending"


class Done(BaseModel):
    """Answered: the study's probability is the highest of its eligible instances."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["done"] = "done"
    probability: float
    threshold: float
    finding_present: bool
    model_version: str
    role: Role
    policy_version: int
    fell_back: bool
    demo: bool
    instances: tuple[InstanceScore, ...]
    explained_instance: SOPInstanceUID | None
    answered_at: datetime
    prediction_set: tuple[PossibleFinding, ...] | None = None
    coverage: float | None = None  # of the prediction set


class Abstained(BaseModel):
    """Scored, but an image is too unlike the training data for its probability to be trusted; none is given.

    The images are named, so that this can be walked back like an answer; their probabilities are not kept here.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["abstained"] = "abstained"
    reasons: tuple[str, ...]
    model_version: str
    role: Role
    policy_version: int
    fell_back: bool
    answered_at: datetime
    instances: tuple[ScoredInstance, ...] = ()


class RefusedPrediction(BaseModel):
    """Not answered, and why: outside the intended use, or nothing that can be scored."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["refused"] = "refused"
    reasons: tuple[str, ...]


class Failed(BaseModel):
    """Not answered after all retries; the error's stable code, never its data."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["failed"] = "failed"
    code: str
    attempts: int


Concluded = Done | Abstained  # what a model version said, or would not say: this can be traced
PredictionState = Annotated[Pending | Done | Abstained | RefusedPrediction | Failed, Field(discriminator="kind")]


class Prediction(BaseModel):
    """One task's prediction on one study."""

    model_config = ConfigDict(frozen=True)

    prediction_id: PredictionId
    study_id: StudyId
    task: str
    requested_at: datetime
    state: PredictionState


def study_probability(scores: tuple[InstanceScore, ...]) -> float:
    """Instance → study aggregation of a chest film: the maximum.

    Raises:
        ValueError: no instance was scored.
    """
    return max(score.probability for score in scores)
