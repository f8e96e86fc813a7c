"""The outbox: work put down in the same commit as the facts it follows from, claimed by workers under a lease."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, String, func, or_
from sqlalchemy.orm import Mapped, mapped_column

from infra.db.base import NAME, Repository, SerialRow


@dataclass(frozen=True)
class Message:
    """One piece of work, as claimed. ``attempts`` counts this claim too."""

    message_id: int
    topic: str
    payload: Mapping[str, Any]
    attempts: int


class OutboxRow(SerialRow):
    """One message that is not done. A lease that has passed means: its worker died, anyone may claim."""

    __tablename__ = "outbox"
    # A number used again would let a late worker end somebody else's message.
    __table_args__ = (Index(None, "tenant", "topic", "number"), {"sqlite_autoincrement": True})

    topic: Mapped[str] = mapped_column(String(NAME))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]


class Outbox(Repository):
    """Messages of one tenant."""

    def put(self, topic: str, payload: Mapping[str, Any]) -> int:
        """Puts a message down; it can be claimed once this unit of work is committed. Returns its identifier."""
        row = OutboxRow(tenant=self._tenant, topic=topic, payload=dict(payload))
        self._insert(row)
        return row.number

    def claim(self, topic: str, *, now: datetime, lease_s: float, limit: int) -> tuple[Message, ...]:
        """Takes the oldest messages that are due and that no living worker holds; commit before working on them."""
        self._must_write()
        due = self._select(
            OutboxRow,
            OutboxRow.topic == topic,
            or_(OutboxRow.not_before.is_(None), OutboxRow.not_before <= now),
            or_(OutboxRow.leased_until.is_(None), OutboxRow.leased_until <= now),
        )
        # Two workers never wait for each other: PostgreSQL skips locked rows, SQLite has one writer at a time.
        rows = self._all(due.order_by(OutboxRow.number).limit(limit).with_for_update(skip_locked=True))
        for row in rows:
            row.attempts += 1
            row.leased_until = now + timedelta(seconds=lease_s)
        self._session.flush()
        return tuple(Message(row.number, row.topic, row.payload, row.attempts) for row in rows)

    def done(self, message_id: int) -> None:
        """Takes a message away for good; harmless when it is gone already."""
        self._change(self._delete(OutboxRow, OutboxRow.number == message_id))

    def retry(self, message_id: int, *, not_before: datetime) -> None:
        """Gives a claimed message back; nobody claims it before that time."""
        mine = self._update(OutboxRow, OutboxRow.number == message_id)
        self._change(mine.values(leased_until=None, not_before=not_before))

    def depth(self, topic: str) -> int:
        """How many messages of the topic are not done, claimed or not."""
        query = self._select(OutboxRow, OutboxRow.topic == topic).with_only_columns(func.count())
        return int(self._session.execute(query).scalar_one())
