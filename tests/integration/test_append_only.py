"""What was recorded can be neither altered nor deleted, by raw SQL as little as by us, on both databases."""

# ruff: noqa: S608 - the statements here are the attacks

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from domain.errors import Conflict, Refused
from domain.identifiers import DEFAULT_TENANT
from domain.prediction import Prediction
from infra.db.base import Base
from infra.db.plans import PlanRow
from infra.db.session import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DIGEST = "a" * 64

ROWS: dict[str, dict[str, Any]] = {
    "studies": {"study_id": "st_1", "study_instance_uid": "1.2.3", "patient": "p", "received_at": NOW},
    "predictions": {
        "prediction_id": "pr_1", "study_id": "st_1", "task": "chest", "requested_at": NOW, "state_kind": "pending",
        "state": {"kind": "pending"},
    },
    "model_versions": {"task": "chest", "version": 1, "manifest": {"seed": 1}, "bento_path": "here"},
    "traffic_policies": {
        "task": "chest", "policy_version": 1, "policy": {"champion": 1}, "changed_by": "ada", "why": "w",
        "changed_at": NOW,
    },
    "audit_events": {
        "sequence": 1, "agent": "ada", "action": "study.read", "entity": "st_1", "outcome": "success",
        "recorded": NOW, "previous": DIGEST, "digest": DIGEST,
    },
    "registered_plans": {
        "task": "chest", "sha256": DIGEST, "content": "alpha: 0.05", "registered_by": "ada", "registered_at": NOW,
    },
    "test_set_openings": {
        "number": 1, "task": "chest", "dataset_version": "s@1", "dataset_sha256": DIGEST, "model_version": "chest@1",
        "model_sha256": DIGEST, "plan_sha256": DIGEST, "purpose": "validation", "opened_by": "ada", "opened_at": NOW,
    },
    "gate_decisions": {
        "number": 1, "task": "chest", "model_version": "chest@1", "verdict": "refuse", "decided_at": NOW,
        "content": {"why": "w"},
    },
    "signers": {
        "name": "ada", "printed_name": "Ada", "role": "quality", "public_key": DIGEST, "registered_at": NOW,
    },
    "electronic_signatures": {
        "number": 1, "sha256": DIGEST, "signer": "ada", "meaning": "approval", "signed_at": NOW, "content": {"s": 1},
    },
    "arm_rows": {
        "number": 1, "task": "chest", "prediction_id": "pr_1", "study_id": "st_1", "patient": "p", "assigned": 2,
        "answered": 1, "role": "challenger", "policy_version": 1, "outcome": "done", "probability": 0.5,
        "finding_present": True, "seconds": 0.1, "recorded_at": NOW,
    },
    "reviews": {
        "number": 1, "study_id": "st_1", "task": "chest", "source": "review", "finding_present": True,
        "recorded_by": "ada", "recorded_at": NOW,
    },
    "experiments": {
        "experiment_id": "ex_1", "task": "chest", "declaration": {"alpha": 0.025}, "declared_by": "ada", "why": "w",
        "declared_at": NOW,
    },
    "stop_rules": {
        "number": 1, "task": "chest", "rules": [{"name": "errors"}], "declared_by": "ada", "why": "w",
        "declared_at": NOW,
    },
    "traffic_events": {
        "number": 1, "task": "chest", "kind": "stopped", "version": 2, "policy_version": 2, "caused_by": "watch",
        "why": "w", "evidence": {"count": 1}, "evidence_sha256": DIGEST, "recorded_at": NOW,
    },
    "evidence_files": {"task": "chest", "version": 1, "name": "report.json", "sha256": DIGEST, "size_bytes": 10},
}  # fmt: skip
KEPT = sorted(ROWS.keys() - {"studies"})
NEVER_UPDATED = sorted(set(KEPT) - {"model_versions", "predictions"})


@pytest.fixture
def recorded(database: Database) -> Database:
    """A row of each table in each of two tenants."""
    return fill(database)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'platform.db'}")
    database.migrate()
    yield fill(database)
    database.close()


@pytest.fixture
def postgresql(new_postgresql_url: str) -> Iterator[Database]:
    database = Database(new_postgresql_url)
    database.migrate()
    yield fill(database)
    database.close()


def fill(database: Database) -> Database:
    with database.engine.begin() as connection:
        for table, row in ROWS.items():
            for tenant in ("default", "other"):
                connection.execute(Base.metadata.tables[table].insert().values(tenant=tenant, **row))
    return database


def rows(database: Database, table: str) -> list[tuple[Any, ...]]:
    with database.engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}")))


def run(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)  # as it is: a colon in JSON begins no parameter


def is_refused(database: Database, table: str, *statements: str, saying: str = "append-only") -> None:
    before = rows(database, table)
    with pytest.raises(IntegrityError, match=saying):
        run(database, *statements)
    assert len(before) == 2
    assert repr(rows(database, table)) == repr(before), statements


def columns(table: str) -> list[str]:
    return [column.name for column in Base.metadata.tables[table].columns]


@pytest.mark.parametrize("table", NEVER_UPDATED)
def test_no_column_of_a_record_is_updated(recorded: Database, table: str) -> None:
    for column in columns(table):
        is_refused(recorded, table, f"UPDATE {table} SET {column} = {column} WHERE tenant = 'default'")


@pytest.mark.parametrize("table", KEPT)
def test_no_record_is_deleted(recorded: Database, table: str) -> None:
    is_refused(recorded, table, f"DELETE FROM {table}")
    is_refused(recorded, table, f"DELETE FROM {table} WHERE tenant = 'other'")


@pytest.mark.parametrize("table", KEPT)
def test_no_record_is_updated_by_inserting_it_again(recorded: Database, table: str) -> None:
    key = ", ".join(column.name for column in Base.metadata.tables[table].primary_key)
    change = {"model_versions": "manifest = '{}'", "predictions": "task = 'other'"}.get(table, "tenant = 'third'")
    is_refused(
        recorded,
        table,
        f"INSERT INTO {table} SELECT * FROM {table} WHERE tenant = 'default' "
        f"ON CONFLICT ({key}) DO UPDATE SET {change}",
        saying="append-only|of this key already",
    )


@pytest.mark.parametrize("table", KEPT)
def test_sqlite_replaces_no_record(sqlite: Database, table: str) -> None:
    names = columns(table)
    is_refused(sqlite, table, f"REPLACE INTO {table} SELECT * FROM {table}", saying="of this key already")
    values = ", ".join("'third'" if name == "tenant" else name for name in names)
    by_rowid = f"REPLACE INTO {table} (rowid, {', '.join(names)}) SELECT 2, {values} FROM {table} WHERE rowid = 1"
    is_refused(sqlite, table, by_rowid, saying="of this key already")
    is_refused(sqlite, table, f"UPDATE OR REPLACE {table} SET rowid = 2 WHERE rowid = 1")


@pytest.mark.servers
@pytest.mark.parametrize("table", KEPT)
def test_postgresql_truncates_no_record(postgresql: Database, table: str) -> None:
    is_refused(postgresql, table, f"TRUNCATE {table} CASCADE")


@pytest.mark.servers
@pytest.mark.parametrize("table", KEPT)
def test_a_superuser_in_postgresqls_replica_mode_deletes_no_record(postgresql: Database, table: str) -> None:
    is_refused(postgresql, table, "SET LOCAL session_replication_role = replica", f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "change",
    [
        "manifest = '{\"seed\": 2}'",
        "manifest = '{\"seed\":1}'",  # the same to a reader of JSON, other bytes
        "manifest = '{\"seed\": 2}', bento_path = 'there'",
        "task = 'other'",
        "version = 2",
        "tenant = 'third'",
    ],
)
def test_a_model_version_keeps_all_but_the_place_of_its_bento(recorded: Database, change: str) -> None:
    is_refused(recorded, "model_versions", f"UPDATE model_versions SET {change} WHERE tenant = 'default'")


def test_a_bento_may_move(recorded: Database) -> None:
    run(recorded, "UPDATE model_versions SET bento_path = 'there' WHERE tenant = 'default'")
    assert [row[-1] for row in rows(recorded, "model_versions")] == ["there", "here"]


ANSWER = "UPDATE predictions SET state_kind = 'done', state = '{\"kind\": \"done\"}' WHERE tenant = 'default'"


@pytest.mark.parametrize(
    "change",
    [
        "state_kind = 'done', state = '{\"kind\": \"done\"}'",  # even the same answer
        "state_kind = 'failed', state = '{\"kind\": \"failed\"}'",
        'state = \'{"kind": "done", "probability": 0.1}\'',
        "state_kind = 'pending', state = '{\"kind\": \"pending\"}'",
        "task = 'other'",
    ],
)
def test_an_answered_prediction_is_not_answered_again(recorded: Database, change: str) -> None:
    run(recorded, ANSWER)
    is_refused(recorded, "predictions", f"UPDATE predictions SET {change} WHERE tenant = 'default'")


@pytest.mark.parametrize(
    "change",
    [
        'state = \'{"kind": "done"}\'',  # answered, yet still said to be pending
        "state_kind = 'done', state = '{\"kind\": \"done\"}', task = 'other'",
        "state_kind = 'done', state = '{\"kind\": \"done\"}', prediction_id = 'pr_2'",
        "requested_at = '2026-03-01 11:00:00.000000'",
        "study_id = 'st_2'",
    ],
)
def test_of_a_pending_prediction_nothing_changes_but_its_state(recorded: Database, change: str) -> None:
    is_refused(recorded, "predictions", f"UPDATE predictions SET {change} WHERE tenant = 'default'")


def test_a_pending_prediction_is_answered(recorded: Database) -> None:
    run(recorded, ANSWER)
    assert sorted(row[5] for row in rows(recorded, "predictions")) == ["done", "pending"]


def test_a_defect_of_ours_that_deletes_a_record_is_refused_in_our_own_words(recorded: Database) -> None:
    with pytest.raises(Refused, match="never altered or deleted"), recorded.unit_of_work(DEFAULT_TENANT) as work:
        work.plans._change(work.plans._delete(PlanRow))


def test_the_same_key_twice_is_still_a_conflict(database: Database, pending: Prediction) -> None:
    with pytest.raises(Conflict, match="just written"), database.unit_of_work(DEFAULT_TENANT) as work:
        work.predictions.add(pending)
