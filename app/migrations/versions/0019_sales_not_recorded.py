"""A listing follows the ledger's recorded sales instead of its stock, and remembers every number whose writing is in doubt."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """What was sold and not recorded stays so; sales recorded before this are taken for sales elsewhere at the next push."""
    op.add_column("listings", sa.Column("recorded_there", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("listings", sa.Column("spot_sales", sa.Integer(), nullable=True))
    op.add_column("listings", sa.Column("sent_stocks", postgresql.JSONB(), nullable=False, server_default="[]"))
    op.execute("UPDATE listings SET sent_stocks = jsonb_build_array(sent_stock) WHERE sent_stock IS NOT NULL")
    op.drop_column("listings", "sent_stock")
    op.drop_column("listings", "ledger_stock")
