"""A past study answered again by another model version, beside the answer it got then."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from domain.identifiers import PredictionId, Sha256, StudyId

Outcome = Literal["present", "absent", "abstained", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("present", "absent", "abstained", "refused")
Change = Literal["to positive", "to negative", "now abstained", "now refused"]
_CHANGE: dict[Outcome, Change] = {
    "present": "to positive", "absent": "to negative", "abstained": "now abstained", "refused": "now refused",
}  # fmt: skip


class _Frozen(BaseModel):
    """A value that never changes."""

    model_config = ConfigDict(frozen=True)


class StudyAnswer(_Frozen):
    """What one model version says of one study."""

    outcome: Outcome
    model_version: str | None  # None: refused, and no version is on record for that
    probability: float | None = None  # None: refused, or abstained then (no probability is kept of that)
    reasons: tuple[str, ...] = ()  # why refused or abstained


class ReplayedStudy(_Frozen):
    """One study, then and now. ``patient`` numbers the patients of this replay; it leads to nobody."""

    study_id: StudyId
    prediction_id: PredictionId
    patient: int
    requested_at: datetime
    then: StudyAnswer
    now: StudyAnswer

    @computed_field  # type: ignore[prop-decorator]
    @property
    def change(self) -> Change | None:
        """What would have changed for whoever read the answer; a probability that moved alone is no change."""
        return None if self.then.outcome == self.now.outcome else _CHANGE[self.now.outcome]

    @property
    def both_answered(self) -> bool:
        """Present or absent, both times."""
        return {self.then.outcome, self.now.outcome} <= {"present", "absent"}


class NotReplayed(_Frozen):
    """A study that could not be scored again, and why; never a patient's data."""

    study_id: StudyId
    prediction_id: PredictionId
    code: str
    reason: str


class ReplayPeriod(_Frozen):
    """Studies whose prediction was asked for from ``since`` on and before ``until``."""

    since: datetime
    until: datetime


class ReplayedVersion(_Frozen):
    """The version that answered again, and what identifies it."""

    model_version: str
    variant: str
    demo: bool
    threshold: float
    engine: str
    precision: str
    model_sha256: Sha256
    weights_sha256: Sha256
    manifest_sha256: Sha256  # of the manifest's canonical JSON
    dataset_version: str
    dataset_digest: Sha256
