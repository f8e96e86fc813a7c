"""A task's plan and change control plan: read from the project, and the plan's bytes registered before a test set is
opened.
"""

from datetime import UTC, datetime
from pathlib import Path

from domain.audit import AuditAction, AuditEvent
from domain.change_control import RegisteredPlan
from domain.errors import NotFound
from evidence.pccp import ChangeControlPlan, read_pccp
from evidence.plan import ValidationPlan, read_plan
from models.plans import PCCP_FILE, PLAN_FILE, PLANS, read_file
from models.tasks import get_task
from pipelines.wiring import PROJECT, Offline


def document(task: str, name: str, *, folder: Path = PROJECT) -> bytes:
    """The bytes of a task's document below ``models/plans`` of a checkout.

    Raises:
        UnknownTask: there is no such task.
        NotFound: the task has no such document.
    """
    return read_file(folder / PLANS / get_task(task).name / name)


def bring(task: str, copy: Path) -> None:
    """Put the documents as they stand in the project into the working copy: an edit after training counts too.

    Raises:
        UnknownTask, NotFound: as ``document``.
        InvalidPlan: one does not keep to its schema; nothing is brought.
    """
    plan_of(task)
    change_control_of(task)
    if not copy.is_dir():
        raise NotFound(f"There is no working copy at {copy}.", next_step="Run `fiducial train` to make it.")
    for name in (PLAN_FILE, PCCP_FILE):
        target = copy / PLANS / task / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(document(task, name))


def plan_of(task: str, *, folder: Path = PROJECT) -> ValidationPlan:
    """The task's validation plan.

    Raises:
        InvalidPlan, UnknownTask, NotFound: as ``document`` and ``evidence.plan.read_plan``.
    """
    return read_plan(document(task, PLAN_FILE, folder=folder), task=task)[0]


def change_control_of(task: str, *, folder: Path = PROJECT) -> ChangeControlPlan:
    """The task's predetermined change control plan.

    Raises:
        InvalidPlan, UnknownTask, NotFound: as ``document`` and ``evidence.pccp.read_pccp``.
    """
    return read_pccp(document(task, PCCP_FILE, folder=folder), task=task)[0]


def register(task: str, *, by: str, root: Offline) -> RegisteredPlan:
    """Fix the bytes of the task's plan; the same bytes keep their first registration.

    Raises:
        InvalidPlan: the plan or the change control plan does not keep to its schema.
        UnknownTask, NotFound: as ``document``.
    """
    content = document(task, PLAN_FILE)
    _, sha256 = read_plan(content, task=task)
    change_control_of(task)
    now = datetime.now(UTC)
    plan = RegisteredPlan(task=task, sha256=sha256, content=content.decode(), registered_by=by, registered_at=now)
    with root.database.unit_of_work(root.tenant) as work:
        if any(known.sha256 == sha256 for known in work.plans.list(task)):
            return work.plans.get(task, sha256)
        work.plans.register(plan)
        work.audit.append(
            AuditEvent(
                tenant=work.tenant, agent=by, action=AuditAction.PLAN_REGISTERED, entity=f"{task} {sha256[:12]}",
                outcome="success", recorded=now,
            )
        )  # fmt: skip
    return plan
