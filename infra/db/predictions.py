"""Predictions, their state and their explanation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import JSON, ForeignKeyConstraint, Index, String, tuple_
from sqlalchemy.orm import Mapped, mapped_column

from domain.errors import UnknownPrediction
from domain.identifiers import PredictionId, StudyId
from domain.prediction import Prediction, PredictionState
from infra.db.base import NAME, OPAQUE, Repository, TenantRow

ActivationMap = tuple[tuple[float, ...], ...]
StateKind = Literal["pending", "done", "abstained", "refused", "failed"]

_STATE: TypeAdapter[PredictionState] = TypeAdapter(PredictionState)


class PredictionRow(TenantRow):
    """One prediction; ``state_kind`` repeats the state's kind so that it can be asked for and compared."""

    __tablename__ = "predictions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant", "study_id"], ["studies.tenant", "studies.study_id"]),
        Index(None, "tenant", "study_id"),
        Index(None, "tenant", "state_kind", "requested_at"),
    )

    prediction_id: Mapped[str] = mapped_column(String(OPAQUE), primary_key=True)
    study_id: Mapped[str] = mapped_column(String(OPAQUE))
    task: Mapped[str] = mapped_column(String(NAME))
    requested_at: Mapped[datetime]
    state_kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[dict[str, Any]] = mapped_column(JSON)


class ExplanationRow(TenantRow):
    """The activation map of one prediction."""

    __tablename__ = "explanations"
    __table_args__ = (
        ForeignKeyConstraint(["tenant", "prediction_id"], ["predictions.tenant", "predictions.prediction_id"]),
    )

    prediction_id: Mapped[str] = mapped_column(String(OPAQUE), primary_key=True)
    activation_map: Mapped[list[list[float]]] = mapped_column(JSON)


class Predictions(Repository):
    """Predictions of one tenant."""

    def add(self, prediction: Prediction) -> None:
        """Stores a new prediction of a stored study."""
        self._insert(
            PredictionRow(
                tenant=self._tenant,
                prediction_id=prediction.prediction_id,
                study_id=prediction.study_id,
                task=prediction.task,
                requested_at=prediction.requested_at,
                state_kind=prediction.state.kind,
                state=prediction.state.model_dump(mode="json"),
            )
        )

    def get(self, prediction_id: PredictionId) -> Prediction:
        """The prediction of that opaque identifier.

        Raises:
            UnknownPrediction: this tenant has none.
        """
        return _prediction(self._row(prediction_id))

    def of_study(self, study_id: StudyId) -> tuple[Prediction, ...]:
        """All predictions on a study, oldest first."""
        query = self._select(PredictionRow, PredictionRow.study_id == study_id)
        query = query.order_by(PredictionRow.requested_at, PredictionRow.prediction_id)
        return tuple(_prediction(row) for row in self._all(query))

    def with_state(self, kind: StateKind) -> tuple[Prediction, ...]:
        """All predictions in that state, oldest first."""
        query = self._select(PredictionRow, PredictionRow.state_kind == kind)
        query = query.order_by(PredictionRow.requested_at, PredictionRow.prediction_id)
        return tuple(_prediction(row) for row in self._all(query))

    def asked_for(
        self, task: str, *, since: datetime, until: datetime, after: Prediction | None = None, limit: int = 500
    ) -> tuple[Prediction, ...]:
        """Predictions of a task requested from ``since`` on and before ``until``, oldest first; ``after`` continues."""
        query = self._select(
            PredictionRow, PredictionRow.task == task, PredictionRow.requested_at >= since,
            PredictionRow.requested_at < until,
        )  # fmt: skip
        if after is not None:
            reached = tuple_(after.requested_at, after.prediction_id)
            query = query.where(tuple_(PredictionRow.requested_at, PredictionRow.prediction_id) > reached)
        query = query.order_by(PredictionRow.requested_at, PredictionRow.prediction_id).limit(limit)
        return tuple(_prediction(row) for row in self._all(query))

    def set_state(self, prediction_id: PredictionId, state: PredictionState) -> bool:
        """Moves a *pending* prediction to ``state``; False when another worker has answered already.

        Of any number of workers exactly one is told True. Write what belongs to the answer (feature rows, explanation,
        audit event) only then, in the same unit of work.

        Raises:
            UnknownPrediction: this tenant has none of that identifier.
        """
        pending = self._update(
            PredictionRow, PredictionRow.prediction_id == prediction_id, PredictionRow.state_kind == "pending"
        )
        changed = self._change(pending.values(state_kind=state.kind, state=state.model_dump(mode="json")))
        if not changed:
            self._row(prediction_id)
        return changed == 1

    def set_explanation(self, prediction_id: PredictionId, activation_map: Sequence[Sequence[float]]) -> None:
        """Keeps the activation map of a prediction; a later one replaces it."""
        self._change(self._delete(ExplanationRow, ExplanationRow.prediction_id == prediction_id))
        rows = [list(map(float, row)) for row in activation_map]
        self._insert(ExplanationRow(tenant=self._tenant, prediction_id=prediction_id, activation_map=rows))

    def explanation(self, prediction_id: PredictionId) -> ActivationMap | None:
        """The activation map of a prediction, if it has one."""
        row = self._one(self._select(ExplanationRow, ExplanationRow.prediction_id == prediction_id))
        return tuple(tuple(values) for values in row.activation_map) if row else None

    def _row(self, prediction_id: PredictionId) -> PredictionRow:
        row = self._one(self._select(PredictionRow, PredictionRow.prediction_id == prediction_id))
        if row is None:
            raise UnknownPrediction(f"No prediction {prediction_id!r} here.", next_step="Check the identifier.")
        return row


def _prediction(row: PredictionRow) -> Prediction:
    return Prediction(
        prediction_id=PredictionId(row.prediction_id),
        study_id=StudyId(row.study_id),
        task=row.task,
        requested_at=row.requested_at,
        state=_STATE.validate_python(row.state),
    )
