"""A look at a declared link says whether it came from outside the seller's organisation."""

import sqlalchemy as sa
from alembic import op

from app.migrations.rules import may_there, replace, seen

revision = "0025"
down_revision = "0024"

# Looks past row-level security: an official who looks does not see the seller's roles, and still may hold one of them.
# Answers for oneself only. A role that ended after the link was declared still binds: nobody leaves for an hour to look.
FUNCTION = """
CREATE FUNCTION hoi_of_the_seller(person uuid, seller uuid, since timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT (hoi_is_system() OR hoi_is_person(person)) AND EXISTS (
    SELECT FROM memberships m
     WHERE m.person_id = person AND (m.ended_at IS NULL OR m.ended_at >= since)
       AND (m.organisation_id = seller OR EXISTS (
           SELECT FROM household_memberships h
            WHERE (h.ended_at IS NULL OR h.ended_at >= since)
              AND ((h.cooperative_id = seller AND h.household_id = m.organisation_id)
                   OR (h.household_id = seller AND h.cooperative_id = m.organisation_id))))) $$"""


def upgrade() -> None:
    op.execute(FUNCTION)
    op.add_column("declared_confirmations", sa.Column("by_colleague", sa.Boolean(), nullable=True))
    op.execute("SELECT set_config('hoi.kind', 'system', true)")
    op.execute(
        "UPDATE declared_confirmations c"
        "   SET by_colleague = hoi_of_the_seller(c.confirmed_by, c.organisation_id, d.declared_at)"
        "  FROM declared_listings d WHERE d.id = c.declared_listing_id"
    )
    op.alter_column("declared_confirmations", "by_colleague", nullable=False)
    # From outside looks only who answers for the place; a colleague may hold the right in the seller itself.
    outside = "organisation_id IN (SELECT hoi_lying_in(hoi_may_at('confirm_link')))"
    look = f"(SELECT hoi_is_system()) OR CASE WHEN by_colleague THEN {may_there('confirm_link')} ELSE {outside} END"
    replace("declared_confirmations", read=seen(), add=look, change="false")
