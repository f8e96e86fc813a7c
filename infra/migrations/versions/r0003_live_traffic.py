"""Records of live traffic: arm rows, reviews, experiments, stop rules and traffic events, all append-only.

Addresses learn how long a version took to load and what memory it holds.
"""

import sqlalchemy as sa
from alembic import op

from infra.migrations.append_only import triggers

revision = "0003"
down_revision = "0002"

_KEYS = {  # table → key
    "arm_rows": ("tenant", "number"),
    "experiments": ("tenant", "experiment_id"),
    "reviews": ("tenant", "number"),
    "stop_rules": ("tenant", "number"),
    "traffic_events": ("tenant", "number"),
}


def upgrade() -> None:
    """The tables with their triggers, and the columns of addresses."""
    _create_rows_and_reviews()
    _create_experiments_and_rules()
    _create_events()
    op.add_column("addresses", sa.Column("load_s", sa.Double(), nullable=True))
    op.add_column("addresses", sa.Column("rss_bytes", sa.BigInteger(), nullable=True))
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in triggers(_KEYS, refused_updates={}, postgresql=postgresql):
        op.execute(statement)


def downgrade() -> None:
    """The tables of 0002."""
    op.drop_column("addresses", "rss_bytes")
    op.drop_column("addresses", "load_s")
    for table in sorted(_KEYS):
        op.drop_table(table)


def _create_rows_and_reviews() -> None:
    op.create_table(
        "arm_rows",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("prediction_id", sa.String(length=64), nullable=False),
        sa.Column("study_id", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("finding_present", sa.Boolean(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_arm_rows"),
    )
    op.create_index("ix_arm_rows_tenant_task_number", "arm_rows", ["tenant", "task", "number"])
    op.create_table(
        "reviews",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("study_id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("finding_present", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.String(length=200), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "study_id"], ["studies.tenant", "studies.study_id"], name="fk_reviews_studies"
        ),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_reviews"),
    )
    op.create_index("ix_reviews_tenant_task_number", "reviews", ["tenant", "task", "number"])
    op.create_index("ix_reviews_tenant_study_id_number", "reviews", ["tenant", "study_id", "number"])


def _create_experiments_and_rules() -> None:
    op.create_table(
        "experiments",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("experiment_id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("declaration", sa.JSON(), nullable=False),
        sa.Column("declared_by", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "experiment_id", name="pk_experiments"),
    )
    op.create_index("ix_experiments_tenant_task_declared_at", "experiments", ["tenant", "task", "declared_at"])
    op.create_table(
        "stop_rules",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("declared_by", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_stop_rules"),
    )
    op.create_index("ix_stop_rules_tenant_task_number", "stop_rules", ["tenant", "task", "number"])


def _create_events() -> None:
    op.create_table(
        "traffic_events",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=True),
        sa.Column("caused_by", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("evidence_sha256", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name="pk_traffic_events"),
    )
    op.create_index("ix_traffic_events_tenant_task_number", "traffic_events", ["tenant", "task", "number"])
