"""Everything on record of a task's live traffic that a stop rule, a comparison or a reader judges of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from domain.canonical import canonical_json
from domain.experiment import ArmRow, Experiment, StopRule, TrafficEvent
from domain.history import Change
from domain.identifiers import sha256_of
from domain.review import Review
from domain.traffic import Role, TrafficPolicy


@dataclass(frozen=True)
class Stint:
    """A version that answers patients now, and from which policy on it has done so in this role without a break.

    A challenger that was stopped and is given patients again begins anew: it may have been mended.
    """

    version: int
    role: Role
    since: int  # policy version


@dataclass(frozen=True)
class LiveTraffic:
    """One task's records, as of one moment; ``changes`` holds at least one policy, the last is in force.

    ``rows`` reach back as far as a stint or the newest experiment does.
    """

    changes: tuple[Change, ...]
    rules: tuple[StopRule, ...]
    experiments: tuple[Experiment, ...] = ()
    events: tuple[TrafficEvent, ...] = ()
    rows: tuple[ArmRow, ...] = ()
    reviews: tuple[Review, ...] = ()
    last_row: int = 0  # number read last; what is read next lies behind it
    last_review: int = 0

    @property
    def policy(self) -> TrafficPolicy:
        """The policy in force."""
        return self.changes[-1].policy

    @cached_property
    def policies(self) -> tuple[TrafficPolicy, ...]:
        """Every policy, oldest first."""
        return tuple(change.policy for change in self.changes)

    @cached_property
    def stints(self) -> tuple[Stint, ...]:
        """Of every version that answers patients by its share, the champion first."""
        return stints(self.policies)

    @property
    def oldest_policy(self) -> int:
        """The first policy whose rows are needed; it never goes back."""
        needed = [stint.since for stint in self.stints]
        if self.experiments:
            declared_at = self.experiments[-1].declared_at
            before = [change.policy.policy_version for change in self.changes if change.at <= declared_at]
            needed.append(max(before, default=1))
        return min(needed)

    def rows_of(self, stint: Stint) -> tuple[ArmRow, ...]:
        """What a version had to answer since it got its role."""
        return tuple(
            row
            for row in self.rows
            if row.assigned == stint.version and row.role is stint.role and row.policy_version >= stint.since
        )

    def rows_since(self, experiment: Experiment) -> tuple[ArmRow, ...]:
        """What was recorded since a declaration."""
        return tuple(row for row in self.rows if row.recorded_at >= experiment.declared_at)

    @property
    def running(self) -> Experiment | None:
        """The experiment that has not ended; a task has one at most."""
        newest = self.experiments[-1] if self.experiments else None
        return newest if newest is not None and self.why_ended(newest) is None else None

    def why_ended(self, experiment: Experiment) -> str | None:
        """What ended an experiment: its verdict, a stop, or a policy that names the two otherwise; None: it runs."""
        pair = (experiment.declaration.champion, experiment.declaration.challenger)
        for event in self.events:
            if event.kind == "decided" and event.evidence.get("experiment_id") == experiment.experiment_id:
                return str(event.evidence["verdict"])
        for event in self.events:
            if _is_stop(event) and event.version in pair and event.at >= experiment.declared_at:
                return f"version {event.version} was stopped"
        for change in self.changes:
            if change.at > experiment.declared_at and not _names(change.policy, *pair):
                return f"policy {change.policy.policy_version} no longer has the two versions in these roles"
        return None

    def stopped_for_good(self) -> frozenset[int]:
        """Versions that were stopped, and that nobody has made champion since."""
        last: dict[int, int] = {}
        for event in self.events:
            if event.kind == "stopped" and event.version is not None and event.policy_version is not None:
                last[event.version] = event.policy_version
        back = {one.champion for one in self.policies if one.policy_version > last.get(one.champion, 0)}
        return frozenset(last) - back


def stints(policies: Sequence[TrafficPolicy]) -> tuple[Stint, ...]:
    """The stints of whoever answers patients under the last of a task's policies."""
    present = policies[-1]
    roles = [(present.champion, Role.CHAMPION)]
    roles += [(one.version, Role.CHALLENGER) for one in present.challengers if one.share > 0]
    return tuple(Stint(version, role, _since(version, role, policies)) for version, role in roles)


def event_of(evidence: Mapping[str, Any], **facts: Any) -> TrafficEvent:
    """A traffic event with its evidence and the digest of it."""
    kept = dict(evidence)
    return TrafficEvent(evidence=kept, evidence_sha256=sha256_of(canonical_json(kept)), **facts)


def _is_stop(event: TrafficEvent) -> bool:
    """A policy followed; where nobody could take over, the version answers on."""
    return event.kind == "stopped" and event.policy_version is not None


def _since(version: int, role: Role, policies: Sequence[TrafficPolicy]) -> int:
    since = policies[-1].policy_version
    for policy in reversed(policies):
        if not _answers(version, role, policy):
            break
        since = policy.policy_version
    return since


def _answers(version: int, role: Role, policy: TrafficPolicy) -> bool:
    if role is Role.CHAMPION:
        return policy.champion == version
    return policy.champion != version and policy.share_of(version) > 0


def _names(policy: TrafficPolicy, champion: int, challenger: int) -> bool:
    return policy.champion == champion and challenger in policy.visible[1:]
