"""The first tables; every one carries its tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """All tables."""
    op.create_table(
        "addresses",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "task", "version", name="pk_addresses"),
    )

    op.create_table(
        "audit_events",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=200), nullable=False),
        sa.Column("entity", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "sequence", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_tenant_entity", "audit_events", ["tenant", "entity"])
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_audit_heads"),
    )

    op.create_table(
        "feature_rows",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("prediction_id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_feature_rows"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feature_rows_tenant_task_recorded_at", "feature_rows", ["tenant", "task", "recorded_at"])
    op.create_table(
        "model_versions",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("bento_path", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "task", "version", name="pk_model_versions"),
    )

    op.create_table(
        "outbox",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_tenant_topic_number", "outbox", ["tenant", "topic", "number"])
    op.create_table(
        "shadow_scores",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("prediction_id", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=200), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_shadow_scores"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shadow_scores_tenant_prediction_id", "shadow_scores", ["tenant", "prediction_id"])
    op.create_table(
        "studies",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("study_id", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("patient", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "study_id", name="pk_studies"),
        sa.UniqueConstraint("tenant", "study_instance_uid", name="uq_studies_tenant_study_instance_uid"),
    )
    op.create_index("ix_studies_tenant_received_at_study_id", "studies", ["tenant", "received_at", "study_id"])
    op.create_table(
        "traffic_policies",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(length=200), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "task", "policy_version", name="pk_traffic_policies"),
    )

    op.create_table(
        "instances",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("study_id", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("object_sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "study_id"], ["studies.tenant", "studies.study_id"], name="fk_instances_studies"
        ),
        sa.PrimaryKeyConstraint("tenant", "study_id", "sop_instance_uid", name="pk_instances"),
    )

    op.create_table(
        "predictions",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("prediction_id", sa.String(length=64), nullable=False),
        sa.Column("study_id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=200), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "study_id"], ["studies.tenant", "studies.study_id"], name="fk_predictions_studies"
        ),
        sa.PrimaryKeyConstraint("tenant", "prediction_id", name="pk_predictions"),
    )
    op.create_index(
        "ix_predictions_tenant_state_kind_requested_at", "predictions", ["tenant", "state_kind", "requested_at"]
    )
    op.create_index("ix_predictions_tenant_study_id", "predictions", ["tenant", "study_id"])
    op.create_table(
        "explanations",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("prediction_id", sa.String(length=64), nullable=False),
        sa.Column("activation_map", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "prediction_id"],
            ["predictions.tenant", "predictions.prediction_id"],
            name="fk_explanations_predictions",
        ),
        sa.PrimaryKeyConstraint("tenant", "prediction_id", name="pk_explanations"),
    )


def downgrade() -> None:
    """None of them."""
    op.drop_table("explanations")
    op.drop_index("ix_predictions_tenant_study_id", table_name="predictions")
    op.drop_index("ix_predictions_tenant_state_kind_requested_at", table_name="predictions")
    op.drop_table("predictions")
    op.drop_table("instances")
    op.drop_table("traffic_policies")
    op.drop_index("ix_studies_tenant_received_at_study_id", table_name="studies")
    op.drop_table("studies")
    op.drop_index("ix_shadow_scores_tenant_prediction_id", table_name="shadow_scores")
    op.drop_table("shadow_scores")
    op.drop_index("ix_outbox_tenant_topic_number", table_name="outbox")
    op.drop_table("outbox")
    op.drop_table("model_versions")
    op.drop_index("ix_feature_rows_tenant_task_recorded_at", table_name="feature_rows")
    op.drop_table("feature_rows")
    op.drop_table("audit_heads")
    op.drop_index("ix_audit_events_tenant_entity", table_name="audit_events")
    op.drop_table("audit_events")
    op.drop_table("addresses")
