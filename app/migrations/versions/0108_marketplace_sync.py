"""Marketplace sync: floors and which of them count, accounts, listings, what was seen of them, declared links, calls."""

import sqlalchemy as sa
from alembic import op

from app.migrations import columns as c
from app.migrations import rules
from app.migrations.rules import may, may_around, sees

revision = "0108"
down_revision = "0107"

KINDS = "marketplace own_site advertising"

# Backwards, so that the accounts of a floor that is written down are found by an index.
HOST_BACKWARDS = "reverse(lower(\"substring\"(base_url, '//([^/?#]*)'::text)))"

# Looks past row-level security: an official who looks does not see the seller's roles, and still may hold one of them.
# Answers for oneself only. A role that ended after the link was declared still binds: nobody leaves for an hour to look.
OF_THE_SELLER = """
CREATE FUNCTION hoi_of_the_seller(person uuid, seller uuid, since timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT (hoi_is_system() OR hoi_is_person(person)) AND EXISTS (
    SELECT FROM memberships m
     WHERE m.person_id = person AND (m.ended_at IS NULL OR m.ended_at >= since)
       AND (m.organisation_id = seller OR EXISTS (
           SELECT FROM household_memberships h
            WHERE (h.ended_at IS NULL OR h.ended_at >= since)
              AND ((h.cooperative_id = seller AND h.household_id = m.organisation_id)
                   OR (h.household_id = seller AND h.cooperative_id = m.organisation_id))))) $$;
"""

# The looker vouches for what was seen: a name and nothing else, to whoever sees the look itself.
CONFIRMERS = f"""
CREATE FUNCTION hoi_confirmers(confirmations uuid[]) RETURNS TABLE (confirmation_id uuid, full_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT c.id, d.full_name
     FROM declared_confirmations c JOIN personal_data d ON d.person_id = c.confirmed_by
    WHERE c.id = ANY (confirmations) AND ({sees("c.organisation_id")}) $$;
"""


def upgrade() -> None:
    _floors()
    _accounts()
    _listings()
    _declared()
    _calls()


def _floors() -> None:
    c.table(
        "floors",
        c.key(),
        c.text("key", unique=True),
        c.data("name", "hosts"),
        c.text("kind"),
        c.moment("created_at"),
        c.one_of("kind", KINDS),
    )
    c.table(
        "floor_decisions",
        c.key(),
        c.identifier("floor_id", to="floors"),
        c.flag("counted"),
        c.day("effective_on"),
        c.text("legal_basis"),
        c.moment("recorded_at"),
        c.identifier("person_id", to="people"),
    )
    c.index("floor_decisions", "floor_id, effective_on")
    for table, rights in (("floors", rules.DATED), ("floor_decisions", rules.APPEND_ONLY)):
        rules.rows(table, rights, read=rules.ANYBODY, add=rules.PROVINCE, change=rules.SYSTEM)


def _accounts() -> None:
    """One process at a time looks at one account (`look_until`), so that a slow shop holds one thread, not all.

    That and `quiet_until`, `currency_checked_at` are machine time, the other moments business time.
    """
    c.table(
        "channel_accounts",
        c.owned_key(),
        c.identifier("organisation_id", to="organisations"),
        c.text("channel"),
        c.identifier("floor_id", to="floors", nullable=True),
        c.text("legal_kind", "name", "base_url"),
        c.octets("credentials_sealed"),
        c.number("stock_buffer"),
        c.text("state"),
        c.data("error", nullable=True),
        c.moment("created_at"),
        c.number("version"),
        c.moment("look_until", nullable=True),
        c.identifier("look_id", nullable=True),
        c.moment("quiet_until", "looks_failing_since", "currency_checked_at", nullable=True),
        c.computed("host_backwards", HOST_BACKWARDS, kind=sa.Text(collation="C"), nullable=True),
        c.one_of("legal_kind", KINDS),
        c.one_of("state", "active paused broken"),
        c.check("floor", "(legal_kind = 'marketplace') = (floor_id IS NOT NULL)"),
    )
    c.indices("channel_accounts", "organisation_id", "host_backwards")
    rules.written_by("sell", rules.DATED, "channel_accounts")

    c.table(
        "account_checks",
        c.key(),
        c.identifier("organisation_id", to="organisations"),
        c.identifier("account_id"),
        c.flag("renews"),
        c.text("channel", "name"),
        c.number("stock_buffer"),
        c.data("shown"),
        c.octets("credentials_sealed", nullable=True),
        c.text("state"),
        c.moment("asking_until", nullable=True),
        c.data("error", nullable=True),
        c.text("error_code", "error_field", "shop_name", nullable=True),
        c.data("issues"),
        c.identifier("asked_by", to="people"),
        c.moment("asked_at"),
        c.moment("finished_at", nullable=True),
        c.one_of("state", "waiting done refused"),
        c.check("credentials_sealed", "(state = 'waiting') = (credentials_sealed IS NOT NULL)"),
    )
    c.index("account_checks", "organisation_id")
    c.index("account_checks", "id", named="waiting", where="state = 'waiting'")
    rules.one_rule("account_checks", rules.FREE, may("sell"))


STATES = "draft submitting waiting live unlisted rejected blocked parked unknown gone"


def _listings() -> None:
    """A listing remembers what was sent, sold and tried there, so that a push never undoes what a shop did.

    It follows the ledger's recorded sales, remembers every number whose writing is in doubt, and has the shop's last word
    beside it (`last_…`).
    """
    c.table(
        "listings",
        c.owned_key(),
        c.identifier("organisation_id", to="organisations"),
        c.identifier("account_id", own="channel_accounts"),
        c.identifier("product_id", to="products"),
        c.identifier("variant_id", own="variants"),
        c.text("wanted"),
        c.number("wanted_version", "applied_version"),
        c.text("remote_id", nullable=True),
        c.text("state"),
        c.text("error_code", nullable=True),
        c.data("error", nullable=True),
        c.number("failures"),
        c.identifier("lease_id", nullable=True),
        c.moment("lease_until", "next_look_at", "announced_at", nullable=True),
        c.moment("created_at"),
        c.number("applied_stock", nullable=True),
        c.number("sold_there", default="0"),
        c.data("sent_skus", default="'[]'"),
        c.number("mends", default="0"),
        c.moment("failing_since", nullable=True),
        c.text("note_code", nullable=True),
        c.data("note", nullable=True),
        c.moment("note_at", nullable=True),
        c.flag("recall_paused", default="false"),
        c.number("recorded_there", default="0"),
        c.number("spot_sales", nullable=True),
        c.data("sent_stocks", default="'[]'"),
        c.moment("last_seen_at", "kept_at", "changed_at", nullable=True),
        c.flag("last_live", "last_buyable", nullable=True),
        c.text("last_raw_state", "last_url", nullable=True),
        c.big("last_price_dong", nullable=True),
        c.number("last_stock", nullable=True),
        c.data("last_reasons", nullable=True),
        c.one_of("wanted", "live unlisted"),
        c.one_of("state", STATES),
        c.unique("account_id", "variant_id"),
    )
    c.index("listings", "product_id")
    c.index("listings", "next_look_at", where="remote_id IS NOT NULL")
    c.index("listings", "organisation_id, created_at, id", named="created_at")
    rules.written_by("sell", rules.DATED, "listings")

    # Kept when something changed; each says until when the one before it was seen to hold.
    c.table(
        "listing_observations",
        c.identifier("id"),
        c.identifier("listing_id", own="listings"),
        c.identifier("organisation_id"),
        c.moment("seen_at"),
        c.moment("before_until", nullable=True),
        c.flag("live", "buyable"),
        c.text("raw_state"),
        c.text("url", nullable=True),
        c.big("price_dong", nullable=True),
        c.number("stock", nullable=True),
        c.data("reasons"),
        c.primary("id", "seen_at"),
        postgresql_partition_by="RANGE (seen_at)",
    )
    c.index("listing_observations", "listing_id, seen_at")
    rules.rows("listing_observations", rules.APPEND_ONLY, read=sees(), add=rules.SYSTEM, change=rules.NOBODY)
    rules.by_month("listing_observations", kept=24, last_of="listing_id", of_before="before_until")


def _declared() -> None:
    c.table(
        "declared_listings",
        c.owned_key(),
        c.identifier("organisation_id", to="organisations"),
        c.identifier("product_id", own="products"),
        c.identifier("floor_id", to="floors"),
        c.text("url"),
        c.identifier("declared_by", to="people"),
        c.moment("declared_at"),
        c.moment("withdrawn_at", nullable=True),
    )
    c.indices("declared_listings", "organisation_id", "product_id")
    c.one_open("declared_listings", "product_id, url", "withdrawn_at IS NULL")
    rules.written_by("sell", rules.DATED, "declared_listings")

    c.table(
        "declared_confirmations",
        c.key(),
        c.identifier("declared_listing_id", "organisation_id"),
        c.flag("on_sale"),
        c.identifier("confirmed_by", to="people"),
        c.day("seen_on"),
        c.text("photo_sha256"),
        c.moment("recorded_at"),
        c.flag("by_colleague"),
        c.pair(
            "declared_listing_id",
            "declared_listings",
            named="fk_declared_confirmations_declared_listing_id_organisation_id_d",
        ),
    )
    c.index("declared_confirmations", "declared_listing_id, seen_on")
    # From outside looks only who answers for the place; a colleague may hold the right in the seller itself.
    outside = rules.around("hoi_may_at('confirm_link')")
    look = f"{rules.SYSTEM} OR CASE WHEN by_colleague THEN {may_around('confirm_link')} ELSE {outside} END"
    rules.rows("declared_confirmations", rules.APPEND_ONLY, read=sees(), add=look, change=rules.NOBODY)
    op.execute(OF_THE_SELLER)
    op.execute(CONFIRMERS)


def _calls() -> None:
    c.table(
        "channel_calls",
        c.identifier("id"),
        c.moment("at"),
        c.identifier("account_id", "organisation_id"),
        c.identifier("listing_id", nullable=True),
        c.text("verb", "outcome"),
        c.number("milliseconds"),
        c.text("detail"),
        c.primary("id", "at"),
        postgresql_partition_by="RANGE (at)",
    )
    c.index("channel_calls", "listing_id")
    rules.rows("channel_calls", rules.APPEND_ONLY, read=sees(), add=rules.SYSTEM, change=rules.NOBODY)
    rules.by_month("channel_calls", kept=12)
