"""Experiments and stop rules from files: what is written down before the first patient."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from domain.experiment import Declaration, Experiment, StopRule
from evidence.experiment.designs import boundaries
from evidence.experiment.live import LiveView, view
from evidence.plan import parse_document
from infra import experiments, live_traffic, traffic_checks
from infra.db.session import UnitOfWork
from pipelines.rollback import named
from pipelines.wiring import Offline


class RuleFile(BaseModel):
    """A file of stop rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[StopRule, ...] = Field(min_length=1)


def declare(data: bytes, experiment_id: str, *, by: str, why: str, root: Offline, now: datetime) -> Experiment:
    """Keep the comparison that a file declares.

    Raises:
        InvalidPlan: the file does not keep to the schema of ``Declaration``.
        NotEstimable: its looks cannot be kept.
        InvalidField: nobody or no reason is named.
        ForbiddenByLevel: the level does not take the word of "demo".
    As well as what ``experiments.declare`` raises.
    """
    by, why = named(by, why)
    declaration: Declaration = parse_document(data, Declaration, what="The declaration")
    boundaries(declaration)  # refused now, not at the first look
    experiment = Experiment(
        experiment_id=experiment_id, declaration=declaration, declared_by=by, why=why, declared_at=now
    )
    with root.database.unit_of_work(root.tenant) as work:
        _require_level(work, declaration.task, by=by, root=root)
        experiments.declare(work, experiment)
    return experiment


def declare_rules(task: str, data: bytes, *, by: str, why: str, root: Offline, now: datetime) -> tuple[StopRule, ...]:
    """Put the stop rules of a file in force. Raises as ``declare``, and what ``experiments.declare_rules`` raises."""
    by, why = named(by, why)
    file: RuleFile = parse_document(data, RuleFile, what="The file of stop rules")
    with root.database.unit_of_work(root.tenant) as work:
        _require_level(work, task, by=by, root=root)
        experiments.declare_rules(work, task, file.rules, by=by, why=why, at=now)
    return file.rules


def live(task: str, *, root: Offline) -> LiveView:
    """A task's live traffic, as the facade shows it too."""
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        traffic = live_traffic.read(work, task)
    return view(traffic)


def every(root: Offline) -> tuple[tuple[Experiment, str | None], ...]:
    """All experiments, oldest first, each with what ended it."""
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        found = work.experiments.list()
        records = {task: live_traffic.records(work, task) for task in {one.declaration.task for one in found}}
    return tuple((one, records[one.declaration.task].why_ended(one)) for one in found)


def _require_level(work: UnitOfWork, task: str, *, by: str, root: Offline) -> None:
    level = root.settings.limits_of_level
    traffic_checks.require_level(work, task, (), by=by, level=level, what="A declaration")
