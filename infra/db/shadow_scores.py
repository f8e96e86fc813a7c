"""Shadow scores: what versions answered that nobody is shown."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from domain.identifiers import PredictionId
from infra.db.base import NAME, OPAQUE, Repository, SerialRow


class ShadowScoreRow(SerialRow):
    """One shadow's probability for one image of a prediction."""

    __tablename__ = "shadow_scores"
    __table_args__ = (Index(None, "tenant", "prediction_id"), {"sqlite_autoincrement": True})

    prediction_id: Mapped[str] = mapped_column(String(OPAQUE))
    model_version: Mapped[str] = mapped_column(String(NAME))
    probability: Mapped[float]
    recorded_at: Mapped[datetime]


@dataclass(frozen=True)
class ShadowScore:
    """What a shadow said."""

    prediction_id: PredictionId
    model_version: str
    probability: float
    at: datetime


class ShadowScores(Repository):
    """Shadow scores of one tenant."""

    def add(self, prediction_id: PredictionId, model_version: str, probability: float, at: datetime) -> None:
        """Keeps one shadow's probability."""
        self._insert(
            ShadowScoreRow(
                tenant=self._tenant,
                prediction_id=prediction_id,
                model_version=model_version,
                probability=float(probability),
                recorded_at=at,
            )
        )

    def of(self, prediction_id: PredictionId) -> tuple[ShadowScore, ...]:
        """All shadow scores of a prediction, oldest first."""
        query = self._select(ShadowScoreRow, ShadowScoreRow.prediction_id == prediction_id)
        return tuple(
            ShadowScore(PredictionId(row.prediction_id), row.model_version, row.probability, row.recorded_at)
            for row in self._all(query.order_by(ShadowScoreRow.number))
        )
