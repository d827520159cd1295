"""Trace: sites, cycles, the diary, batches, codes, the stock ledger, stored pages and scans."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules
from app.migrations.columns import identifier, moment, pair, points

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sites",
        identifier("id"),
        identifier("organisation_id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("area", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("area_unit", sa.Text(), nullable=True),
        sa.Column("photo_sha256", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Numeric(precision=8, scale=6), nullable=True),
        sa.Column("longitude", sa.Numeric(precision=9, scale=6), nullable=True),
        moment("created_at"),
        identifier("person_id", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('plot', 'orchard', 'forest', 'pond', 'barn', 'apiary', 'workshop')", name=op.f("ck_sites_kind")
        ),
        sa.CheckConstraint("(area IS NULL) = (area_unit IS NULL)", name=op.f("ck_sites_area_unit")),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name=op.f("ck_sites_position")),
        sa.CheckConstraint("area > 0", name=op.f("ck_sites_area")),
        sa.CheckConstraint(
            "latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180", name=op.f("ck_sites_degrees")
        ),
        points("sites", "organisation_id", "organisations"),
        points("sites", "person_id", "people"),
        points("sites", "photo_sha256", "media_blobs", "sha256"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_sites_id_organisation_id")),
    )
    op.create_index("ix_sites_organisation_id", "sites", ["organisation_id"], unique=False)
    op.create_index("ix_sites_photo_sha256", "sites", ["photo_sha256"], unique=False)

    op.create_table(
        "site_villages",
        identifier("id"),
        identifier("site_id"),
        identifier("organisation_id"),
        identifier("village_id"),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        moment("recorded_at"),
        identifier("person_id", nullable=True),
        moment("ended_at", nullable=True),
        identifier("ended_by", nullable=True),
        sa.CheckConstraint("(valid_to IS NULL) = (ended_at IS NULL)", name=op.f("ck_site_villages_ended")),
        sa.CheckConstraint("valid_to >= valid_from - 1", name=op.f("ck_site_villages_order")),
        points("site_villages", "ended_by", "people"),
        points("site_villages", "person_id", "people"),
        pair("site_villages", "site_id", "sites"),
        points("site_villages", "village_id", "places"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_villages")),
    )
    op.create_index("ix_site_villages_site_id", "site_villages", ["site_id"], unique=False)
    op.create_index("ix_site_villages_village_id", "site_villages", ["village_id"], unique=False)
    op.create_index(
        "uq_site_villages_open", "site_villages", ["site_id"], unique=True, postgresql_where=sa.text("valid_to IS NULL")
    )

    op.create_table(
        "cycles",
        identifier("id"),
        identifier("organisation_id"),
        identifier("site_id"),
        identifier("product_id", nullable=True),
        sa.Column("crop", postgresql.JSONB(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("expected_harvest_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        moment("created_at"),
        identifier("person_id", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("ended_on >= started_on", name=op.f("ck_cycles_order")),
        sa.CheckConstraint("expected_harvest_on >= started_on", name=op.f("ck_cycles_harvest")),
        points("cycles", "person_id", "people"),
        points("cycles", "product_id", "products"),
        pair("cycles", "site_id", "sites"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cycles")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_cycles_id_organisation_id")),
    )
    op.create_index("ix_cycles_organisation_id", "cycles", ["organisation_id"], unique=False)
    op.create_index("ix_cycles_product_id", "cycles", ["product_id"], unique=False)
    op.create_index("ix_cycles_site_id", "cycles", ["site_id"], unique=False)

    op.create_table(
        "care_logs",
        identifier("id"),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        identifier("organisation_id"),
        identifier("site_id"),
        identifier("cycle_id", nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        moment("happened_at"),
        moment("recorded_at"),
        identifier("performed_by", nullable=True),
        identifier("written_by"),
        identifier("witnessed_by", nullable=True),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("material", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("pre_harvest_days", sa.SmallInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("photos", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        identifier("corrects_id", nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        identifier("device_id", nullable=True),
        sa.Column("time_doubtful", sa.Boolean(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('sowing', 'planting', 'fertilising', 'spraying', 'irrigating', 'weeding', 'pruning', 'feeding', 'vaccinating', 'treating', 'cleaning', 'harvesting', 'honey_extracting', 'primary_processing', 'packing', 'storing', 'waste', 'observing', 'training', 'other')",
            name=op.f("ck_care_logs_kind"),
        ),
        sa.CheckConstraint(
            "witness IN ('farmer', 'neighbour', 'cooperative', 'officer', 'laboratory', 'certifier', 'machine')",
            name=op.f("ck_care_logs_witness"),
        ),
        sa.CheckConstraint("(quantity IS NULL) = (unit IS NULL)", name=op.f("ck_care_logs_unit")),
        sa.CheckConstraint("NOT withdrawn OR corrects_id IS NOT NULL", name=op.f("ck_care_logs_withdrawn")),
        sa.CheckConstraint("corrects_id <> id", name=op.f("ck_care_logs_itself")),
        sa.CheckConstraint("pre_harvest_days BETWEEN 0 AND 365", name=op.f("ck_care_logs_pre_harvest_days")),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_care_logs_quantity")),
        pair("care_logs", "corrects_id", "care_logs"),
        pair("care_logs", "cycle_id", "cycles"),
        points("care_logs", "performed_by", "people"),
        pair("care_logs", "site_id", "sites"),
        points("care_logs", "witnessed_by", "people"),
        points("care_logs", "written_by", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_logs")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_care_logs_id_organisation_id")),
        sa.UniqueConstraint("position", name=op.f("uq_care_logs_position")),
    )
    op.create_index(
        "ix_care_logs_corrects_id",
        "care_logs",
        ["corrects_id"],
        unique=False,
        postgresql_where=sa.text("corrects_id IS NOT NULL"),
    )
    op.create_index("ix_care_logs_cycle_id", "care_logs", ["cycle_id"], unique=False)
    op.create_index("ix_care_logs_organisation_id", "care_logs", ["organisation_id", "happened_at"], unique=False)
    op.create_index("ix_care_logs_photos", "care_logs", ["photos"], unique=False, postgresql_using="gin")
    op.create_index("ix_care_logs_site_id", "care_logs", ["site_id", "happened_at"], unique=False)

    op.create_table(
        "conflicting_submissions",
        identifier("id"),
        identifier("care_log_id"),
        identifier("organisation_id"),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        moment("received_at"),
        identifier("person_id", nullable=True),
        points("conflicting_submissions", "care_log_id", "care_logs"),
        points("conflicting_submissions", "organisation_id", "organisations"),
        points("conflicting_submissions", "person_id", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflicting_submissions")),
        sa.UniqueConstraint(
            "care_log_id",
            "organisation_id",
            "content_sha256",
            name=op.f("uq_conflicting_submissions_care_log_id_organisation_id_content_sha256"),
        ),
    )
    op.create_index(
        "ix_conflicting_submissions_organisation_id", "conflicting_submissions", ["organisation_id"], unique=False
    )

    op.create_table(
        "batches",
        identifier("id"),
        identifier("organisation_id"),
        identifier("product_id"),
        identifier("variant_id", nullable=True),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("harvested_on", sa.Date(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        moment("created_at"),
        identifier("person_id", nullable=True),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint("expires_on >= made_on", name=op.f("ck_batches_expires")),
        sa.CheckConstraint("length(lot) BETWEEN 1 AND 20", name=op.f("ck_batches_lot")),
        sa.CheckConstraint("made_on >= harvested_on", name=op.f("ck_batches_made")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_batches_quantity")),
        points("batches", "person_id", "people"),
        pair("batches", "product_id", "products"),
        pair("batches", "variant_id", "variants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_batches_id_organisation_id")),
        sa.UniqueConstraint("organisation_id", "lot", name=op.f("uq_batches_organisation_id_lot")),
    )
    op.create_index("ix_batches_product_id", "batches", ["product_id"], unique=False)

    op.create_table(
        "batch_sources",
        identifier("batch_id"),
        identifier("care_log_id"),
        identifier("organisation_id"),
        identifier("log_organisation_id"),
        sa.Column("quantity", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_batch_sources_quantity")),
        pair("batch_sources", "batch_id", "batches"),
        pair("batch_sources", "care_log_id", "care_logs", "log_organisation_id"),
        sa.PrimaryKeyConstraint("batch_id", "care_log_id", name=op.f("pk_batch_sources")),
    )
    op.create_index("ix_batch_sources_care_log_id", "batch_sources", ["care_log_id"], unique=False)

    op.create_table(
        "batch_events",
        identifier("id"),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        identifier("batch_id"),
        identifier("organisation_id"),
        sa.Column("kind", sa.Text(), nullable=False),
        moment("at"),
        moment("recorded_at"),
        identifier("person_id", nullable=True),
        sa.Column("reason", postgresql.JSONB(), nullable=True),
        identifier("cause_id", nullable=True),
        sa.CheckConstraint(
            "kind IN ('created', 'packed', 'held', 'released', 'recalled', 'recall_lifted')",
            name=op.f("ck_batch_events_kind"),
        ),
        pair("batch_events", "batch_id", "batches"),
        points("batch_events", "person_id", "people"),
        points("batch_events", "cause_id", "care_logs"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_events")),
        sa.UniqueConstraint("batch_id", "cause_id", name=op.f("uq_batch_events_batch_id_cause_id")),
        sa.UniqueConstraint("position", name=op.f("uq_batch_events_position")),
    )
    op.create_index("ix_batch_events_batch_id", "batch_events", ["batch_id"], unique=False)

    op.create_table(
        "trace_codes",
        sa.Column("code", sa.Text(), nullable=False),
        identifier("organisation_id"),
        identifier("batch_id"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("lot", sa.Text(), nullable=False),
        moment("created_at"),
        identifier("person_id", nullable=True),
        sa.CheckConstraint(
            "CASE kind WHEN 'gs1' THEN code = gtin || '/' || lot ELSE gtin IS NULL END", name=op.f("ck_trace_codes_gs1")
        ),
        sa.CheckConstraint("kind IN ('short', 'gs1')", name=op.f("ck_trace_codes_kind")),
        pair("trace_codes", "batch_id", "batches"),
        points("trace_codes", "person_id", "people"),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_trace_codes")),
    )
    op.create_index("ix_trace_codes_batch_id", "trace_codes", ["batch_id"], unique=False)
    op.create_index("uq_trace_codes_one", "trace_codes", ["batch_id", "kind"], unique=True)

    op.create_table(
        "stock_movements",
        identifier("id"),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        identifier("organisation_id"),
        identifier("variant_id"),
        identifier("batch_id", nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        moment("happened_at"),
        moment("recorded_at"),
        identifier("person_id", nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        identifier("corrects_id", nullable=True),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "corrects_id IS NOT NULL OR CASE WHEN kind = 'counted' THEN true WHEN kind IN ('packed', 'released', 'returned') THEN units = asked AND units > 0 ELSE units = -asked AND units < 0 END",
            name=op.f("ck_stock_movements_sign"),
        ),
        sa.CheckConstraint("kind <> 'packed' OR batch_id IS NOT NULL", name=op.f("ck_stock_movements_lot")),
        sa.CheckConstraint(
            "kind IN ('packed', 'reserved', 'released', 'sold', 'returned', 'lost', 'counted')",
            name=op.f("ck_stock_movements_kind"),
        ),
        sa.CheckConstraint("asked >= 0", name=op.f("ck_stock_movements_asked")),
        pair("stock_movements", "batch_id", "batches"),
        pair("stock_movements", "corrects_id", "stock_movements"),
        points("stock_movements", "person_id", "people"),
        pair("stock_movements", "variant_id", "variants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_movements")),
        sa.UniqueConstraint("corrects_id", name=op.f("uq_stock_movements_corrects_id")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_stock_movements_id_organisation_id")),
        sa.UniqueConstraint("position", name=op.f("uq_stock_movements_position")),
    )
    op.create_index("ix_stock_movements_batch_id", "stock_movements", ["batch_id"], unique=False)
    op.create_index("ix_stock_movements_variant_id", "stock_movements", ["variant_id", "batch_id"], unique=False)

    op.create_table(
        "public_pages",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("wanted_version", sa.Integer(), nullable=False),
        sa.Column("body_version", sa.Integer(), nullable=True),
        moment("rendered_at", nullable=True),
        moment("next_change_at", nullable=True),
        sa.PrimaryKeyConstraint("code", "language", name=op.f("pk_public_pages")),
    )

    op.create_table(
        "scan_tallies",
        identifier("id"),
        moment("received_at"),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.CheckConstraint("scans > 0", name=op.f("ck_scan_tallies_scans")),
        sa.PrimaryKeyConstraint("id", "received_at", name=op.f("pk_scan_tallies")),
        postgresql_partition_by="RANGE (received_at)",
    )
    op.create_index("ix_scan_tallies_code", "scan_tallies", ["code", "received_at"], unique=False)

    _rights()


def _rights() -> None:
    rules.organisation_rows("sites")
    rules.organisation_rows("site_villages", rules.APPEND_ONLY)
    op.execute("GRANT UPDATE (valid_to, ended_at, ended_by) ON site_villages TO hoi_app")
    rules.organisation_rows("cycles")
    rules.organisation_rows("care_logs", rules.APPEND_ONLY)
    rules.organisation_rows("conflicting_submissions", rules.APPEND_ONLY)
    rules.organisation_rows("batches", rules.APPEND_ONLY)
    # One step each way: who gave a harvest sees the batch it went into, and the other way round.
    rules.guarded_rows(
        "batch_sources",
        f"{rules.seen()} OR log_organisation_id = ANY ((SELECT hoi_organisations())::uuid[])",
        rules.APPEND_ONLY,
        "hoi_writes(organisation_id) AND hoi_writes(log_organisation_id)",
    )
    rules.organisation_rows("batch_events", rules.APPEND_ONLY)
    rules.organisation_rows("trace_codes", rules.APPEND_ONLY)
    rules.organisation_rows("stock_movements", rules.APPEND_ONLY)
    rules.open_rows("public_pages")
    # Whoever sees a code sees how often it was scanned.
    rules.guarded_rows(
        "scan_tallies",
        "hoi_is_system() OR code IN (SELECT c.code FROM trace_codes c)",
        rules.APPEND_ONLY,
        "hoi_is_system()",
    )
    rules.month_partitions("scan_tallies")
