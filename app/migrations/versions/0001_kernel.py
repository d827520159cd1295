"""Kernel: roles and row-level security functions, text folding, clock shift, outbox, audit, jobs, partitions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

FUNCTIONS = """
CREATE FUNCTION vn_fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT lower(public.unaccent('public.unaccent'::regdictionary, normalize(value, NFC))) $$;

CREATE FUNCTION hoi_kind() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(current_setting('hoi.kind', true), '') $$;

CREATE FUNCTION hoi_is_system() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(current_setting('hoi.kind', true), '') = 'system' $$;

CREATE FUNCTION hoi_person() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('hoi.person', true), '')::uuid $$;

CREATE FUNCTION hoi_is_person(person uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(current_setting('hoi.kind', true), '') = 'system'
       OR (person IS NOT NULL AND person = nullif(current_setting('hoi.person', true), '')::uuid) $$;

CREATE FUNCTION hoi_organisations() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('hoi.organisations', true), ''), '{}')::uuid[] $$;

CREATE FUNCTION hoi_places() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('hoi.places', true), ''), '{}')::uuid[] $$;
"""

PARTITIONS = """
CREATE FUNCTION hoi_make_partitions(parent text, moment timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public AS $$
DECLARE
    first date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    start date;
BEGIN
    IF NOT EXISTS (SELECT FROM partitioned_tables WHERE name = parent) THEN
        RAISE EXCEPTION '% is not a partitioned table of ours', parent;
    END IF;
    FOR step IN 0..3 LOOP
        start := (first + make_interval(months => step))::date;
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || '_' || to_char(start, 'YYYYMM'), parent,
            start::text || ' 00:00:00+00', (start + make_interval(months => 1))::date::text || ' 00:00:00+00'
        );
    END LOOP;
END $$;
"""


# A login without CREATEROLE may be given a role made by the administrator: then neither statement is tried.
ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hoi_app') THEN
        BEGIN
            CREATE ROLE hoi_app NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'hoi_app',
                       CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
        BEGIN
            EXECUTE format('GRANT hoi_app TO %I', current_user);
        EXCEPTION WHEN insufficient_privilege THEN NULL; -- only one login for everything needs it, and is told so before
        END;
    END IF;
END $$;
"""


def upgrade() -> None:
    op.execute(ROLE)
    op.execute("GRANT USAGE ON SCHEMA public TO hoi_app")
    op.execute("CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public")
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public")
    op.execute(FUNCTIONS)

    op.create_table(
        "clock_shift",
        sa.Column("only", sa.Boolean(), primary_key=True, server_default=sa.true()),
        sa.Column("shift", sa.Interval(), nullable=False),
        sa.CheckConstraint('"only"', name=op.f("ck_clock_shift_one_row")),
    )
    op.execute("INSERT INTO clock_shift (shift) VALUES ('0')")
    rules.open_rows("clock_shift")

    op.create_table("partitioned_tables", sa.Column("name", sa.Text(), primary_key=True))
    rules.open_rows("partitioned_tables", "SELECT")
    op.execute(PARTITIONS)

    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_subject", "audit_entries", ["subject_id"])
    # Everybody adds lines; reading is for SYSTEM, the person, and the organisation (hoi_sees comes with accounts).
    rules.grant("audit_entries", rules.APPEND_ONLY)
    op.execute("ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY audit_add ON audit_entries FOR INSERT TO hoi_app WITH CHECK (true)")
    op.execute(
        "CREATE POLICY audit_read ON audit_entries FOR SELECT TO hoi_app"
        " USING (hoi_is_person(person_id) OR organisation_id = ANY (hoi_organisations()))"
    )

    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", postgresql.JSONB(), nullable=False),
        sa.Column("params", postgresql.JSONB(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("organisation_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("error", postgresql.JSONB(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_person_id", "jobs", ["person_id"])
    rules.person_rows("jobs")

    op.create_table(
        "outbox_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fanned_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_events"),
        sa.UniqueConstraint("position", name="uq_outbox_events_position"),
    )
    op.create_index(
        "ix_outbox_events_waiting", "outbox_events", ["due_at"], postgresql_where=sa.text("fanned_out_at IS NULL")
    )
    rules.grant("outbox_events", rules.APPEND_ONLY)
    op.execute("GRANT UPDATE (fanned_out_at) ON outbox_events TO hoi_app")
    op.execute("ALTER TABLE outbox_events ENABLE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY outbox_add ON outbox_events FOR INSERT TO hoi_app WITH CHECK (true)")
    op.execute("CREATE POLICY outbox_system ON outbox_events TO hoi_app USING (hoi_is_system())")

    op.create_table(
        "outbox_deliveries",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("reaction", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["outbox_events.id"], name="fk_outbox_deliveries_event_id_outbox_events"),
        sa.PrimaryKeyConstraint("event_id", "reaction", name="pk_outbox_deliveries"),
    )
    op.create_index(
        "ix_outbox_deliveries_open",
        "outbox_deliveries",
        ["run_after"],
        postgresql_where=sa.text("done_at IS NULL AND dead_at IS NULL"),
    )
    rules.guarded_rows("outbox_deliveries", "hoi_is_system()")
