"""A batch is held again for days that it was held for before, when it was released because of other days."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("batch_events", sa.Column("undoes_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_batch_events_undoes_id_batch_events"), "batch_events", "batch_events", ["undoes_id"], ["id"]
    )
    op.drop_index("uq_batch_events_finding", "batch_events")
    op.create_index(
        "uq_batch_events_finding",
        "batch_events",
        ["batch_id", "cause_id", "allowed_from", "harvested_on", "undoes_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("cause_id IS NOT NULL"),
    )
