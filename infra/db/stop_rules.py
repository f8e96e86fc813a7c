"""Stop rules: each set that was declared for a task; the last one is in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.errors import InvalidField
from domain.experiment import DEFAULT_STOP_RULES, StopRule
from infra.db.base import NAME, Repository, TenantRow


class StopRulesRow(TenantRow):
    """One set, with who declared it and why."""

    __tablename__ = "stop_rules"
    __table_args__ = (Index(None, "tenant", "task", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task: Mapped[str] = mapped_column(String(NAME))
    rules: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    declared_by: Mapped[str] = mapped_column(String(NAME))
    why: Mapped[str]
    declared_at: Mapped[datetime]


@dataclass(frozen=True)
class DeclaredRules:
    """A set of rules and the decision behind it."""

    rules: tuple[StopRule, ...]
    by: str
    why: str
    at: datetime


class StopRules(Repository):
    """Stop rules of one tenant."""

    def declare(self, task: str, rules: Sequence[StopRule], *, by: str, why: str, at: datetime) -> None:
        """Puts a set in force in place of the one before.

        Raises:
            InvalidField: there is no rule in it, or two of one name: nobody could tell which of them acted.
        """
        names = [rule.name for rule in rules]
        if not names or len(set(names)) != len(names):
            raise InvalidField(
                "A set of stop rules has at least one rule, and no two of one name.",
                next_step="To make a rule act never, give it a wide band.",
            )
        self._reserve("stop rules")
        declared = self._select(StopRulesRow)
        last = self._session.execute(declared.with_only_columns(func.max(StopRulesRow.number))).scalar() or 0
        self._insert(
            StopRulesRow(
                tenant=self._tenant,
                number=last + 1,
                task=task,
                rules=[rule.model_dump(mode="json") for rule in rules],
                declared_by=by,
                why=why,
                declared_at=at,
            )
        )

    def in_force(self, task: str) -> tuple[StopRule, ...]:
        """The rules declared last, or those that hold for every task until some are."""
        query = self._select(StopRulesRow, StopRulesRow.task == task).order_by(StopRulesRow.number.desc())
        row = self._one(query)
        return _declared(row).rules if row else DEFAULT_STOP_RULES

    def list(self, task: str) -> tuple[DeclaredRules, ...]:
        """Every set declared for a task, oldest first; the last is in force."""
        query = self._select(StopRulesRow, StopRulesRow.task == task).order_by(StopRulesRow.number)
        return tuple(_declared(row) for row in self._all(query))


def _declared(row: StopRulesRow) -> DeclaredRules:
    rules = tuple(StopRule.model_validate(rule) for rule in row.rules)
    return DeclaredRules(rules, row.declared_by, row.why, row.declared_at)
