"""Reviews and reference standards of studies that were answered: every statement is kept, the last one counts."""

from datetime import datetime
from typing import cast

from sqlalchemy import ForeignKeyConstraint, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.identifiers import StudyId
from domain.review import Review, ReviewSource
from infra.db.base import NAME, OPAQUE, Repository, TenantRow


class ReviewRow(TenantRow):
    """One statement."""

    __tablename__ = "reviews"
    __table_args__ = (
        ForeignKeyConstraint(["tenant", "study_id"], ["studies.tenant", "studies.study_id"]),
        Index(None, "tenant", "task", "number"),
        Index(None, "tenant", "study_id", "number"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    study_id: Mapped[str] = mapped_column(String(OPAQUE))
    task: Mapped[str] = mapped_column(String(NAME))
    source: Mapped[str] = mapped_column(String(32))
    finding_present: Mapped[bool]
    recorded_by: Mapped[str] = mapped_column(String(NAME))
    recorded_at: Mapped[datetime]


class RecordedReview(Review):
    """A review with its number, which rises in the order of the commits."""

    number: int


class Reviews(Repository):
    """Reviews of one tenant."""

    def add(self, review: Review) -> RecordedReview:
        """Keeps a statement about a stored study; what is kept."""
        self._reserve("reviews")
        reviews = self._select(ReviewRow)
        last = self._session.execute(reviews.with_only_columns(func.max(ReviewRow.number))).scalar() or 0
        row = ReviewRow(
            tenant=self._tenant,
            number=last + 1,
            study_id=review.study_id,
            task=review.task,
            source=review.source,
            finding_present=review.finding_present,
            recorded_by=review.by,
            recorded_at=review.at,
        )
        self._insert(row)
        return _review(row)

    def of_task(self, task: str, *, after: int = 0) -> tuple[RecordedReview, ...]:
        """Every statement for a task behind that number, oldest first."""
        query = self._select(ReviewRow, ReviewRow.task == task, ReviewRow.number > after)
        return tuple(_review(row) for row in self._all(query.order_by(ReviewRow.number)))

    def of_study(self, study_id: StudyId) -> tuple[RecordedReview, ...]:
        """Every statement about a study, oldest first."""
        query = self._select(ReviewRow, ReviewRow.study_id == study_id)
        return tuple(_review(row) for row in self._all(query.order_by(ReviewRow.number)))


def _review(row: ReviewRow) -> RecordedReview:
    return RecordedReview(
        number=row.number,
        study_id=StudyId(row.study_id),
        task=row.task,
        source=cast("ReviewSource", row.source),
        finding_present=row.finding_present,
        by=row.recorded_by,
        at=row.recorded_at,
    )
