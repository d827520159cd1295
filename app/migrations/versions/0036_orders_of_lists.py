"""What lists are ordered by stands in columns of its own, with the indices that give one page without reading the others."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

# The column itself is compared, not vn_numbered() of another: a function in the comparison would keep a page that begins in
# the middle of the list out of the index, since a row's rule must be asked before any function that might tell of the row.
NAMES = {"organisations": "name", "products": "(name ->> 'vi'::text)", "sites": "name"}


def upgrade() -> None:
    op.add_column(
        "sites", sa.Column("name_folded", sa.Text(), sa.Computed("vn_fold(name)", persisted=True), nullable=False)
    )
    for table, name in NAMES.items():
        op.add_column(
            table,
            sa.Column(
                "name_sorted", sa.Text(), sa.Computed(f"vn_numbered(vn_fold({name}))", persisted=True), nullable=False
            ),
        )
    op.create_index("ix_organisations_name_sorted", "organisations", ["name_sorted", "id"])
    op.create_index("ix_products_name_sorted", "products", ["name_sorted", "id"])
    op.create_index("ix_batches_created_at", "batches", ["created_at", "id"])
    op.create_index(
        "ix_batch_events_stops",
        "batch_events",
        ["batch_id", "position"],
        postgresql_where=sa.text("kind IN ('held', 'recalled')"),
    )
    op.create_index(
        "ix_care_logs_harvests",
        "care_logs",
        ["organisation_id", "happened_at"],
        postgresql_where=sa.text("kind IN ('harvesting', 'honey_extracting')"),
    )
    op.create_index("ix_listings_created_at", "listings", ["organisation_id", "created_at", "id"])
    # The ledger of a lot is read in its order, the newest line first.
    op.drop_index("ix_stock_movements_batch_id", "stock_movements")
    op.create_index("ix_stock_movements_batch_id", "stock_movements", ["batch_id", "position"])
