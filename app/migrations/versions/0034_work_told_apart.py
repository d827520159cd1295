"""Deliveries by queue, villages to derive as a set, answers that know their next hour, sites that know how far batches show."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules

revision = "0034"
down_revision = "0033"

OPEN = "done_at IS NULL AND dead_at IS NULL"

# Two reactions to a step are one from now on. What one of them still owes, the other does as well: it is done again.
JOINED = """
UPDATE outbox_deliveries kept SET done_at = NULL, lease_until = NULL, alive_at = NULL, starts = 0
  FROM outbox_deliveries gone
 WHERE gone.event_id = kept.event_id AND gone.reaction = '{gone}' AND gone.done_at IS NULL AND gone.dead_at IS NULL
   AND kept.reaction = '{kept}' AND kept.done_at IS NOT NULL;
UPDATE outbox_deliveries gone SET done_at = now()
 WHERE gone.reaction = '{gone}' AND gone.done_at IS NULL AND gone.dead_at IS NULL
   AND EXISTS (SELECT FROM outbox_deliveries kept WHERE kept.event_id = gone.event_id AND kept.reaction = '{kept}');
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

UNTIL_NOW = """
WITH harvests AS (
    SELECT s.batch_id, l.site_id, (l.happened_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS day
      FROM batch_sources s JOIN care_logs l ON l.id = s.care_log_id
    UNION ALL
    SELECT s.batch_id, l.site_id, (l.happened_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date
      FROM batch_sources s JOIN care_logs l ON l.corrects_id = s.care_log_id
), days AS (
    SELECT h.batch_id, greatest(max(h.day), max(b.made_on)) AS day
      FROM harvests h JOIN batches b ON b.id = h.batch_id GROUP BY h.batch_id
), found AS (
    SELECT h.site_id, max(d.day) AS day FROM harvests h JOIN days d ON d.batch_id = h.batch_id GROUP BY h.site_id
)
UPDATE sites s SET batched_to = f.day FROM found f WHERE f.site_id = s.id;
"""

# When a sighting grows too old was not kept until now: those that speak of sightings are derived once, and know it then.
NEXT_HOURS = """
UPDATE village_assessments
   SET next_change_at = CASE WHEN "values" ->> 'ocop-tren-san' IN ('met', 'unmet', 'insufficient') THEN now()
                             ELSE next_change_on::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh' END
 WHERE "current";
"""


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("outbox_deliveries", sa.Column("queue", sa.Text(), nullable=False, server_default="hoi"))
    op.alter_column("outbox_deliveries", "queue", server_default=None)
    op.drop_index("ix_outbox_deliveries_open", "outbox_deliveries")
    op.create_index(
        "ix_outbox_deliveries_open", "outbox_deliveries", ["queue", "run_after"], postgresql_where=sa.text(OPEN)
    )
    op.create_index(
        "ix_outbox_deliveries_begun",
        "outbox_deliveries",
        ["alive_at"],
        postgresql_where=sa.text(f"{OPEN} AND alive_at IS NOT NULL"),
    )
    op.execute(JOINED.format(gone="trace.pages_of_site", kept="trace.check_site"))
    op.execute(JOINED.format(gone="trace.pages_of_corrected_site", kept="trace.check_corrected_site"))

    op.create_table(
        "villages_to_derive",
        sa.Column("village_id", sa.Uuid(), nullable=False),
        sa.Column("pack_id", sa.Text(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("awaited", sa.Boolean(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["village_id"], ["places.id"], name="fk_villages_to_derive_village_id_places"),
        sa.PrimaryKeyConstraint("village_id", "pack_id", name="pk_villages_to_derive"),
    )
    rules.guarded_rows("villages_to_derive", "hoi_is_system()", rules.FREE)

    op.add_column("village_assessments", sa.Column("next_change_at", moment, nullable=True))
    op.add_column(
        "village_assessments", sa.Column("tallies", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'"))
    )
    op.alter_column("village_assessments", "tallies", server_default=None)
    op.execute("GRANT UPDATE (next_change_at, tallies) ON village_assessments TO hoi_app")
    op.drop_index("ix_village_assessments_next_change_on", "village_assessments")
    op.create_index(
        "ix_village_assessments_next_change_at",
        "village_assessments",
        ["next_change_at"],
        postgresql_where=sa.text('"current"'),
    )
    op.execute(NEXT_HOURS)

    op.add_column("sites", sa.Column("batched_to", sa.Date(), nullable=True))
    op.execute(UNTIL_NOW)
    op.execute(BATCHED)
