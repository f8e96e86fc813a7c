"""Registered validation plans: whose bytes lay fixed before any test set was opened under them."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from domain.change_control import RegisteredPlan
from domain.errors import DigestMismatch, PlanNotRegistered
from domain.identifiers import Sha256, sha256_of
from infra.db.base import NAME, OPAQUE, Repository, TenantRow


class PlanRow(TenantRow):
    """One plan of one task, by the digest of its bytes."""

    __tablename__ = "registered_plans"

    task: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(OPAQUE), primary_key=True)
    content: Mapped[str]
    registered_by: Mapped[str] = mapped_column(String(NAME))
    registered_at: Mapped[datetime]


class Plans(Repository):
    """Registered plans of one tenant."""

    def register(self, plan: RegisteredPlan) -> RegisteredPlan:
        """Keeps a plan; what is kept. The same bytes again keep their first registration, who made it and when.

        Raises:
            DigestMismatch: ``sha256`` is not that of ``content``.
        """
        if sha256_of(plan.content.encode()) != plan.sha256:
            raise DigestMismatch(
                f"The plan of {plan.task} is not of the SHA-256 {plan.sha256}.",
                next_step="Register the plan's bytes as they lie in the file.",
            )
        self._reserve(f"plan {plan.task} {plan.sha256}")
        row = self._row(plan.task, plan.sha256)
        if row is None:
            row = PlanRow(tenant=self._tenant, **plan.model_dump())
            self._insert(row)
        return _plan(row)

    def get(self, task: str, sha256: Sha256) -> RegisteredPlan:
        """The plan of a task with these bytes.

        Raises:
            PlanNotRegistered: this tenant has none.
        """
        row = self._row(task, sha256)
        if row is None:
            raise PlanNotRegistered(
                f"No plan of {task} with the SHA-256 {sha256} is registered.",
                next_step=f"Fix its bytes first: `fiducial plan register --task {task}`.",
            )
        return _plan(row)

    def list(self, task: str) -> tuple[RegisteredPlan, ...]:
        """Every plan of a task, oldest first."""
        query = self._select(PlanRow, PlanRow.task == task).order_by(PlanRow.registered_at, PlanRow.sha256)
        return tuple(_plan(row) for row in self._all(query))

    def _row(self, task: str, sha256: Sha256) -> PlanRow | None:
        return self._one(self._select(PlanRow, PlanRow.task == task, PlanRow.sha256 == sha256))


def _plan(row: PlanRow) -> RegisteredPlan:
    return RegisteredPlan(
        task=row.task,
        sha256=Sha256(row.sha256),
        content=row.content,
        registered_by=row.registered_by,
        registered_at=row.registered_at,
    )
