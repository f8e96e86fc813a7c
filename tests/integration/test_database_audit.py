"""The audit log on both databases: whatever is done to it afterwards is found."""

# ruff: noqa: S608 - the statements here are the attacks

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from domain.audit import AuditAction, AuditEvent
from domain.errors import IntegrityViolation
from domain.identifiers import DEFAULT_TENANT, Tenant
from infra.db.session import Database

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def event(entity: str, *, tenant: Tenant = DEFAULT_TENANT) -> AuditEvent:
    return AuditEvent(
        tenant=tenant, agent="ada", action=AuditAction.STUDY_READ, entity=entity, outcome="success", recorded=NOW
    )


@pytest.fixture
def logged(database: Database) -> Database:
    for number in range(1, 6):
        with database.unit_of_work(DEFAULT_TENANT) as work:
            work.audit.append(event(f"st_{number}"))
    with database.unit_of_work(Tenant("other")) as work:
        work.audit.append(event("st_1", tenant=Tenant("other")))
    return database


def verified(database: Database) -> int:
    with database.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        return work.audit.verify()


def run(database: Database, *statements: str) -> None:
    """As somebody who may alter tables, so whom no trigger stops."""
    with database.engine.begin() as connection:
        if database.engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_events DISABLE TRIGGER USER"))
        else:
            for trigger in ("no_update", "no_delete", "no_replace"):
                connection.execute(text(f"DROP TRIGGER audit_events_{trigger}"))
        for statement in statements:
            connection.execute(text(statement))


def test_the_database_knows_whose_records_it_holds(logged: Database) -> None:
    assert logged.tenants() == {DEFAULT_TENANT, Tenant("other")}


def test_an_untouched_log_is_whole(logged: Database) -> None:
    assert verified(logged) == 5
    with logged.unit_of_work(DEFAULT_TENANT) as work:
        assert work.audit.verify() == 5
        assert work.audit.of("st_3") == (event("st_3"),)


def test_an_empty_log_is_whole(database: Database) -> None:
    assert verified(database) == 0


WHERE = "WHERE tenant = 'default' AND sequence"


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE audit_events SET agent = 'eve' {WHERE} = 3",
        f"UPDATE audit_events SET action = 'trace.read' {WHERE} = 3",
        f"UPDATE audit_events SET entity = 'st_9' {WHERE} = 3",
        f"UPDATE audit_events SET outcome = 'failure' {WHERE} = 5",
        f"UPDATE audit_events SET recorded = '2026-03-01 12:00:00.123457' {WHERE} = 3",
        f"DELETE FROM audit_events {WHERE} = 1",
        f"DELETE FROM audit_events {WHERE} = 3",
        f"DELETE FROM audit_events {WHERE} = 5",
        "DELETE FROM audit_events WHERE tenant = 'default'",
        "DELETE FROM audit_heads WHERE tenant = 'default'",
        "UPDATE audit_events SET tenant = 'third' WHERE tenant = 'default'",
    ],
)
def test_altering_or_deleting_a_row_is_found(logged: Database, statement: str) -> None:
    run(logged, statement)
    with pytest.raises(IntegrityViolation):
        verified(logged)


def test_reordering_is_found(logged: Database) -> None:
    moves = ((2, 99), (3, 2), (99, 3))
    run(logged, *(f"UPDATE audit_events SET sequence = {to} {WHERE} = {of}" for of, to in moves))
    with pytest.raises(IntegrityViolation):
        verified(logged)


def test_cutting_off_the_end_with_its_head_is_found_by_a_head_noted_elsewhere(logged: Database) -> None:
    with logged.unit_of_work(DEFAULT_TENANT, read_only=True) as work:
        anchor = work.audit.head()
    run(
        logged,
        f"DELETE FROM audit_events {WHERE} = 5",
        "UPDATE audit_heads SET sequence = 4, digest = (SELECT digest FROM audit_events WHERE tenant = 'default' "
        "AND sequence = 4) WHERE tenant = 'default'",
    )
    assert verified(logged) == 4  # the forged log is whole in itself
    with logged.unit_of_work(DEFAULT_TENANT, read_only=True) as work, pytest.raises(IntegrityViolation):
        work.audit.verify(anchor=anchor)


def test_events_are_written_with_the_work_they_tell_of_or_not_at_all(logged: Database) -> None:
    with pytest.raises(RuntimeError), logged.unit_of_work(DEFAULT_TENANT) as work:
        work.audit.append(event("st_6"))
        raise RuntimeError
    assert verified(logged) == 5


def test_an_event_of_another_tenant_is_not_appended(logged: Database) -> None:
    with logged.unit_of_work(DEFAULT_TENANT) as work, pytest.raises(ValueError, match="another tenant"):
        work.audit.append(event("st_1", tenant=Tenant("other")))


def test_many_writers_at_once_make_one_whole_chain(database: Database) -> None:
    def append(number: int) -> None:
        with database.unit_of_work(DEFAULT_TENANT) as work:
            work.audit.append(event(f"st_{number}"))
            work.audit.append(event(f"st_{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(40)))
    assert verified(database) == 80


def test_a_log_longer_than_a_page_is_walked_to_its_end(database: Database) -> None:
    with database.unit_of_work(DEFAULT_TENANT) as work:
        for number in range(2100):
            work.audit.append(event(f"st_{number}"))
    assert verified(database) == 2100
    run(database, f"UPDATE audit_events SET agent = 'eve' {WHERE} = 2050")
    with pytest.raises(IntegrityViolation, match="row 2050"):
        verified(database)
