"""What only PostgreSQL can show: workers that do not wait for each other, and units that cannot write."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from domain.identifiers import DEFAULT_TENANT
from infra.db.session import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.servers


@pytest.fixture
def postgresql(new_postgresql_url: str) -> Iterator[Database]:
    database = Database(new_postgresql_url)
    database.migrate()
    yield database
    database.close()


def test_a_worker_passes_over_what_another_is_just_claiming(postgresql: Database) -> None:
    with postgresql.unit_of_work(DEFAULT_TENANT) as work:
        first, second = work.outbox.put("predict", {}), work.outbox.put("predict", {})
    with postgresql.unit_of_work(DEFAULT_TENANT) as one:
        assert [m.message_id for m in one.outbox.claim("predict", now=NOW, lease_s=9, limit=1)] == [first]
        began = time.monotonic()
        with postgresql.unit_of_work(DEFAULT_TENANT) as other:
            assert [m.message_id for m in other.outbox.claim("predict", now=NOW, lease_s=9, limit=5)] == [second]
        assert time.monotonic() - began < 5


def test_a_reading_unit_sees_one_state_while_others_write(postgresql: Database) -> None:
    with postgresql.unit_of_work(DEFAULT_TENANT, read_only=True) as reading:
        assert reading.outbox.depth("predict") == 0
        with postgresql.unit_of_work(DEFAULT_TENANT) as work:
            work.outbox.put("predict", {})
        assert reading.outbox.depth("predict") == 0


def test_the_server_itself_refuses_writes_of_a_reading_unit(postgresql: Database) -> None:
    connection = postgresql.engine.connect().execution_options(fiducial_read_only=True)
    with connection, pytest.raises(InternalError, match="read-only"):
        connection.execute(text("DELETE FROM outbox"))
