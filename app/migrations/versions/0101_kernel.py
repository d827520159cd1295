"""The kernel: who acts, texts, the clock, months of growing tables, the trail, jobs, the outbox, what is forgotten."""

import sqlalchemy as sa
from alembic import op

from app.migrations import columns as c
from app.migrations import rules

revision = "0101"
down_revision = None

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

TEXTS = r"""
CREATE FUNCTION vn_fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT lower(public.unaccent('public.unaccent'::regdictionary, normalize(value, NFC))) $$;

-- The order of names: every number padded to ten digits. Give it a folded name.
CREATE FUNCTION vn_numbered(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT regexp_replace(regexp_replace(value, '([0-9]+)', '0000000000\1', 'g'), '0*([0-9]{10,})', '\1', 'g') $$;

-- What makes two names the same, as identity() in app/db/texts.py: letters and tones, not case nor the place of the tone.
CREATE FUNCTION vn_identity(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT normalize(regexp_replace(lower(replace(normalize(btrim(regexp_replace(value, '\s+', ' ', 'g')), NFD), 'Đ', 'đ')),
          '([\u0300\u0301\u0303\u0309\u0323])([a-zđ\u0302\u0306\u031b]+)', '\2\1', 'g'), NFC) $$;
"""

# What the transaction was told of its actor, see db.actor_settings.
ACTOR = """
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

-- The units that an official answers for, by name; what lies below them is read from the rows.
CREATE FUNCTION hoi_units() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('hoi.units', true), ''), '{}')::uuid[] $$;

CREATE FUNCTION hoi_roles() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting('hoi.roles', true), ''), '{}')::text[] $$;

-- The roles of this sign-in, not all of the person's: by card an official is a farmer and nothing else.
CREATE FUNCTION hoi_holds(wanted text) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_is_system() OR wanted = ANY (hoi_roles()) $$;

-- The organisations, and the units, in which the actor has this right: see app.actor.Right and db.actor_settings.
CREATE FUNCTION hoi_may(wanted text) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(nullif(current_setting(
    'hoi.' || (nullif(current_setting('hoi.rights', true), '')::jsonb ->> wanted), true), ''), '{}')::uuid[] $$;

CREATE FUNCTION hoi_may_at(wanted text) RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT hoi_may(wanted || '@') $$;

CREATE FUNCTION hoi_may_everywhere(wanted text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT hoi_is_system()
       OR coalesce(nullif(current_setting('hoi.rights', true), '')::jsonb ? (wanted || '*'), false) $$;

CREATE FUNCTION hoi_is_of_province() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_may_everywhere('set_province_rules') $$;

-- Which households are members was read when the actor was built, by the clock that everything else goes by.
CREATE FUNCTION hoi_manages(organisation uuid) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT hoi_is_system() OR organisation = ANY (hoi_may('manage_people')) $$;

-- A row with an organisation stays that organisation's, see migrations.rules.written_by.
CREATE FUNCTION hoi_never() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a row of % never changes its organisation', TG_TABLE_NAME USING ERRCODE = '42501'; END $$;
"""

# Here and in every function with the owner's rights pg_temp comes last: a temporary table of the caller comes first in every
# search path that does not name it (PostgreSQL's manual, "Writing SECURITY DEFINER Functions Safely").
#
# A month cannot be added while rows of it sit in the default partition: they move with it. Whoever reads or writes the
# parent waits for that moment, which comes once a month; nobody waits while no month is missing. Behind a long reader (a
# backup) it gives up after a second, and the chore tries again: the months are made long before they are needed.
MAKE_PARTITIONS = """
CREATE FUNCTION hoi_make_partitions(parent text, moment timestamptz) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    first date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    without_month text := parent || '_other';
    months date[];
    key text;
    start date;
    month text;
    opens text;
    closes text;
BEGIN
    IF NOT EXISTS (SELECT FROM partitioned_tables WHERE name = parent) THEN
        RAISE EXCEPTION '% is not a partitioned table of ours', parent;
    END IF;
    SELECT array_agg((first + make_interval(months => step))::date) INTO months FROM generate_series(0, 3) AS step;
    IF to_regclass(quote_ident(without_month)) IS NULL THEN
        without_month := NULL;
    ELSE
        SELECT a.attname INTO key FROM pg_partitioned_table p
        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
        WHERE p.partrelid = to_regclass(quote_ident(parent));
        EXECUTE format(
            'SELECT $1 || coalesce(array_agg(DISTINCT date_trunc(''month'', %I AT TIME ZONE ''UTC'')::date), ''{}'') FROM %I',
            key, without_month
        ) INTO months USING months;
    END IF;
    FOR start IN SELECT DISTINCT m FROM unnest(months) AS m ORDER BY m LOOP
        month := parent || '_' || to_char(start, 'YYYYMM');
        CONTINUE WHEN to_regclass(quote_ident(month)) IS NOT NULL;
        EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent);
        CONTINUE WHEN to_regclass(quote_ident(month)) IS NOT NULL;
        opens := start::text || ' 00:00:00+00';
        closes := (start + make_interval(months => 1))::date::text || ' 00:00:00+00';
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', month, parent);
        IF without_month IS NOT NULL THEN
            EXECUTE format(
                'WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
                without_month, key, opens, key, closes, month
            );
        END IF;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, month, opens, closes);
    END LOOP;
END $$;
"""

# The rule of the months stands in the database: the function that drops one asks it there and takes no date from anybody.
# Whole months: one goes when it ended so many months before the month that is running, by the clock of the database
# server, which nobody moves. `last_of`: of a month that is over the last row of each of these stays for good.
# `of_before`: a column that speaks of the row before it; it says nothing any more once that row is gone.
# A month is only ever taken away whole. Rows of it that come meanwhile wait for a moment and go to the partition without a
# month; behind a long reader (a backup) it gives up after a second, and the chore comes again.
END_MONTH = """
CREATE FUNCTION hoi_end_month(parent text) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    rule kept_months;
    cut date;
    opens date;
    month text;
    thinned text;
    key text;
    before bigint;
    after bigint := 0;
BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system ends months' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT k.* INTO rule FROM kept_months k JOIN partitioned_tables p ON p.name = k.name WHERE k.name = parent FOR UPDATE OF k;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% has no rule for its months', parent;
    END IF;
    cut := (date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => rule.months))::date;
    SELECT c.relname, to_date(right(c.relname, 6), 'YYYYMM') INTO month, opens
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = to_regclass(quote_ident(parent)) AND c.relname ~ '_[0-9]{6}$'
       AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= cut
       AND (rule.thinned_before IS NULL OR to_date(right(c.relname, 6), 'YYYYMM') >= rule.thinned_before)
     ORDER BY 2 LIMIT 1;
    IF month IS NULL THEN
        RETURN NULL;
    END IF;
    IF rule.last_of IS NULL THEN
        EXECUTE format('SELECT count(*) FROM %I', month) INTO before;
        EXECUTE format('DROP TABLE %I', month);
        RETURN before;
    END IF;
    SELECT a.attname INTO key FROM pg_partitioned_table p
      JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
     WHERE p.partrelid = to_regclass(quote_ident(parent));
    thinned := parent || '_thinned';
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', month); -- what comes late waits, so that the copy is of everything
    EXECUTE format('SELECT count(*) FROM %I', month) INTO before;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', thinned, parent);
    EXECUTE format(
        'INSERT INTO %I SELECT (kept.line).* FROM'
        ' (SELECT line, rank() OVER (PARTITION BY %I ORDER BY %I DESC) AS place FROM %I AS line) AS kept WHERE place = 1',
        thinned, rule.last_of, key, month
    );
    GET DIAGNOSTICS after = ROW_COUNT;
    IF rule.of_before IS NOT NULL THEN
        EXECUTE format(
            'UPDATE %I AS t SET %I = NULL WHERE EXISTS (SELECT FROM %I AS m WHERE m.%I = t.%I AND m.%I < t.%I)',
            thinned, rule.of_before, month, rule.last_of, rule.last_of, key, key
        );
    END IF;
    EXECUTE format('DROP TABLE %I', month);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', thinned, month);
    EXECUTE format(
        'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, month,
        opens::text || ' 00:00:00+00', (opens + interval '1 month')::date::text || ' 00:00:00+00'
    );
    UPDATE kept_months SET thinned_before = (opens + interval '1 month')::date WHERE name = parent;
    RETURN before - after;
END $$;
"""

# Events are never deleted by the application's role; this deletes only what nobody owes or may still want to revive.
FORGET_EVENTS = """
CREATE FUNCTION hoi_forget_settled_events(before timestamptz, most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone uuid[];
BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system forgets events' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT coalesce(array_agg(id), '{}') INTO gone FROM (
        SELECT e.id FROM outbox_events e
        WHERE e.fanned_out_at < before AND NOT EXISTS (
            SELECT FROM outbox_deliveries d
            WHERE d.event_id = e.id AND (d.dead_at IS NOT NULL OR d.done_at IS NULL OR d.done_at >= before)
        )
        ORDER BY e.fanned_out_at LIMIT most FOR UPDATE OF e SKIP LOCKED
    ) AS settled;
    DELETE FROM outbox_deliveries WHERE event_id = ANY (gone);
    DELETE FROM outbox_events WHERE id = ANY (gone);
    RETURN cardinality(gone);
END $$;
"""


def upgrade() -> None:
    op.execute(ROLE)
    op.execute("GRANT USAGE ON SCHEMA public TO hoi_app")
    for extension in ("unaccent", "pg_trgm", "btree_gist"):
        op.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public")
    op.execute(TEXTS)
    op.execute(ACTOR)
    _clock()
    _months()
    _trail()
    _jobs()
    _outbox()
    _retention()


def _clock() -> None:
    c.table(
        "clock_shift",
        sa.Column("only", sa.Boolean(), primary_key=True, server_default=sa.true()),
        sa.Column("shift", sa.Interval(), nullable=False),
        c.check("one_row", '"only"'),
    )
    op.execute("INSERT INTO clock_shift (shift) VALUES ('0')")
    rules.rows("clock_shift", rules.DATED, read=rules.ANYBODY, add=rules.NOBODY, change=rules.SYSTEM)


def _months() -> None:
    c.table("partitioned_tables", c.text("name", primary=True))
    c.table(
        "kept_months",
        c.text("name", primary=True),
        c.number("months"),
        c.text("last_of", "of_before", nullable=True),
        c.day("thinned_before", nullable=True),
        c.check("months", "months >= 12"),
    )
    for table in ("partitioned_tables", "kept_months"):
        rules.rows(table, "SELECT", read=rules.SYSTEM, add=rules.NOBODY, change=rules.NOBODY)
    op.execute(MAKE_PARTITIONS)
    op.execute(END_MONTH)


def _trail() -> None:
    c.table(
        "audit_entries",
        c.key(),
        c.moment("at"),
        c.text("action"),
        c.identifier("person_id", nullable=True),
        c.text("actor_kind"),
        c.identifier("device_id", nullable=True),
        c.text("request_id"),
        c.identifier("subject_id", "organisation_id", nullable=True),
        c.data("detail"),
    )
    c.indices("audit_entries", "at", "person_id")
    c.index("audit_entries", "subject_id", named="subject")
    # Everybody adds lines; reading is for SYSTEM, the person, and the organisation.
    rules.grant("audit_entries", rules.APPEND_ONLY)
    op.execute("ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY audit_add ON audit_entries FOR INSERT TO hoi_app WITH CHECK ({rules.ANYBODY})")
    op.execute(
        "CREATE POLICY audit_read ON audit_entries FOR SELECT TO hoi_app"
        " USING (hoi_is_person(person_id) OR organisation_id = ANY ((SELECT hoi_organisations())::uuid[]))"
    )


def _jobs() -> None:
    c.table(
        "jobs",
        c.key(),
        c.text("kind"),
        c.data("title", "params"),
        c.identifier("person_id", "organisation_id", nullable=True),
        c.text("state"),
        c.number("done"),
        c.number("total", nullable=True),
        c.data("result", "error", nullable=True),
        c.moment("queued_at"),
        c.moment("started_at", "finished_at", "alive_at", nullable=True),
    )
    c.index("jobs", "person_id, queued_at, id")
    whose = "hoi_is_person(person_id)"
    rules.rows("jobs", rules.FREE, read=whose, add=whose, change=whose)


def _outbox() -> None:
    c.table(
        "outbox_events",
        c.key(),
        c.position(),
        c.text("name"),
        c.data("body"),
        c.identifier("person_id", nullable=True),
        c.text("request_id"),
        c.moment("recorded_at", "due_at"),
        c.moment("fanned_out_at", nullable=True),
    )
    c.index("outbox_events", "due_at", named="waiting", where="fanned_out_at IS NULL")
    c.index("outbox_events", "fanned_out_at", named="settled", where="fanned_out_at IS NOT NULL")
    rules.grant("outbox_events", rules.APPEND_ONLY)
    op.execute("GRANT UPDATE (fanned_out_at) ON outbox_events TO hoi_app")
    op.execute("ALTER TABLE outbox_events ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY outbox_add ON outbox_events FOR INSERT TO hoi_app WITH CHECK ({rules.ANYBODY})")
    op.execute("CREATE POLICY outbox_system ON outbox_events TO hoi_app USING (hoi_is_system())")

    c.table(
        "outbox_deliveries",
        c.identifier("event_id", to="outbox_events"),
        c.text("reaction"),
        c.number("attempts"),
        c.moment("run_after"),
        c.moment("lease_until", "done_at", "dead_at", nullable=True),
        c.text("dead_reason", nullable=True),
        c.number("starts", default="0"),
        c.moment("alive_at", nullable=True),
        c.text("queue"),
        c.primary("event_id", "reaction"),
    )
    open_ = "done_at IS NULL AND dead_at IS NULL"
    c.index("outbox_deliveries", "queue, run_after", named="open", where=open_)
    c.index("outbox_deliveries", "alive_at", named="begun", where=f"{open_} AND alive_at IS NOT NULL")
    c.index("outbox_deliveries", "dead_at", named="dead", where="dead_at IS NOT NULL")
    rules.one_rule("outbox_deliveries", rules.DATED, "hoi_is_system()")
    op.execute(FORGET_EVENTS)


def _retention() -> None:
    c.table(
        "retention_runs",
        c.text("name", primary=True),
        c.big("gone", "gone_last"),
        c.moment("finished_at", nullable=True),
    )
    rules.rows("retention_runs", rules.DATED, read=rules.SYSTEM, add=rules.SYSTEM, change=rules.SYSTEM)
    c.table(
        "retention_choices",
        c.key(),
        c.position(),
        c.text("name", "value", "decided_by"),
        c.moment("recorded_at"),
        c.one_of("name", "traceability"),
        c.one_of("value", "keep delete"),
    )
    rules.rows("retention_choices", rules.APPEND_ONLY, read=rules.SYSTEM, add=rules.SYSTEM, change=rules.NOBODY)
