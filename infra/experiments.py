"""Declaring: a comparison before its first patient, and the stop rules of a task. Each is one commit with its audit."""

from collections.abc import Sequence
from datetime import datetime

from domain.audit import AuditAction, AuditEvent
from domain.errors import Refused
from domain.experiment import Declaration, Experiment, StopRule
from domain.live_traffic import LiveTraffic, event_of
from domain.traffic import Role
from infra import live_traffic, traffic_changes
from infra.db.session import UnitOfWork


def declare(work: UnitOfWork, experiment: Experiment) -> None:
    """Keep a declaration, from which on rows count.

    Raises:
        UnknownTask: the task has no policy.
        Refused: a comparison runs already, the policy has the two versions in other roles, or the challenger has
            answered patients in its present role: who knows some of them could declare what suits them.
    """
    declaration = experiment.declaration
    work.experiments.lock(declaration.task)
    traffic = live_traffic.records(work, declaration.task)
    _require_none_runs(traffic)
    _require_roles(declaration, traffic)
    _require_unseen(work, declaration, traffic)
    work.experiments.add(experiment)
    _audit(
        work, AuditAction.EXPERIMENT_DECLARED, entity=f"{declaration.task} experiment {experiment.experiment_id}",
        by=experiment.declared_by, at=experiment.declared_at,
    )  # fmt: skip


def declare_rules(work: UnitOfWork, task: str, rules: Sequence[StopRule], *, by: str, why: str, at: datetime) -> None:
    """Put stop rules in force in place of those before; the watch judges all rows of each version's present role.

    Raises:
        UnknownTask: the task has no policy.
        InvalidField: there is no rule, or two of one name.
    """
    policy = traffic_changes.in_force(work, task)
    before = work.stop_rules.in_force(task)
    work.stop_rules.declare(task, rules, by=by, why=why, at=at)
    evidence = {
        "before": [rule.model_dump(mode="json") for rule in before],
        "after": [rule.model_dump(mode="json") for rule in rules],
        "policy_version": policy.policy_version,
    }
    work.traffic_events.add(
        event_of(
            evidence, task=task, kind="rules declared", version=None, policy_version=None, by=by, why=why, at=at
        )
    )  # fmt: skip
    _audit(work, AuditAction.STOP_RULES_DECLARED, entity=task, by=by, at=at)


def _require_none_runs(traffic: LiveTraffic) -> None:
    running = traffic.running
    if running is not None:
        pair = f"versions {running.declaration.champion} and {running.declaration.challenger}"
        raise Refused(
            f"The comparison of {pair} of {running.declaration.task}, declared {running.declared_at:%Y-%m-%d}, runs.",
            next_step="It ends with its verdict, or when the challenger leaves the policy.",
        )


def _require_roles(declaration: Declaration, traffic: LiveTraffic) -> None:
    policy = traffic.policy
    if policy.champion != declaration.champion or declaration.challenger not in policy.visible[1:]:
        raise Refused(
            f"Policy {policy.policy_version} of {policy.task} does not have version {declaration.champion} as champion "
            f"and {declaration.challenger} as challenger.",
            next_step=f"`fiducial traffic set {policy.task} --challenger {declaration.challenger}=0` makes it one "
            "without patients; declare, then give it its share.",
        )


def _require_unseen(work: UnitOfWork, declaration: Declaration, traffic: LiveTraffic) -> None:
    challenger = [one for one in traffic.stints if (one.version, one.role) == (declaration.challenger, Role.CHALLENGER)]
    seen = 0
    for stint in challenger:
        while page := work.arm_rows.after(declaration.task, seen, policy_version=stint.since):
            if any((row.assigned, row.role) == (stint.version, stint.role) for row in page):
                raise Refused(
                    f"Version {stint.version} has answered patients as challenger already: a comparison is declared "
                    "before the first of them.",
                    next_step="Set its share to 0, declare, and give it its share again; it begins anew then.",
                )
            seen = page[-1].number


def _audit(work: UnitOfWork, action: AuditAction, *, entity: str, by: str, at: datetime) -> None:
    work.audit.append(
        AuditEvent(tenant=work.tenant, agent=by, action=action, entity=entity, outcome="success", recorded=at)
    )
