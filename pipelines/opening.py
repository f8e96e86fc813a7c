"""The door to a test set: nothing is scored on it before a line of the ledger says who opens it for which model, under
which registered plan.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from domain.audit import AuditAction, AuditEvent
from domain.change_control import OpeningRequest, RegisteredPlan, TestSetOpening
from domain.dataset import DatasetVersion
from domain.identifiers import Sha256
from pipelines.wiring import Offline

Purpose = Literal["validation", "reproduction"]
_NOTE = "fiducial-opened-by"  # below .git of the working copy, where a stage finds it


@dataclass(frozen=True)
class Door:
    """Opens test sets for one task, in one person's name."""

    root: Offline
    plan: RegisteredPlan
    by: str
    purpose: Purpose

    def __call__(
        self, *, dataset_version: DatasetVersion, model_version: str, model_sha256: Sha256
    ) -> tuple[TestSetOpening, ...]:
        """Write the line, then give the ledger of this test set up to the model's first line under this plan.

        What comes later does not change a report: the same model opened again adds a line, and none to its report.

        Raises:
            PlanNotRegistered: the plan is not registered, or only after this moment.
        """
        now = datetime.now(UTC)
        request = OpeningRequest(
            task=self.plan.task, dataset_version=dataset_version.name, dataset_sha256=dataset_version.digest,
            model_version=model_version, model_sha256=model_sha256, plan_sha256=self.plan.sha256,
            purpose=self.purpose, opened_by=self.by, opened_at=now,
        )  # fmt: skip
        with self.root.database.unit_of_work(self.root.tenant) as work:
            work.ledger.open(request)
            work.audit.append(
                AuditEvent(
                    tenant=work.tenant, agent=self.by, action=AuditAction.TEST_SET_OPENED,
                    entity=f"{dataset_version.name} for {model_version}", outcome="success", recorded=now,
                )
            )  # fmt: skip
            lines = work.ledger.of_dataset(dataset_version.digest)
        first = next(
            place
            for place, line in enumerate(lines)
            if (line.model_sha256, line.plan_sha256, line.purpose) == (model_sha256, self.plan.sha256, self.purpose)
        )
        return lines[: first + 1]


def door(task: str, plan_sha256: Sha256, *, root: Offline, folder: Path) -> Door:
    """The door for a plan, in the name that ``announce`` left in the working copy.

    Raises:
        PlanNotRegistered: nobody registered a plan of these bytes.
    """
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        plan = work.plans.get(task, plan_sha256)
    return Door(root=root, plan=plan, by=announced(folder), purpose="validation")


def announce(folder: Path, *, by: str) -> None:
    """Leave for the stage, which takes no arguments from a person, who opens the test set."""
    (folder / ".git" / _NOTE).write_text(f"{by}\n", encoding="utf-8")


def announced(folder: Path) -> str:
    """Who opens it; where nobody said so, the account ``dvc``."""
    note = folder / ".git" / _NOTE
    return note.read_text(encoding="utf-8").strip() if note.is_file() else "dvc"
