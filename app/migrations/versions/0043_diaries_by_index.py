"""A diary is counted from indices alone, and the steps after which nobody may harvest yet are found without the older ones."""

import sqlalchemy as sa
from alembic import op

from app.migrations import rules

revision = "0043"
down_revision = "0042"

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
    holder uuid := (SELECT s.organisation_id FROM sites s WHERE s.id = site AND ({rules.sees("s.organisation_id")}));
BEGIN
    RETURN (SELECT count(*) FROM (
        SELECT FROM care_logs r
         WHERE r.site_id = site AND holder IS NOT NULL AND (with_withdrawn OR NOT r.withdrawn)
           AND NOT EXISTS (SELECT FROM care_logs l WHERE l.organisation_id = holder
                              AND l.corrects_id = coalesce(r.corrects_id, r.id) AND l.position > r.position)
         LIMIT most) AS counted);
END $$;
"""


def upgrade() -> None:
    op.add_column(
        "care_logs", sa.Column("allowed_from", sa.Date(), sa.Computed(ALLOWED_FROM, persisted=True), nullable=True)
    )
    op.create_index(
        "ix_care_logs_allowed_from",
        "care_logs",
        ["site_id", "allowed_from"],
        postgresql_where=sa.text("allowed_from IS NOT NULL"),
    )
    op.create_index(
        "ix_care_logs_corrections",
        "care_logs",
        ["organisation_id", "corrects_id", "position"],
        postgresql_include=["recorded_at"],
        postgresql_where=sa.text("corrects_id IS NOT NULL"),
    )
    op.create_index(
        "ix_care_logs_materials",
        "care_logs",
        ["organisation_id", "kind", "happened_at", "position"],
        postgresql_where=sa.text("material IS NOT NULL"),
    )
    op.drop_index("ix_care_logs_site_id", table_name="care_logs")
    op.create_index(
        "ix_care_logs_site_id",
        "care_logs",
        ["site_id", "happened_at", "position"],
        postgresql_include=["organisation_id", "id", "corrects_id", "withdrawn", "recorded_at"],
    )
    op.execute(COUNT)
    # What an index alone can tell is what vacuum has marked: the newest tenth of a diary that only grows would wait for it for long.
    op.execute("ALTER TABLE care_logs SET (autovacuum_vacuum_insert_scale_factor = 0.02)")
