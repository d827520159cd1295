"""Whoever sees a declared link is told by name who looked at it."""

from alembic import op

revision = "0023"
down_revision = "0021"


def upgrade() -> None:
    op.execute("""
        -- The looker vouches for what was seen: a name and nothing else, to whoever sees the look itself.
        CREATE FUNCTION hoi_confirmers(confirmations uuid[]) RETURNS TABLE (confirmation_id uuid, full_name text)
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
        $$ SELECT c.id, d.full_name
             FROM declared_confirmations c JOIN personal_data d ON d.person_id = c.confirmed_by
            WHERE c.id = ANY (confirmations) AND hoi_sees(c.organisation_id) $$""")
