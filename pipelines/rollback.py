"""Rollback from the command line: the policy at once, without MLflow; its aliases follow afterwards."""

from dataclasses import dataclass
from datetime import datetime

from domain.errors import InvalidField
from domain.traffic import TrafficPolicy
from infra import traffic_changes, traffic_checks
from infra.db.base import NAME
from pipelines import reconciling
from pipelines.wiring import Offline


@dataclass(frozen=True)
class RolledBack:
    """What a rollback put in force, and what became of the aliases."""

    policy: TrafficPolicy
    left: int  # the champion before
    by: str
    aliases: str


def roll_back(task: str, *, by: str, why: str, root: Offline, now: datetime, to: int | None = None) -> RolledBack:
    """Put the previous champion, or version ``to``, back in force.

    Raises:
        ForbiddenByLevel: the level does not take the word of "demo".
    As well as what ``traffic_changes.roll_back`` raises.
    """
    by, why = named(by, why)
    level = root.settings.limits_of_level
    with root.database.unit_of_work(root.tenant) as work:
        before = work.traffic.current(task)
        done = traffic_changes.roll_back(work, task, by=by, why=why, at=now, to=to)
        champion = done.policy.champion
        traffic_checks.require_level(work, task, (champion,), by=by, level=level, what="A rollback")  # else undone
    aliases = reconciling.follow(done.policy, before=before or done.policy, root=root)
    return RolledBack(done.policy, done.left, by, aliases)


def named(by: str, why: str) -> tuple[str, str]:
    """Who decides and why, without what surrounds the words.

    Raises:
        InvalidField: one is missing, told in the command line's words.
    """
    by, why = by.strip(), why.strip()
    if not why:
        raise InvalidField("--why is empty.", next_step="Say why, in a sentence; it is kept for good.")
    if not 0 < len(by) <= NAME:
        raise InvalidField(
            f"--by must have 1 to {NAME} characters.", next_step="Name the person who decides; it is kept for good."
        )
    return by, why
