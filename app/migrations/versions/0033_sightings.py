"""The last sighting stands at the listing; observations are kept when something changed, in partitions by month."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules
from app.migrations.columns import moment, pair

revision = "0033"
down_revision = "0032"

OLD = "listing_observations_before"
COLUMNS = "id, listing_id, organisation_id, seen_at, live, buyable, raw_state, url, price_dong, stock, reasons"

# Every look wrote a row until now, so the newest one says when it was last seen; what it said stands since the last one
# that said something else. For one listing after the other, by the index: a province has a million rows.
LAST_SEEN = """
UPDATE listings SET
    last_seen_at = o.seen_at, kept_at = o.seen_at, changed_at = o.seen_at, last_live = o.live, last_buyable = o.buyable,
    last_raw_state = o.raw_state, last_url = o.url, last_price_dong = o.price_dong, last_stock = o.stock,
    last_reasons = o.reasons
FROM listings l CROSS JOIN LATERAL (
    SELECT * FROM listing_observations o WHERE o.listing_id = l.id ORDER BY o.seen_at DESC, o.id DESC LIMIT 1
) AS o
WHERE listings.id = l.id
"""

# The months that the old rows are of, so that none of them ends in the partition without a month.
MONTHS = f"""
SELECT hoi_make_partitions('listing_observations', month)
FROM (SELECT DISTINCT date_trunc('month', seen_at, 'UTC') AS month FROM {OLD}) AS months
"""


def upgrade() -> None:
    op.execute("SELECT set_config('hoi.kind', 'system', true)")
    _last_sighting()
    _by_month()
    # When the shop was last asked in which currency it sells: machine time.
    op.add_column("channel_accounts", sa.Column("currency_checked_at", sa.DateTime(timezone=True), nullable=True))


def _last_sighting() -> None:
    for name in ("last_seen_at", "kept_at", "changed_at"):
        op.add_column("listings", moment(name, nullable=True))
    for column in (
        sa.Column("last_live", sa.Boolean(), nullable=True),
        sa.Column("last_buyable", sa.Boolean(), nullable=True),
        sa.Column("last_raw_state", sa.Text(), nullable=True),
        sa.Column("last_url", sa.Text(), nullable=True),
        sa.Column("last_price_dong", sa.BigInteger(), nullable=True),
        sa.Column("last_stock", sa.Integer(), nullable=True),
        sa.Column("last_reasons", postgresql.JSONB(), nullable=True),
    ):
        op.add_column("listings", column)
    op.execute(LAST_SEEN)


def _by_month() -> None:
    op.execute(f"ALTER TABLE listing_observations RENAME TO {OLD}")
    op.execute(f"ALTER TABLE {OLD} RENAME CONSTRAINT pk_listing_observations TO pk_{OLD}")
    op.execute(f"ALTER INDEX ix_listing_observations_listing_id RENAME TO ix_{OLD}_listing_id")
    op.create_table(
        "listing_observations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        moment("seen_at"),
        moment("before_until", nullable=True),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("buyable", sa.Boolean(), nullable=False),
        sa.Column("raw_state", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("price_dong", sa.BigInteger(), nullable=True),
        sa.Column("stock", sa.Integer(), nullable=True),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        pair("listing_observations", "listing_id", "listings"),
        sa.PrimaryKeyConstraint("id", "seen_at", name="pk_listing_observations"),
        postgresql_partition_by="RANGE (seen_at)",
    )
    op.create_index("ix_listing_observations_listing_id", "listing_observations", ["listing_id", "seen_at"])
    rules.grant("listing_observations", rules.APPEND_ONLY)
    system, nobody = "(SELECT hoi_is_system())", "false"
    rules.replace("listing_observations", read=rules.sees(), add=system, change=nobody)
    rules.month_partitions("listing_observations")
    op.execute(MONTHS)
    op.execute(f"INSERT INTO listing_observations ({COLUMNS}) SELECT {COLUMNS} FROM {OLD}")
    op.execute(f"DROP TABLE {OLD}")
