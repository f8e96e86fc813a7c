"""Reviews: what a person, or later the truth, says about a study that was answered."""

from fastapi import APIRouter

from domain.audit import AuditAction
from domain.errors import UnknownPrediction
from domain.identifiers import StudyId
from domain.prediction import Concluded, Prediction
from domain.review import Review
from infra.clock import now
from infra.db.session import UnitOfWork
from serving.api.deps import FacadeParts, MayReview, record_read
from serving.api.openapi import PROTECTED, problems
from serving.api.schemas_reviews import ReviewBody, ReviewView, StudyReviews

ROUTER = APIRouter(
    prefix="/api/v1/studies/{study_id}/reviews", tags=["reviews"], responses={**PROTECTED, **problems(404)}
)


@ROUTER.post("", status_code=201)
def record_review(study_id: str, body: ReviewBody, facade: FacadeParts, principal: MayReview) -> ReviewView:
    """Keep a statement; comparisons and stop rules count it. 404: no version has answered this task for the study."""
    with facade.database.unit_of_work(principal.tenant) as work:
        prediction = _concluded(work, StudyId(study_id), task=body.task)
        review = Review(study_id=prediction.study_id, by=principal.name, at=now(), **body.model_dump())
        work.reviews.add(review)
        record_read(work, AuditAction.REVIEW_RECORDED, entity=prediction.prediction_id, by=principal)
    return ReviewView.of(review)


@ROUTER.get("")
def read_reviews(study_id: str, facade: FacadeParts, principal: MayReview) -> StudyReviews:
    """Every statement about a study."""
    with facade.database.unit_of_work(principal.tenant) as work:
        study = work.studies.get(StudyId(study_id))
        reviews = work.reviews.of_study(study.study_id)
        record_read(work, AuditAction.STUDY_READ, entity=study_id, by=principal)
    return StudyReviews(study_id=study.study_id, reviews=tuple(ReviewView.of(review) for review in reviews))


def _concluded(work: UnitOfWork, study_id: StudyId, *, task: str) -> Prediction:
    study = work.studies.get(study_id)
    for prediction in work.predictions.of_study(study.study_id):
        if prediction.task == task and isinstance(prediction.state, Concluded):
            return prediction
    raise UnknownPrediction(
        "No model version has answered this task for the study.", next_step="Read the study's predictions."
    )
