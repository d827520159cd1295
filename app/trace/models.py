"""Sites, cycles, the append-only diary, batches and their events, codes, the stock ledger, stored pages and scans."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db import AwareDateTime, Base, Id, Words, dated, folded, in_order, one_of
from app.trace import steps


class SiteKind(StrEnum):
    PLOT = "plot"
    ORCHARD = "orchard"
    FOREST = "forest"
    POND = "pond"
    BARN = "barn"
    APIARY = "apiary"
    WORKSHOP = "workshop"


class Witness(StrEnum):
    """Who vouches for a record."""

    FARMER = "farmer"
    NEIGHBOUR = "neighbour"
    COOPERATIVE = "cooperative"
    OFFICER = "officer"
    LABORATORY = "laboratory"
    CERTIFIER = "certifier"
    MACHINE = "machine"


class BatchEventKind(StrEnum):
    CREATED = "created"
    PACKED = "packed"
    HELD = "held"
    RELEASED = "released"
    RECALLED = "recalled"
    RECALL_LIFTED = "recall_lifted"


class MovementKind(StrEnum):
    PACKED = "packed"
    RESERVED = "reserved"
    RELEASED = "released"
    SOLD = "sold"
    RETURNED = "returned"
    LOST = "lost"
    COUNTED = "counted"


class CodeKind(StrEnum):
    SHORT = "short"
    GS1 = "gs1"


class Site(Base):
    """Where something grows or is worked on. The position is private: no public page ever shows it.

    `batched_to` (Vietnam) is kept by triggers: up to and with which day of its diary some batch made from it shows the steps.
    """

    __tablename__ = "sites"
    __table_args__ = (
        one_of("kind", SiteKind),
        CheckConstraint("(area IS NULL) = (area_unit IS NULL)", name="area_unit"),
        CheckConstraint("area > 0", name="area"),
        CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="position"),
        CheckConstraint("latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180", name="degrees"),
        UniqueConstraint("id", "organisation_id"),
        Index("ix_sites_organisation_id", "organisation_id"),
        Index("ix_sites_photo_sha256", "photo_sha256"),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[str]
    name_folded: Mapped[str] = folded("name")
    name_sorted: Mapped[str] = in_order("name")
    kind: Mapped[str]
    area: Mapped[Decimal | None]
    area_unit: Mapped[str | None]
    photo_sha256: Mapped[str | None] = mapped_column(ForeignKey("media_blobs.sha256"))
    latitude: Mapped[Decimal | None] = mapped_column(Numeric(8, 6))
    longitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    created_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    version: Mapped[int] = mapped_column(Integer, default=1)
    batched_to: Mapped[date | None]


class SiteVillage(Base):
    """The village a site lies in, from a day until a day: units merge and borders move, the site stays."""

    __tablename__ = "site_villages"
    __table_args__ = (
        *dated(),
        ForeignKeyConstraint(["site_id", "organisation_id"], ["sites.id", "sites.organisation_id"]),
        Index("ix_site_villages_village_id", "village_id"),
        Index("ix_site_villages_site_id", "site_id"),
        Index("uq_site_villages_open", "site_id", unique=True, postgresql_where=text("valid_to IS NULL")),
    )

    id: Mapped[Id]
    site_id: Mapped[UUID]
    organisation_id: Mapped[UUID]
    village_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))


class Cycle(Base):
    """One season of one crop on one site. The product may be another organisation's: a member grows for its cooperative."""

    __tablename__ = "cycles"
    __table_args__ = (
        CheckConstraint("ended_on >= started_on", name="order"),
        CheckConstraint("expected_harvest_on >= started_on", name="harvest"),
        ForeignKeyConstraint(["site_id", "organisation_id"], ["sites.id", "sites.organisation_id"]),
        UniqueConstraint("id", "organisation_id"),
        Index("ix_cycles_site_id", "site_id"),
        Index("ix_cycles_organisation_id", "organisation_id"),
        Index("ix_cycles_product_id", "product_id"),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID]
    site_id: Mapped[UUID]
    product_id: Mapped[UUID | None] = mapped_column(ForeignKey("products.id"))
    crop: Mapped[Words]
    started_on: Mapped[date]
    expected_harvest_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    created_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    version: Mapped[int] = mapped_column(Integer, default=1)


_DAY = "CAST(happened_at AT TIME ZONE 'Asia/Ho_Chi_Minh' AS date)"
ALLOWED_FROM = (
    f"CASE WHEN pre_harvest_days IS NOT NULL THEN {_DAY} + pre_harvest_days"
    f" WHEN kind IN {steps.TREATMENTS} THEN {_DAY} + 31 END"
)


class CareLog(Base):
    """One step of work. Append-only.

    `happened_at` is the phone's word, `time_doubtful` when it cannot be right; `recorded_at` is ours. A correction is a
    new row whose `corrects_id` is the first row of its chain, also when it corrects a correction; the row with the
    highest `position` says how it was, and `withdrawn` there says that it was not. `allowed_from`, worked out by the database:
    the first day on which one may harvest after this row, see `queries.waiting_after`; none where it says nothing of that.
    """

    __tablename__ = "care_logs"
    __table_args__ = (
        one_of("kind", steps.KINDS),
        one_of("witness", Witness),
        CheckConstraint("(quantity IS NULL) = (unit IS NULL)", name="unit"),
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("pre_harvest_days BETWEEN 0 AND 365", name="pre_harvest_days"),
        CheckConstraint("corrects_id <> id", name="itself"),
        CheckConstraint("NOT withdrawn OR corrects_id IS NOT NULL", name="withdrawn"),
        ForeignKeyConstraint(["site_id", "organisation_id"], ["sites.id", "sites.organisation_id"]),
        ForeignKeyConstraint(["cycle_id", "organisation_id"], ["cycles.id", "cycles.organisation_id"]),
        ForeignKeyConstraint(["corrects_id", "organisation_id"], ["care_logs.id", "care_logs.organisation_id"]),
        UniqueConstraint("id", "organisation_id"),
        Index(
            "ix_care_logs_site_id",
            "site_id",
            "happened_at",
            "position",
            # All that counting asks for, as it is known and as it was.
            postgresql_include=["organisation_id", "id", "corrects_id", "withdrawn", "recorded_at"],
        ),
        Index("ix_care_logs_cycle_id", "cycle_id"),
        Index("ix_care_logs_recorded_at", "organisation_id", "recorded_at"),
        Index("ix_care_logs_organisation_id", "organisation_id", "happened_at", "position"),
        Index("ix_care_logs_corrects_id", "corrects_id", postgresql_where=text("corrects_id IS NOT NULL")),
        Index(
            "ix_care_logs_materials",
            "organisation_id",
            "kind",
            "happened_at",
            "position",
            postgresql_where=text("material IS NOT NULL"),
        ),
        Index(
            "ix_care_logs_corrections",
            "organisation_id",
            "corrects_id",
            "position",
            postgresql_include=["recorded_at"],
            postgresql_where=text("corrects_id IS NOT NULL"),
        ),
        Index(
            "ix_care_logs_allowed_from", "site_id", "allowed_from", postgresql_where=text("allowed_from IS NOT NULL")
        ),
        Index(
            "ix_care_logs_harvests",
            "organisation_id",
            "happened_at",
            postgresql_where=text("kind IN ('harvesting', 'honey_extracting')"),
        ),
        Index("ix_care_logs_photos", "photos", postgresql_using="gin"),
    )

    id: Mapped[Id]
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    organisation_id: Mapped[UUID]
    site_id: Mapped[UUID]
    cycle_id: Mapped[UUID | None]
    kind: Mapped[str]
    happened_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    performed_by: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    written_by: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    witnessed_by: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    witness: Mapped[str]
    material: Mapped[str | None]
    quantity: Mapped[Decimal | None]
    unit: Mapped[str | None]
    pre_harvest_days: Mapped[int | None] = mapped_column(SmallInteger)
    note: Mapped[str | None]
    photos: Mapped[list[Any]]
    corrects_id: Mapped[UUID | None]
    withdrawn: Mapped[bool] = mapped_column(Boolean, default=False)
    reason: Mapped[str | None]
    device_id: Mapped[UUID | None]
    time_doubtful: Mapped[bool] = mapped_column(Boolean, default=False)
    content_sha256: Mapped[str]
    allowed_from: Mapped[date | None] = mapped_column(Date, Computed(ALLOWED_FROM, persisted=True))


class ConflictingSubmission(Base):
    """What came under the id of a care log that says something else. Kept beside it, for a person to compare.

    `site_id`: of the step that stands, where whoever sent this may open it; else of the step that was sent.
    """

    __tablename__ = "conflicting_submissions"
    __table_args__ = (
        UniqueConstraint("care_log_id", "organisation_id", "content_sha256"),
        Index("ix_conflicting_submissions_organisation_id", "organisation_id", "received_at", "id"),
        Index("ix_conflicting_submissions_site_id", "site_id", "received_at", "id"),
    )

    id: Mapped[Id]
    care_log_id: Mapped[UUID] = mapped_column(ForeignKey("care_logs.id"))
    site_id: Mapped[UUID] = mapped_column(ForeignKey("sites.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    body: Mapped[dict[str, Any]]
    content_sha256: Mapped[str]
    received_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))


class Batch(Base):
    """A lot of one product, made from harvests. What it is now (on hold, recalled) is read from its events.

    `harvested_on` is the last harvest as it was known when the batch was made; the diary may have been corrected since, see
    `queries.harvest_day`. `records_ended_on`: the day on which its harvests were let go by the rule of keeping; the batch,
    its codes and what was decided about it stay, so that no code is ever unknown or given to another.
    """

    __tablename__ = "batches"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("made_on >= harvested_on", name="made"),
        CheckConstraint("expires_on >= made_on", name="expires"),
        CheckConstraint("length(lot) BETWEEN 1 AND 20", name="lot"),
        ForeignKeyConstraint(["product_id", "organisation_id"], ["products.id", "products.organisation_id"]),
        ForeignKeyConstraint(["variant_id", "organisation_id"], ["variants.id", "variants.organisation_id"]),
        UniqueConstraint("organisation_id", "lot"),
        UniqueConstraint("id", "organisation_id"),
        Index("ix_batches_product_id", "product_id"),
        Index("ix_batches_records", "made_on", postgresql_where=text("records_ended_on IS NULL")),
        Index("ix_batches_created_at", "created_at", "id"),
        Index("ix_batches_organisation_id", "organisation_id", text("created_at DESC"), text("id DESC")),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID]
    product_id: Mapped[UUID]
    variant_id: Mapped[UUID | None]
    lot: Mapped[str]
    harvested_on: Mapped[date]
    quantity: Mapped[Decimal]
    unit: Mapped[str]
    made_on: Mapped[date]
    expires_on: Mapped[date | None]
    created_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    content_sha256: Mapped[str]
    records_ended_on: Mapped[date | None]


class BatchSource(Base):
    """How much of a harvest went into a batch. The harvest may be a member household's: both sides see this row."""

    __tablename__ = "batch_sources"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        ForeignKeyConstraint(["batch_id", "organisation_id"], ["batches.id", "batches.organisation_id"]),
        ForeignKeyConstraint(["care_log_id", "log_organisation_id"], ["care_logs.id", "care_logs.organisation_id"]),
        Index("ix_batch_sources_care_log_id", "care_log_id"),
        Index("ix_batch_sources_log_organisation_id", "log_organisation_id"),
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True)
    care_log_id: Mapped[UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    log_organisation_id: Mapped[UUID]
    quantity: Mapped[Decimal]
    unit: Mapped[str]


class BatchEvent(Base):
    """What was decided about a batch. Append-only; the highest `position` of held/released and of recalled/lifted counts.

    `cause_id` is the care log that made us put it on hold by rule. Each finding does so until people have decided on it:
    for days to wait before harvest a finding is the step's first row with the two days that contradict each other, `allowed_from`
    and `harvested_on`; for others it is the correction, without days. `undoes_id` is the release after which the same finding
    holds again, because the diary said other days when the batch was released.
    """

    __tablename__ = "batch_events"
    __table_args__ = (
        one_of("kind", BatchEventKind),
        ForeignKeyConstraint(["batch_id", "organisation_id"], ["batches.id", "batches.organisation_id"]),
        Index("ix_batch_events_batch_id", "batch_id"),
        Index("ix_batch_events_cause_id", "cause_id", postgresql_where=text("cause_id IS NOT NULL")),
        Index("ix_batch_events_stops", "batch_id", "position", postgresql_where=text("kind IN ('held', 'recalled')")),
        Index(
            "uq_batch_events_finding",
            "batch_id",
            "cause_id",
            "allowed_from",
            "harvested_on",
            "undoes_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("cause_id IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    batch_id: Mapped[UUID]
    organisation_id: Mapped[UUID]
    kind: Mapped[str]
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    reason: Mapped[Words | None]
    cause_id: Mapped[UUID | None] = mapped_column(ForeignKey("care_logs.id"))
    allowed_from: Mapped[date | None]
    harvested_on: Mapped[date | None]
    undoes_id: Mapped[UUID | None] = mapped_column(ForeignKey("batch_events.id"))


class TraceCode(Base):
    """A code on a label. Never deleted, never given to another batch."""

    __tablename__ = "trace_codes"
    __table_args__ = (
        one_of("kind", CodeKind),
        CheckConstraint("CASE kind WHEN 'gs1' THEN code = gtin || '/' || lot ELSE gtin IS NULL END", name="gs1"),
        ForeignKeyConstraint(["batch_id", "organisation_id"], ["batches.id", "batches.organisation_id"]),
        Index("ix_trace_codes_batch_id", "batch_id"),
        Index("ix_trace_codes_organisation_id", "organisation_id"),
        Index("uq_trace_codes_one", "batch_id", "kind", unique=True),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    organisation_id: Mapped[UUID]
    batch_id: Mapped[UUID]
    kind: Mapped[str]
    gtin: Mapped[str | None]
    lot: Mapped[str]
    created_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))


class StockMovement(Base):
    """One line of the ledger of (variant, lot). Append-only; `units` is signed.

    `asked` is the number as the person gave it: for a count the number found, else the size of the movement. A mistake
    is mended by a line that `corrects_id` it and takes it back whole.
    """

    __tablename__ = "stock_movements"
    __table_args__ = (
        one_of("kind", MovementKind),
        CheckConstraint("asked >= 0", name="asked"),
        CheckConstraint(
            "corrects_id IS NOT NULL OR CASE WHEN kind = 'counted' THEN true"
            " WHEN kind IN ('packed', 'released', 'returned') THEN units = asked AND units > 0"
            " ELSE units = -asked AND units < 0 END",
            name="sign",
        ),
        CheckConstraint("kind <> 'packed' OR batch_id IS NOT NULL", name="lot"),
        ForeignKeyConstraint(["variant_id", "organisation_id"], ["variants.id", "variants.organisation_id"]),
        ForeignKeyConstraint(["batch_id", "organisation_id"], ["batches.id", "batches.organisation_id"]),
        ForeignKeyConstraint(
            ["corrects_id", "organisation_id"], ["stock_movements.id", "stock_movements.organisation_id"]
        ),
        UniqueConstraint("id", "organisation_id"),
        UniqueConstraint("corrects_id"),
        Index("ix_stock_movements_variant_id", "variant_id", "batch_id"),
        Index("ix_stock_movements_batch_id", "batch_id", "position"),
    )

    id: Mapped[Id]
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    organisation_id: Mapped[UUID]
    variant_id: Mapped[UUID]
    batch_id: Mapped[UUID | None]
    kind: Mapped[str]
    units: Mapped[int]
    asked: Mapped[int]
    happened_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    reason: Mapped[str | None]
    corrects_id: Mapped[UUID | None]
    content_sha256: Mapped[str]


class StockTotal(Base):
    """The lines of one kind of a (variant, lot), added up by the database as each is written; see `stock.rebuild_totals`."""

    __tablename__ = "stock_totals"
    __table_args__ = (
        ForeignKeyConstraint(["variant_id", "organisation_id"], ["variants.id", "variants.organisation_id"]),
        Index(
            "uq_stock_totals_one",
            "variant_id",
            "batch_id",
            "kind",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_stock_totals_batch_id", "batch_id"),
    )

    id: Mapped[Id] = mapped_column(server_default=text("gen_random_uuid()"))
    organisation_id: Mapped[UUID]
    variant_id: Mapped[UUID]
    batch_id: Mapped[UUID | None]
    kind: Mapped[str]
    units: Mapped[int] = mapped_column(BigInteger)


class PublicPage(Base):
    """A rendered page in one language. It may be served only while `body_version` is the `wanted_version`."""

    __tablename__ = "public_pages"

    code: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    etag: Mapped[str | None]
    wanted_version: Mapped[int] = mapped_column(Integer)
    body_version: Mapped[int | None] = mapped_column(Integer)
    rendered_at: Mapped[datetime | None]
    next_change_at: Mapped[datetime | None]


class ScanTally(Base):
    """How often a code was scanned within one flush of a web process. Partitioned by the month received."""

    __tablename__ = "scan_tallies"
    __table_args__ = (
        CheckConstraint("scans > 0", name="scans"),
        Index("ix_scan_tallies_code", "code", "received_at"),
        {"postgresql_partition_by": "RANGE (received_at)"},
    )

    id: Mapped[Id]
    received_at: Mapped[datetime] = mapped_column(AwareDateTime, primary_key=True)
    code: Mapped[str]
    scans: Mapped[int] = mapped_column(Integer)
