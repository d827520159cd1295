"""Accounts: people, organisations, dated roles, sign-in, cards, consent, and who may know and change them."""

from alembic import op

from app.migrations import columns as c
from app.migrations import rules
from app.migrations.rules import may, rows, sees

revision = "0104"
down_revision = "0103"

PROVINCE_OF_SEAT = """
CREATE FUNCTION hoi_province_of_seat() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    NEW.province_id := (SELECT province_id FROM places WHERE id = coalesce(NEW.village_id, NEW.commune_id));
    RETURN NEW;
END $$;
CREATE TRIGGER organisations_province BEFORE INSERT OR UPDATE OF village_id, commune_id, province_id ON organisations
    FOR EACH ROW EXECUTE FUNCTION hoi_province_of_seat();
"""

# These look past row-level security on purpose: a policy that asked the guarded tables itself would ask for ever.
FUNCTIONS = r"""
-- Only for who asks for the whole list: a policy asks about the organisation of its row, see migrations.rules.sees.
CREATE FUNCTION hoi_overseen() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT id FROM organisations, (SELECT hoi_units() AS units) AS mine
    WHERE village_id = ANY (mine.units) OR commune_id = ANY (mine.units) OR province_id = ANY (mine.units) $$;

-- Every role of somebody, so that nobody hands out a card or a password that opens other people's doors.
CREATE FUNCTION hoi_roles_of(person uuid) RETURNS TABLE (organisation_id uuid, role text) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT m.organisation_id, m.role FROM memberships m WHERE m.person_id = person AND m.valid_to IS NULL $$;

CREATE FUNCTION hoi_manages_person(person uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT hoi_is_system() OR EXISTS (
    SELECT FROM memberships WHERE person_id = person AND valid_to IS NULL AND hoi_manages(organisation_id)) $$;

-- Whoever changed a person's number or password would own all of that person's roles: so all must be the actor's to give.
CREATE FUNCTION hoi_answers_for(person uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT hoi_is_person(person) OR hoi_holds('administrator') OR (hoi_manages_person(person) AND NOT EXISTS (
    SELECT FROM memberships
     WHERE person_id = person AND valid_to IS NULL
       AND NOT (hoi_manages(organisation_id) AND role IN ('farmer', 'cooperative_manager', 'purchaser')))) $$;

-- What a public page may say of a person: how they are addressed and their given name, only while they agree to it.
CREATE FUNCTION hoi_public_names(people uuid[]) RETURNS TABLE (person_id uuid, label text) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT d.person_id, d.address_as || ' ' || (regexp_match(d.full_name, '([^ ]+)$'))[1]
     FROM personal_data d
    WHERE d.person_id = ANY (people)
      AND (SELECT c.given FROM consents c WHERE c.person_id = d.person_id AND c.purpose = 'public_name'
            ORDER BY c.recorded_at DESC, c.id DESC LIMIT 1) $$;

-- Whoever writes for others must know whose name to leave out, and no more.
CREATE FUNCTION hoi_said_no(people uuid[], wanted text) RETURNS TABLE (person_id uuid) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT p FROM unnest(people) AS p
    WHERE hoi_kind() IN ('system', 'person')
      AND NOT (SELECT c.given FROM consents c WHERE c.person_id = p AND c.purpose = wanted
                ORDER BY c.recorded_at DESC, c.id DESC LIMIT 1) $$;

-- Whoever types a phone number learns nothing but whether the name typed beside it is the right one. A name typed without
-- any mark says nothing of tones, so it may be anyone's of these letters; one typed with marks is that name alone.
CREATE FUNCTION hoi_person_with(wanted text, name text) RETURNS TABLE (person_id uuid, same boolean) LANGUAGE sql
STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT CASE WHEN c.same THEN d.person_id END, c.same
     FROM personal_data d
    CROSS JOIN LATERAL (SELECT vn_identity(d.full_name) = vn_identity(name)
                            OR (name ~ '^[\x01-\x7f]*$' AND vn_fold(d.full_name) = vn_fold(name)) AS same) c
    WHERE d.phone = wanted $$;

-- The labels of organisations are public; households' labels hold no personal data.
CREATE FUNCTION hoi_organisation_names(organisations uuid[]) RETURNS TABLE (id uuid, name text) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT o.id, o.name FROM organisations o WHERE o.id = ANY ($1) AND hoi_kind() <> '' $$;

-- A rule of rows is asked before a condition that could tell of hidden ones, so the index of names is of no use under it. Labels
-- are public, and no household's holds personal data; an id opens nothing. A number of twelve digits is a person's: it finds nobody.
CREATE FUNCTION hoi_organisations_named(pattern text, code text, most integer) RETURNS TABLE (id uuid) LANGUAGE sql
STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$ SELECT o.id FROM organisations o
    WHERE hoi_kind() <> '' AND (o.name_folded LIKE pattern OR (o.tax_code = code AND length(o.tax_code) <> 12)) LIMIT most $$;

CREATE FUNCTION hoi_tax_code_taken(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS $$ SELECT EXISTS (SELECT FROM organisations WHERE tax_code = wanted) $$;
"""

# The trail is never deleted by the application's role; this deletes only lines of signing in, a year after.
FORGET_SIGN_INS = """
CREATE FUNCTION hoi_forget_sign_in_lines(before timestamptz, most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    IF NOT hoi_is_system() OR before > now() - interval '360 days' THEN
        RAISE EXCEPTION 'only the system forgets sign-ins, after a year' USING ERRCODE = 'insufficient_privilege';
    END IF;
    WITH old AS (
        SELECT id FROM audit_entries
        WHERE action IN ('accounts:sign_in:start', 'accounts:sign_in:fail') AND at < before
        ORDER BY at LIMIT most FOR UPDATE SKIP LOCKED
    )
    DELETE FROM audit_entries a USING old WHERE a.id = old.id;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""

PERSON = "hoi_is_person(person_id)"
ADMINISTRATOR = "(SELECT hoi_holds('administrator'))"
ADMINISTERS = "(SELECT hoi_may_everywhere('administer'))"


def upgrade() -> None:
    _people_and_organisations()
    _roles()
    _signing_in()
    _consent()
    op.execute(FUNCTIONS)
    op.execute(FORGET_SIGN_INS)
    _rules_of_people()
    _rules_of_signing_in()


def _people_and_organisations() -> None:
    c.table("people", c.key(), c.moment("created_at"), c.moment("erased_at", nullable=True))
    c.table(
        "personal_data",
        c.identifier("person_id", to="people", primary=True),
        c.text("phone", nullable=True, unique=True),
        c.text("full_name", "address_as"),
        c.text("email", nullable=True),
        c.text("language"),
        c.moment("updated_at"),
        c.one_of("address_as", "bác chị anh cô chú ông bà"),
        # Any language that has a catalogue: which ones there are, the form knows, not the schema.
        c.check("language", "language ~ '^[a-z]{2,3}(_[A-Za-z]+)*$'"),
        c.check("phone", "phone ~ '^[+][0-9]{8,15}$'"),
    )

    c.table(
        "organisations",
        c.key(),
        c.text("kind", "name"),
        c.computed("name_folded", "vn_fold(name)"),
        c.text("tax_code", nullable=True, unique=True),
        c.identifier("village_id", "commune_id", to="places", nullable=True),
        c.moment("created_at"),
        c.number("version"),
        c.identifier("province_id", to="places", nullable=True),
        c.computed("name_sorted", "vn_numbered(vn_fold(name))"),
        c.check("commune", "kind = 'authority' OR commune_id IS NOT NULL"),
        c.check("personal_number", "kind = 'household' OR length(tax_code) <> 12"),
        c.one_of("kind", "household cooperative_group cooperative enterprise authority"),
        c.check("tax_code", "tax_code ~ '^([0-9]{10}|[0-9]{12}|[0-9]{10}-[0-9]{3})$'"),
    )
    c.index("organisations", "commune_id, name_sorted, id", named="of_commune")
    c.indices("organisations", "village_id", "name_sorted, id")
    c.trigrams("organisations", "name_folded")
    op.execute(PROVINCE_OF_SEAT)


def _roles() -> None:
    c.table(
        "memberships",
        c.key(),
        c.identifier("person_id", to="people"),
        c.identifier("organisation_id", to="organisations"),
        c.text("role"),
        c.identifier("place_id", to="places", nullable=True),
        c.span(),
        c.moment("recorded_at"),
        c.identifier("granted_by", nullable=True),
        c.moment("ended_at", nullable=True),
        c.identifier("ended_by", nullable=True),
        c.one_of(
            "role",
            "farmer cooperative_manager purchaser extension_officer village_officer digital_group commune_official province_official certifier administrator",
        ),
        c.dated(),
    )
    c.indices("memberships", "organisation_id", "person_id, recorded_at, id")
    c.one_open("memberships", "person_id, organisation_id, role, place_id", nulls_not_distinct=True)

    c.table(
        "household_memberships",
        c.key(),
        c.identifier("household_id", "cooperative_id", to="organisations"),
        c.span(),
        c.moment("recorded_at"),
        c.identifier("granted_by", nullable=True),
        c.moment("ended_at", nullable=True),
        c.identifier("ended_by", nullable=True),
        c.check("two", "household_id <> cooperative_id"),
        c.dated(),
    )
    c.indices("household_memberships", "cooperative_id", "household_id")
    c.one_open("household_memberships", "household_id, cooperative_id")

    c.table(
        "role_offers",
        c.key(),
        c.identifier("person_id", to="people"),
        c.identifier("organisation_id", to="organisations"),
        c.text("role"),
        c.moment("offered_at"),
        c.identifier("offered_by", nullable=True),
        c.moment("answered_at", nullable=True),
        c.flag("accepted", nullable=True),
        c.moment("withdrawn_at", nullable=True),
        c.identifier("withdrawn_by", nullable=True),
        c.one_of("role", "farmer cooperative_manager purchaser"),
        c.check("answered", "(answered_at IS NULL) = (accepted IS NULL)"),
        c.check("withdrawn", "withdrawn_at IS NULL OR answered_at IS NULL"),
    )
    c.indices("role_offers", "organisation_id", "person_id")
    c.one_open("role_offers", "person_id, organisation_id, role", "answered_at IS NULL AND withdrawn_at IS NULL")


def _signing_in() -> None:
    """Wrong tries are counted by number, by address and by device, and forgotten at a reset (`tries_since`)."""
    c.table(
        "credentials",
        c.identifier("person_id", to="people", primary=True),
        c.text("password_hash"),
        c.flag("must_change"),
        c.moment("changed_at"),
        c.moment("tries_since", nullable=True),
    )
    c.table(
        "sign_in_attempts",
        c.key(),
        c.octets("phone_digest", "address_digest"),
        c.moment("at"),
        c.flag("succeeded"),
        c.octets("device_digest", nullable=True),
    )
    c.index("sign_in_attempts", "address_digest, at", named="address")
    c.index("sign_in_attempts", "at")
    c.index("sign_in_attempts", "phone_digest, at", named="phone")

    c.table(
        "cards",
        c.key(),
        c.identifier("person_id", to="people"),
        c.identifier("organisation_id", to="organisations"),
        c.octets("secret_sha256", unique=True),
        c.number("pin_tries"),
        c.moment("printed_at"),
        c.identifier("printed_by", nullable=True),
        c.moment("expires_at"),
        c.moment("bound_at", "revoked_at", nullable=True),
        c.identifier("revoked_by", nullable=True),
    )
    c.indices("cards", "organisation_id", "person_id")
    c.one_open("cards", "person_id, organisation_id", "revoked_at IS NULL")

    c.table(
        "devices",
        c.key(),
        c.identifier("person_id", to="people"),
        c.identifier("organisation_id", to="organisations"),
        c.identifier("card_id", to="cards"),
        c.octets("token_sha256", unique=True),
        c.text("description"),
        c.moment("bound_at", "last_seen_at"),
        c.moment("revoked_at", nullable=True),
        c.identifier("revoked_by", nullable=True),
    )
    c.indices("devices", "card_id", "organisation_id", "person_id")

    c.table(
        "card_requests",
        c.key(),
        c.identifier("card_id", to="cards"),
        c.identifier("person_id", to="people"),
        c.identifier("organisation_id", to="organisations"),
        c.octets("token_sha256"),
        c.text("description"),
        c.number("number"),
        c.moment("asked_at", "expires_at"),
        c.text("state"),
        c.moment("decided_at", nullable=True),
        c.identifier("decided_by", nullable=True),
        c.check("decided", "(state = 'waiting') = (decided_at IS NULL)"),
        c.one_of("state", "waiting confirmed refused"),
    )
    c.indices("card_requests", "card_id", "organisation_id, state")

    c.table(
        "sign_ins",
        c.key(),
        c.identifier("person_id", to="people"),
        c.identifier("device_id", to="devices", nullable=True),
        c.octets("token_sha256", unique=True),
        c.text("method", "description"),
        c.moment("started_at", "last_seen_at", "expires_at"),
        c.moment("ended_at", nullable=True),
        c.identifier("ended_by", nullable=True),
        c.one_of("method", "password card"),
    )
    c.indices("sign_ins", "device_id", "person_id")
    told = "action IN ('accounts:sign_in:start', 'accounts:sign_in:fail')"
    c.index("audit_entries", "at", named="sign_ins", where=told)


def _consent() -> None:
    c.table(
        "consents",
        c.key(),
        c.identifier("person_id", to="people"),
        c.text("purpose"),
        c.flag("given"),
        c.text("text_version", "text_sha256", "language"),
        c.moment("recorded_at"),
        c.identifier("sign_in_id", nullable=True),
        c.one_of("purpose", "account diary public_name photo_public notices_email"),
    )
    c.index("consents", "person_id, purpose, recorded_at")

    c.table(
        "data_requests",
        c.key(),
        c.identifier("person_id", to="people"),
        c.text("kind", "detail"),
        c.moment("received_at", "answer_due_at", "fulfil_due_at"),
        c.moment("answered_at", nullable=True),
        c.text("answer", nullable=True),
        c.identifier("answered_by", nullable=True),
        c.moment("fulfilled_at", nullable=True),
        c.one_of("kind", "see correct withdraw restrict object erase"),
        c.check("answered", "(answered_at IS NULL) = (answer IS NULL)"),
    )
    c.index("data_requests", "fulfil_due_at", named="open", where="fulfilled_at IS NULL")
    c.index("data_requests", "person_id")


def _rules_of_people() -> None:
    # A random id says nothing about anybody.
    adds = f"{rules.SYSTEM} OR {ADMINISTERS} OR (SELECT hoi_may('manage_people') <> '{{}}')"
    rows("people", rules.DATED, read=rules.ANYBODY, add=adds, change="hoi_is_person(id)")
    # Whoever has a role, now or before, in an organisation the actor acts for.
    known = (
        "EXISTS (SELECT FROM memberships held WHERE held.person_id = personal_data.person_id"
        " AND held.organisation_id = ANY ((SELECT hoi_organisations())::uuid[]))"
    )
    answers = "hoi_answers_for(person_id)"
    rows("personal_data", rules.FREE, read=f"{PERSON} OR {known}", add=answers, change=answers, remove=PERSON)
    # Names of cooperatives and authorities are public; a household is known to itself, its cooperative and its officials. A
    # household's 12-digit number goes with the first of its people who erases: also its own people change the row.
    levels = ("village_id", "commune_id", "province_id")
    lying = " OR ".join(f"{level} = ANY ((SELECT hoi_units())::uuid[])" for level in levels)
    own_household = "kind = 'household' AND id = ANY ((SELECT hoi_may('farm'))::uuid[])"
    rows(
        "organisations",
        rules.DATED,
        read="hoi_is_system() OR id = ANY ((SELECT hoi_organisations())::uuid[])"
        f" OR (kind <> 'household' AND hoi_kind() <> '') OR {lying}",
        add=may("manage_people", "id"),
        change=f"{may('manage_people', 'id')} OR ({own_household})",
    )
    # An offer is never rewritten: only its person's answer is added, as long as nobody has taken it back.
    manages = f"({may('manage_people')})"
    told = f"{PERSON} OR hoi_is_person(offered_by) OR {ADMINISTERS} OR {may('manage_people')}"
    rows("role_offers", rules.APPEND_ONLY, read=told, add=f"{ADMINISTRATOR} OR {manages}", change=PERSON)
    op.execute("GRANT UPDATE (answered_at, accepted, withdrawn_at, withdrawn_by) ON role_offers TO hoi_app")
    # Whoever may take an offer back writes no answer and wipes none.
    rules.policy(
        "role_offers",
        "withdraw",
        "FOR UPDATE TO hoi_app"
        f" USING (answered_at IS NULL AND ({ADMINISTRATOR} OR {manages} OR hoi_is_person(offered_by)))"
        " WITH CHECK (answered_at IS NULL AND withdrawn_at IS NOT NULL)",
    )
    accepted = (
        "EXISTS (SELECT FROM role_offers o WHERE o.person_id = memberships.person_id AND o.role = memberships.role"
        " AND o.organisation_id = memberships.organisation_id AND o.accepted AND hoi_is_person(o.person_id))"
    )
    rows(
        "memberships",
        rules.APPEND_ONLY,
        read=f"{PERSON} OR {sees()}",
        add=f"{ADMINISTRATOR} OR {accepted} OR (role IN ('farmer', 'cooperative_manager', 'purchaser') AND {manages})",
        change=f"{ADMINISTRATOR} OR {PERSON} OR {manages}",
    )
    rules.ends("memberships")
    rows(
        "household_memberships",
        rules.APPEND_ONLY,
        read=f"{sees('household_id')} OR {sees('cooperative_id')}",
        # No cooperative pulls in a foreign household: it must be the one that has just made it.
        add=f"{ADMINISTERS} OR (({may('manage_members', 'cooperative_id')}) AND ({may('manage_people', 'household_id')}))",
        change=f"{ADMINISTERS} OR {may('farm', 'household_id')} OR {may('manage_members', 'cooperative_id')}",
    )
    rules.ends("household_memberships")


def _rules_of_signing_in() -> None:
    answers = "hoi_answers_for(person_id)"
    whose = f"{PERSON} OR {ADMINISTRATOR} OR {_managed('credentials')}"
    rows("credentials", rules.FREE, read=whose, add=answers, change=answers, remove=PERSON)
    rules.one_rule("sign_in_attempts", rules.FREE, "hoi_is_system()")
    whose = f"{PERSON} OR ({may('manage_people')})"
    for table in ("cards", "devices"):
        rows(table, rules.DATED, read=whose, add=may("manage_people"), change=whose)
    rows("card_requests", rules.FREE, read=whose, add=rules.SYSTEM, change=whose)
    managed_phone = (
        "EXISTS (SELECT FROM devices d WHERE d.id = sign_ins.device_id AND"
        f" ({may('manage_people', 'd.organisation_id')}))"
    )
    whose = f"{PERSON} OR {ADMINISTRATOR} OR {_managed('sign_ins')} OR {managed_phone}"
    rows("sign_ins", "SELECT, INSERT, DELETE", read=whose, add=rules.SYSTEM, change=whose)
    # Whose sign-in it is, and its secret, never change.
    op.execute("GRANT UPDATE (last_seen_at, expires_at, ended_at, ended_by, description) ON sign_ins TO hoi_app")
    rules.one_rule("consents", rules.APPEND_ONLY, PERSON)
    whose = f"{PERSON} OR {ADMINISTRATOR}"
    rows("data_requests", rules.DATED, read=whose, add=PERSON, change=whose)


def _managed(table: str) -> str:
    """Whether the row's person holds a role in an organisation whose people the actor manages; read once a statement."""
    return (
        f"({rules.SYSTEM} OR EXISTS (SELECT FROM memberships held WHERE held.person_id = {table}.person_id"
        f" AND held.valid_to IS NULL AND ({may('manage_people', 'held.organisation_id')})))"
    )
