"""Months of growing tables also after rows came without one; the outbox counts what died, and forgets what is long settled."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"

# A month cannot be added while rows of it sit in the default partition: they move with it. Whoever reads or writes the
# parent waits for that moment, which comes once a month; nobody waits while no month is missing. Behind a long reader (a
# backup) it gives up after a second, and the chore tries again: the months are made long before they are needed.
PARTITIONS = """
CREATE OR REPLACE FUNCTION hoi_make_partitions(parent text, moment timestamptz) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public SET lock_timeout = '1s' AS $$
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

# Events are never deleted by the application's role; this deletes only what nobody owes or may still want to revive.
FORGET = """
CREATE FUNCTION hoi_forget_settled_events(before timestamptz, most integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public AS $$
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
    op.execute(PARTITIONS)
    op.execute(FORGET)
    op.add_column("outbox_deliveries", sa.Column("starts", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_outbox_deliveries_dead",
        "outbox_deliveries",
        ["dead_at"],
        postgresql_where=sa.text("dead_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_events_settled",
        "outbox_events",
        ["fanned_out_at"],
        postgresql_where=sa.text("fanned_out_at IS NOT NULL"),
    )
