"""What the facade takes and answers about reviews."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from domain.identifiers import StudyId
from domain.review import Review, ReviewSource


class ReviewBody(BaseModel):
    """A clinician's own reading of a study, or what became established of it later."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(description="The task whose finding it is about.", max_length=200)
    source: ReviewSource
    finding_present: bool


class ReviewView(BaseModel):
    """One statement about a study; a later one of the same task and source replaces it, and both are kept."""

    model_config = ConfigDict(frozen=True)

    study_id: StudyId
    task: str
    source: ReviewSource
    finding_present: bool
    by: str
    at: datetime

    @classmethod
    def of(cls, review: Review) -> "ReviewView":
        """A review as the API shows it."""
        return cls.model_validate(review.model_dump(include=set(cls.model_fields)))


class StudyReviews(BaseModel):
    """Every statement about a study, oldest first."""

    model_config = ConfigDict(frozen=True)

    study_id: StudyId
    reviews: tuple[ReviewView, ...]
