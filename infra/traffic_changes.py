"""Changing who serves: what may be put in force, and the record of it. Facade, command line and watchdog all come here.

A change is refused unless every version that would answer a patient is registered, was promoted by the gate or has
answered before, and its Bento holds the model of its manifest. Only what takes patients away is never held up by that:
whoever switches a task off or stops a challenger need not wait for a file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from domain.audit import AuditAction, AuditEvent
from domain.errors import Conflict, InvalidField, Refused, UnknownTask
from domain.level import Level
from domain.traffic import Challenger, TrafficPolicy
from domain.traffic_request import TrafficRequest, policy, require_pseudonyms
from infra import traffic_checks
from infra.db.base import NAME
from infra.db.session import UnitOfWork


@dataclass(frozen=True)
class RolledBack:
    """What a rollback put in force, and the champion it took out."""

    policy: TrafficPolicy
    left: int


def in_force(work: UnitOfWork, task: str) -> TrafficPolicy:
    """The policy in force.

    Raises:
        UnknownTask: the task has none.
    """
    current = work.traffic.current(task)
    if current is None:
        raise UnknownTask(f"{task!r} has no traffic policy.", next_step="`fiducial promote` makes the first one.")
    return current


def change(work: UnitOfWork, wanted: TrafficPolicy, *, by: str, why: str, at: datetime) -> TrafficPolicy:
    """Put a policy in force, with the segments that move the fewest patients; ``wanted.segments`` do not count.

    Raises:
        InvalidField: nobody or no reason is named, or a pin names no pseudonym.
        Conflict: ``wanted.policy_version`` does not follow the policy in force.
        UnknownModelVersion: a version is not registered.
        CriteriaNotMet: a version that would answer was never promoted by the gate and has never answered.
        ModelUnavailable: the Bento of a version that would answer is not there.
        DigestMismatch: it is there with other bytes.
    """
    by, why = _named(by, why)
    require_pseudonyms(wanted.pins)
    before = work.traffic.current(wanted.task)
    _require_following(wanted, before)
    after = wanted.after(before)
    if before is None or _is_same(after, before) or not after.only_takes_from(before):
        traffic_checks.require_fit(work, after)
    same_champion = before is not None and before.champion == after.champion
    events = [] if same_champion else [(AuditAction.MODEL_PROMOTED, after.champion)]
    return _put_in_force(work, after, events, by=by, why=why, at=at)


def amend(
    work: UnitOfWork, task: str, request: TrafficRequest, *, by: str, why: str, at: datetime, level: Level
) -> TrafficPolicy:
    """Put in force what a person asks for; where the policy in force says it already, that one stays.

    Raises:
        UnknownTask: the task has no policy.
        ForbiddenByLevel: the level does not take the word of "demo".
    As well as what ``TrafficRequest.of`` and ``change`` raise.
    """
    by, why = _named(by, why)
    before = in_force(work, task)
    wanted = request.of(before)
    answering = () if wanted.only_takes_from(before) else wanted.visible
    traffic_checks.require_level(work, task, answering, by=by, level=level)
    if _is_same(wanted.after(before), before):
        return before
    return change(work, wanted, by=by, why=why, at=at)


def stop_challenger(work: UnitOfWork, task: str, version: int, *, by: str, why: str, at: datetime) -> TrafficPolicy:
    """Take every patient from a challenger: its share becomes 0, its pins go, everything else stays.

    Where it has none already, the policy in force is given back and nothing is recorded.

    Raises:
        InvalidField: nobody or no reason is named.
        UnknownTask: the task has no policy.
        Refused: the version is no challenger.
    """
    by, why = _named(by, why)
    before = in_force(work, task)
    if version not in before.visible[1:]:
        raise Refused(f"{task}@{version} is no challenger.", next_step="`fiducial traffic show` tells who is.")
    stopped = Challenger(version=version, share=0.0)
    wanted = policy(
        **{
            **dict(before),
            "policy_version": before.policy_version + 1,
            "challengers": tuple(stopped if one.version == version else one for one in before.challengers),
            "pins": tuple(pin for pin in before.pins if pin.version != version),
            "segments": (),
        }
    )
    if _is_same(wanted.after(before), before):
        return before
    events = [(AuditAction.VERSION_STOPPED, version)]
    return _put_in_force(work, wanted.after(before), events, by=by, why=why, at=at)


def roll_back(
    work: UnitOfWork,
    task: str,
    *,
    by: str,
    why: str,
    at: datetime,
    to: int | None = None,
    not_to: frozenset[int] = frozenset(),
) -> RolledBack:  # fmt: skip
    """Put the previous champion, or version ``to``, back in force; never one of ``not_to``.

    Challengers, shadows, mode and pins stay, but the version itself is champion only. The version left has no part and
    no pin any more.

    Raises:
        InvalidField: nobody or no reason is named.
        UnknownTask: the task has no policy.
        Refused: there is no earlier champion, or ``to`` serves already or was never fit to serve.
        ModelUnavailable: the version's Bento is not there, so nobody would answer.
        DigestMismatch: it is there with other bytes.
    """
    by, why = _named(by, why)
    changes = work.traffic.history(task)
    if not changes:
        raise UnknownTask(f"{task!r} has no policy to roll back.", next_step="`fiducial promote` makes one.")
    before = changes[-1].policy
    version = traffic_checks.earlier(work, changes, to=to, not_to=not_to)
    traffic_checks.require_bento(work, task, version)
    wanted = policy(
        task=task,
        policy_version=before.policy_version + 1,
        champion=version,
        challengers=tuple(one for one in before.challengers if one.version != version),
        shadows=tuple(one for one in before.shadows if one != version),
        pins=tuple(pin for pin in before.pins if pin.version != before.champion),
        mode=before.mode,
    )
    events = [(AuditAction.MODEL_ROLLED_BACK, version)]
    after = _put_in_force(work, wanted.after(before), events, by=by, why=why, at=at)
    return RolledBack(after, before.champion)


def _named(by: str, why: str) -> tuple[str, str]:
    by, why = by.strip(), why.strip()
    if not why:
        raise InvalidField("No reason is given.", next_step="Say why, in a sentence; it is kept for good.")
    if not 0 < len(by) <= NAME:
        raise InvalidField(
            f"Who decides has a name of 1 to {NAME} characters.", next_step="Name the person; it is kept for good."
        )
    return by, why


def _require_following(wanted: TrafficPolicy, before: TrafficPolicy | None) -> None:
    number = before.policy_version if before else 0
    if wanted.policy_version != number + 1:
        raise Conflict(
            f"Policy {wanted.policy_version} of {wanted.task} does not follow {number}, the one in force.",
            next_step="Read the policy in force and decide again.",
        )


def _is_same(after: TrafficPolicy, before: TrafficPolicy) -> bool:
    return after.model_copy(update={"policy_version": before.policy_version}) == before


def _put_in_force(
    work: UnitOfWork,
    policy: TrafficPolicy,
    events: Iterable[tuple[AuditAction, int]],
    *,
    by: str,
    why: str,
    at: datetime,
) -> TrafficPolicy:
    work.traffic.change(policy, by=by, why=why, at=at)
    told = [(action, f"{policy.task}@{version}") for action, version in events]
    for action, entity in (*told, (AuditAction.TRAFFIC_CHANGED, f"{policy.task} policy {policy.policy_version}")):
        event = AuditEvent(
            tenant=work.tenant, agent=by, action=action, entity=entity, outcome="success", recorded=at
        )  # fmt: skip
        work.audit.append(event)
    return policy
