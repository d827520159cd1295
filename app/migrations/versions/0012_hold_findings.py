"""A batch that was released is held again when a correction moves the days that contradict each other."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Holds made before have no days: such a batch is held once more at the next change of its diary, and looked at."""
    op.add_column("batch_events", sa.Column("allowed_from", sa.Date(), nullable=True))
    op.add_column("batch_events", sa.Column("harvested_on", sa.Date(), nullable=True))
    op.drop_constraint(op.f("uq_batch_events_batch_id_cause_id"), "batch_events", type_="unique")
    op.create_index(
        "uq_batch_events_finding",
        "batch_events",
        ["batch_id", "cause_id", "allowed_from", "harvested_on"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("cause_id IS NOT NULL"),
    )
