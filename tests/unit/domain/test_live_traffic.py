"""Since when a version answers in its role, which comparison runs, who may come back: told from the records alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.experiment import DEFAULT_STOP_RULES, AlwaysValid, Declaration, Experiment, TrafficEvent
from domain.live_traffic import LiveTraffic, Stint, event_of, stints
from domain.traffic import Challenger, Role, TrafficPolicy

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    policy: TrafficPolicy
    at: datetime
    by: str = "Dr Bo"
    why: str = "w"


def policies(*parts: tuple[int, dict[int, float]]) -> tuple[TrafficPolicy, ...]:
    """Of champions and the challengers' shares, one policy after the other."""
    return tuple(
        TrafficPolicy(
            task="chest", policy_version=number, champion=champion,
            challengers=tuple(Challenger(version=version, share=share) for version, share in shares.items()),
        )
        for number, (champion, shares) in enumerate(parts, start=1)
    )  # fmt: skip


def traffic(history: Sequence[TrafficPolicy], **records: Any) -> LiveTraffic:
    """An hour between two policies."""
    changes = tuple(Change(one, START + timedelta(hours=one.policy_version)) for one in history)
    return LiveTraffic(changes, DEFAULT_STOP_RULES, **records)


def experiment(identifier: str = "ex_1", *, hours: float = 1.5) -> Experiment:
    declaration = Declaration(
        task="chest", champion=1, challenger=2, endpoint="agreement", max_patients=100, design=AlwaysValid()
    )
    at = START + timedelta(hours=hours)
    return Experiment(experiment_id=identifier, declaration=declaration, declared_by="ada", why="w", declared_at=at)


def event(kind: str = "stopped", **changes: Any) -> TrafficEvent:
    facts: dict[str, Any] = {
        "task": "chest", "kind": kind, "version": 2, "policy_version": 2, "by": "watch", "why": "w",
        "at": START + timedelta(hours=2), "evidence": {},
    }  # fmt: skip
    facts |= changes
    return event_of(facts.pop("evidence"), **facts)


@pytest.mark.parametrize(
    ("history", "challenger_since"),
    [
        ([(1, {2: 0.1}), (1, {2: 0.5})], 1),  # another share is no other role
        ([(1, {2: 0.5}), (1, {2: 0.0}), (1, {2: 0.5})], 3),  # stopped, and begun anew
        ([(1, {2: 0.5}), (1, {}), (1, {2: 0.5})], 3),
        ([(2, {1: 0.5}), (1, {2: 0.5})], 2),  # was champion before
        ([(1, {2: 0.5}), (3, {2: 0.5})], 1),  # another champion beside it
    ],
)
def test_a_stint_begins_where_the_version_got_patients_in_its_present_role(
    history: list[tuple[int, dict[int, float]]], challenger_since: int
) -> None:
    champion, challenger = stints(policies(*history))
    assert challenger == Stint(2, Role.CHALLENGER, challenger_since)
    assert champion.role is Role.CHAMPION


def test_a_challenger_without_patients_has_no_stint() -> None:
    assert stints(policies((1, {}), (1, {2: 0.0}))) == (Stint(1, Role.CHAMPION, 1),)


def test_rows_are_needed_back_to_the_oldest_stint_or_the_newest_declaration() -> None:
    history = policies((1, {2: 0.5}), (2, {}), (3, {}), (3, {}))
    assert traffic(history).oldest_policy == 3
    assert traffic(history, experiments=(experiment(),)).oldest_policy == 1
    assert traffic(history, experiments=(experiment(), experiment("ex_2", hours=4.5))).oldest_policy == 3


def test_a_comparison_runs_while_its_versions_keep_their_roles() -> None:
    history = policies((1, {2: 0.0}), (1, {2: 0.5}), (1, {2: 0.2, 3: 0.1}))
    assert traffic(history, experiments=(experiment(),)).running == experiment()
    for last in ((2, {}), (1, {3: 0.1})):
        ended = traffic(policies((1, {2: 0.0}), last), experiments=(experiment(),))
        assert ended.running is None
        assert ended.why_ended(experiment()) == "policy 2 no longer has the two versions in these roles"


@pytest.mark.parametrize(
    ("happened", "why"),
    [
        (event("decided", evidence={"experiment_id": "ex_1", "verdict": "challenger accepted"}), "challenger accepted"),
        (event("decided", evidence={"experiment_id": "ex_0", "verdict": "challenger accepted"}), None),
        (event(), "version 2 was stopped"),
        (event(version=3), None),
        (event(at=START), None),  # before it was declared
        (event(version=1, policy_version=None), None),  # should have been, but nobody could take over
        (event("rules declared", version=None, policy_version=None), None),
    ],
)
def test_a_verdict_or_a_stop_ends_a_comparison_and_nothing_else_does(happened: TrafficEvent, why: str | None) -> None:
    history = policies((1, {2: 0.5}))
    assert traffic(history, experiments=(experiment(),), events=(happened,)).why_ended(experiment()) == why


def test_a_stopped_version_may_come_back_once_a_person_made_it_champion() -> None:
    history = policies((1, {2: 0.5}), (1, {2: 0.0}), (3, {}), (2, {}))
    stops = (event(), event(version=3, policy_version=4), event(version=1, policy_version=None))
    assert traffic(history[:3], events=stops[:1]).stopped_for_good() == {2}
    assert traffic(history, events=stops).stopped_for_good() == {3}
