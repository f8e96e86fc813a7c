"""Traffic policies: appended, never changed, so that who served when can be told for every date."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.errors import Conflict
from domain.traffic import TrafficPolicy
from infra.db.base import NAME, Repository, TenantRow


class TrafficRow(TenantRow):
    """One policy of one task, with who set it and why."""

    __tablename__ = "traffic_policies"

    task: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    policy_version: Mapped[int] = mapped_column(primary_key=True)
    policy: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_by: Mapped[str] = mapped_column(String(NAME))
    why: Mapped[str]
    changed_at: Mapped[datetime]


@dataclass(frozen=True)
class TrafficChange:
    """A policy and the decision behind it."""

    policy: TrafficPolicy
    by: str
    why: str
    at: datetime


class Traffic(Repository):
    """Traffic policies of one tenant."""

    def current(self, task: str) -> TrafficPolicy | None:
        """The policy in force for a task, if any version has been promoted yet."""
        query = self._select(TrafficRow, TrafficRow.task == task).order_by(TrafficRow.policy_version.desc())
        row = self._one(query)
        return TrafficPolicy.model_validate(row.policy) if row else None

    def all_current(self) -> tuple[TrafficPolicy, ...]:
        """The policy in force for every task that has one, by task."""
        tasks = self._session.scalars(self._select(TrafficRow).with_only_columns(TrafficRow.task).distinct())
        policies = (self.current(task) for task in sorted(tasks))
        return tuple(policy for policy in policies if policy)

    def change(self, policy: TrafficPolicy, *, by: str, why: str, at: datetime) -> None:
        """Puts a policy in force.

        Raises:
            Conflict: ``policy_version`` does not follow the one in force: somebody changed it meanwhile.
        """
        self._reserve(f"traffic {policy.task}")
        newest = self._select(TrafficRow, TrafficRow.task == policy.task)
        in_force = self._session.execute(newest.with_only_columns(func.max(TrafficRow.policy_version))).scalar() or 0
        if policy.policy_version != in_force + 1:
            raise Conflict(
                f"Policy {policy.policy_version} of {policy.task} does not follow {in_force}, the one in force.",
                next_step="Read the policy in force and decide again.",
            )
        self._insert(
            TrafficRow(
                tenant=self._tenant,
                task=policy.task,
                policy_version=policy.policy_version,
                policy=policy.model_dump(mode="json"),
                changed_by=by,
                why=why,
                changed_at=at,
            )
        )

    def history(self, task: str) -> tuple[TrafficChange, ...]:
        """Every policy the task has had, oldest first."""
        query = self._select(TrafficRow, TrafficRow.task == task).order_by(TrafficRow.policy_version)
        return tuple(_change(row) for row in self._all(query))

    def in_force(self, task: str, at: datetime) -> TrafficChange | None:
        """The policy that decided at that moment, if there was one yet; each is in force from its own instant on."""
        query = self._select(TrafficRow, TrafficRow.task == task, TrafficRow.changed_at <= at)
        row = self._one(query.order_by(TrafficRow.policy_version.desc()))
        return _change(row) if row else None


def _change(row: TrafficRow) -> TrafficChange:
    return TrafficChange(TrafficPolicy.model_validate(row.policy), row.changed_by, row.why, row.changed_at)
