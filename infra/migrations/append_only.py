"""Statements that make a table append-only: the database itself refuses, whoever asks."""

from collections.abc import Iterator, Mapping

Keys = Mapping[str, tuple[str, ...]]


def triggers(keys: Keys, *, refused_updates: Mapping[str, str], postgresql: bool) -> Iterator[str]:
    """Statements for tables, each with its key; of one in ``refused_updates`` only those updates are refused.

    SQLite must be told the key: REPLACE deletes the row of the same key without asking a trigger on DELETE.
    PostgreSQL needs the function ``fiducial_append_only``, which revision 0002 makes.
    """
    for table, key in keys.items():
        refused = refused_updates.get(table)
        yield from _postgresql(table, refused) if postgresql else _sqlite(table, key, refused)


def _postgresql(table: str, refused: str | None) -> Iterator[str]:
    condition = f"WHEN ({refused})" if refused else ""
    for name, when in (
        ("no_update", f"UPDATE ON {table} FOR EACH ROW {condition}"),
        ("no_delete", f"DELETE ON {table} FOR EACH ROW"),
        ("no_truncate", f"TRUNCATE ON {table} FOR EACH STATEMENT"),
    ):
        yield f"CREATE TRIGGER {table}_{name} BEFORE {when} EXECUTE FUNCTION fiducial_append_only()"
        # Always: session_replication_role = replica switches ordinary triggers off.
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{name}"


def _sqlite(table: str, key: tuple[str, ...], refused: str | None) -> Iterator[str]:
    # UPDATE OR REPLACE of the hidden rowid deletes the row that has it.
    when_updated = f"WHEN {refused} OR OLD.rowid <> NEW.rowid" if refused else ""
    same_key = " AND ".join(f"{column} = NEW.{column}" for column in key)
    # Where no rowid is given, NEW.rowid is -1 here; those SQLite gives begin with 1.
    taken = f"EXISTS (SELECT 1 FROM {table} WHERE {same_key} OR (NEW.rowid > 0 AND rowid = NEW.rowid))"  # noqa: S608 - our names
    for name, when, message in (
        ("no_update", f"UPDATE ON {table} {when_updated}", f"{table} is append-only: no update"),
        ("no_delete", f"DELETE ON {table}", f"{table} is append-only: no delete"),
        ("no_replace", f"INSERT ON {table} WHEN {taken}", f"{table} has a row of this key already"),
    ):
        yield f"CREATE TRIGGER {table}_{name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{message}'); END"
