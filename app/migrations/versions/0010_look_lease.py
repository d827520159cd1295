"""One process at a time looks at one account, so that a slow shop holds one thread, not all."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Machine time; empty when nobody looks."""
    op.add_column("channel_accounts", sa.Column("look_until", sa.DateTime(timezone=True), nullable=True))
