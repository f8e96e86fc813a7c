"""Arm rows: every answer of a version as the comparison and the stop rules see it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.experiment import ArmRow
from domain.traffic import Role
from infra.db.base import NAME, OPAQUE, Repository, TenantRow


class ArmRowRow(TenantRow):
    """One prediction of a task with a policy."""

    __tablename__ = "arm_rows"
    __table_args__ = (Index(None, "tenant", "task", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task: Mapped[str] = mapped_column(String(NAME))
    prediction_id: Mapped[str] = mapped_column(String(OPAQUE))
    study_id: Mapped[str] = mapped_column(String(OPAQUE))
    patient: Mapped[str] = mapped_column(String(OPAQUE))
    assigned: Mapped[int]
    answered: Mapped[int | None]
    role: Mapped[str] = mapped_column(String(16))
    policy_version: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(16))
    probability: Mapped[float | None]
    finding_present: Mapped[bool | None]
    seconds: Mapped[float | None]
    recorded_at: Mapped[datetime]


class ArmRows(Repository):
    """Arm rows of one tenant."""

    def add(self, row: ArmRow) -> ArmRow:
        """Keeps a row; what is kept, with its number.

        Numbers rise in the order of the commits, so that who has read up to one has missed none before it: the next
        row waits until this unit of work ends. Add it last.
        """
        self._reserve("arm rows")
        rows = self._select(ArmRowRow)
        last = self._session.execute(rows.with_only_columns(func.max(ArmRowRow.number))).scalar() or 0
        numbered = row.model_copy(update={"number": last + 1})
        self._insert(ArmRowRow(tenant=self._tenant, **numbered.model_dump(mode="python")))
        return numbered

    def after(self, task: str, number: int, *, limit: int = 10_000, policy_version: int = 0) -> tuple[ArmRow, ...]:
        """A task's rows behind that number, oldest first; only those under that policy or a later one."""
        query = self._select(
            ArmRowRow,
            ArmRowRow.task == task,
            ArmRowRow.number > number,
            ArmRowRow.policy_version >= policy_version,
        ).order_by(ArmRowRow.number)
        columns = [ArmRowRow.__table__.columns[name] for name in _NAMES]
        found = self._session.execute(query.limit(limit).with_only_columns(*columns))  # no objects of 50,000 rows
        return tuple(_row(*values) for values in found)


_NAMES = tuple(ArmRow.model_fields)


def _row(*values: Any) -> ArmRow:
    # As written by ``add``, so not parsed again: a watch that starts reads many thousands.
    facts = dict(zip(_NAMES, values, strict=True))
    return ArmRow.model_construct(**{**facts, "role": Role(facts["role"])})
