"""What the watch does: stop a version by a rule, end a comparison by its verdict. Each is one commit with its evidence.

Of several watches one acts: whoever comes second finds another policy in force than the one it judged, or the event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from domain.audit import AuditAction, AuditEvent
from domain.errors import Conflict, DigestMismatch, ModelUnavailable, NotFound, Refused
from domain.experiment import Experiment, TrafficEvent
from domain.identifiers import Tenant
from domain.level import Level
from domain.live_traffic import LiveTraffic, Stint, event_of
from domain.traffic import Role
from evidence.experiment.decision import ExperimentView
from evidence.experiment.stopping import RuleState
from infra import traffic_changes, traffic_checks
from infra.db.session import Database, UnitOfWork

AGENT = "watch"
NOBODY = "nobody to roll back to"
_NOT_FIT = (ModelUnavailable, DigestMismatch, NotFound)  # an earlier champion that cannot come back


@dataclass(frozen=True)
class _Cause:
    """Why a version is stopped."""

    task: str
    why: str
    evidence: Mapping[str, Any]
    at: datetime

    def event(self, action: str, *, version: int, policy_version: int | None, **more: Any) -> TrafficEvent:
        """The record of what was done."""
        return event_of(
            {"action": action, **self.evidence, **more}, task=self.task, kind="stopped", version=version,
            policy_version=policy_version, by=AGENT, why=self.why, at=self.at,
        )  # fmt: skip


@dataclass(frozen=True)
class Stopping:
    """Acts for one tenant; ``level`` limits who may answer, for the watch as for a person."""

    tenant: Tenant
    database: Database
    level: Level

    def stop(
        self, traffic: LiveTraffic, at: datetime, *, stint: Stint, states: Sequence[RuleState]
    ) -> TrafficEvent | None:
        """Stop a version for the rules that act; None: another policy is in force by now, judge again.

        A challenger's share becomes 0. In the champion's place comes the one before it that was not stopped itself;
        where there is none, that is recorded, once for each time the version got its role.
        """
        cause = _Cause(
            task=traffic.policy.task,
            why="; ".join(f"stop rule '{state.rule.name}': {state.sentence}" for state in states),
            evidence={
                "rules": [state.evidence() for state in states],
                "since_policy": stint.since,
                "policy_before": traffic.policy.policy_version,
                **_seconds(traffic, states, at=at),
            },
            at=at,
        )
        try:
            with self.database.unit_of_work(self.tenant) as work:
                if not _still_so(work, traffic):
                    return None
                return self._take_out(work, traffic, stint, cause)
        except Conflict:
            return None  # somebody changed the policy in this very moment
        except Refused as error:
            return self._leave_standing(traffic, stint, cause, reason=error.what)

    def decide(
        self, traffic: LiveTraffic, at: datetime, *, experiment: Experiment, view: ExperimentView
    ) -> TrafficEvent | None:
        """Record a comparison's verdict, once; a rejected challenger is stopped, an accepted one waits for a person.

        A verdict on patients who did not meet the versions in the planned proportion is recorded and not acted on.
        """
        task, challenger = traffic.policy.task, experiment.declaration.challenger
        evidence = {"experiment_id": experiment.experiment_id, **view.model_dump(mode="json")}
        why = view.sentence if view.trustworthy else f"{view.sentence} Not acted on: {view.sample_split.sentence}"
        rejected = view.verdict == "challenger rejected" and view.trustworthy
        policy_version = None
        try:
            with self.database.unit_of_work(self.tenant) as work:
                if not _still_so(work, traffic) or _is_decided(work, experiment):
                    return None
                if rejected and traffic.policy.share_of(challenger) > 0:
                    stopped = _stop_challenger(work, challenger, _Cause(task, why, evidence, at))
                    policy_version = stopped.policy_version
                event = event_of(
                    evidence, task=task, kind="decided", version=challenger, policy_version=policy_version, by=AGENT,
                    why=why, at=at,
                )  # fmt: skip
                work.traffic_events.add(event)
        except Conflict:
            return None
        return event

    def _take_out(self, work: UnitOfWork, traffic: LiveTraffic, stint: Stint, cause: _Cause) -> TrafficEvent:
        if stint.role is Role.CHALLENGER:
            return _stop_challenger(work, stint.version, cause)
        passed_over: dict[int, str] = {}
        while True:
            not_to = traffic.stopped_for_good() | frozenset(passed_over)
            to = traffic_checks.earlier(work, work.traffic.history(cause.task), not_to=not_to)
            try:
                traffic_checks.require_level(work, cause.task, (to,), by=AGENT, level=self.level, what="A rollback")
                done = traffic_changes.roll_back(
                    work, cause.task, by=AGENT, why=cause.why, at=cause.at, to=to, not_to=not_to
                )
                break
            except _NOT_FIT as error:
                passed_over[to] = error.what
        event = cause.event(
            f"rolled back to {to}",
            version=done.left,
            policy_version=done.policy.policy_version,
            passed_over=[f"{version}: {why}" for version, why in passed_over.items()],
        )
        work.traffic_events.add(event)
        work.audit.append(_audited(work, event, outcome="success"))
        return event

    def _leave_standing(self, traffic: LiveTraffic, stint: Stint, cause: _Cause, *, reason: str) -> TrafficEvent | None:
        with self.database.unit_of_work(self.tenant) as work:
            if not _still_so(work, traffic) or left_standing(work.traffic_events.list(cause.task), stint):
                return None
            event = cause.event(NOBODY, version=stint.version, policy_version=None, reason=reason)
            work.traffic_events.add(event)
            work.audit.append(_audited(work, event, outcome="failure"))
        return event


def left_standing(events: Sequence[TrafficEvent], stint: Stint) -> bool:
    """Whether it is on record that the version should go, in this stint, and that nobody could take over."""
    told = {"action": NOBODY, "since_policy": stint.since}
    return any(
        event.kind == "stopped"
        and event.version == stint.version
        and all(event.evidence.get(name) == value for name, value in told.items())
        for event in events
    )


def _still_so(work: UnitOfWork, traffic: LiveTraffic) -> bool:
    """Whether the policy judged is in force; other watches wait from now on until this unit of work ends."""
    work.traffic_events.lock()
    current = work.traffic.current(traffic.policy.task)
    return current is not None and current.policy_version == traffic.policy.policy_version


def _is_decided(work: UnitOfWork, experiment: Experiment) -> bool:
    events = work.traffic_events.list(experiment.declaration.task)
    return any(
        event.kind == "decided" and event.evidence.get("experiment_id") == experiment.experiment_id for event in events
    )


def _stop_challenger(work: UnitOfWork, version: int, cause: _Cause) -> TrafficEvent:
    policy = traffic_changes.stop_challenger(work, cause.task, version, by=AGENT, why=cause.why, at=cause.at)
    event = cause.event("share to 0", version=version, policy_version=policy.policy_version)
    work.traffic_events.add(event)
    return event


def _seconds(traffic: LiveTraffic, states: Sequence[RuleState], *, at: datetime) -> dict[str, float]:
    """From the first patient of the evidence, and from the one who settled it, to the change of policy."""
    recorded_at = {row.number: row.recorded_at for row in traffic.rows}
    first = min(recorded_at[state.first_row] for state in states if state.first_row is not None)
    last = max(recorded_at[state.last_row] for state in states if state.last_row is not None)
    return {
        "seconds_since_first_row": (at - first).total_seconds(),
        "seconds_since_last_row": (at - last).total_seconds(),
    }


def _audited(work: UnitOfWork, event: TrafficEvent, *, outcome: Literal["success", "failure"]) -> AuditEvent:
    return AuditEvent(
        tenant=work.tenant, agent=AGENT, action=AuditAction.VERSION_STOPPED, entity=f"{event.task}@{event.version}",
        outcome=outcome, recorded=event.at,
    )  # fmt: skip
