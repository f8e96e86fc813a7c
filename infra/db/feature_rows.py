"""Feature rows: what monitoring sees of predictions."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from domain.drift import FeatureRow
from infra.db.base import NAME, OPAQUE, Repository, SerialRow


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

    def window(self, task: str, *, since: datetime, until: datetime) -> tuple[FeatureRow, ...]:
        """A task's rows recorded from ``since`` to before ``until``, oldest first."""
        query = self._select(
            FeatureRowRow,
            FeatureRowRow.task == task,
            FeatureRowRow.recorded_at >= since,
            FeatureRowRow.recorded_at < until,
        ).order_by(FeatureRowRow.recorded_at, FeatureRowRow.number)
        return tuple(FeatureRow.model_validate(row.content) for row in self._all(query))
