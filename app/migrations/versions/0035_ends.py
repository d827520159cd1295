"""An end for what grows: months that are dropped or thinned by a written rule, and what else may go, by functions that know it."""

import sqlalchemy as sa
from alembic import op

from app.migrations import rules

revision = "0035"
down_revision = "0034"

SYSTEM = "(SELECT hoi_is_system())"
NOBODY = "false"

# The rule of the months stands in the database: the function that drops one asks it there and takes no date from anybody.
# Whole months: one goes when it ended so many months before the month that is running, by the clock of the database
# server, which nobody moves. `last_of`: of a month that is over the last row of each of these stays for good.
# `of_before`: a column that speaks of the row before it; it says nothing any more once that row is gone.
KEPT_MONTHS = {
    "channel_calls": (12, None, None),
    "scan_tallies": (60, None, None),
    "listing_observations": (24, "listing_id", "before_until"),
}

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

# Of answers older than two years what stood at the end of each month stays, and each change with what it replaced; and
# always the one that stands. What goes in between said the same of every criterion as the row before and after it.
THIN_ASSESSMENTS = """
CREATE FUNCTION hoi_thin_assessments(villages uuid[], most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    cut timestamptz := (date_trunc('month', now() AT TIME ZONE 'Asia/Ho_Chi_Minh') - interval '24 months')
        AT TIME ZONE 'Asia/Ho_Chi_Minh';
    gone integer;
BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system thins answers' USING ERRCODE = 'insufficient_privilege';
    END IF;
    WITH old AS (
        SELECT id, "current", (overall, values) = lag((overall, values)) OVER line AS as_before,
               (overall, values) = lead((overall, values)) OVER line AS as_after,
               date_trunc('month', computed_at AT TIME ZONE 'Asia/Ho_Chi_Minh')
               = lead(date_trunc('month', computed_at AT TIME ZONE 'Asia/Ho_Chi_Minh')) OVER line AS more_in_month
          FROM village_assessments
         WHERE village_id = ANY (villages) AND computed_at < cut
        WINDOW line AS (PARTITION BY village_id, pack_id ORDER BY computed_at, id)
    ), between_equals AS (
        SELECT id FROM old WHERE NOT "current" AND as_before AND as_after AND more_in_month LIMIT most
    )
    DELETE FROM village_assessments a USING between_equals b WHERE a.id = b.id;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""

STOPPED = """
CREATE FUNCTION hoi_is_stopped(batch uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT kind = 'recalled' FROM batch_events WHERE batch_id = batch AND kind IN ('recalled', 'recall_lifted')
                      ORDER BY position DESC LIMIT 1), false)
        OR coalesce((SELECT kind = 'held' FROM batch_events WHERE batch_id = batch AND kind IN ('held', 'released')
                      ORDER BY position DESC LIMIT 1), false)
$$;
"""

FORGET_AUDIT = """
CREATE FUNCTION hoi_forget_audit_lines(most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system forgets the trail' USING ERRCODE = 'insufficient_privilege';
    END IF;
    WITH old AS (
        SELECT id FROM audit_entries a
         WHERE at < now() - interval '60 months' AND NOT hoi_is_stopped(a.subject_id)
         ORDER BY at LIMIT most FOR UPDATE SKIP LOCKED
    )
    DELETE FROM audit_entries a USING old WHERE a.id = old.id;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""

# What the law wants kept is the least. Beyond it nothing of the diary goes unless the province has said so, in writing, a
# month ago. `hoi_records_over` is the longest of all that apply: 24 months after harvest (VietGAP) and making (Circular
# 17/2021/TT-BNNPTNT), 12 months after the expiry or 60 months after making without one (Circular 31/2026/TT-BCT, 8.1).
TRACE = """
CREATE FUNCTION hoi_may_end_records() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT value = 'delete' AND recorded_at < now() - interval '30 days' FROM retention_choices
                      WHERE name = 'traceability' ORDER BY position DESC LIMIT 1), false)
$$;

CREATE FUNCTION hoi_records_over(harvested_on date, made_on date, expires_on date) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT greatest(
        harvested_on + interval '24 months', made_on + interval '24 months',
        coalesce(expires_on + interval '12 months', made_on + interval '60 months')
    )::date
$$;

CREATE FUNCTION hoi_end_records(most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date;
    quiet timestamptz := now() - interval '24 months';
    chosen uuid[];
BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system ends records' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT hoi_may_end_records() THEN
        RETURN 0;
    END IF;
    SELECT array_agg(id) INTO chosen FROM (
        SELECT b.id FROM batches b
         WHERE b.records_ended_on IS NULL AND b.made_on < today - interval '24 months'
           AND hoi_records_over(b.harvested_on, b.made_on, b.expires_on) < today AND b.created_at < quiet
           AND NOT hoi_is_stopped(b.id)
           AND NOT EXISTS (SELECT FROM batch_events e WHERE e.batch_id = b.id AND e.recorded_at >= quiet)
           AND NOT EXISTS (SELECT FROM stock_movements m WHERE m.batch_id = b.id AND m.recorded_at >= quiet)
           AND coalesce((SELECT sum(m.units) FROM stock_movements m WHERE m.batch_id = b.id), 0) <= 0
           AND NOT EXISTS (
               SELECT FROM certificates c
                WHERE c.organisation_id = b.organisation_id AND (c.product_id IS NULL OR c.product_id = b.product_id)
                  AND c.valid_from <= b.made_on AND coalesce(c.valid_to, today) >= today AND c.withdrawn_on IS NULL
                  AND NOT EXISTS (SELECT FROM certificates later WHERE later.supersedes_id = c.id))
         ORDER BY b.made_on LIMIT most FOR UPDATE OF b SKIP LOCKED
    ) AS ended;
    -- Asked again now that nobody can add an event: a recall that was being written when we looked is committed, or waits.
    SELECT array_agg(id) INTO chosen FROM unnest(chosen) AS id
     WHERE NOT hoi_is_stopped(id) AND NOT EXISTS (SELECT FROM batch_events e WHERE e.batch_id = id AND e.recorded_at >= quiet);
    DELETE FROM batch_sources WHERE batch_id = ANY (chosen);
    UPDATE batches SET records_ended_on = today WHERE id = ANY (chosen);
    UPDATE public_pages p SET wanted_version = wanted_version + 1
      FROM trace_codes c WHERE c.batch_id = ANY (chosen) AND p.code = c.code;
    RETURN coalesce(cardinality(chosen), 0);
END $$;

CREATE FUNCTION hoi_forget_steps(most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    cut timestamptz := now() - interval '60 months';
    roots uuid[];
    gone integer;
BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system forgets steps' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT hoi_may_end_records() THEN
        RETURN 0;
    END IF;
    SELECT array_agg(id) INTO roots FROM (
        SELECT l.id FROM care_logs l
         WHERE l.corrects_id IS NULL AND l.happened_at < cut AND l.recorded_at < cut AND NOT hoi_step_is_needed(l, cut)
         ORDER BY l.position LIMIT most FOR UPDATE OF l SKIP LOCKED
    ) AS old;
    SELECT array_agg(l.id) INTO roots FROM care_logs l WHERE l.id = ANY (roots) AND NOT hoi_step_is_needed(l, cut);
    DELETE FROM conflicting_submissions WHERE care_log_id IN
        (SELECT id FROM care_logs WHERE id = ANY (roots) OR corrects_id = ANY (roots));
    DELETE FROM care_logs WHERE id = ANY (roots) OR corrects_id = ANY (roots);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""

# A step stays while a row of its chain is young, a batch or a decision names it, or a batch whose records stand may show
# it: of the harvest's season, of its site in the three years before the harvest, or since that season began.
NEEDED = """
CREATE FUNCTION hoi_step_is_needed(root care_logs, cut timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM batch_sources s WHERE s.care_log_id = root.id)
        OR EXISTS (SELECT FROM care_logs c WHERE c.corrects_id = root.id AND (c.happened_at >= cut OR c.recorded_at >= cut))
        OR EXISTS (SELECT FROM conflicting_submissions f WHERE f.received_at >= cut AND f.care_log_id IN
            (SELECT c.id FROM care_logs c WHERE c.id = root.id OR c.corrects_id = root.id))
        OR EXISTS (SELECT FROM batch_events e WHERE e.cause_id = root.id)
        OR EXISTS (SELECT FROM care_logs c JOIN batch_events e ON e.cause_id = c.id WHERE c.corrects_id = root.id)
        OR EXISTS (
            SELECT FROM (SELECT root.site_id, root.cycle_id, root.happened_at
                         UNION SELECT c.site_id, c.cycle_id, c.happened_at FROM care_logs c WHERE c.corrects_id = root.id) AS said
             WHERE EXISTS (SELECT FROM care_logs h JOIN batch_sources s ON s.care_log_id = coalesce(h.corrects_id, h.id)
                            WHERE h.cycle_id = said.cycle_id)
                OR EXISTS (SELECT FROM care_logs h JOIN batch_sources s ON s.care_log_id = coalesce(h.corrects_id, h.id)
                            WHERE h.site_id = said.site_id AND h.happened_at >= said.happened_at - interval '1 day'
                              AND h.happened_at < said.happened_at + interval '36 months')
                OR EXISTS (SELECT FROM cycles y JOIN care_logs h ON h.cycle_id = y.id
                             JOIN batch_sources s ON s.care_log_id = coalesce(h.corrects_id, h.id)
                            WHERE y.site_id = said.site_id AND y.started_on <= said.happened_at + interval '1 day'
                              AND h.happened_at >= said.happened_at - interval '1 day'));
END $$;
"""


def upgrade() -> None:
    _rules()
    _columns_and_indices()
    for function in (END_MONTH, THIN_ASSESSMENTS, STOPPED, FORGET_AUDIT, NEEDED, TRACE):
        op.execute(function)
    for inner in (
        "hoi_is_stopped(uuid)",
        "hoi_may_end_records()",
        "hoi_step_is_needed(care_logs, timestamptz)",
    ):
        op.execute(f"ALTER FUNCTION {inner} SET search_path = public, pg_temp")
    # Ordinary rows, which a verb of the part deletes itself; everybody but SYSTEM is refused by the rules of rows.
    whose = "hoi_is_person(person_id)"
    rules.replace("jobs", read=whose, add=whose, change=whose)
    op.execute("GRANT DELETE ON jobs, sign_ins, card_requests TO hoi_app")


def _rules() -> None:
    op.create_table(
        "kept_months",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("last_of", sa.Text(), nullable=True),
        sa.Column("of_before", sa.Text(), nullable=True),
        sa.Column("thinned_before", sa.Date(), nullable=True),
        sa.CheckConstraint("months >= 12", name=op.f("ck_kept_months_months")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_kept_months")),
    )
    for name, (months, last_of, of_before) in KEPT_MONTHS.items():
        op.execute(
            sa.text(
                "INSERT INTO kept_months (name, months, last_of, of_before) VALUES (:name, :months, :last_of, :of_before)"
            ).bindparams(name=name, months=months, last_of=last_of, of_before=of_before)
        )
    rules.grant("kept_months", "SELECT")
    rules.replace("kept_months", read=SYSTEM, add=NOBODY, change=NOBODY)
    op.create_table(
        "retention_runs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("gone", sa.BigInteger(), nullable=False),
        sa.Column("gone_last", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_retention_runs")),
    )
    rules.grant("retention_runs", rules.DATED)
    rules.replace("retention_runs", read=SYSTEM, add=SYSTEM, change=SYSTEM)
    op.create_table(
        "retention_choices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("name IN ('traceability')", name=op.f("ck_retention_choices_name")),
        sa.CheckConstraint("value IN ('keep', 'delete')", name=op.f("ck_retention_choices_value")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_choices")),
        sa.UniqueConstraint("position", name=op.f("uq_retention_choices_position")),
    )
    rules.grant("retention_choices", rules.APPEND_ONLY)
    rules.replace("retention_choices", read=SYSTEM, add=SYSTEM, change=NOBODY)


def _columns_and_indices() -> None:
    op.add_column("batches", sa.Column("records_ended_on", sa.Date(), nullable=True))
    op.create_index("ix_batches_records", "batches", ["made_on"], postgresql_where=sa.text("records_ended_on IS NULL"))
    # Without it each step that goes would read all decisions about batches, to see that none names it.
    op.create_index(
        "ix_batch_events_cause_id", "batch_events", ["cause_id"], postgresql_where=sa.text("cause_id IS NOT NULL")
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"], if_not_exists=True)
    op.create_index("ix_notices_created_at", "notices", ["created_at"])
