"""What we knew of places on a day: when each end was learned, the decision that ended a village; refused lists may be deleted."""

import sqlalchemy as sa
from alembic import op

from app.migrations import columns, rules

revision = "0016"
down_revision = "0015"

# An end was learned when the next name or value was recorded; a unit loaded with its end was never known without it.
NEXT = """
UPDATE {table} AS t SET ended_at = coalesce(
    (SELECT min(n.recorded_at) FROM {table} AS n WHERE n.place_id = t.place_id {same} AND n.recorded_at > t.recorded_at),
    t.recorded_at)
WHERE t.valid_to IS NOT NULL
"""


def upgrade() -> None:
    for table in ("places", "place_names", "place_attributes"):
        op.add_column(table, columns.moment("ended_at", nullable=True))
    op.execute("UPDATE places SET ended_at = recorded_at WHERE valid_to IS NOT NULL")
    op.execute(NEXT.format(table="place_names", same=""))
    op.execute(NEXT.format(table="place_attributes", same="AND n.key = t.key"))
    for table in ("places", "place_names", "place_attributes"):
        op.create_check_constraint(op.f(f"ck_{table}_ended"), table, "(valid_to IS NULL) = (ended_at IS NULL)")

    op.create_table(
        "place_endings",
        columns.identifier("id"),
        columns.identifier("place_id"),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        columns.moment("recorded_at"),
        columns.identifier("person_id", nullable=True),
        columns.points("place_endings", "place_id", "places"),
        sa.PrimaryKeyConstraint("id", name="pk_place_endings"),
    )
    op.create_index("uq_place_endings_place_id", "place_endings", ["place_id"], unique=True)
    rules.open_rows("place_endings", rules.APPEND_ONLY)
    rules.replace(
        "place_endings",
        read="(SELECT hoi_kind() <> '')",
        add="(SELECT hoi_is_of_province())",
        change="false",
    )

    # Blobs stay for ever, but for a list that was never applied: it may hold what should not have been sent.
    op.execute("GRANT DELETE ON media_blobs TO hoi_app")
    op.execute("ALTER POLICY media_blobs_remove ON media_blobs USING (kind = 'import' AND hoi_is_system())")
