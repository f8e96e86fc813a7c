"""The ledger of test set openings: who let which model answer which test set, under which plan, how many times."""

from datetime import datetime
from typing import Literal, cast

from sqlalchemy import ForeignKeyConstraint, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.change_control import OpeningRequest, TestSetOpening
from domain.errors import PlanNotRegistered
from domain.identifiers import Sha256
from infra.db.base import NAME, OPAQUE, Repository, TenantRow
from infra.db.plans import PlanRow


class OpeningRow(TenantRow):
    """One line. It refers to its plan, so that no line can stand without one."""

    __tablename__ = "test_set_openings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "task", "plan_sha256"],
            ["registered_plans.tenant", "registered_plans.task", "registered_plans.sha256"],
        ),
        Index(None, "tenant", "dataset_sha256", "number"),
        Index(None, "tenant", "task", "number"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task: Mapped[str] = mapped_column(String(NAME))
    dataset_version: Mapped[str] = mapped_column(String(NAME))
    dataset_sha256: Mapped[str] = mapped_column(String(OPAQUE))
    model_version: Mapped[str] = mapped_column(String(NAME))
    model_sha256: Mapped[str] = mapped_column(String(OPAQUE))
    plan_sha256: Mapped[str] = mapped_column(String(OPAQUE))
    purpose: Mapped[str] = mapped_column(String(16))
    opened_by: Mapped[str] = mapped_column(String(NAME))
    opened_at: Mapped[datetime]


class Ledger(Repository):
    """Openings of one tenant's test sets."""

    def open(self, request: OpeningRequest) -> TestSetOpening:
        """Adds the next line; read the test set only once it is committed, so that no look goes unrecorded.

        Raises:
            PlanNotRegistered: the plan is not registered for this task, or was only after ``opened_at``.
        """
        self._must_be_planned(request)
        self._reserve("ledger")
        lines = self._select(OpeningRow)
        last = self._session.execute(lines.with_only_columns(func.max(OpeningRow.number))).scalar() or 0
        row = OpeningRow(tenant=self._tenant, number=last + 1, **request.model_dump())
        self._insert(row)
        return _opening(row)

    def of_dataset(self, dataset_sha256: Sha256) -> tuple[TestSetOpening, ...]:
        """Every opening of a dataset version, whatever the task, oldest first: what reuse is counted from."""
        query = self._select(OpeningRow, OpeningRow.dataset_sha256 == dataset_sha256).order_by(OpeningRow.number)
        return tuple(_opening(row) for row in self._all(query))

    def list(self, task: str) -> tuple[TestSetOpening, ...]:
        """Every opening for a task, oldest first."""
        query = self._select(OpeningRow, OpeningRow.task == task).order_by(OpeningRow.number)
        return tuple(_opening(row) for row in self._all(query))

    def _must_be_planned(self, request: OpeningRequest) -> None:
        plan = self._select(PlanRow, PlanRow.task == request.task, PlanRow.sha256 == request.plan_sha256)
        if self._one(plan.where(PlanRow.registered_at <= request.opened_at)) is None:
            raise PlanNotRegistered(
                f"The test set of {request.task} stays closed: no plan with the SHA-256 {request.plan_sha256} "
                f"was registered by {request.opened_at.isoformat()}.",
                next_step=f"Fix its bytes first: `fiducial plan register --task {request.task}`.",
            )


def _opening(row: OpeningRow) -> TestSetOpening:
    return TestSetOpening(
        number=row.number,
        task=row.task,
        dataset_version=row.dataset_version,
        dataset_sha256=Sha256(row.dataset_sha256),
        model_version=row.model_version,
        model_sha256=Sha256(row.model_sha256),
        plan_sha256=Sha256(row.plan_sha256),
        purpose=cast("Literal['validation', 'reproduction']", row.purpose),
        opened_by=row.opened_by,
        opened_at=row.opened_at,
    )
