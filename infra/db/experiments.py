"""Experiments: what was declared before the first patient, never changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from domain.errors import NotFound
from domain.experiment import Declaration, Experiment
from infra.db.base import NAME, OPAQUE, Repository, TenantRow


class ExperimentRow(TenantRow):
    """One declaration."""

    __tablename__ = "experiments"
    __table_args__ = (Index(None, "tenant", "task", "declared_at"),)

    experiment_id: Mapped[str] = mapped_column(String(OPAQUE), primary_key=True)
    task: Mapped[str] = mapped_column(String(NAME))
    declaration: Mapped[dict[str, Any]] = mapped_column(JSON)
    declared_by: Mapped[str] = mapped_column(String(NAME))
    why: Mapped[str]
    declared_at: Mapped[datetime]


class Experiments(Repository):
    """Experiments of one tenant."""

    def lock(self, task: str) -> None:
        """Keeps others from declaring for this task until this unit of work ends: what is read from now on stays."""
        self._reserve(f"experiment {task}")

    def add(self, experiment: Experiment) -> None:
        """Keeps a declaration."""
        self._insert(
            ExperimentRow(
                tenant=self._tenant,
                experiment_id=experiment.experiment_id,
                task=experiment.declaration.task,
                declaration=experiment.declaration.model_dump(mode="json"),
                declared_by=experiment.declared_by,
                why=experiment.why,
                declared_at=experiment.declared_at,
            )
        )

    def get(self, experiment_id: str) -> Experiment:
        """The experiment of that identifier.

        Raises:
            NotFound: this tenant has none.
        """
        row = self._one(self._select(ExperimentRow, ExperimentRow.experiment_id == experiment_id))
        if row is None:
            raise NotFound(f"No experiment {experiment_id!r} here.", next_step="`fiducial experiment list` names all.")
        return _experiment(row)

    def list(self, task: str | None = None) -> tuple[Experiment, ...]:
        """Every experiment of a task, or of all, oldest first."""
        query = self._select(ExperimentRow) if task is None else self._select(ExperimentRow, ExperimentRow.task == task)
        query = query.order_by(ExperimentRow.declared_at, ExperimentRow.experiment_id)
        return tuple(_experiment(row) for row in self._all(query))


def _experiment(row: ExperimentRow) -> Experiment:
    return Experiment(
        experiment_id=row.experiment_id,
        declaration=Declaration.model_validate(row.declaration),
        declared_by=row.declared_by,
        why=row.why,
        declared_at=row.declared_at,
    )
