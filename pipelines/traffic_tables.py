"""Traffic policies as tables on a terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console

from domain.traffic import Mode, Role, TrafficPolicy
from infra.db.addresses import Address
from infra.db.traffic import TrafficChange
from pipelines.tables import add, table

_FACTS: tuple[str, ...] = Address._fields[3:]  # what is recorded of a running version beside where it answers


def show(change: TrafficChange, addresses: Iterable[Address]) -> None:
    """Who answers under a policy: one line for each version that runs."""
    policy, running = change.policy, {one.version: one for one in addresses}
    since = f"{change.at:%Y-%m-%d %H:%M:%S} UTC"
    title = f"{policy.task}: policy {policy.policy_version}, since {since}\n{change.by}: {change.why}"
    shown = table("version", "role", "share", "pinned", "answers at", *_FACTS, title=f"{title}\n{_mode(policy)}")
    for version, role in _roles(policy):
        pinned = sum(pin.version == version for pin in policy.pins)
        one = running.get(version)
        facts = [_fact(getattr(one, name, None)) for name in _FACTS]
        add(shown, str(version), role, _share(policy, version), str(pinned or "–"), one.url if one else "–", *facts)
    Console().print(shown)


def show_all(task: str, changes: Sequence[TrafficChange]) -> None:
    """Every policy of a task, oldest first."""
    shown = table("policy", "since (UTC)", "versions", "by", "why", title=f"{task}: who answered when")
    for one in changes:
        add(shown, str(one.policy.policy_version), f"{one.at:%Y-%m-%d %H:%M:%S}", _parts(one.policy), one.by, one.why)
    Console().print(shown)


def _mode(policy: TrafficPolicy) -> str:
    told = {
        Mode.NORMAL: "every version answers as the shares say",
        Mode.CHAMPION_ONLY: f"CHAMPION ONLY: {policy.task}@{policy.champion} answers everybody",
        Mode.OFF: "OFF: nobody answers",
    }
    return told[policy.mode]


def _parts(policy: TrafficPolicy) -> str:
    parts = [f"{version} {role} {_share(policy, version)}".removesuffix(" –") for version, role in _roles(policy)]
    mode = [str(policy.mode).upper()] if policy.mode is not Mode.NORMAL else []
    pins = [f"pinned patients: {len(policy.pins)}"] if policy.pins else []
    return ", ".join([*mode, *parts, *pins])


def _roles(policy: TrafficPolicy) -> list[tuple[int, str]]:
    champion, *challengers = policy.visible
    roles = [(champion, Role.CHAMPION), *((version, Role.CHALLENGER) for version in challengers)]
    return [(version, str(role)) for version, role in (*roles, *((one, Role.SHADOW) for one in policy.shadows))]


def _share(policy: TrafficPolicy, version: int) -> str:
    return "–" if version in policy.shadows else f"{policy.share_of(version):.2%}"


def _fact(value: object) -> str:
    return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
