"""The watch over live traffic: judges versions by their stop rules, and comparisons, as rows come in; and acts."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from domain.errors import FiducialError, Unavailable
from domain.experiment import TrafficEvent
from domain.identifiers import Tenant
from domain.level import Level
from domain.live_traffic import LiveTraffic
from domain.traffic import Role
from evidence.experiment.live import decision_on, states_of
from infra import alarms, live_traffic, logs
from infra.clock import now as clock_now
from infra.db.session import Database
from serving.stopping import Stopping, left_standing

log = logs.get(__name__)
ALARMS = "traffic"  # <home>/alarms/traffic.jsonl
POLL_S = 1.0
Act = Callable[[datetime], TrafficEvent | None]


@dataclass
class Watch:
    """Watches every task of one tenant. All it must not forget is in the database: it may be killed at any time."""

    tenant: Tenant
    database: Database
    home: Path
    level: Level
    poll_s: float = POLL_S
    now: Callable[[], datetime] = clock_now
    heartbeat: Callable[[], None] = lambda: None  # called each round: the loop turns
    _known: dict[str, LiveTraffic] = field(default_factory=dict)
    _settled: set[str] = field(default_factory=set)  # judged, and nothing to do until something new comes
    _alarmed: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._stopping = Stopping(self.tenant, self.database, self.level)
        self._alarmed |= {
            (str(one.get("evidence_sha256")), str(one.get("happened_at"))) for one in alarms.written(self.home, ALARMS)
        }

    def run(self, stop: threading.Event) -> None:
        """Poll until told to stop."""
        while not stop.is_set():
            self.heartbeat()
            self.poll()
            stop.wait(self.poll_s)

    def poll(self) -> tuple[TrafficEvent, ...]:
        """One round over all tasks; what was done. What fails for one task holds up no other, and is tried again."""
        done: list[TrafficEvent] = []
        for task in self._tasks():
            try:
                done += self._watch(task)
            except FiducialError as error:
                log.error("watch.failed", task=task, code=error.code, reason=error.what)
        return tuple(done)

    def _tasks(self) -> tuple[str, ...]:
        try:
            with self.database.unit_of_work(self.tenant, read_only=True) as work:
                return tuple(policy.task for policy in work.traffic.all_current())
        except Unavailable as error:
            log.error("watch.failed", code=error.code, reason=error.what)
            return ()

    def _watch(self, task: str) -> tuple[TrafficEvent, ...]:
        before = self._known.get(task)
        with self.database.unit_of_work(self.tenant, read_only=True) as work:
            traffic = self._known[task] = live_traffic.read(work, task, known=before)
        self._alarm(traffic.events)  # also what a watch recorded that was killed before it could raise the alarm
        if task in self._settled and before is not None and _same(traffic, before):
            return ()
        self._settled.discard(task)
        act = self._judge(traffic)
        if act is None:
            self._settled.add(task)
            return ()
        event = act(self.now())
        if event is None:
            return ()  # others were faster; judged again in the next round
        self._alarm((event,))
        return (event,)

    def _judge(self, traffic: LiveTraffic) -> Act | None:
        """The first thing there is to do: a challenger's stop before the champion's, a verdict last."""
        for stint in sorted(traffic.stints, key=lambda stint: stint.role is Role.CHAMPION):
            acting = [state for state in states_of(traffic, stint) if state.acts]
            if acting and not left_standing(traffic.events, stint):
                return partial(self._stopping.stop, traffic, stint=stint, states=acting)
        experiment = traffic.running
        view = decision_on(traffic, experiment) if experiment is not None else None
        if experiment is None or view is None or view.verdict == "continue":
            return None
        return partial(self._stopping.decide, traffic, experiment=experiment, view=view)

    def _alarm(self, events: Iterable[TrafficEvent]) -> None:
        for event in events:
            key = (event.evidence_sha256, event.at.isoformat())
            if key in self._alarmed or not _is_alarming(event):
                continue
            self._alarmed.add(key)
            facts = _facts(event, tenant=self.tenant)
            log.error("traffic.stopped" if event.kind == "stopped" else "traffic.decided", **facts)
            try:
                alarms.write(self.home, ALARMS, facts, at=self.now())
            except OSError as error:  # a full disk: the log and the database have it
                log.error("alarm.not_written", reason=error.strerror)


def _same(traffic: LiveTraffic, before: LiveTraffic) -> bool:
    """Whether nothing came that could change a judgement."""
    return (
        (traffic.last_row, traffic.last_review) == (before.last_row, before.last_review)
        and traffic.policy.policy_version == before.policy.policy_version
        and traffic.rules == before.rules
        and traffic.experiments == before.experiments
        and len(traffic.events) == len(before.events)
    )


def _is_alarming(event: TrafficEvent) -> bool:
    return event.kind == "stopped" or (event.kind == "decided" and event.evidence.get("trustworthy") is False)


def _facts(event: TrafficEvent, *, tenant: Tenant) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "task": event.task,
        "kind": event.kind,
        "version": event.version,
        "policy_version": event.policy_version,
        "action": event.evidence.get("action", "none"),
        "why": event.why,
        "evidence_sha256": event.evidence_sha256,
        "happened_at": event.at.isoformat(),
    }
