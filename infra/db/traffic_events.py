"""Traffic events: what the watch over live traffic saw and did, with the evidence it acted on."""

from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import JSON, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.canonical import canonical_json
from domain.errors import DigestMismatch
from domain.experiment import TrafficEvent
from domain.identifiers import Sha256, sha256_of
from infra.db.base import NAME, OPAQUE, Repository, TenantRow


class TrafficEventRow(TenantRow):
    """One event."""

    __tablename__ = "traffic_events"
    __table_args__ = (Index(None, "tenant", "task", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    task: Mapped[str] = mapped_column(String(NAME))
    kind: Mapped[str] = mapped_column(String(32))
    version: Mapped[int | None]
    policy_version: Mapped[int | None]
    caused_by: Mapped[str] = mapped_column(String(NAME))
    why: Mapped[str]
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    evidence_sha256: Mapped[str] = mapped_column(String(OPAQUE))
    recorded_at: Mapped[datetime]


class TrafficEvents(Repository):
    """Traffic events of one tenant."""

    def lock(self) -> None:
        """Keeps others from adding an event until this unit of work ends: what is read from now on stays."""
        self._reserve("traffic events")

    def add(self, event: TrafficEvent) -> None:
        """Keeps an event.

        Raises:
            DigestMismatch: ``evidence_sha256`` is not that of the evidence's canonical JSON.
        """
        if sha256_of(canonical_json(event.evidence)) != event.evidence_sha256:
            raise DigestMismatch(
                f"The evidence of an event of {event.task} is not of the SHA-256 {event.evidence_sha256}.",
                next_step="Digest the evidence as it is kept.",
            )
        self.lock()
        events = self._select(TrafficEventRow)
        last = self._session.execute(events.with_only_columns(func.max(TrafficEventRow.number))).scalar() or 0
        self._insert(
            TrafficEventRow(
                tenant=self._tenant,
                number=last + 1,
                task=event.task,
                kind=event.kind,
                version=event.version,
                policy_version=event.policy_version,
                caused_by=event.by,
                why=event.why,
                evidence=event.evidence,
                evidence_sha256=event.evidence_sha256,
                recorded_at=event.at,
            )
        )

    def stopped(self) -> dict[str, int]:
        """How often a version was stopped, or should have been, by task."""
        query = self._select(TrafficEventRow, TrafficEventRow.kind == "stopped").group_by(TrafficEventRow.task)
        found = self._session.execute(query.with_only_columns(TrafficEventRow.task, func.count()))
        return {task: times for task, times in found}  # noqa: C416 - a row is no pair to mypy

    def list(self, task: str) -> tuple[TrafficEvent, ...]:
        """Every event of a task, oldest first."""
        query = self._select(TrafficEventRow, TrafficEventRow.task == task).order_by(TrafficEventRow.number)
        return tuple(_event(row) for row in self._all(query))


def _event(row: TrafficEventRow) -> TrafficEvent:
    return TrafficEvent(
        task=row.task,
        kind=cast("Literal['stopped', 'decided', 'rules declared']", row.kind),
        version=row.version,
        policy_version=row.policy_version,
        by=row.caused_by,
        why=row.why,
        evidence=row.evidence,
        evidence_sha256=Sha256(row.evidence_sha256),
        at=row.recorded_at,
    )
