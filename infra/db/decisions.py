"""What the promotion gate decided, with everything it looked at: promotions and refusals alike."""

import json
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import JSON, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.change_control import GateDecision
from domain.errors import NotEstimable
from infra.db.base import NAME, Repository, TenantRow


class DecisionRow(TenantRow):
    """One decision; the columns beside ``content`` repeat of it what is asked for."""

    __tablename__ = "gate_decisions"
    __table_args__ = (Index(None, "tenant", "task", "model_version", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task: Mapped[str] = mapped_column(String(NAME))
    model_version: Mapped[str] = mapped_column(String(NAME))
    verdict: Mapped[str] = mapped_column(String(16))
    decided_at: Mapped[datetime]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class Decisions(Repository):
    """Decisions of the gate in one tenant."""

    def add(self, decision: GateDecision) -> int:
        """Keeps a decision; its number, counted from 1 in this tenant.

        Raises:
            NotEstimable: a check's value is not finite. JSON has no such number, and a record kept for good must be
                readable for good.
        """
        content = _readable(decision)
        self._reserve("decisions")
        decisions = self._select(DecisionRow)
        last = self._session.execute(decisions.with_only_columns(func.max(DecisionRow.number))).scalar() or 0
        row = DecisionRow(
            tenant=self._tenant,
            number=last + 1,
            task=decision.task,
            model_version=decision.model_version,
            verdict=decision.verdict,
            decided_at=decision.decided_at,
            content=content,
        )
        self._insert(row)
        return row.number

    def of_version(self, task: str, model_version: str) -> tuple[GateDecision, ...]:
        """Every decision about one candidate, oldest first."""
        query = self._select(DecisionRow, DecisionRow.task == task, DecisionRow.model_version == model_version)
        return tuple(GateDecision.model_validate(row.content) for row in self._all(query.order_by(DecisionRow.number)))

    def list(self, task: str) -> tuple[GateDecision, ...]:
        """Every decision about a task's candidates, oldest first."""
        query = self._select(DecisionRow, DecisionRow.task == task).order_by(DecisionRow.number)
        return tuple(GateDecision.model_validate(row.content) for row in self._all(query))


def _readable(decision: GateDecision) -> dict[str, Any]:
    written = decision.model_dump_json()  # where a number is not finite: null
    try:
        GateDecision.model_validate_json(written)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise NotEstimable(
            f"The decision on {decision.model_version} cannot be kept: no finite number at {places}.",
            next_step="Decide again from finite values.",
        ) from None
    content: dict[str, Any] = json.loads(written)
    return content
