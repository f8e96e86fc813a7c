"""A person changes traffic from the command line: the policy at once, MLflow's aliases after it."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.traffic import TrafficPolicy
from domain.traffic_request import TrafficRequest
from infra import traffic_changes, traffic_checks
from infra.clock import now
from infra.db.addresses import Address
from infra.db.session import UnitOfWork
from infra.db.traffic import TrafficChange
from pipelines import reconciling
from pipelines.rollback import named
from pipelines.wiring import Offline


@dataclass(frozen=True)
class Steered:
    """What is in force now, where its versions answer, and what became of the aliases."""

    change: TrafficChange
    addresses: tuple[Address, ...]
    aliases: str


def steer(
    task: str, request: Callable[[TrafficPolicy], TrafficRequest], *, by: str, why: str, root: Offline
) -> Steered:  # fmt: skip
    """Change the policy in force as ``request`` asks of it; raises as ``traffic_changes.amend``."""
    by, why = named(by, why)
    level = root.settings.limits_of_level

    def amend(work: UnitOfWork, before: TrafficPolicy) -> TrafficPolicy:
        return traffic_changes.amend(work, task, request(before), by=by, why=why, at=now(), level=level)

    return _changed(task, amend, root=root)


def stop(task: str, version: int, *, by: str, why: str, root: Offline) -> Steered:
    """Take every patient from a challenger; raises as ``traffic_changes.stop_challenger``, and ForbiddenByLevel."""
    by, why = named(by, why)

    def stop_it(work: UnitOfWork, before: TrafficPolicy) -> TrafficPolicy:
        traffic_checks.require_level(work, task, (), by=by, level=root.settings.limits_of_level)
        return traffic_changes.stop_challenger(work, task, version, by=by, why=why, at=now())

    return _changed(task, stop_it, root=root)


def _changed(task: str, change: Callable[[UnitOfWork, TrafficPolicy], TrafficPolicy], *, root: Offline) -> Steered:
    with root.database.unit_of_work(root.tenant) as work:
        before = traffic_changes.in_force(work, task)
        policy = change(work, before)
        recorded = work.traffic.history(task)[-1]
        addresses = tuple(one for one in work.addresses.list() if one.task == task)
    if policy == before:
        return Steered(recorded, addresses, f"Policy {policy.policy_version} says so already; nothing was changed.")
    return Steered(recorded, addresses, reconciling.follow(policy, before=before, root=root))
