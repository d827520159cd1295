"""An account's host stands in a column of its own, backwards, so that those of a floor that is written down are found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

BACKWARDS = "reverse(lower(\"substring\"(base_url, '//([^/?#]*)'::text)))"


def upgrade() -> None:
    column = sa.Column("host_backwards", sa.Text(collation="C"), sa.Computed(BACKWARDS, persisted=True), nullable=True)
    op.add_column("channel_accounts", column)
    op.create_index("ix_channel_accounts_host_backwards", "channel_accounts", ["host_backwards"])
