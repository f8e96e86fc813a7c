"""The tables of change control; and triggers, so that what was recorded is neither altered nor deleted.

The database itself refuses, whoever asks: a mistaken statement at a prompt as much as a defect of ours. Whoever may
alter tables may drop a trigger too; for those the audit log is chained. A later revision that rebuilds one of these
tables, as Alembic's batch mode does in SQLite, must make its triggers again.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.append_only import triggers

revision = "0002"
down_revision = "0001"

# Table → key.
_OLD = {
    "audit_events": ("tenant", "sequence"),
    "model_versions": ("tenant", "task", "version"),
    "predictions": ("tenant", "prediction_id"),
    "traffic_policies": ("tenant", "task", "policy_version"),
}
_NEW = {
    "electronic_signatures": ("tenant", "number"),
    "evidence_files": ("tenant", "task", "version", "name"),
    "gate_decisions": ("tenant", "number"),
    "registered_plans": ("tenant", "task", "sha256"),
    "signers": ("tenant", "name"),
    "test_set_openings": ("tenant", "number"),
}


def _differs(*columns: str) -> str:
    # PostgreSQL's JSON has no equality, and in SQLite it is text: so compared as text on both.
    return " OR ".join(f"CAST(OLD.{column} AS TEXT) <> CAST(NEW.{column} AS TEXT)" for column in columns)


# Which updates are refused; of the other tables, every one.
_REFUSED_UPDATES = {
    "model_versions": _differs("tenant", "task", "version", "manifest"),  # the Bento may move
    # A pending prediction is answered once, and nothing else of it changes, not even while it stays pending.
    "predictions": "OLD.state_kind <> 'pending' OR "
    + _differs("tenant", "prediction_id", "study_id", "task", "requested_at")
    + f" OR (NEW.state_kind = 'pending' AND {_differs('state')})",
}


def upgrade() -> None:
    """The tables, then the triggers on them and on the older ones."""
    _create_plans_and_ledger()
    _create_decisions_and_files()
    _create_signers_and_signatures()
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(
            "CREATE FUNCTION fiducial_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
            "'% is append-only: no %', TG_TABLE_NAME, lower(TG_OP) USING ERRCODE = 'restrict_violation'; END $$"
        )
    for statement in triggers(_OLD | _NEW, refused_updates=_REFUSED_UPDATES, postgresql=postgresql):
        op.execute(statement)


def downgrade() -> None:
    """The tables of 0001, without triggers."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table in _OLD:
        for name in ("no_update", "no_delete", "no_truncate" if postgresql else "no_replace"):
            op.execute(f"DROP TRIGGER {table}_{name}" + (f" ON {table}" if postgresql else ""))
    for table in ("test_set_openings", *sorted(_NEW.keys() - {"test_set_openings"})):  # refers to registered_plans
        op.drop_table(table)
    if postgresql:
        op.execute("DROP FUNCTION fiducial_append_only()")


def _create_plans_and_ledger() -> None:
    op.create_table(
        "registered_plans",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("registered_by", sa.String(length=200), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "task", "sha256", name="pk_registered_plans"),
    )
    op.create_table(
        "test_set_openings",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("dataset_version", sa.String(length=200), nullable=False),
        sa.Column("dataset_sha256", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=False),
        sa.Column("model_sha256", sa.String(length=64), nullable=False),
        sa.Column("plan_sha256", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("opened_by", sa.String(length=200), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "task", "plan_sha256"],
            ["registered_plans.tenant", "registered_plans.task", "registered_plans.sha256"],
            name="fk_test_set_openings_registered_plans",
        ),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_test_set_openings"),
    )
    op.create_index(
        "ix_test_set_openings_tenant_dataset_sha256_number",
        "test_set_openings",
        ["tenant", "dataset_sha256", "number"],
    )
    op.create_index("ix_test_set_openings_tenant_task_number", "test_set_openings", ["tenant", "task", "number"])


def _create_decisions_and_files() -> None:
    op.create_table(
        "gate_decisions",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_gate_decisions"),
    )
    op.create_index(
        "ix_gate_decisions_tenant_task_model_version_number",
        "gate_decisions",
        ["tenant", "task", "model_version", "number"],
    )
    op.create_table(
        "evidence_files",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "task", "version", "name", name="pk_evidence_files"),
    )


def _create_signers_and_signatures() -> None:
    op.create_table(
        "signers",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("printed_name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_signers"),
    )
    op.create_table(
        "electronic_signatures",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("signer", sa.String(length=200), nullable=False),
        sa.Column("meaning", sa.String(length=16), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_electronic_signatures"),
    )
    op.create_index(
        "ix_electronic_signatures_tenant_sha256_number", "electronic_signatures", ["tenant", "sha256", "number"]
    )
