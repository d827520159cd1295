"""Trace: sites, cycles, the diary, batches, codes, the stock ledger, stored pages and scans."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.migrations import rules

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SEEN = "hoi_is_system() OR {0} = ANY ((SELECT hoi_organisations())::uuid[]) OR {0} IN (SELECT hoi_overseen())"


def upgrade() -> None:
    op.create_table(
        "sites",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("area", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("area_unit", sa.Text(), nullable=True),
        sa.Column("photo_sha256", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Numeric(precision=8, scale=6), nullable=True),
        sa.Column("longitude", sa.Numeric(precision=9, scale=6), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_sites_organisation_id_organisations")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sites_person_id_people")),
        sa.ForeignKeyConstraint(
            ["photo_sha256"], ["media_blobs.sha256"], name=op.f("fk_sites_photo_sha256_media_blobs")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_sites_id_organisation_id")),
    )
    op.create_index("ix_sites_organisation_id", "sites", ["organisation_id"], unique=False)
    op.create_index("ix_sites_photo_sha256", "sites", ["photo_sha256"], unique=False)

    op.create_table(
        "site_villages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("village_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(valid_to IS NULL) = (ended_at IS NULL)", name=op.f("ck_site_villages_ended")),
        sa.CheckConstraint("valid_to >= valid_from - 1", name=op.f("ck_site_villages_order")),
        sa.ForeignKeyConstraint(["ended_by"], ["people.id"], name=op.f("fk_site_villages_ended_by_people")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_site_villages_person_id_people")),
        sa.ForeignKeyConstraint(
            ["site_id", "organisation_id"],
            ["sites.id", "sites.organisation_id"],
            name=op.f("fk_site_villages_site_id_organisation_id_sites"),
        ),
        sa.ForeignKeyConstraint(["village_id"], ["places.id"], name=op.f("fk_site_villages_village_id_places")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_villages")),
    )
    op.create_index("ix_site_villages_site_id", "site_villages", ["site_id"], unique=False)
    op.create_index("ix_site_villages_village_id", "site_villages", ["village_id"], unique=False)
    op.create_index(
        "uq_site_villages_open", "site_villages", ["site_id"], unique=True, postgresql_where=sa.text("valid_to IS NULL")
    )

    op.create_table(
        "cycles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=True),
        sa.Column("crop", postgresql.JSONB(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("expected_harvest_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("ended_on >= started_on", name=op.f("ck_cycles_order")),
        sa.CheckConstraint("expected_harvest_on >= started_on", name=op.f("ck_cycles_harvest")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_cycles_person_id_people")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_cycles_product_id_products")),
        sa.ForeignKeyConstraint(
            ["site_id", "organisation_id"],
            ["sites.id", "sites.organisation_id"],
            name=op.f("fk_cycles_site_id_organisation_id_sites"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cycles")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_cycles_id_organisation_id")),
    )
    op.create_index("ix_cycles_organisation_id", "cycles", ["organisation_id"], unique=False)
    op.create_index("ix_cycles_product_id", "cycles", ["product_id"], unique=False)
    op.create_index("ix_cycles_site_id", "cycles", ["site_id"], unique=False)

    op.create_table(
        "care_logs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("cycle_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("performed_by", sa.Uuid(), nullable=True),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("witnessed_by", sa.Uuid(), nullable=True),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("material", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("pre_harvest_days", sa.SmallInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("photos", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["corrects_id", "organisation_id"],
            ["care_logs.id", "care_logs.organisation_id"],
            name=op.f("fk_care_logs_corrects_id_organisation_id_care_logs"),
        ),
        sa.ForeignKeyConstraint(
            ["cycle_id", "organisation_id"],
            ["cycles.id", "cycles.organisation_id"],
            name=op.f("fk_care_logs_cycle_id_organisation_id_cycles"),
        ),
        sa.ForeignKeyConstraint(["performed_by"], ["people.id"], name=op.f("fk_care_logs_performed_by_people")),
        sa.ForeignKeyConstraint(
            ["site_id", "organisation_id"],
            ["sites.id", "sites.organisation_id"],
            name=op.f("fk_care_logs_site_id_organisation_id_sites"),
        ),
        sa.ForeignKeyConstraint(["witnessed_by"], ["people.id"], name=op.f("fk_care_logs_witnessed_by_people")),
        sa.ForeignKeyConstraint(["written_by"], ["people.id"], name=op.f("fk_care_logs_written_by_people")),
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
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("care_log_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["care_log_id"], ["care_logs.id"], name=op.f("fk_conflicting_submissions_care_log_id_care_logs")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_conflicting_submissions_organisation_id_organisations"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_conflicting_submissions_person_id_people")),
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
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=True),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("harvested_on", sa.Date(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.CheckConstraint("expires_on >= made_on", name=op.f("ck_batches_expires")),
        sa.CheckConstraint("length(lot) BETWEEN 1 AND 20", name=op.f("ck_batches_lot")),
        sa.CheckConstraint("made_on >= harvested_on", name=op.f("ck_batches_made")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_batches_quantity")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_batches_person_id_people")),
        sa.ForeignKeyConstraint(
            ["product_id", "organisation_id"],
            ["products.id", "products.organisation_id"],
            name=op.f("fk_batches_product_id_organisation_id_products"),
        ),
        sa.ForeignKeyConstraint(
            ["variant_id", "organisation_id"],
            ["variants.id", "variants.organisation_id"],
            name=op.f("fk_batches_variant_id_organisation_id_variants"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("id", "organisation_id", name=op.f("uq_batches_id_organisation_id")),
        sa.UniqueConstraint("organisation_id", "lot", name=op.f("uq_batches_organisation_id_lot")),
    )
    op.create_index("ix_batches_product_id", "batches", ["product_id"], unique=False)

    op.create_table(
        "batch_sources",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("care_log_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("log_organisation_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_batch_sources_quantity")),
        sa.ForeignKeyConstraint(
            ["batch_id", "organisation_id"],
            ["batches.id", "batches.organisation_id"],
            name=op.f("fk_batch_sources_batch_id_organisation_id_batches"),
        ),
        sa.ForeignKeyConstraint(
            ["care_log_id", "log_organisation_id"],
            ["care_logs.id", "care_logs.organisation_id"],
            name=op.f("fk_batch_sources_care_log_id_log_organisation_id_care_logs"),
        ),
        sa.PrimaryKeyConstraint("batch_id", "care_log_id", name=op.f("pk_batch_sources")),
    )
    op.create_index("ix_batch_sources_care_log_id", "batch_sources", ["care_log_id"], unique=False)

    op.create_table(
        "batch_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("reason", postgresql.JSONB(), nullable=True),
        sa.Column("cause_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('created', 'packed', 'held', 'released', 'recalled', 'recall_lifted')",
            name=op.f("ck_batch_events_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id", "organisation_id"],
            ["batches.id", "batches.organisation_id"],
            name=op.f("fk_batch_events_batch_id_organisation_id_batches"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_batch_events_person_id_people")),
        sa.ForeignKeyConstraint(["cause_id"], ["care_logs.id"], name=op.f("fk_batch_events_cause_id_care_logs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_events")),
        sa.UniqueConstraint("batch_id", "cause_id", name=op.f("uq_batch_events_batch_id_cause_id")),
        sa.UniqueConstraint("position", name=op.f("uq_batch_events_position")),
    )
    op.create_index("ix_batch_events_batch_id", "batch_events", ["batch_id"], unique=False)

    op.create_table(
        "trace_codes",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "CASE kind WHEN 'gs1' THEN code = gtin || '/' || lot ELSE gtin IS NULL END", name=op.f("ck_trace_codes_gs1")
        ),
        sa.CheckConstraint("kind IN ('short', 'gs1')", name=op.f("ck_trace_codes_kind")),
        sa.ForeignKeyConstraint(
            ["batch_id", "organisation_id"],
            ["batches.id", "batches.organisation_id"],
            name=op.f("fk_trace_codes_batch_id_organisation_id_batches"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_trace_codes_person_id_people")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_trace_codes")),
    )
    op.create_index("ix_trace_codes_batch_id", "trace_codes", ["batch_id"], unique=False)
    op.create_index("uq_trace_codes_one", "trace_codes", ["batch_id", "kind"], unique=True)

    op.create_table(
        "stock_movements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
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
        sa.ForeignKeyConstraint(
            ["batch_id", "organisation_id"],
            ["batches.id", "batches.organisation_id"],
            name=op.f("fk_stock_movements_batch_id_organisation_id_batches"),
        ),
        sa.ForeignKeyConstraint(
            ["corrects_id", "organisation_id"],
            ["stock_movements.id", "stock_movements.organisation_id"],
            name=op.f("fk_stock_movements_corrects_id_organisation_id_stock_movements"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_stock_movements_person_id_people")),
        sa.ForeignKeyConstraint(
            ["variant_id", "organisation_id"],
            ["variants.id", "variants.organisation_id"],
            name=op.f("fk_stock_movements_variant_id_organisation_id_variants"),
        ),
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
        sa.Column("rendered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_change_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("code", "language", name=op.f("pk_public_pages")),
    )

    op.create_table(
        "scan_tallies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
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
        f"{SEEN.format('organisation_id')} OR log_organisation_id = ANY ((SELECT hoi_organisations())::uuid[])",
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
