"""Reading a task's live traffic: whole, or what is new since it was read last. The watch and every view ask here."""

from dataclasses import replace

from domain.errors import UnknownTask
from domain.experiment import ArmRow
from domain.live_traffic import LiveTraffic
from infra.db.session import UnitOfWork

PAGE = 10_000


def read(work: UnitOfWork, task: str, *, known: LiveTraffic | None = None) -> LiveTraffic:
    """All that is on record of the task; ``known``, if given, is not read again.

    Raises:
        UnknownTask: the task has no policy.
    """
    policy = work.traffic.current(task)
    if policy is None:
        raise UnknownTask(f"{task!r} has no traffic policy.", next_step="`fiducial promote` makes the first one.")
    unchanged = known is not None and known.policy.policy_version == policy.policy_version
    found = LiveTraffic(
        changes=known.changes if known and unchanged else work.traffic.history(task),
        rules=work.stop_rules.in_force(task),
        experiments=work.experiments.list(task),
        events=work.traffic_events.list(task),
    )
    rows, last_row = _rows(work, task, known=known, oldest_policy=found.oldest_policy)
    new = work.reviews.of_task(task, after=known.last_review if known else 0)
    return replace(
        found,
        rows=rows,
        reviews=(*known.reviews, *new) if known else new,
        last_row=last_row,
        last_review=new[-1].number if new else known.last_review if known else 0,
    )


def _rows(
    work: UnitOfWork, task: str, *, known: LiveTraffic | None, oldest_policy: int
) -> tuple[tuple[ArmRow, ...], int]:
    rows, last = (known.rows, known.last_row) if known else ((), 0)
    if rows and rows[0].policy_version < oldest_policy:
        rows = tuple(row for row in rows if row.policy_version >= oldest_policy)
    found: list[ArmRow] = []
    while page := work.arm_rows.after(task, last, limit=PAGE, policy_version=oldest_policy):
        found += page
        last = page[-1].number
    return (*rows, *found) if found else rows, last
