"""Accounts: people, organisations, dated roles, sign-in, cards, consent, and who sees an organisation's rows."""

import sqlalchemy as sa
from alembic import op

from app.migrations import rules

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# These look past row-level security on purpose: a policy that asked the guarded tables itself would ask for ever.
FUNCTIONS = """
CREATE FUNCTION hoi_overseen() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT id FROM organisations, (SELECT hoi_places() AS places) AS mine
    WHERE village_id = ANY (mine.places) OR commune_id = ANY (mine.places) $$;

CREATE FUNCTION hoi_oversees(organisation uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public AS
$$ SELECT EXISTS (
    SELECT FROM organisations
     WHERE id = organisation AND (village_id = ANY (hoi_places()) OR commune_id = ANY (hoi_places()))) $$;

CREATE FUNCTION hoi_sees(organisation uuid) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_is_system() OR organisation = ANY (hoi_organisations())
       OR (coalesce(current_setting('hoi.places', true), '') NOT IN ('', '{}') AND hoi_oversees(organisation)) $$;

CREATE FUNCTION hoi_writes(organisation uuid) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_is_system() OR organisation = ANY (hoi_organisations()) $$;

-- May the actor know who this person is: somebody with a role, now or before, in an organisation the actor acts for.
CREATE FUNCTION hoi_knows(person uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT hoi_is_person(person) OR EXISTS (
    SELECT FROM memberships WHERE person_id = person AND organisation_id = ANY (hoi_organisations())) $$;

CREATE FUNCTION hoi_holds(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT hoi_is_system() OR EXISTS (
    SELECT FROM memberships WHERE person_id = hoi_person() AND role = wanted AND valid_to IS NULL) $$;

-- Every role of somebody, so that nobody hands out a card or a password that opens other people's doors.
CREATE FUNCTION hoi_roles_of(person uuid) RETURNS TABLE (organisation_id uuid, role text) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public AS
$$ SELECT m.organisation_id, m.role FROM memberships m WHERE m.person_id = person AND m.valid_to IS NULL $$;

-- What a public page may say of a person: how they are addressed and their given name, only while they agree to it.
CREATE FUNCTION hoi_public_names(people uuid[]) RETURNS TABLE (person_id uuid, label text) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public AS
$$ SELECT d.person_id, d.address_as || ' ' || (regexp_match(d.full_name, '([^ ]+)$'))[1]
     FROM personal_data d
    WHERE d.person_id = ANY (people)
      AND (SELECT c.given FROM consents c WHERE c.person_id = d.person_id AND c.purpose = 'public_name'
            ORDER BY c.recorded_at DESC, c.id DESC LIMIT 1) $$;

-- The labels of organisations are public; households' labels hold no personal data.
CREATE FUNCTION hoi_organisation_names(organisations uuid[]) RETURNS TABLE (id uuid, name text) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public AS
$$ SELECT o.id, o.name FROM organisations o WHERE o.id = ANY ($1) AND hoi_kind() <> '' $$;

CREATE FUNCTION hoi_tax_code_taken(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public AS
$$ SELECT EXISTS (SELECT FROM organisations WHERE tax_code = wanted) $$;

-- Somebody who types a phone number learns nothing but whether the name typed beside it is the right one.
CREATE FUNCTION hoi_person_with(wanted text, name text) RETURNS TABLE (person_id uuid, same boolean) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public AS
$$ SELECT CASE WHEN vn_fold(d.full_name) = vn_fold(name) THEN d.person_id END, vn_fold(d.full_name) = vn_fold(name)
     FROM personal_data d WHERE d.phone = wanted $$;
"""


def upgrade() -> None:
    _people_and_organisations()
    _signing_in()
    op.execute(FUNCTIONS)
    _rights()


def _people_and_organisations() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
    )

    op.create_table(
        "personal_data",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("address_as", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "address_as IN ('bác', 'chị', 'anh', 'cô', 'chú', 'ông', 'bà')", name=op.f("ck_personal_data_address_as")
        ),
        sa.CheckConstraint("language IN ('vi', 'en')", name=op.f("ck_personal_data_language")),
        sa.CheckConstraint("phone ~ '^[+][0-9]{8,15}$'", name=op.f("ck_personal_data_phone")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_personal_data_person_id_people")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_personal_data")),
        sa.UniqueConstraint("phone", name=op.f("uq_personal_data_phone")),
    )

    op.create_table(
        "organisations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_folded", sa.Text(), sa.Computed("vn_fold(name)", persisted=True), nullable=False),
        sa.Column("tax_code", sa.Text(), nullable=True),
        sa.Column("village_id", sa.Uuid(), nullable=True),
        sa.Column("commune_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind = 'authority' OR commune_id IS NOT NULL", name=op.f("ck_organisations_commune")),
        sa.CheckConstraint(
            "kind = 'household' OR length(tax_code) <> 12", name=op.f("ck_organisations_personal_number")
        ),
        sa.CheckConstraint(
            "kind IN ('household', 'cooperative_group', 'cooperative', 'enterprise', 'authority')",
            name=op.f("ck_organisations_kind"),
        ),
        sa.CheckConstraint(
            "tax_code ~ '^([0-9]{10}|[0-9]{12}|[0-9]{10}-[0-9]{3})$'", name=op.f("ck_organisations_tax_code")
        ),
        sa.ForeignKeyConstraint(["commune_id"], ["places.id"], name=op.f("fk_organisations_commune_id_places")),
        sa.ForeignKeyConstraint(["village_id"], ["places.id"], name=op.f("fk_organisations_village_id_places")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("tax_code", name=op.f("uq_organisations_tax_code")),
    )

    op.create_index("ix_organisations_commune_id", "organisations", ["commune_id"], unique=False)

    op.create_index(
        "ix_organisations_name_folded",
        "organisations",
        ["name_folded"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"name_folded": "gin_trgm_ops"},
    )

    op.create_index("ix_organisations_village_id", "organisations", ["village_id"], unique=False)

    op.create_table(
        "memberships",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "role IN ('farmer', 'cooperative_manager', 'purchaser', 'extension_officer', 'village_officer', 'digital_group', 'commune_official', 'province_official', 'certifier', 'administrator')",
            name=op.f("ck_memberships_role"),
        ),
        sa.CheckConstraint("(valid_to IS NULL) = (ended_at IS NULL)", name=op.f("ck_memberships_ended")),
        sa.CheckConstraint("valid_to >= valid_from - 1", name=op.f("ck_memberships_order")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_memberships_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_memberships_person_id_people")),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name=op.f("fk_memberships_place_id_places")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
    )

    op.create_index("ix_memberships_organisation_id", "memberships", ["organisation_id"], unique=False)

    op.create_index("ix_memberships_person_id", "memberships", ["person_id"], unique=False)

    op.create_index(
        "uq_memberships_open",
        "memberships",
        ["person_id", "organisation_id", "role", "place_id"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
        postgresql_nulls_not_distinct=True,
    )

    op.create_table(
        "household_memberships",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("household_id", sa.Uuid(), nullable=False),
        sa.Column("cooperative_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(valid_to IS NULL) = (ended_at IS NULL)", name=op.f("ck_household_memberships_ended")),
        sa.CheckConstraint("household_id <> cooperative_id", name=op.f("ck_household_memberships_two")),
        sa.CheckConstraint("valid_to >= valid_from - 1", name=op.f("ck_household_memberships_order")),
        sa.ForeignKeyConstraint(
            ["cooperative_id"], ["organisations.id"], name=op.f("fk_household_memberships_cooperative_id_organisations")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["organisations.id"], name=op.f("fk_household_memberships_household_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_memberships")),
    )

    op.create_index(
        "ix_household_memberships_cooperative_id", "household_memberships", ["cooperative_id"], unique=False
    )

    op.create_index("ix_household_memberships_household_id", "household_memberships", ["household_id"], unique=False)

    op.create_index(
        "uq_household_memberships_open",
        "household_memberships",
        ["household_id", "cooperative_id"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    )


def _signing_in() -> None:
    op.create_table(
        "credentials",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_credentials_person_id_people")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_credentials")),
    )

    op.create_table(
        "sign_in_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("phone_digest", sa.LargeBinary(), nullable=False),
        sa.Column("address_digest", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempts")),
    )

    op.create_index("ix_sign_in_attempts_address", "sign_in_attempts", ["address_digest", "at"], unique=False)

    op.create_index("ix_sign_in_attempts_at", "sign_in_attempts", ["at"], unique=False)

    op.create_index("ix_sign_in_attempts_phone", "sign_in_attempts", ["phone_digest", "at"], unique=False)

    op.create_table(
        "cards",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("secret_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("pin_tries", sa.Integer(), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("printed_by", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_cards_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_cards_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_cards_secret_sha256")),
    )

    op.create_index("ix_cards_organisation_id", "cards", ["organisation_id"], unique=False)

    op.create_index("ix_cards_person_id", "cards", ["person_id"], unique=False)

    op.create_index(
        "uq_cards_open",
        "cards",
        ["person_id", "organisation_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )

    op.create_table(
        "devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_devices_card_id_cards")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_devices_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_devices_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_devices_token_sha256")),
    )

    op.create_index("ix_devices_card_id", "devices", ["card_id"], unique=False)

    op.create_index("ix_devices_organisation_id", "devices", ["organisation_id"], unique=False)

    op.create_index("ix_devices_person_id", "devices", ["person_id"], unique=False)

    op.create_table(
        "card_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name=op.f("ck_card_requests_decided")),
        sa.CheckConstraint("state IN ('waiting', 'confirmed', 'refused')", name=op.f("ck_card_requests_state")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_requests_card_id_cards")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_card_requests_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_card_requests_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_requests")),
    )

    op.create_index("ix_card_requests_card_id", "card_requests", ["card_id"], unique=False)

    op.create_index("ix_card_requests_organisation_id", "card_requests", ["organisation_id", "state"], unique=False)

    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("method IN ('password', 'card')", name=op.f("ck_sign_ins_method")),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_sign_ins_device_id_devices")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sign_ins_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_sign_ins_token_sha256")),
    )

    op.create_index("ix_sign_ins_device_id", "sign_ins", ["device_id"], unique=False)

    op.create_index("ix_sign_ins_person_id", "sign_ins", ["person_id"], unique=False)

    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sign_in_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('account', 'diary', 'public_name', 'photo_public', 'notices_email')",
            name=op.f("ck_consents_purpose"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_consents_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )

    op.create_index("ix_consents_person_id", "consents", ["person_id", "purpose", "recorded_at"], unique=False)

    op.create_table(
        "data_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fulfil_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('see', 'correct', 'withdraw', 'restrict', 'object', 'erase')", name=op.f("ck_data_requests_kind")
        ),
        sa.CheckConstraint("(answered_at IS NULL) = (answer IS NULL)", name=op.f("ck_data_requests_answered")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_data_requests_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_requests")),
    )

    op.create_index(
        "ix_data_requests_open",
        "data_requests",
        ["fulfil_due_at"],
        unique=False,
        postgresql_where=sa.text("fulfilled_at IS NULL"),
    )

    op.create_index("ix_data_requests_person_id", "data_requests", ["person_id"], unique=False)


def _rights() -> None:
    # A random id says nothing about anybody.
    rules.guarded_rows("people", "hoi_kind() <> ''", rules.DATED, "hoi_kind() IN ('system', 'person')")
    rules.guarded_rows("personal_data", "hoi_knows(person_id)", rules.FREE)
    # Names of cooperatives and authorities are public; a household is known to itself, its cooperative and its officials.
    rules.guarded_rows(
        "organisations",
        "hoi_is_system() OR id = ANY ((SELECT hoi_organisations())::uuid[])"
        " OR (kind <> 'household' AND hoi_kind() <> '')"
        " OR village_id = ANY ((SELECT hoi_places())::uuid[]) OR commune_id = ANY ((SELECT hoi_places())::uuid[])",
        rules.DATED,
        "hoi_writes(id)",
    )
    _dated("memberships", "hoi_is_person(person_id) OR hoi_sees(organisation_id)", "hoi_writes(organisation_id)")
    _dated(
        "household_memberships",
        "hoi_sees(household_id) OR hoi_sees(cooperative_id)",
        "hoi_writes(household_id) OR hoi_writes(cooperative_id)",
    )
    rules.guarded_rows("credentials", "hoi_knows(person_id)", rules.FREE)
    rules.guarded_rows("sign_in_attempts", "hoi_is_system()", rules.FREE)
    rules.guarded_rows("cards", "hoi_is_person(person_id) OR hoi_writes(organisation_id)")
    rules.guarded_rows("devices", "hoi_is_person(person_id) OR hoi_writes(organisation_id)")
    rules.guarded_rows("card_requests", "hoi_is_person(person_id) OR hoi_writes(organisation_id)")
    rules.guarded_rows("sign_ins", "hoi_knows(person_id)")
    rules.person_rows("consents", rules.APPEND_ONLY)
    rules.guarded_rows("data_requests", "hoi_is_person(person_id) OR hoi_holds('administrator')")


def _dated(table: str, using: str, check: str) -> None:
    """A role that began is never rewritten: only its end is added."""
    rules.guarded_rows(table, using, rules.APPEND_ONLY, check)
    op.execute(f"GRANT UPDATE (valid_to, ended_at, ended_by) ON {table} TO hoi_app")
