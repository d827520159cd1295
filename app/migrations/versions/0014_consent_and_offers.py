"""Who said no to a purpose, roles that wait for their person's word, and the trail by the person who acted."""

import sqlalchemy as sa
from alembic import op

from app.migrations import rules

revision = "0014"
down_revision = "0013"

# Looks past row-level security on purpose: whoever writes for others must know whose name to leave out, and no more.
SAID_NO = """
CREATE FUNCTION hoi_said_no(people uuid[], wanted text) RETURNS TABLE (person_id uuid) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public AS
$$ SELECT p FROM unnest(people) AS p
    WHERE hoi_kind() IN ('system', 'person')
      AND NOT (SELECT c.given FROM consents c WHERE c.person_id = p AND c.purpose = wanted
                ORDER BY c.recorded_at DESC, c.id DESC LIMIT 1) $$
"""


def upgrade() -> None:
    op.execute(SAID_NO)
    op.create_index("ix_audit_entries_person_id", "audit_entries", ["person_id"])
    op.create_table(
        "role_offers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offered_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.CheckConstraint("role IN ('farmer', 'cooperative_manager', 'purchaser')", name=op.f("ck_role_offers_role")),
        sa.CheckConstraint("(answered_at IS NULL) = (accepted IS NULL)", name=op.f("ck_role_offers_answered")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_role_offers_person_id_people")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_role_offers_organisation_id_organisations")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_offers")),
    )
    op.create_index("ix_role_offers_organisation_id", "role_offers", ["organisation_id"])
    op.create_index(
        "uq_role_offers_open",
        "role_offers",
        ["person_id", "organisation_id", "role"],
        unique=True,
        postgresql_where=sa.text("answered_at IS NULL"),
    )
    # An offer is never rewritten: only its person's answer is added.
    rules.guarded_rows(
        "role_offers",
        "hoi_is_person(person_id) OR hoi_writes(organisation_id)",
        rules.APPEND_ONLY,
        "hoi_writes(organisation_id) OR (hoi_is_person(person_id) AND answered_at IS NOT NULL)",
    )
    op.execute("GRANT UPDATE (answered_at, accepted) ON role_offers TO hoi_app")
