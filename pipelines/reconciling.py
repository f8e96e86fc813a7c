"""MLflow's aliases against the policies in force: the policy decides who serves, an alias only repeats it.

Whatever somebody does to an alias changes nobody's answer. But people read aliases, so one that says something else is
alarmed (audit trail, log, ``<home>/alarms/aliases.jsonl``, exit code 6) and written back.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from domain.audit import AuditAction, AuditEvent
from domain.errors import AliasMoved, Unavailable, UnknownModelVersion, UnknownTask
from domain.traffic import TrafficPolicy
from infra import logs
from infra.db.traffic import TrafficChange
from models import registry
from models.registry import Alias
from pipelines.wiring import Offline

AGENT = "reconciler"
GRACE = timedelta(seconds=60)  # between a policy and its aliases, which the same promotion writes after it

log = logs.get(__name__)


@dataclass(frozen=True)
class Moved:
    """An alias that said what no promotion had it say."""

    task: str
    alias: Alias
    said: int | None
    policy_says: int | None
    policy_version: int
    written_back: bool

    def __str__(self) -> str:
        said, says = (f"version {one}" if one else "no version" for one in (self.said, self.policy_says))
        back = "written back" if self.written_back else "MLflow did not let it be written back"
        return f"{self.task}: {self.alias} said {said}, policy {self.policy_version} says {says}; {back}"


@dataclass(frozen=True)
class Reconciled:
    """What was found of one task."""

    task: str
    policy_version: int
    late: tuple[Alias, ...]  # still said what the policy before said, for a known reason; now written
    moved: tuple[Moved, ...]

    def __str__(self) -> str:
        late = f"; {' and '.join(self.late)} still said the policy before, and now say this one" if self.late else ""
        moved = f"; {len(self.moved)} moved" if self.moved else ""
        return f"{self.task}: MLflow's aliases compared with policy {self.policy_version}{late}{moved}"


def reconcile(root: Offline, *, now: datetime, task: str | None = None) -> tuple[Reconciled, ...]:
    """Compare, alarm and write back, for one task or every one with a policy; who serves stays as it is.

    Raises:
        UnknownTask: the task has no policy.
        Unavailable: MLflow does not answer, so nothing is known of its aliases.
    """
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        tasks = [policy.task for policy in work.traffic.all_current() if task in (None, policy.task)]
    if task is not None and not tasks:
        raise UnknownTask(
            f"{task!r} has no policy its aliases could follow.", next_step="`fiducial promote` makes the first one."
        )
    return tuple(_reconcile(one, root=root, now=now) for one in tasks)


def require_unmoved(found: Sequence[Reconciled]) -> None:
    """Do nothing when every alias said what its policy says.

    Raises:
        AliasMoved: one did not.
    """
    moved = [str(one) for task in found for one in task.moved]
    if moved:
        raise AliasMoved(
            f"{'; '.join(moved)}.",
            next_step="No answer was affected. MLflow was written to by another than Fiducial: find out who may.",
        )


def follow(policy: TrafficPolicy, *, before: TrafficPolicy, root: Offline) -> str:
    """Have the aliases follow a policy that is in force already; when MLflow does not let them, say so.

    Then a note is left, so that ``reconcile`` does not take the aliases left behind for moved ones.
    """
    try:
        agree(policy, root=root)
    except (Unavailable, UnknownModelVersion) as error:
        if not _note_of(policy.task, root).is_file():
            _note(before, root=root)
        return f"MLflow's aliases still say the policy before ({error.what}) `fiducial reconcile` will write them."
    return "MLflow's aliases say the same"


def agree(policy: TrafficPolicy, *, root: Offline) -> None:
    """Have the aliases say what a policy says, and note that they do. Raises as ``registry.follow``."""
    registry.follow(root.tracking, policy)
    _note(policy, root=root)


def _reconcile(task: str, *, root: Offline, now: datetime) -> Reconciled:
    said = registry.aliases(root.tracking, task=task)
    # The policy after the aliases: a promotion in between is then seen as one whose aliases are still to come.
    with root.database.unit_of_work(root.tenant, read_only=True) as work:
        changes = work.traffic.history(task)
    policy = changes[-1].policy
    wrong = [alias for alias, version in registry.aliases_of(policy).items() if said[alias] != version]
    late = tuple(alias for alias in wrong if said[alias] in _left_behind(alias, changes, root=root, now=now))
    moved = tuple(alias for alias in wrong if alias not in late)
    _audit(moved, policy, root=root, now=now)
    written = _write(policy, wrong, root=root)
    found = [
        Moved(task, alias, said[alias], registry.aliases_of(policy)[alias], policy.policy_version, alias in written)
        for alias in moved
    ]
    for one in found:
        _alarm(one, root=root, now=now)
    if set(wrong) == written:
        _note(policy, root=root)
    return Reconciled(task, policy.policy_version, late, tuple(found))


def _left_behind(
    alias: Alias, changes: Sequence[TrafficChange], *, root: Offline, now: datetime
) -> frozenset[int | None]:
    """What an alias may still say although the policy in force says something else."""
    *before, current = changes
    fresh = now - current.at < GRACE
    if not before:  # until the first policy, the candidate is named challenger while it is judged
        return frozenset({None, current.policy.champion} if fresh else ())
    note = _note_of(current.policy.task, root)
    since = int(note.read_text()) if note.is_file() else current.policy.policy_version
    known = [one for one in before if one.policy.policy_version >= since or (fresh and one is before[-1])]
    return frozenset(registry.aliases_of(one.policy)[alias] for one in known)


def _write(policy: TrafficPolicy, wrong: Sequence[Alias], *, root: Offline) -> set[Alias]:
    written: set[Alias] = set()
    for alias in wrong:
        version = registry.aliases_of(policy)[alias]
        with suppress(UnknownModelVersion, Unavailable):  # deleted in MLflow, or it went away: the alarm says so
            if version is None:
                registry.remove_alias(root.tracking, task=policy.task, alias=alias)
            else:
                registry.set_alias(root.tracking, task=policy.task, alias=alias, version=version)
            written.add(alias)
    return written


def _audit(moved: Sequence[Alias], policy: TrafficPolicy, *, root: Offline, now: datetime) -> None:
    if not moved:
        return
    with root.database.unit_of_work(root.tenant) as work:
        for alias in moved:
            work.audit.append(
                AuditEvent(
                    tenant=work.tenant, agent=AGENT, action=AuditAction.ALIAS_MOVED,
                    entity=f"{policy.task} alias {alias}", outcome="failure", recorded=now,
                )
            )  # fmt: skip


def _alarm(moved: Moved, *, root: Offline, now: datetime) -> None:
    facts: dict[str, Any] = {**vars(moved), "tenant": root.tenant}
    log.error("alias.moved", **facts)
    alarms = root.home / "alarms" / "aliases.jsonl"
    alarms.parent.mkdir(exist_ok=True)
    with alarms.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": now.isoformat(), **facts}) + "\n")


def _note(policy: TrafficPolicy, *, root: Offline) -> None:
    note = _note_of(policy.task, root)
    note.parent.mkdir(exist_ok=True)
    note.write_text(str(policy.policy_version))


def _note_of(task: str, root: Offline) -> Path:
    """Says which policy the aliases agreed with last: facade and watchdog change policies without MLflow."""
    return root.home / "alarms" / f"{task}.aliases-agreed"
