"""Marketplace sync: floors and which of them count, accounts, listings, evidence, and the log of calls."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules
from app.migrations.columns import identifier, moment, pair, points

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KINDS = "('marketplace', 'own_site', 'advertising')"
STATES = "('draft', 'submitting', 'waiting', 'live', 'unlisted', 'rejected', 'blocked', 'parked', 'unknown', 'gone')"


def upgrade() -> None:
    _floors()
    _accounts()
    _listings()
    _declared()
    _calls()


def _floors() -> None:
    op.create_table(
        "floors",
        identifier("id"),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("hosts", postgresql.JSONB(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        moment("created_at"),
        sa.CheckConstraint(f"kind IN {KINDS}", name=op.f("ck_floors_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_floors"),
        sa.UniqueConstraint("key", name="uq_floors_key"),
    )
    rules.open_rows("floors")
    op.create_table(
        "floor_decisions",
        identifier("id"),
        identifier("floor_id"),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        moment("recorded_at"),
        identifier("person_id"),
        points("floor_decisions", "floor_id", "floors"),
        points("floor_decisions", "person_id", "people"),
        sa.PrimaryKeyConstraint("id", name="pk_floor_decisions"),
    )
    op.create_index("ix_floor_decisions_floor_id", "floor_decisions", ["floor_id", "effective_on"])
    rules.open_rows("floor_decisions", rules.APPEND_ONLY)


def _accounts() -> None:
    op.create_table(
        "channel_accounts",
        identifier("id"),
        identifier("organisation_id"),
        sa.Column("channel", sa.Text(), nullable=False),
        identifier("floor_id", nullable=True),
        sa.Column("legal_kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("credentials_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("stock_buffer", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        moment("created_at"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"legal_kind IN {KINDS}", name=op.f("ck_channel_accounts_legal_kind")),
        sa.CheckConstraint("state IN ('active', 'paused', 'broken')", name=op.f("ck_channel_accounts_state")),
        sa.CheckConstraint(
            "(legal_kind = 'marketplace') = (floor_id IS NOT NULL)", name=op.f("ck_channel_accounts_floor")
        ),
        points("channel_accounts", "organisation_id", "organisations"),
        points("channel_accounts", "floor_id", "floors"),
        sa.PrimaryKeyConstraint("id", name="pk_channel_accounts"),
        sa.UniqueConstraint("id", "organisation_id", name="uq_channel_accounts_id_organisation_id"),
    )
    rules.organisation_rows("channel_accounts")


def _listings() -> None:
    op.create_table(
        "listings",
        identifier("id"),
        identifier("organisation_id"),
        identifier("account_id"),
        identifier("product_id"),
        identifier("variant_id"),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("wanted_version", sa.Integer(), nullable=False),
        sa.Column("applied_version", sa.Integer(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        identifier("lease_id", nullable=True),
        moment("lease_until", nullable=True),
        moment("next_look_at", nullable=True),
        moment("announced_at", nullable=True),
        moment("created_at"),
        sa.CheckConstraint("wanted IN ('live', 'unlisted')", name=op.f("ck_listings_wanted")),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_listings_state")),
        points("listings", "organisation_id", "organisations"),
        points("listings", "product_id", "products"),
        pair("listings", "account_id", "channel_accounts"),
        pair("listings", "variant_id", "variants"),
        sa.PrimaryKeyConstraint("id", name="pk_listings"),
        sa.UniqueConstraint("account_id", "variant_id", name="uq_listings_account_id_variant_id"),
        sa.UniqueConstraint("id", "organisation_id", name="uq_listings_id_organisation_id"),
    )
    op.create_index("ix_listings_product_id", "listings", ["product_id"])
    op.create_index(
        "ix_listings_next_look_at", "listings", ["next_look_at"], postgresql_where=sa.text("remote_id IS NOT NULL")
    )
    rules.organisation_rows("listings")

    op.create_table(
        "listing_observations",
        identifier("id"),
        identifier("listing_id"),
        identifier("organisation_id"),
        moment("seen_at"),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("buyable", sa.Boolean(), nullable=False),
        sa.Column("raw_state", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("price_dong", sa.BigInteger(), nullable=True),
        sa.Column("stock", sa.Integer(), nullable=True),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        pair("listing_observations", "listing_id", "listings"),
        sa.PrimaryKeyConstraint("id", name="pk_listing_observations"),
    )
    op.create_index("ix_listing_observations_listing_id", "listing_observations", ["listing_id", "seen_at"])
    rules.organisation_rows("listing_observations", rules.APPEND_ONLY)


def _declared() -> None:
    op.create_table(
        "declared_listings",
        identifier("id"),
        identifier("organisation_id"),
        identifier("product_id"),
        identifier("floor_id"),
        sa.Column("url", sa.Text(), nullable=False),
        identifier("declared_by"),
        moment("declared_at"),
        moment("withdrawn_at", nullable=True),
        points("declared_listings", "organisation_id", "organisations"),
        points("declared_listings", "floor_id", "floors"),
        points("declared_listings", "declared_by", "people"),
        pair("declared_listings", "product_id", "products"),
        sa.PrimaryKeyConstraint("id", name="pk_declared_listings"),
        sa.UniqueConstraint("id", "organisation_id", name="uq_declared_listings_id_organisation_id"),
    )
    op.create_index("ix_declared_listings_product_id", "declared_listings", ["product_id"])
    op.create_index(
        "uq_declared_listings_open",
        "declared_listings",
        ["product_id", "url"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    rules.organisation_rows("declared_listings")

    op.create_table(
        "declared_confirmations",
        identifier("id"),
        identifier("declared_listing_id"),
        identifier("organisation_id"),
        sa.Column("on_sale", sa.Boolean(), nullable=False),
        identifier("confirmed_by"),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.Column("photo_sha256", sa.Text(), nullable=False),
        moment("recorded_at"),
        points("declared_confirmations", "confirmed_by", "people"),
        pair("declared_confirmations", "declared_listing_id", "declared_listings"),
        sa.PrimaryKeyConstraint("id", name="pk_declared_confirmations"),
    )
    op.create_index(
        "ix_declared_confirmations_declared_listing_id", "declared_confirmations", ["declared_listing_id", "seen_on"]
    )
    # An official of the place may be the second person: whoever sees the declaration may confirm it.
    rules.guarded_rows("declared_confirmations", "hoi_sees(organisation_id)", rules.APPEND_ONLY)


def _calls() -> None:
    op.create_table(
        "channel_calls",
        identifier("id"),
        moment("at"),
        identifier("account_id"),
        identifier("organisation_id"),
        identifier("listing_id", nullable=True),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", "at", name="pk_channel_calls"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_channel_calls_listing_id", "channel_calls", ["listing_id"])
    rules.organisation_rows("channel_calls", rules.APPEND_ONLY)
    rules.month_partitions("channel_calls")
