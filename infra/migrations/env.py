"""Alembic's environment: the caller gives the engine; one transaction, one migrating process at a time."""

from alembic import context
from sqlalchemy import Engine, MetaData, text

_LOCK = 0x46494455  # "FIDU"


def _migrate(engine: Engine, *, tables: MetaData) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE is such a lock already
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        context.configure(
            connection=connection,
            target_metadata=tables,
            transactional_ddl=True,
            render_as_batch=engine.dialect.name == "sqlite",
        )
        context.run_migrations()


_migrate(context.config.attributes["engine"], tables=context.config.attributes["tables"])
