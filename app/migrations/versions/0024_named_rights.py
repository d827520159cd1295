"""Row-level security asks one named right for every writing, and no longer whether somebody is of the organisation at all."""

from alembic import op

from app.migrations.rules import may, may_there, replace, seen

revision = "0024"
down_revision = "0023"

FUNCTIONS = """
-- The organisations, and the places, in which the actor has this right: see app.actor.Right and db.actor_settings.
CREATE FUNCTION hoi_may(wanted text) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting(
    'hoi.' || (nullif(current_setting('hoi.rights', true), '')::jsonb ->> wanted), true), ''), '{}')::uuid[] $$;

CREATE FUNCTION hoi_may_at(wanted text) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT hoi_may(wanted || '@') $$;

CREATE FUNCTION hoi_may_everywhere(wanted text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT hoi_is_system()
       OR coalesce(nullif(current_setting('hoi.rights', true), '')::jsonb ? (wanted || '*'), false) $$;

-- As an argument the places are read once a call; as a condition they were read once for each organisation.
CREATE FUNCTION hoi_lying_in(places uuid[]) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public AS
$$ SELECT id FROM organisations WHERE village_id = ANY (places) OR commune_id = ANY (places) $$;

CREATE OR REPLACE FUNCTION hoi_overseen() RETURNS SETOF uuid LANGUAGE sql STABLE AS
$$ SELECT hoi_lying_in(hoi_places()) $$;

-- A row with an organisation stays that organisation's: a right in one would otherwise fetch the rows of another.
CREATE FUNCTION hoi_never() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a row of % never changes its organisation', TG_TABLE_NAME USING ERRCODE = '42501'; END $$;

CREATE OR REPLACE FUNCTION hoi_is_of_province() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_may_everywhere('set_province_rules') $$;

-- Which households are members was read when the actor was built, by the clock that everything else goes by.
CREATE OR REPLACE FUNCTION hoi_manages(organisation uuid) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_is_system() OR organisation = ANY (hoi_may('manage_people')) $$;
"""

ADMINISTERS = "(SELECT hoi_may_everywhere('administer'))"
SYSTEM = "(SELECT hoi_is_system())"
NOBODY = "false"
PRODUCTS_SEEN = f"{seen()} OR organisation_id IN (SELECT hoi_cooperatives())"
OF_THE_PLACE = f"{SYSTEM} OR village_id = ANY ((SELECT hoi_places())::uuid[])"
RECORDED = " OR ".join(
    f"(witness = '{witness}' AND village_id = ANY ((SELECT hoi_may_at('record_as_{witness}'))::uuid[]))"
    for witness in ("digital_group", "village", "officer", "commune", "province")
)


def upgrade() -> None:
    op.execute(FUNCTIONS)
    _accounts()
    _products()
    _trace()
    _shops()
    _criteria()
    op.execute("DROP FUNCTION hoi_managed(), hoi_writes(uuid)")


def _written_by(table: str, right: str, read: str | None = None) -> None:
    """Whoever sees a row may lock it while they work on what hangs on it; changing it asks the right. It never changes hands."""
    replace(table, read=read or seen(), add=may(right), change=read or seen(), keep=may(right))
    op.execute(f"""
        CREATE TRIGGER {table}_stay BEFORE UPDATE OF organisation_id ON {table} FOR EACH ROW
        WHEN (OLD.organisation_id <> NEW.organisation_id) EXECUTE FUNCTION hoi_never()""")


def _accounts() -> None:
    """A household's 12-digit number goes with the first of its people who erases: also its own people change the row."""
    represented = (
        f"{may('manage_people', 'id')} OR (kind = 'household' AND id = ANY ((SELECT hoi_may('farm'))::uuid[]))"
    )
    replace(
        "organisations",
        read="hoi_is_system() OR id = ANY ((SELECT hoi_organisations())::uuid[])"
        " OR (kind <> 'household' AND hoi_kind() <> '')"
        " OR village_id = ANY ((SELECT hoi_places())::uuid[]) OR commune_id = ANY ((SELECT hoi_places())::uuid[])",
        add=may("manage_people", "id"),
        change=represented,
    )
    op.execute("DROP POLICY memberships_read ON memberships")
    op.execute(
        f"CREATE POLICY memberships_read ON memberships FOR SELECT TO hoi_app USING (hoi_is_person(person_id) OR {seen()})"
    )
    op.execute(
        "ALTER POLICY people_add ON people WITH CHECK"
        f" ({SYSTEM} OR {ADMINISTERS} OR (SELECT hoi_may('manage_people') <> '{{}}'))"
    )
    replace(
        "household_memberships",
        read=f"{seen('household_id')} OR {seen('cooperative_id')}",
        # No cooperative pulls in a foreign household: it must be the one that has just made it.
        add=f"{ADMINISTERS} OR (({may('manage_members', 'cooperative_id')}) AND ({may('manage_people', 'household_id')}))",
        change=f"{ADMINISTERS} OR {may('farm', 'household_id')} OR {may('manage_members', 'cooperative_id')}",
    )
    op.execute(
        "ALTER POLICY role_offers_read ON role_offers USING"
        f" (hoi_is_person(person_id) OR hoi_is_person(offered_by) OR {ADMINISTERS} OR {may('manage_people')})"
    )


def _products() -> None:
    for table in ("products", "variants", "product_villages", "certificates"):
        _written_by(table, "manage_products", PRODUCTS_SEEN)


def _trace() -> None:
    for table in ("sites", "site_villages", "cycles", "conflicting_submissions"):
        _written_by(table, "keep_diary")
    # A certifier's finding is the certifier's alone.
    step = f"CASE witness WHEN 'certifier' THEN {may('record_finding')} ELSE {may('keep_diary')} END"
    replace("care_logs", read=seen(), add=step, change=NOBODY)
    for table in ("batches", "trace_codes", "stock_movements"):
        _written_by(table, "handle_goods")
    replace(
        "batch_sources",
        read=f"{seen()} OR log_organisation_id = ANY ((SELECT hoi_organisations())::uuid[])",
        add=f"({may('handle_goods')}) AND ({may('handle_goods', 'log_organisation_id')})",
        change=NOBODY,
    )
    # Whoever makes a batch says that it is made, and that the days to wait contradict it; everything else is a decision.
    by_rule = "kind IN ('created', 'packed') OR (kind = 'held' AND cause_id IS NOT NULL)"
    event = f"CASE WHEN {by_rule} THEN {may('handle_goods')} ELSE {may('recall_batch')} END"
    replace("batch_events", read=seen(), add=event, change=NOBODY)
    own = (
        "EXISTS (SELECT FROM trace_codes c WHERE c.code = public_pages.code"
        " AND c.organisation_id = ANY ((SELECT hoi_may('handle_goods'))::uuid[]))"
    )
    stale = f"{SYSTEM} OR {own}"
    replace("public_pages", read="(SELECT hoi_kind() <> '')", add=stale, change=stale)


def _shops() -> None:
    for table in ("channel_accounts", "listings", "declared_listings"):
        _written_by(table, "sell")
    for table in ("listing_observations", "channel_calls"):
        replace(table, read=seen(), add=SYSTEM, change=NOBODY)
    replace("declared_confirmations", read=seen(), add=may_there("confirm_link"), change=NOBODY)


def _criteria() -> None:
    replace("village_facts", read=OF_THE_PLACE, add=f"{SYSTEM} OR {RECORDED}", change=NOBODY)
    replace("village_assessments", read=OF_THE_PLACE, add=SYSTEM, change=SYSTEM)
