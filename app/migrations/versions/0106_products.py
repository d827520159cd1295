"""Products: what a holder makes, its packs, producing villages and certificates."""

from alembic import op

from app.migrations import columns as c
from app.migrations import rules

revision = "0106"
down_revision = "0105"

FUNCTIONS = """
-- The cooperatives whose members the actor's households are: a member sees what it grows for.
CREATE FUNCTION hoi_cooperatives() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT cooperative_id FROM household_memberships
    WHERE household_id = ANY (hoi_organisations()) AND valid_to IS NULL $$;

-- Pictures of products on offer are public; everybody may fetch exactly these.
CREATE FUNCTION hoi_is_product_photo(digest text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT EXISTS (SELECT FROM products WHERE photo_sha256 = digest AND retired_on IS NULL) $$;
"""

NAME = "vn_fold((name ->> 'vi'::text))"
OCOP = (
    "CASE WHEN scheme = 'ocop' THEN stars IS NOT NULL AND stars BETWEEN 3 AND 5 AND product_id IS NOT NULL"
    " AND valid_to IS NOT NULL ELSE stars IS NULL END"
)


def upgrade() -> None:
    _products()
    _certificates()
    op.execute(FUNCTIONS)
    seen = f"{rules.sees()} OR organisation_id IN (SELECT hoi_cooperatives())"
    rules.written_by("manage_products", rules.DATED, "products", "variants", read=seen)
    rules.written_by("manage_products", rules.APPEND_ONLY, "product_villages", "certificates", read=seen)
    rules.ends("product_villages")


def _products() -> None:
    c.table(
        "products",
        c.owned_key(),
        c.identifier("organisation_id", to="organisations"),
        c.data("name"),
        c.computed("name_folded", NAME),
        c.data("description", nullable=True),
        c.small("ocop_group", "ocop_scheme_year", nullable=True),
        c.flag("alcoholic"),
        c.text("photo_sha256", to="media_blobs.sha256", nullable=True),
        c.moment("created_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.day("retired_on", nullable=True),
        c.number("version"),
        c.computed("name_sorted", f"vn_numbered({NAME})"),
        c.check("scheme_year", "(ocop_group IS NULL) = (ocop_scheme_year IS NULL)"),
        c.check("alcoholic", "NOT alcoholic OR ocop_group IS NULL OR ocop_group = 2"),
        c.check("ocop_group", "ocop_group BETWEEN 1 AND 6"),
    )
    c.indices("products", "organisation_id", "photo_sha256", "name_sorted, id")
    c.trigrams("products", "name_folded")

    c.table(
        "variants",
        c.owned_key(),
        c.identifier("organisation_id"),
        c.identifier("product_id", own="products"),
        c.text("sku"),
        c.data("name"),
        c.big("price_dong"),
        c.amount("net_quantity", nullable=True),
        c.text("net_unit", nullable=True),
        c.number("weight_grams", "shelf_life_days", nullable=True),
        c.text("gtin", nullable=True, unique=True),
        c.moment("created_at"),
        c.day("retired_on", nullable=True),
        c.number("version"),
        c.check("gtin", "gtin ~ '^[0-9]{14}$'"),
        c.check("net_unit", "(net_quantity IS NULL) = (net_unit IS NULL)"),
        c.check("net_quantity", "net_quantity > 0"),
        c.check("price", "price_dong > 0"),
        c.check("shelf_life", "shelf_life_days > 0"),
        c.check("weight", "weight_grams > 0"),
        c.unique("organisation_id", "sku"),
    )
    c.index("variants", "product_id")

    c.table(
        "product_villages",
        c.key(),
        c.identifier("product_id", own="products"),
        c.identifier("organisation_id"),
        c.identifier("village_id", to="places"),
        c.span(),
        c.moment("recorded_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.moment("ended_at", nullable=True),
        c.identifier("ended_by", to="people", nullable=True),
        c.dated(),
    )
    c.index("product_villages", "village_id")
    c.one_open("product_villages", "product_id, village_id")


def _certificates() -> None:
    c.table(
        "certificates",
        c.owned_key(),
        c.position(),
        c.identifier("organisation_id", to="organisations"),
        c.identifier("product_id", own="products", nullable=True),
        c.text("scheme", "issuer", "decision_number"),
        c.day("decided_on"),
        c.small("stars", nullable=True),
        c.data("scope", nullable=True),
        c.span(),
        c.text("file_sha256", to="media_blobs.sha256", nullable=True),
        c.moment("recorded_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.identifier("supersedes_id", own="certificates", nullable=True, unique=True),
        c.day("withdrawn_on", nullable=True),
        c.text("content_sha256"),
        c.check("ocop", OCOP),
        c.one_of("scheme", "ocop vietgap organic food_safety other"),
        c.check("decided", "decided_on <= valid_from"),
        c.check("order", "valid_to >= valid_from"),
        c.check("withdrawn", "withdrawn_on IS NULL OR supersedes_id IS NOT NULL"),
    )
    c.indices("certificates", "file_sha256", "organisation_id", "product_id")
