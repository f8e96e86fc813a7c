"""Feature rows: what monitoring sees of predictions."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from domain.drift import FeatureRow
from infra.db.base import NAME, OPAQUE, Repository, SerialRow
from infra.db.predictions import PredictionRow
from infra.db.studies import StudyRow


class FeatureRowRow(SerialRow):
    """One scored image."""

    __tablename__ = "feature_rows"
    __table_args__ = (Index(None, "tenant", "task", "recorded_at"), {"sqlite_autoincrement": True})

    prediction_id: Mapped[str] = mapped_column(String(OPAQUE))
    task: Mapped[str] = mapped_column(String(NAME))
    recorded_at: Mapped[datetime]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class FeatureRows(Repository):
    """Feature rows of one tenant."""

    def add(self, row: FeatureRow) -> None:
        """Keeps one scored image's features."""
        self._insert(
            FeatureRowRow(
                tenant=self._tenant,
                prediction_id=row.prediction_id,
                task=row.task,
                recorded_at=row.recorded_at,
                content=row.model_dump(mode="json"),
            )
        )

    def window(
        self, task: str, *, since: datetime, until: datetime, one_per_patient: bool = False
    ) -> tuple[FeatureRow, ...]:
        """A task's rows recorded from ``since`` to before ``until``, oldest first.

        ``one_per_patient`` keeps each patient's oldest row and version: films of one patient resemble each other, and
        a two-sample test takes its rows for independent. The patient's pseudonym itself never leaves the database.
        """
        query = self._select(
            FeatureRowRow,
            FeatureRowRow.task == task,
            FeatureRowRow.recorded_at >= since,
            FeatureRowRow.recorded_at < until,
        ).order_by(FeatureRowRow.recorded_at, FeatureRowRow.number)
        rows = self._all(query)
        if one_per_patient:
            patients = self._patients(task)
            first = {(patients.get(row.prediction_id), row.content["model_version"]): row for row in reversed(rows)}
            rows = sorted(first.values(), key=lambda row: row.number)
        return tuple(FeatureRow.model_validate(row.content) for row in rows)

    def _patients(self, task: str) -> dict[str, str]:
        query = (
            self._select(PredictionRow, PredictionRow.task == task)
            .join(StudyRow, (StudyRow.tenant == PredictionRow.tenant) & (StudyRow.study_id == PredictionRow.study_id))
            .with_only_columns(PredictionRow.prediction_id, StudyRow.patient)
        )
        return dict(self._session.execute(query).tuples().all())
