"""The bell is told from an index alone, and the notice that cannot wait is found without reading those that can."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"

COLUMNS = ["person_id", "created_at", "id"]


def upgrade() -> None:
    op.drop_index("ix_notices_unseen", table_name="notices")
    op.create_index(
        "ix_notices_unseen",
        "notices",
        COLUMNS,
        postgresql_include=["reason", "key"],
        postgresql_where=sa.text("seen_at IS NULL"),
    )
    op.create_index(
        "ix_notices_urgent", "notices", COLUMNS, postgresql_where=sa.text("seen_at IS NULL AND urgency = 'high'")
    )
