"""Row-level security says what the verbs say: who changes people, roles, cards, places and the province's choices."""

from alembic import op

from app.migrations import rules

revision = "0015"
down_revision = "0014"

FUNCTIONS = """
CREATE FUNCTION hoi_roles() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('hoi.roles', true), ''), '{}')::text[] $$;

CREATE FUNCTION hoi_managed() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('hoi.managed', true), ''), '{}')::uuid[] $$;

-- The roles of this sign-in, not all of the person's: by card an official is a farmer and nothing else.
CREATE OR REPLACE FUNCTION hoi_holds(wanted text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_is_system() OR wanted = ANY (hoi_roles()) $$;

CREATE FUNCTION hoi_is_of_province() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_holds('province_official') OR hoi_holds('administrator') $$;

-- The cooperatives that the actor manages and their households, as accounts.queries.managed says it.
CREATE FUNCTION hoi_manages(organisation uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public AS
$$ SELECT hoi_is_system() OR organisation = ANY (hoi_managed()) OR EXISTS (
    SELECT FROM household_memberships
     WHERE household_id = organisation AND cooperative_id = ANY (hoi_managed())
       AND (valid_to IS NULL OR valid_to >= (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date)) $$;

CREATE FUNCTION hoi_manages_person(person uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public AS
$$ SELECT hoi_is_system() OR EXISTS (
    SELECT FROM memberships WHERE person_id = person AND valid_to IS NULL AND hoi_manages(organisation_id)) $$;

-- Whoever changed a person's number or password would own all of that person's roles: so all must be the actor's to give.
CREATE FUNCTION hoi_answers_for(person uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public AS
$$ SELECT hoi_is_person(person) OR hoi_holds('administrator') OR (hoi_manages_person(person) AND NOT EXISTS (
    SELECT FROM memberships
     WHERE person_id = person AND valid_to IS NULL
       AND NOT (hoi_manages(organisation_id) AND role IN ('farmer', 'cooperative_manager', 'purchaser')))) $$;
"""

ANYBODY = "(SELECT hoi_kind() <> '')"
SOMEBODY = "(SELECT hoi_kind() IN ('system', 'person'))"
SYSTEM = "(SELECT hoi_is_system())"
PROVINCE = "(SELECT hoi_is_of_province())"
ADMINISTRATOR = "(SELECT hoi_holds('administrator'))"
NOBODY = "false"


def upgrade() -> None:
    op.execute(FUNCTIONS)
    _kernel()
    _places()
    _people()
    _signing_in()
    _province()


def _kernel() -> None:
    rules.replace("clock_shift", read=ANYBODY, add=NOBODY, change=SYSTEM)
    rules.replace("partitioned_tables", read=SYSTEM, add=NOBODY, change=NOBODY)
    rules.replace("media_blobs", read=ANYBODY, add=SOMEBODY, change=NOBODY)
    for table, policy in (("audit_entries", "audit_add"), ("outbox_events", "outbox_add")):
        op.execute(f"ALTER POLICY {policy} ON {table} WITH CHECK ({ANYBODY})")
    # A verb that changes a batch makes its own pages stale; everything else about pages is SYSTEM's.
    own = "EXISTS (SELECT FROM trace_codes c WHERE c.code = public_pages.code AND hoi_writes(c.organisation_id))"
    rules.replace("public_pages", read=ANYBODY, add=f"{SYSTEM} OR {own}", change=f"{SYSTEM} OR {own}")


def _places() -> None:
    for table in ("places", "place_names", "place_lineage", "place_attributes", "premises"):
        rules.replace(table, read=ANYBODY, add=PROVINCE, change=PROVINCE)


def _people() -> None:
    managers = "(SELECT hoi_managed() <> '{}')"
    rules.replace(
        "people",
        read=ANYBODY,
        add=f"{SYSTEM} OR {ADMINISTRATOR} OR {managers}",
        change="hoi_is_person(id)",
    )
    rules.replace(
        "personal_data",
        read="hoi_knows(person_id)",
        add="hoi_answers_for(person_id)",
        change="hoi_answers_for(person_id)",
        remove="hoi_is_person(person_id)",
    )
    rules.replace(
        "role_offers",
        read="hoi_is_person(person_id) OR hoi_writes(organisation_id)",
        add=f"{ADMINISTRATOR} OR hoi_manages(organisation_id)",
        change="hoi_is_person(person_id)",
    )
    accepted = (
        "EXISTS (SELECT FROM role_offers o WHERE o.person_id = memberships.person_id AND o.role = memberships.role"
        " AND o.organisation_id = memberships.organisation_id AND o.accepted AND hoi_is_person(o.person_id))"
    )
    given = f"{accepted} OR (role IN ('farmer', 'cooperative_manager', 'purchaser') AND hoi_manages(organisation_id))"
    rules.replace(
        "memberships",
        read="hoi_is_person(person_id) OR hoi_sees(organisation_id)",
        add=f"{ADMINISTRATOR} OR {given}",
        change=f"{ADMINISTRATOR} OR hoi_is_person(person_id) OR hoi_manages(organisation_id)",
    )
    rules.replace(
        "household_memberships",
        read="hoi_sees(household_id) OR hoi_sees(cooperative_id)",
        # No cooperative pulls in a foreign household: it must act for it already, as whoever has just made it does.
        add=f"{ADMINISTRATOR} OR (hoi_manages(cooperative_id) AND hoi_writes(household_id))",
        change=f"{ADMINISTRATOR} OR hoi_writes(household_id) OR hoi_manages(cooperative_id)",
    )


def _signing_in() -> None:
    rules.replace(
        "credentials",
        read=f"hoi_is_person(person_id) OR {ADMINISTRATOR} OR hoi_manages_person(person_id)",
        add="hoi_answers_for(person_id)",
        change="hoi_answers_for(person_id)",
        remove="hoi_is_person(person_id)",
    )
    for table, add in (
        ("cards", "hoi_manages(organisation_id)"),
        ("devices", "hoi_manages(organisation_id)"),
        ("card_requests", SYSTEM),
    ):
        whose = "hoi_is_person(person_id) OR hoi_manages(organisation_id)"
        rules.replace(table, read=whose, add=add, change=whose)
    # Whose sign-in it is, and its secret, never change.
    op.execute("REVOKE UPDATE ON sign_ins FROM hoi_app")
    op.execute("GRANT UPDATE (last_seen_at, expires_at, ended_at, ended_by, description) ON sign_ins TO hoi_app")
    of_managed_phone = "EXISTS (SELECT FROM devices d WHERE d.id = device_id AND hoi_manages(d.organisation_id))"
    whose = f"hoi_is_person(person_id) OR {ADMINISTRATOR} OR hoi_manages_person(person_id) OR {of_managed_phone}"
    rules.replace("sign_ins", read=whose, add=SYSTEM, change=whose)
    rules.replace(
        "data_requests",
        read=f"hoi_is_person(person_id) OR {ADMINISTRATOR}",
        add="hoi_is_person(person_id)",
        change=f"hoi_is_person(person_id) OR {ADMINISTRATOR}",
    )


def _province() -> None:
    for table in ("floors", "floor_decisions", "parameter_choices"):
        rules.replace(table, read=ANYBODY, add=PROVINCE, change=SYSTEM)
