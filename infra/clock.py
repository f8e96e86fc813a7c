"""The one clock. Composition roots hand it down; nothing below asks the system for the time."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, in UTC."""
    return datetime.now(UTC)
