"""A listing and its account remember what was sent, sold and tried there, so that a push never undoes what a shop did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations.columns import identifier, moment

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Rows made before start with nothing remembered; `quiet_until` is machine time, the other moments business time."""
    for column in (
        sa.Column("applied_stock", sa.Integer(), nullable=True),
        sa.Column("sent_stock", sa.Integer(), nullable=True),
        sa.Column("sold_there", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ledger_stock", sa.Integer(), nullable=True),
        sa.Column("sent_skus", postgresql.JSONB(), nullable=False, server_default="[]"),
        sa.Column("mends", sa.Integer(), nullable=False, server_default="0"),
        moment("failing_since", nullable=True),
        sa.Column("note_code", sa.Text(), nullable=True),
        sa.Column("note", postgresql.JSONB(), nullable=True),
        moment("note_at", nullable=True),
        sa.Column("recall_paused", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("listings", column)
    for column in (
        identifier("look_id", nullable=True),
        moment("quiet_until", nullable=True),
        moment("looks_failing_since", nullable=True),
    ):
        op.add_column("channel_accounts", column)
