"""What a person, or later the truth, says about a study that a model version answered."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.identifiers import StudyId

# review: a clinician's own reading. reference standard: what was established later, by whatever the plan says.
ReviewSource = Literal["review", "reference standard"]


class Review(BaseModel):
    """One statement about one finding of one study. A later one of the same source replaces it; both are kept."""

    model_config = ConfigDict(frozen=True)

    study_id: StudyId
    task: str
    source: ReviewSource
    finding_present: bool
    by: str
    at: datetime
