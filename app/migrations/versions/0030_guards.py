"""Functions with the owner's rights see no table of the caller's; wrong tries are counted by device, and forgotten at a reset."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

# A temporary table of the caller comes first in every search path that does not name pg_temp: a SECURITY DEFINER function
# would read the caller's "memberships" (PostgreSQL's manual, "Writing SECURITY DEFINER Functions Safely").
SAFE_PATHS = """
DO $$ DECLARE one regprocedure; BEGIN
    FOR one IN SELECT oid::regprocedure FROM pg_proc
               WHERE pronamespace = 'public'::regnamespace AND prosecdef AND 'search_path=public' = ANY (proconfig) LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = public, pg_temp', one);
    END LOOP;
END $$;
"""

# The trail is never deleted by the application's role; this deletes only lines of signing in, a year after.
FORGET = """
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


def upgrade() -> None:
    op.execute(SAFE_PATHS)
    op.execute(FORGET)
    op.add_column("sign_in_attempts", sa.Column("device_digest", sa.LargeBinary(), nullable=True))
    op.add_column("credentials", sa.Column("tries_since", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_audit_entries_sign_ins",
        "audit_entries",
        ["at"],
        postgresql_where=sa.text("action IN ('accounts:sign_in:start', 'accounts:sign_in:fail')"),
    )
