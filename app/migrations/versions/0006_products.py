"""Products: what a holder makes, its packs, producing villages and certificates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules
from app.migrations.columns import identifier, moment, pair, points

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FUNCTIONS = """
-- The cooperatives whose members the actor's households are: a member sees what it grows for.
CREATE FUNCTION hoi_cooperatives() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT cooperative_id FROM household_memberships
    WHERE household_id = ANY (hoi_organisations()) AND valid_to IS NULL $$;

-- Pictures of products on offer are public; everybody may fetch exactly these.
CREATE FUNCTION hoi_is_product_photo(digest text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM products WHERE photo_sha256 = digest AND retired_on IS NULL) $$;
"""

SEEN = f"{rules.seen()} OR organisation_id IN (SELECT hoi_cooperatives())"
WRITTEN = "hoi_writes(organisation_id)"


def upgrade() -> None:
    op.create_table(
        "products",
        identifier("id"),
        identifier("organisation_id"),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column(
            "name_folded", sa.Text(), sa.Computed("vn_fold((name ->> 'vi'::text))", persisted=True), nullable=False
        ),
        sa.Column("description", postgresql.JSONB(), nullable=True),
        sa.Column("ocop_group", sa.SmallInteger(), nullable=True),
        sa.Column("ocop_scheme_year", sa.SmallInteger(), nullable=True),
        sa.Column("alcoholic", sa.Boolean(), nullable=False),
        sa.Column("photo_sha256", sa.Text(), nullable=True),
        moment("created_at"),
        identifier("person_id", nullable=True),
        sa.Column("retired_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("(ocop_group IS NULL) = (ocop_scheme_year IS NULL)", name=op.f("ck_products_scheme_year")),
        sa.CheckConstraint("NOT alcoholic OR ocop_group IS NULL OR ocop_group = 2", name=op.f("ck_products_alcoholic")),
        sa.CheckConstraint("ocop_group BETWEEN 1 AND 6", name=op.f("ck_products_ocop_group")),
        points("products", "organisation_id", "organisations"),
        points("products", "person_id", "people"),
        points("products", "photo_sha256", "media_blobs", "sha256"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_products_id_organisation_id")),
    )
    op.create_index(
        "ix_products_name_folded",
        "products",
        ["name_folded"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"name_folded": "gin_trgm_ops"},
    )
    op.create_index("ix_products_organisation_id", "products", ["organisation_id"], unique=False)
    op.create_index("ix_products_photo_sha256", "products", ["photo_sha256"], unique=False)

    op.create_table(
        "variants",
        identifier("id"),
        identifier("organisation_id"),
        identifier("product_id"),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(), nullable=False),
        sa.Column("price_dong", sa.BigInteger(), nullable=False),
        sa.Column("net_quantity", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("net_unit", sa.Text(), nullable=True),
        sa.Column("weight_grams", sa.Integer(), nullable=True),
        sa.Column("shelf_life_days", sa.Integer(), nullable=True),
        sa.Column("gtin", sa.Text(), nullable=True),
        moment("created_at"),
        sa.Column("retired_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("gtin ~ '^[0-9]{14}$'", name=op.f("ck_variants_gtin")),
        sa.CheckConstraint("(net_quantity IS NULL) = (net_unit IS NULL)", name=op.f("ck_variants_net_unit")),
        sa.CheckConstraint("net_quantity > 0", name=op.f("ck_variants_net_quantity")),
        sa.CheckConstraint("price_dong > 0", name=op.f("ck_variants_price")),
        sa.CheckConstraint("shelf_life_days > 0", name=op.f("ck_variants_shelf_life")),
        sa.CheckConstraint("weight_grams > 0", name=op.f("ck_variants_weight")),
        pair("variants", "product_id", "products"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variants")),
        sa.UniqueConstraint("gtin", name=op.f("uq_variants_gtin")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_variants_id_organisation_id")),
        sa.UniqueConstraint("organisation_id", "sku", name=op.f("uq_variants_organisation_id_sku")),
    )
    op.create_index("ix_variants_product_id", "variants", ["product_id"], unique=False)

    op.create_table(
        "product_villages",
        identifier("id"),
        identifier("product_id"),
        identifier("organisation_id"),
        identifier("village_id"),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        moment("recorded_at"),
        identifier("person_id", nullable=True),
        moment("ended_at", nullable=True),
        identifier("ended_by", nullable=True),
        sa.CheckConstraint("(valid_to IS NULL) = (ended_at IS NULL)", name=op.f("ck_product_villages_ended")),
        sa.CheckConstraint("valid_to >= valid_from - 1", name=op.f("ck_product_villages_order")),
        points("product_villages", "ended_by", "people"),
        points("product_villages", "person_id", "people"),
        pair("product_villages", "product_id", "products"),
        points("product_villages", "village_id", "places"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_villages")),
    )
    op.create_index("ix_product_villages_village_id", "product_villages", ["village_id"], unique=False)
    op.create_index(
        "uq_product_villages_open",
        "product_villages",
        ["product_id", "village_id"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )

    op.create_table(
        "certificates",
        identifier("id"),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        identifier("organisation_id"),
        identifier("product_id", nullable=True),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("decision_number", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("stars", sa.SmallInteger(), nullable=True),
        sa.Column("scope", postgresql.JSONB(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("file_sha256", sa.Text(), nullable=True),
        moment("recorded_at"),
        identifier("person_id", nullable=True),
        identifier("supersedes_id", nullable=True),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "CASE WHEN scheme = 'ocop' THEN stars IS NOT NULL AND stars BETWEEN 3 AND 5 AND product_id IS NOT NULL AND valid_to IS NOT NULL ELSE stars IS NULL END",
            name=op.f("ck_certificates_ocop"),
        ),
        sa.CheckConstraint(
            "scheme IN ('ocop', 'vietgap', 'organic', 'food_safety', 'other')", name=op.f("ck_certificates_scheme")
        ),
        sa.CheckConstraint("decided_on <= valid_from", name=op.f("ck_certificates_decided")),
        sa.CheckConstraint("valid_to >= valid_from", name=op.f("ck_certificates_order")),
        sa.CheckConstraint("withdrawn_on IS NULL OR supersedes_id IS NOT NULL", name=op.f("ck_certificates_withdrawn")),
        points("certificates", "file_sha256", "media_blobs", "sha256"),
        points("certificates", "organisation_id", "organisations"),
        points("certificates", "person_id", "people"),
        pair("certificates", "product_id", "products"),
        pair("certificates", "supersedes_id", "certificates"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_certificates_id_organisation_id")),
        sa.UniqueConstraint("position", name=op.f("uq_certificates_position")),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_certificates_supersedes_id")),
    )
    op.create_index("ix_certificates_file_sha256", "certificates", ["file_sha256"], unique=False)
    op.create_index("ix_certificates_organisation_id", "certificates", ["organisation_id"], unique=False)
    op.create_index("ix_certificates_product_id", "certificates", ["product_id"], unique=False)

    op.execute(FUNCTIONS)
    rules.guarded_rows("products", SEEN, rules.DATED, WRITTEN)
    rules.guarded_rows("variants", SEEN, rules.DATED, WRITTEN)
    rules.guarded_rows("product_villages", SEEN, rules.APPEND_ONLY, WRITTEN)
    op.execute("GRANT UPDATE (valid_to, ended_at, ended_by) ON product_villages TO hoi_app")
    rules.guarded_rows("certificates", SEEN, rules.APPEND_ONLY, WRITTEN)
