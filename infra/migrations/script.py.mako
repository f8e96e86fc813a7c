"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Newer."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Older."""
    ${downgrades if downgrades else "pass"}
