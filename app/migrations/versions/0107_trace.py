"""Trace: sites, seasons, the diary, batches, codes, the stock ledger, stored pages and scans, and how long records stay."""

import sqlalchemy as sa
from alembic import op

from app.migrations import columns as c
from app.migrations import rules
from app.migrations.rules import may, sees

revision = "0107"
down_revision = "0106"

DAY = "CAST(happened_at AT TIME ZONE 'Asia/Ho_Chi_Minh' AS date)"
ALLOWED_FROM = (
    f"CASE WHEN pre_harvest_days IS NOT NULL THEN {DAY} + pre_harvest_days"
    f" WHEN kind IN ('spraying', 'vaccinating', 'treating') THEN {DAY} + 31 END"
)

# A site and its steps are one holder's, so whoever may read the site may read them: asked once, and not of every step.
COUNT = f"""
CREATE FUNCTION hoi_steps_of_site(site uuid, with_withdrawn boolean, most integer) RETURNS bigint LANGUAGE plpgsql
STABLE SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    holder uuid := (SELECT s.organisation_id FROM sites s WHERE s.id = site AND ({sees("s.organisation_id")}));
BEGIN
    RETURN (SELECT count(*) FROM (
        SELECT FROM care_logs r
         WHERE r.site_id = site AND holder IS NOT NULL AND (with_withdrawn OR NOT r.withdrawn)
           AND NOT EXISTS (SELECT FROM care_logs l WHERE l.organisation_id = holder
                              AND l.corrects_id = coalesce(r.corrects_id, r.id) AND l.position > r.position)
         LIMIT most) AS counted);
END $$;
"""

# Up to and with which day of its diary some batch made from a site shows it: a later step is on no page and can hold no batch.
# Whoever writes a step holds a key-share lock on its site (the foreign key) until it is committed, and reads this day after
# it has that lock. What follows from a batch, or from a correction, waits for them by FOR UPDATE (`trace.holds`) once the day
# is committed: so either the step sees the day, or what follows from the batch sees the step. Nobody waits here for a diary.
BATCHED = """
CREATE FUNCTION hoi_sites_batched(batches uuid[], until date) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    touched uuid[];
BEGIN
    SELECT array_agg(DISTINCT l.site_id) INTO touched
      FROM batch_sources s
     CROSS JOIN LATERAL (SELECT site_id FROM care_logs WHERE id = s.care_log_id
                         UNION SELECT site_id FROM care_logs WHERE corrects_id = s.care_log_id) l
     WHERE s.batch_id = ANY (batches);
    PERFORM FROM sites WHERE id = ANY (touched) AND (batched_to IS NULL OR batched_to < until) ORDER BY id FOR NO KEY UPDATE;
    UPDATE sites SET batched_to = until WHERE id = ANY (touched) AND (batched_to IS NULL OR batched_to < until);
END $$;
REVOKE EXECUTE ON FUNCTION hoi_sites_batched(uuid[], date) FROM PUBLIC;

CREATE FUNCTION hoi_batch_was_made() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT b.id, b.made_on FROM batches b WHERE b.id IN (SELECT batch_id FROM added) ORDER BY b.id LOOP
        PERFORM hoi_sites_batched(ARRAY[one.id], one.made_on);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER batch_sources_sites AFTER INSERT ON batch_sources REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION hoi_batch_was_made();

CREATE FUNCTION hoi_harvest_was_corrected() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    used uuid[];
    until date;
BEGIN
    SELECT array_agg(s.batch_id), max(b.made_on) INTO used, until
      FROM batch_sources s JOIN batches b ON b.id = s.batch_id WHERE s.care_log_id = NEW.corrects_id;
    IF used IS NOT NULL THEN
        until := greatest(until, (NEW.happened_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date);
        PERFORM hoi_sites_batched(used, until);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER care_logs_sites AFTER INSERT ON care_logs
    FOR EACH ROW WHEN (NEW.corrects_id IS NOT NULL) EXECUTE FUNCTION hoi_harvest_was_corrected();
"""

# Waits for the writers of many sites by one statement. A lock that was taken inside a block that raised is given back with it.
WAIT = """
CREATE FUNCTION hoi_wait_for_writers(site_ids uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$ DECLARE site uuid;
BEGIN
    FOREACH site IN ARRAY site_ids LOOP
        BEGIN
            PERFORM id FROM sites WHERE id = site FOR UPDATE;
            RAISE EXCEPTION USING ERRCODE = 'HOI01';
        EXCEPTION WHEN SQLSTATE 'HOI01' THEN NULL;
        END;
    END LOOP;
END $$
"""

# The ledger stays what counts: this adds up each line as it is written, whoever writes it, and can be made anew at any time.
TOTALS = """
CREATE FUNCTION hoi_add_to_stock_total() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$ BEGIN
    INSERT INTO stock_totals (organisation_id, variant_id, batch_id, kind, units)
    VALUES (NEW.organisation_id, NEW.variant_id, NEW.batch_id, NEW.kind, NEW.units)
    ON CONFLICT (variant_id, batch_id, kind) DO UPDATE SET units = stock_totals.units + excluded.units;
    RETURN NULL;
END $$;
CREATE TRIGGER stock_movements_total AFTER INSERT ON stock_movements FOR EACH ROW EXECUTE FUNCTION hoi_add_to_stock_total();

CREATE FUNCTION hoi_rebuild_stock_totals() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$ DECLARE made bigint; BEGIN
    IF NOT hoi_is_system() THEN
        RAISE EXCEPTION 'only the system adds up the ledger anew' USING ERRCODE = 'insufficient_privilege';
    END IF;
    LOCK TABLE stock_movements IN SHARE MODE;
    DELETE FROM stock_totals;
    INSERT INTO stock_totals (organisation_id, variant_id, batch_id, kind, units)
        SELECT organisation_id, variant_id, batch_id, kind, sum(units) FROM stock_movements
         GROUP BY organisation_id, variant_id, batch_id, kind;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;
"""

# A line about a batch that is held or recalled stays, however old it is.
FORGET_AUDIT = """
CREATE FUNCTION hoi_is_stopped(batch uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT kind = 'recalled' FROM batch_events WHERE batch_id = batch AND kind IN ('recalled', 'recall_lifted')
                      ORDER BY position DESC LIMIT 1), false)
        OR coalesce((SELECT kind = 'held' FROM batch_events WHERE batch_id = batch AND kind IN ('held', 'released')
                      ORDER BY position DESC LIMIT 1), false)
$$;

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
END_RECORDS = """
CREATE FUNCTION hoi_may_end_records() RETURNS boolean LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
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
"""

# A step stays while a row of its chain is young, a batch or a decision names it, or a batch whose records stand may show
# it: of the harvest's season, of its site in the three years before the harvest, or since that season began.
FORGET_STEPS = """
CREATE FUNCTION hoi_step_is_needed(root care_logs, cut timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp AS $$
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


def upgrade() -> None:
    _sites()
    _diary()
    _batches()
    _decisions_and_codes()
    _stock()
    _pages_and_scans()
    for functions in (COUNT, BATCHED, WAIT, TOTALS, FORGET_AUDIT, END_RECORDS, FORGET_STEPS):
        op.execute(functions)
    _rules()


def _sites() -> None:
    c.table(
        "sites",
        c.owned_key(),
        c.identifier("organisation_id", to="organisations"),
        c.text("name", "kind"),
        c.amount("area", nullable=True),
        c.text("area_unit", nullable=True),
        c.text("photo_sha256", to="media_blobs.sha256", nullable=True),
        sa.Column("latitude", sa.Numeric(8, 6), nullable=True),
        sa.Column("longitude", sa.Numeric(9, 6), nullable=True),
        c.moment("created_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.number("version"),
        c.day("batched_to", nullable=True),
        c.computed("name_folded", "vn_fold(name)"),
        c.computed("name_sorted", "vn_numbered(vn_fold(name))"),
        c.one_of("kind", "plot orchard forest pond barn apiary workshop"),
        c.check("area_unit", "(area IS NULL) = (area_unit IS NULL)"),
        c.check("position", "(latitude IS NULL) = (longitude IS NULL)"),
        c.check("area", "area > 0"),
        c.check("degrees", "latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180"),
    )
    c.indices("sites", "organisation_id", "photo_sha256")

    c.table(
        "site_villages",
        c.key(),
        c.identifier("site_id", own="sites"),
        c.identifier("organisation_id"),
        c.identifier("village_id", to="places"),
        c.span(),
        c.moment("recorded_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.moment("ended_at", nullable=True),
        c.identifier("ended_by", to="people", nullable=True),
        c.dated(),
    )
    c.indices("site_villages", "site_id", "village_id")
    c.one_open("site_villages", "site_id")

    c.table(
        "cycles",
        c.owned_key(),
        c.identifier("organisation_id"),
        c.identifier("site_id", own="sites"),
        c.identifier("product_id", to="products", nullable=True),
        c.data("crop"),
        c.day("started_on"),
        c.day("expected_harvest_on", "ended_on", nullable=True),
        c.moment("created_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.number("version"),
        c.check("order", "ended_on >= started_on"),
        c.check("harvest", "expected_harvest_on >= started_on"),
    )
    c.indices("cycles", "organisation_id", "product_id", "site_id")


KINDS_OF_STEPS = "sowing planting fertilising spraying irrigating weeding pruning feeding vaccinating treating cleaning harvesting honey_extracting primary_processing packing storing waste observing training other"


def _diary() -> None:
    c.table(
        "care_logs",
        c.owned_key(),
        c.position(),
        c.identifier("organisation_id"),
        c.identifier("site_id", own="sites"),
        c.identifier("cycle_id", own="cycles", nullable=True),
        c.text("kind"),
        c.moment("happened_at", "recorded_at"),
        c.identifier("performed_by", to="people", nullable=True),
        c.identifier("written_by", to="people"),
        c.identifier("witnessed_by", to="people", nullable=True),
        c.text("witness"),
        c.text("material", nullable=True),
        c.amount("quantity", nullable=True),
        c.text("unit", nullable=True),
        c.small("pre_harvest_days", nullable=True),
        c.text("note", nullable=True),
        c.data("photos"),
        c.identifier("corrects_id", own="care_logs", nullable=True),
        c.flag("withdrawn"),
        c.text("reason", nullable=True),
        c.identifier("device_id", nullable=True),
        c.flag("time_doubtful"),
        c.text("content_sha256"),
        c.computed("allowed_from", ALLOWED_FROM, kind=sa.Date(), nullable=True),
        c.one_of("kind", KINDS_OF_STEPS),
        c.one_of("witness", "farmer neighbour cooperative officer laboratory certifier machine"),
        c.check("unit", "(quantity IS NULL) = (unit IS NULL)"),
        c.check("withdrawn", "NOT withdrawn OR corrects_id IS NOT NULL"),
        c.check("itself", "corrects_id <> id"),
        c.check("pre_harvest_days", "pre_harvest_days BETWEEN 0 AND 365"),
        c.check("quantity", "quantity >= 0"),
    )
    c.index("care_logs", "corrects_id", where="corrects_id IS NOT NULL")
    c.index("care_logs", "cycle_id")
    c.index("care_logs", "photos", using="gin")
    c.index("care_logs", "organisation_id, happened_at, position")
    c.index("care_logs", "organisation_id, recorded_at", named="recorded_at")
    harvests = "kind IN ('harvesting', 'honey_extracting')"
    c.index("care_logs", "organisation_id, happened_at", named="harvests", where=harvests)
    by_kind = "organisation_id, kind, happened_at, position"
    c.index("care_logs", by_kind, named="materials", where="material IS NOT NULL")
    # A diary is counted from indices alone, and the steps after which nobody may harvest yet are found without the older ones.
    c.index("care_logs", "site_id, allowed_from", named="allowed_from", where="allowed_from IS NOT NULL")
    corrects = "corrects_id IS NOT NULL"
    chain = "organisation_id, corrects_id, position"
    c.index("care_logs", chain, named="corrections", where=corrects, include="recorded_at")
    counted = "organisation_id, id, corrects_id, withdrawn, recorded_at"
    c.index("care_logs", "site_id, happened_at, position", include=counted)
    # What an index alone can tell is what vacuum has marked: the newest tenth of a diary that only grows would wait for it for long.
    op.execute("ALTER TABLE care_logs SET (autovacuum_vacuum_insert_scale_factor = 0.02)")

    # What came under a taken id names the site, so that a site's are asked for alone, in the order of their list.
    c.table(
        "conflicting_submissions",
        c.key(),
        c.identifier("care_log_id", to="care_logs"),
        c.identifier("organisation_id", to="organisations"),
        c.data("body"),
        c.text("content_sha256"),
        c.moment("received_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.identifier("site_id", to="sites"),
        c.unique("care_log_id", "organisation_id", "content_sha256"),
    )
    c.indices("conflicting_submissions", "organisation_id, received_at, id", "site_id, received_at, id")


def _batches() -> None:
    c.table(
        "batches",
        c.owned_key(),
        c.identifier("organisation_id"),
        c.identifier("product_id", own="products"),
        c.identifier("variant_id", own="variants", nullable=True),
        c.text("lot"),
        c.day("harvested_on"),
        c.amount("quantity"),
        c.text("unit"),
        c.day("made_on"),
        c.day("expires_on", nullable=True),
        c.moment("created_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.text("content_sha256"),
        c.day("records_ended_on", nullable=True),
        c.check("expires", "expires_on >= made_on"),
        c.check("lot", "length(lot) BETWEEN 1 AND 20"),
        c.check("made", "made_on >= harvested_on"),
        c.check("quantity", "quantity > 0"),
        c.unique("organisation_id", "lot"),
    )
    c.indices("batches", "product_id", "organisation_id, created_at DESC, id DESC", "created_at, id")
    c.index("batches", "made_on", named="records", where="records_ended_on IS NULL")

    c.table(
        "batch_sources",
        c.identifier("batch_id", own="batches"),
        c.identifier("care_log_id", "organisation_id", "log_organisation_id"),
        c.amount("quantity"),
        c.text("unit"),
        c.check("quantity", "quantity > 0"),
        c.pair("care_log_id", "care_logs", "log_organisation_id"),
        c.primary("batch_id", "care_log_id"),
    )
    c.indices("batch_sources", "care_log_id", "log_organisation_id")


def _decisions_and_codes() -> None:
    """A batch that was released is held again when a correction moves the days that contradict each other, or for other days."""
    c.table(
        "batch_events",
        c.key(),
        c.position(),
        c.identifier("batch_id", own="batches"),
        c.identifier("organisation_id"),
        c.text("kind"),
        c.moment("at", "recorded_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.data("reason", nullable=True),
        c.identifier("cause_id", to="care_logs", nullable=True),
        c.day("allowed_from", "harvested_on", nullable=True),
        c.identifier("undoes_id", to="batch_events", nullable=True),
        c.one_of("kind", "created packed held released recalled recall_lifted"),
    )
    c.index("batch_events", "batch_id")
    c.index("batch_events", "batch_id, position", named="stops", where="kind IN ('held', 'recalled')")
    # Without it each step that goes would read all decisions about batches, to see that none names it.
    caused = "cause_id IS NOT NULL"
    c.index("batch_events", "cause_id", where=caused)
    finding = "batch_id, cause_id, allowed_from, harvested_on, undoes_id"
    c.index("batch_events", finding, named="finding", unique=True, where=caused, nulls_not_distinct=True)

    c.table(
        "trace_codes",
        c.text("code", primary=True),
        c.identifier("organisation_id"),
        c.identifier("batch_id", own="batches"),
        c.text("kind"),
        c.text("gtin", nullable=True),
        c.text("lot"),
        c.moment("created_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.check("gs1", "CASE kind WHEN 'gs1' THEN code = gtin || '/' || lot ELSE gtin IS NULL END"),
        c.one_of("kind", "short gs1"),
    )
    c.indices("trace_codes", "batch_id", "organisation_id")
    c.index("trace_codes", "batch_id, kind", named="one", unique=True)


SIGN = (
    "corrects_id IS NOT NULL OR CASE WHEN kind = 'counted' THEN true"
    " WHEN kind IN ('packed', 'released', 'returned') THEN units = asked AND units > 0"
    " ELSE units = -asked AND units < 0 END"
)


def _stock() -> None:
    c.table(
        "stock_movements",
        c.owned_key(),
        c.position(),
        c.identifier("organisation_id"),
        c.identifier("variant_id", own="variants"),
        c.identifier("batch_id", own="batches", nullable=True),
        c.text("kind"),
        c.number("units", "asked"),
        c.moment("happened_at", "recorded_at"),
        c.identifier("person_id", to="people", nullable=True),
        c.text("reason", nullable=True),
        c.identifier("corrects_id", own="stock_movements", nullable=True, unique=True),
        c.text("content_sha256"),
        c.check("sign", SIGN),
        c.check("lot", "kind <> 'packed' OR batch_id IS NOT NULL"),
        c.one_of("kind", "packed reserved released sold returned lost counted"),
        c.check("asked", "asked >= 0"),
    )
    # The ledger of a lot is read in its order, the newest line first.
    c.indices("stock_movements", "batch_id, position", "variant_id, batch_id")

    c.table(
        "stock_totals",
        sa.Column("id", sa.Uuid(), primary_key=True, server_default=sa.text("gen_random_uuid()")),
        c.identifier("organisation_id", "variant_id"),
        c.identifier("batch_id", nullable=True),
        c.text("kind"),
        c.big("units"),
        c.pair("variant_id", "variants", named="fk_stock_totals_variant_id_variants"),
    )
    c.index("stock_totals", "variant_id, batch_id, kind", named="one", unique=True, nulls_not_distinct=True)
    c.index("stock_totals", "batch_id")


def _pages_and_scans() -> None:
    c.table(
        "public_pages",
        c.text("code", "language"),
        c.octets("body", nullable=True),
        c.text("etag", nullable=True),
        c.number("wanted_version"),
        c.number("body_version", nullable=True),
        c.moment("rendered_at", "next_change_at", nullable=True),
        c.primary("code", "language"),
    )
    c.table(
        "scan_tallies",
        c.identifier("id"),
        c.moment("received_at"),
        c.text("code"),
        c.number("scans"),
        c.check("scans", "scans > 0"),
        c.primary("id", "received_at"),
        postgresql_partition_by="RANGE (received_at)",
    )
    c.index("scan_tallies", "code, received_at")
    rules.by_month("scan_tallies", kept=60)


def _rules() -> None:
    rules.written_by("keep_diary", rules.DATED, "sites", "cycles")
    rules.written_by("keep_diary", rules.APPEND_ONLY, "site_villages", "conflicting_submissions")
    rules.written_by("handle_goods", rules.APPEND_ONLY, "batches", "trace_codes", "stock_movements")
    rules.ends("site_villages")
    # A certifier's finding is the certifier's alone.
    step = f"CASE witness WHEN 'certifier' THEN {may('record_finding')} ELSE {may('keep_diary')} END"
    rules.rows("care_logs", rules.APPEND_ONLY, read=sees(), add=step, change=rules.NOBODY)
    # One step each way: who gave a harvest sees the batch it went into, and the other way round.
    rules.rows(
        "batch_sources",
        rules.APPEND_ONLY,
        read=f"{sees()} OR log_organisation_id = ANY ((SELECT hoi_organisations())::uuid[])",
        add=f"({may('handle_goods')}) AND ({may('handle_goods', 'log_organisation_id')})",
        change=rules.NOBODY,
    )
    # Whoever makes a batch says that it is made, and that the days to wait contradict it; everything else is a decision.
    by_rule = "kind IN ('created', 'packed') OR (kind = 'held' AND cause_id IS NOT NULL)"
    event = f"CASE WHEN {by_rule} THEN {may('handle_goods')} ELSE {may('recall_batch')} END"
    rules.rows("batch_events", rules.APPEND_ONLY, read=sees(), add=event, change=rules.NOBODY)
    rules.rows("stock_totals", "SELECT", read=sees(), add=rules.NOBODY, change=rules.NOBODY, remove=rules.NOBODY)
    # A verb that changes a batch makes its own pages stale; everything else about pages is SYSTEM's.
    own = (
        "EXISTS (SELECT FROM trace_codes c WHERE c.code = public_pages.code"
        " AND c.organisation_id = ANY ((SELECT hoi_may('handle_goods'))::uuid[]))"
    )
    stale = f"{rules.SYSTEM} OR {own}"
    rules.rows("public_pages", rules.DATED, read=rules.ANYBODY, add=stale, change=stale)
    # Whoever sees a code sees how often it was scanned.
    sees_code = "(SELECT true FROM trace_codes seen WHERE seen.code = scan_tallies.code)"
    rules.one_rule("scan_tallies", rules.APPEND_ONLY, f"hoi_is_system() OR {sees_code}", "hoi_is_system()")
