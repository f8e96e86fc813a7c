"""The audit log: per tenant one chain of SHA-256 digests; what was altered, deleted or reordered is found."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.audit import AuditAction, AuditEvent
from domain.errors import IntegrityViolation
from domain.identifiers import Sha256, Tenant
from infra.db.base import NAME, OPAQUE, Repository, TenantRow

_FIRST = Sha256("0" * 64)
_PAGE = 1000


class AuditRow(TenantRow):
    """One link: the event, its place, and the digest over both and the link before."""

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "tenant", "entity"),)

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    agent: Mapped[str] = mapped_column(String(NAME))
    action: Mapped[str] = mapped_column(String(NAME))
    entity: Mapped[str] = mapped_column(String(NAME))
    outcome: Mapped[str] = mapped_column(String(16))
    recorded: Mapped[datetime]
    previous: Mapped[str] = mapped_column(String(OPAQUE))
    digest: Mapped[str] = mapped_column(String(OPAQUE))


class AuditHeadRow(TenantRow):
    """The newest link of a tenant's chain, so that cutting off its end is found too."""

    __tablename__ = "audit_heads"

    sequence: Mapped[int]
    digest: Mapped[str] = mapped_column(String(OPAQUE))


@dataclass(frozen=True)
class AuditHead:
    """The newest link; kept elsewhere, it proves later that nothing before it was rewritten."""

    sequence: int
    digest: Sha256


class AuditLog(Repository):
    """Audit events of one tenant. Events are written when the unit of work commits, in the order appended."""

    def __init__(self, session: Session, *, tenant: Tenant, writing: bool) -> None:
        super().__init__(session, tenant=tenant, writing=writing)
        self._waiting: list[AuditEvent] = []

    def append(self, event: AuditEvent) -> None:
        """Adds an event; it is in the chain once the unit of work is committed."""
        if event.tenant != self._tenant:
            raise ValueError("an event of another tenant cannot be appended here")
        self._must_write()
        self._waiting.append(event)

    def write(self) -> None:
        """Chains the waiting events. Last before the commit, so that the chain's lock is held for an instant only."""
        if not self._waiting:
            return
        self._reserve("audit")
        head = self._head_row()
        if head is None:
            head = AuditHeadRow(tenant=self._tenant, sequence=0, digest=_FIRST)
            self._session.add(head)
        for event in self._waiting:
            head.sequence += 1
            row = _row(event, sequence=head.sequence, previous=Sha256(head.digest))
            head.digest = row.digest
            self._session.add(row)
        self._session.flush()
        self._waiting.clear()

    def head(self) -> AuditHead | None:
        """The newest committed link."""
        row = self._head_row()
        return AuditHead(row.sequence, Sha256(row.digest)) if row else None

    def of(self, entity: str) -> tuple[AuditEvent, ...]:
        """Every event about one entity, oldest first."""
        query = self._select(AuditRow, AuditRow.entity == entity).order_by(AuditRow.sequence)
        return tuple(_event(row) for row in self._all(query))

    def verify(self, *, anchor: AuditHead | None = None) -> int:
        """Walks the whole chain; how many rows it checked. In a read-only unit of work it holds nobody up.

        Args:
            anchor: a head noted earlier outside the database; it must still be a link of this chain.

        Raises:
            IntegrityViolation: a row was altered, deleted, inserted or moved.
        """
        if self._writing:
            self._reserve("audit")
        sequence, digest = 0, _FIRST
        for row in self._walk():
            sequence += 1
            if row.sequence != sequence or row.previous != digest or row.digest != _digest(row):
                raise _broken(sequence)
            digest = Sha256(row.digest)
            if anchor is not None and anchor.sequence == sequence and anchor.digest != digest:
                raise _broken(sequence)
        head = self._head_row()
        if (head.sequence, head.digest) != (sequence, digest) if head else sequence:
            raise _broken(sequence + 1)
        if anchor is not None and anchor.sequence > sequence:
            raise _broken(sequence + 1)
        return sequence

    def _walk(self) -> Iterable[AuditRow]:
        after = 0
        while True:
            query = self._select(AuditRow, AuditRow.sequence > after).order_by(AuditRow.sequence).limit(_PAGE)
            page = self._all(query)
            if not page:
                return
            yield from page
            after = page[-1].sequence
            for row in page:
                self._session.expunge(row)

    def _head_row(self) -> AuditHeadRow | None:
        return self._one(self._select(AuditHeadRow))


def _row(event: AuditEvent, *, sequence: int, previous: Sha256) -> AuditRow:
    row = AuditRow(
        tenant=event.tenant,
        sequence=sequence,
        agent=event.agent,
        action=event.action.value,
        entity=event.entity,
        outcome=event.outcome,
        recorded=event.recorded,
        previous=previous,
    )
    row.digest = _digest(row)
    return row


def _digest(row: AuditRow) -> Sha256:
    recorded = row.recorded.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [row.tenant, row.sequence, row.agent, row.action, row.entity, row.outcome, recorded, row.previous]
    return Sha256(hashlib.sha256(json.dumps(fields).encode()).hexdigest())


def _event(row: AuditRow) -> AuditEvent:
    return AuditEvent(
        tenant=Tenant(row.tenant),
        agent=row.agent,
        action=AuditAction(row.action),
        entity=row.entity,
        outcome=cast("Literal['success', 'failure']", row.outcome),
        recorded=row.recorded,
    )


def _broken(sequence: int) -> IntegrityViolation:
    return IntegrityViolation(
        f"The audit log is broken at row {sequence}.", next_step="Keep the database as it is and compare with a backup."
    )
