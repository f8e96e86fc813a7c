"""The migrations build what the code declares, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from infra.db.base import Base
from infra.db.session import Database

MIGRATIONS = Path(__file__).parent.parent.parent / "infra" / "migrations"
NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
FIRST: dict[str, dict[str, Any]] = {  # a row of each table that revision 0002 puts triggers on
    "studies": {"study_id": "st_1", "study_instance_uid": "1.2.3", "patient": "p", "received_at": NOW},
    "predictions": {
        "prediction_id": "pr_1", "study_id": "st_1", "task": "chest", "requested_at": NOW, "state_kind": "done",
        "state": {"kind": "done", "probability": 0.1},
    },
    "model_versions": {"task": "chest", "version": 1, "manifest": {"seed": 1}, "bento_path": "here"},
    "traffic_policies": {
        "task": "chest", "policy_version": 1, "policy": {"champion": 1}, "changed_by": "ada", "why": "w",
        "changed_at": NOW,
    },
    "audit_events": {
        "sequence": 1, "agent": "ada", "action": "study.read", "entity": "st_1", "outcome": "success",
        "recorded": NOW, "previous": "0" * 64, "digest": "a" * 64,
    },
}  # fmt: skip


@pytest.fixture
def alembic(database_url: str) -> Iterator[tuple[Database, Config]]:
    """An empty database, and what Alembic's commands need to migrate it step by step."""
    database, config = Database(database_url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(engine=database.engine, tables=Base.metadata)
    yield database, config
    database.close()


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.engine.connect() as connection:
        return {name: [tuple(row) for row in connection.execute(Base.metadata.tables[name].select())] for name in FIRST}


def test_migrated_tables_are_the_declared_ones(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_table_carries_its_tenant(database: Database) -> None:
    with database.engine.connect() as connection:
        tables = inspect(connection)
        for name in set(tables.get_table_names()) - {"alembic_version"}:
            columns = {column["name"]: column for column in tables.get_columns(name)}
            assert columns["tenant"]["nullable"] is False, name


def test_keys_of_facts_begin_with_the_tenant(database: Database) -> None:
    with database.engine.connect() as connection:
        tables = inspect(connection)
        for name in set(tables.get_table_names()) - {"alembic_version"}:
            for key in tables.get_foreign_keys(name):
                assert key["constrained_columns"][0] == key["referred_columns"][0] == "tenant", name


def test_migrating_twice_changes_nothing(database: Database) -> None:
    before = sorted(inspect(database.engine).get_table_names())
    database.migrate()
    assert sorted(inspect(database.engine).get_table_names()) == before


def test_a_database_of_the_first_revision_keeps_its_rows_and_gets_their_triggers(
    alembic: tuple[Database, Config],
) -> None:
    database, config = alembic
    command.upgrade(config, "0001")
    with database.engine.begin() as connection:
        for name, row in FIRST.items():
            connection.execute(Base.metadata.tables[name].insert().values(tenant="default", **row))
    before = everything(database)
    assert all(len(rows) == 1 for rows in before.values())

    database.migrate()
    assert everything(database) == before
    for name in FIRST.keys() - {"studies"}:
        with pytest.raises(IntegrityError, match="append-only"), database.engine.begin() as connection:
            connection.execute(Base.metadata.tables[name].delete())
    assert everything(database) == before


def test_the_second_revision_is_taken_back_without_a_rest_and_can_be_made_again(
    alembic: tuple[Database, Config],
) -> None:
    database, config = alembic
    command.upgrade(config, "0001")
    tables = sorted(inspect(database.engine).get_table_names())
    for _ in range(2):
        command.upgrade(config, "head")
        command.downgrade(config, "0001")
    assert sorted(inspect(database.engine).get_table_names()) == tables
    with database.engine.begin() as connection:
        for name, row in FIRST.items():
            connection.execute(Base.metadata.tables[name].insert().values(tenant="default", **row))
        for name in reversed(FIRST):
            connection.execute(Base.metadata.tables[name].delete())
        if database.engine.dialect.name == "postgresql":
            assert connection.scalar(text("SELECT count(*) FROM pg_proc WHERE proname LIKE 'fiducial%'")) == 0
