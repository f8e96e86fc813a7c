"""The migrations build what the code declares, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from infra.db.base import Base
from infra.db.session import Database


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
