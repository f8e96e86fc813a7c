"""What the facade answers; read once from the domain's types, in the words of the API."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.acceptance import MetricValue
from domain.codes import CodedConcept
from domain.identifiers import SOPInstanceUID
from domain.intended_use import ImageAttributes
from domain.level import Aims
from domain.model_version import ModelManifest
from domain.prediction import (
    Abstained,
    Done,
    Failed,
    InstanceScore,
    Pending,
    PossibleFinding,
    Prediction,
    RefusedPrediction,
)
from domain.study import Instance, Study
from domain.traffic import Role

STUDY_EXAMPLE = "st_3f0a9c2d4b5e4f6a8b7c6d5e4f3a2b1c"
PREDICTION_EXAMPLE = "pr_9a8b7c6d5e4f4a3b2c1d0e9f8a7b6c5d"


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class InstanceView(_View):
    """One stored instance."""

    sop_instance_uid: SOPInstanceUID
    image_format: str
    rows: int
    columns: int
    attributes: ImageAttributes
    attributes_from: str = Field(description="`dicom`: read from the header; `declared`: stated by the sender.")

    @classmethod
    def of(cls, instance: Instance) -> "InstanceView":
        """An instance without the identifiers of its storage."""
        return cls.model_validate(instance.model_dump(include=set(cls.model_fields)))


class Provenance(_View):
    """Where an answer comes from: the model version's manifest, by digest."""

    title: str
    intended_use: str
    variant: str
    demo: bool
    dataset_version: str = Field(examples=["kermany_chest_xray@1a2b3c4d5e6f"])
    dataset_digest: str
    weights_sha256: str
    model_sha256: str
    report_sha256: str = Field(description="SHA-256 of the validation report (report.json).")
    run_id: str = Field(description="MLflow run.")
    git_commit: str
    git_dirty: bool
    approver: str
    performance: tuple[MetricValue, ...] = Field(description="Each figure with interval, n, split and versions.")

    @classmethod
    def of(cls, manifest: ModelManifest) -> "Provenance":
        """A manifest's provenance."""
        same = manifest.model_dump(include=set(cls.model_fields) - {"intended_use", "dataset_version"})
        return cls(
            **same,
            intended_use=manifest.intended_use.statement,
            dataset_version=manifest.dataset_version.name,
            dataset_digest=manifest.dataset_version.digest,
        )


class _PredictionView(_View):
    prediction_id: str = Field(examples=[PREDICTION_EXAMPLE])
    study_id: str = Field(examples=[STUDY_EXAMPLE])
    task: str
    requested_at: datetime


class PendingView(_PredictionView):
    """Accepted, not yet answered."""

    state: Literal["pending"] = "pending"


class RefusedView(_PredictionView):
    """Not answered, and every reason."""

    state: Literal["refused"] = "refused"
    reasons: tuple[str, ...] = Field(examples=[["view_position is not stated"]])


class FailedView(_PredictionView):
    """Not answered after all attempts."""

    state: Literal["failed"] = "failed"
    code: str = Field(examples=["model-unavailable"])
    attempts: int


class _ConcludedView(_PredictionView):
    """What is told of the model version, whether it answered or abstained."""

    demo: bool = Field(description="True: from a demonstration model; says nothing about a patient.")
    finding: CodedConcept
    model_version: str = Field(examples=["chest_xray_pneumonia@3"])
    role: Role
    policy_version: int
    fell_back: bool = Field(description="True: the assigned version was out; the champion answered in its place.")
    answered_at: datetime
    trace: str = Field(description="Address of the trace: prediction → model version → run → dataset → commit.")
    provenance: Provenance


class AbstainedView(_ConcludedView):
    """No answer: a film is too unlike those the model version was developed on. Its probability is given to nobody."""

    state: Literal["abstained"] = "abstained"
    reasons: tuple[str, ...] = Field(
        examples=[["The film is unlike those the model was developed on (distance 31.2, limit 24.0)."]]
    )


class DoneView(_ConcludedView):
    """Answered: the study's probability is the highest of its eligible instances."""

    state: Literal["done"] = "done"
    probability: float = Field(ge=0, le=1)
    threshold: float
    decision: Literal["finding present", "finding absent"]
    prediction_set: tuple[PossibleFinding, ...] | None = Field(
        description="What the film leaves possible at the stated coverage: one, both (the model cannot tell) or none "
        "(it fits neither). Null: the version gives no set."
    )
    coverage: float | None = Field(
        description="How often, or more, the set holds the truth: of films with the finding and of films without, "
        "for films like those it was fitted on."
    )
    instances: tuple[InstanceScore, ...]
    explained_instance: SOPInstanceUID | None
    heatmap: str | None = Field(description="Address of the heat map (PNG), where there is one.")
    film: str | None = Field(description="Address of the explained film (PNG).")


PredictionView = Annotated[
    PendingView | RefusedView | FailedView | AbstainedView | DoneView, Field(discriminator="state")
]


class StudyView(_View):
    """One stored study with its predictions."""

    study_id: str = Field(examples=[STUDY_EXAMPLE])
    received_at: datetime
    instances: tuple[InstanceView, ...]
    predictions: tuple[PredictionView, ...]


class Worklist(_View):
    """Studies, newest first; `next` is the address of the following page."""

    studies: tuple[StudyView, ...]
    next: str | None


class TokenView(_View):
    """An access token (RFC 6749 5.1)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  # RFC 6750 names it so
    expires_in: int


class About(_View):
    """What a client must know before signing in."""

    name: str = "Fiducial"
    version: str
    level: str
    authentication: str
    worklist: bool
    aims: Aims = Field(description="What the level is meant to reach. Nothing enforces it; not all of it is built.")


class Me(_View):
    """Who is signed in."""

    name: str
    role: str


class FieldProblem(_View):
    """One field of a request that is not valid; never with its value."""

    field: str
    rule: str


class Problem(_View):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["urn:fiducial:problem:unknown-study"])
    title: str
    status: int = Field(examples=[404])
    detail: str
    code: str = Field(examples=["unknown-study"])
    next_step: str | None = None
    errors: tuple[FieldProblem, ...] | None = Field(None, description="The fields that are not valid.")


def study_view(study: Study, predictions: tuple[PredictionView, ...]) -> StudyView:
    """A study as the API shows it."""
    return StudyView(
        study_id=study.study_id,
        received_at=study.received_at,
        instances=tuple(InstanceView.of(instance) for instance in study.instances),
        predictions=predictions,
    )


def prediction_view(prediction: Prediction, manifest: ModelManifest | None) -> PredictionView:
    """A prediction as the API shows it; ``manifest`` is the answering version's, where there is an answer."""
    common: dict[str, Any] = prediction.model_dump(include={"prediction_id", "study_id", "task", "requested_at"})
    state = prediction.state
    if isinstance(state, Pending):
        return PendingView(**common)
    if isinstance(state, RefusedPrediction):
        return RefusedView(**common, reasons=state.reasons)
    if isinstance(state, Failed):
        return FailedView(**common, code=state.code, attempts=state.attempts)
    if manifest is None:
        raise ValueError("an answer is shown with its manifest")
    address = f"/api/v1/predictions/{common['prediction_id']}"
    common |= {"finding": manifest.finding, "trace": f"{address}/trace", "provenance": Provenance.of(manifest)}
    if isinstance(state, Abstained):
        return AbstainedView(**common, **state.model_dump(exclude={"kind", "instances"}), demo=manifest.demo)
    return _done_view(common, state, address=address)


def _done_view(common: dict[str, Any], state: Done, *, address: str) -> DoneView:
    explained = state.explained_instance is not None
    return DoneView(
        **common,
        **state.model_dump(exclude={"kind", "finding_present"}),
        decision="finding present" if state.finding_present else "finding absent",
        heatmap=f"{address}/heatmap" if explained else None,
        film=f"{address}/film" if explained else None,
    )
