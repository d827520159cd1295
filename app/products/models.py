"""Products, pack variants, producing villages over time, and certificates that are never rewritten."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Dong, Id, Words, dated, folded, in_order, one_of


class Scheme(StrEnum):
    """What a certificate certifies; the words stand in schemas.SCHEMES."""

    OCOP = "ocop"
    VIETGAP = "vietgap"
    ORGANIC = "organic"
    FOOD_SAFETY = "food_safety"
    OTHER = "other"


class Product(Base):
    """What a holder (chủ thể) makes. `alcoholic` goods are restricted: not every floor may list them, nobody sells them to children."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("ocop_group BETWEEN 1 AND 6", name="ocop_group"),
        CheckConstraint("(ocop_group IS NULL) = (ocop_scheme_year IS NULL)", name="scheme_year"),
        CheckConstraint("NOT alcoholic OR ocop_group IS NULL OR ocop_group = 2", name="alcoholic"),
        UniqueConstraint("id", "organisation_id"),
        Index("ix_products_organisation_id", "organisation_id"),
        Index("ix_products_photo_sha256", "photo_sha256"),
        Index("ix_products_name_sorted", "name_sorted", "id"),
        Index(
            "ix_products_name_folded",
            "name_folded",
            postgresql_using="gin",
            postgresql_ops={"name_folded": "gin_trgm_ops"},
        ),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    name: Mapped[Words]
    name_folded: Mapped[str] = folded("(name ->> 'vi'::text)")
    name_sorted: Mapped[str] = in_order("(name ->> 'vi'::text)")
    description: Mapped[Words | None]
    ocop_group: Mapped[int | None] = mapped_column(SmallInteger)
    ocop_scheme_year: Mapped[int | None] = mapped_column(SmallInteger)
    alcoholic: Mapped[bool] = mapped_column(Boolean, default=False)
    photo_sha256: Mapped[str | None] = mapped_column(ForeignKey("media_blobs.sha256"))
    created_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    retired_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(Integer, default=1)


class Variant(Base):
    """One pack with its price. `gtin` is kept with 14 digits; it is the producer's own, never one that we made up."""

    __tablename__ = "variants"
    __table_args__ = (
        CheckConstraint("price_dong > 0", name="price"),
        CheckConstraint("(net_quantity IS NULL) = (net_unit IS NULL)", name="net_unit"),
        CheckConstraint("net_quantity > 0", name="net_quantity"),
        CheckConstraint("weight_grams > 0", name="weight"),
        CheckConstraint("shelf_life_days > 0", name="shelf_life"),
        CheckConstraint("gtin ~ '^[0-9]{14}$'", name="gtin"),
        ForeignKeyConstraint(["product_id", "organisation_id"], ["products.id", "products.organisation_id"]),
        UniqueConstraint("organisation_id", "sku"),
        UniqueConstraint("gtin"),
        UniqueConstraint("id", "organisation_id"),
        Index("ix_variants_product_id", "product_id"),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID]
    product_id: Mapped[UUID]
    sku: Mapped[str]
    name: Mapped[Words]
    price_dong: Mapped[Dong]
    net_quantity: Mapped[Decimal | None]
    net_unit: Mapped[str | None]
    weight_grams: Mapped[int | None]
    shelf_life_days: Mapped[int | None]
    gtin: Mapped[str | None]
    created_at: Mapped[datetime]
    retired_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(Integer, default=1)


class ProductVillage(Base):
    """A village where the product is made, from a day until a day. `ended_at` is when we learned of the end."""

    __tablename__ = "product_villages"
    __table_args__ = (
        *dated(),
        ForeignKeyConstraint(["product_id", "organisation_id"], ["products.id", "products.organisation_id"]),
        Index("ix_product_villages_village_id", "village_id"),
        Index(
            "uq_product_villages_open",
            "product_id",
            "village_id",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
    )

    id: Mapped[Id]
    product_id: Mapped[UUID]
    organisation_id: Mapped[UUID]
    village_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))


class Certificate(Base):
    """What an authority or certifier decided. Append-only.

    A renewal or a better grade is a certificate of its own, beside the old one, which was true in its time. A row that
    was written wrongly, or a certificate that was withdrawn, is followed by a row that `supersedes_id` it; the last row
    of such a chain counts. `valid_to` is the last valid day; `withdrawn_on` the first day on which it no longer holds.
    Without a product it speaks for everything the organisation makes.
    """

    __tablename__ = "certificates"
    __table_args__ = (
        one_of("scheme", ("ocop", "vietgap", "organic", "food_safety", "other")),
        CheckConstraint(
            "CASE WHEN scheme = 'ocop' THEN stars IS NOT NULL AND stars BETWEEN 3 AND 5 AND product_id IS NOT NULL"
            " AND valid_to IS NOT NULL ELSE stars IS NULL END",
            name="ocop",
        ),
        CheckConstraint("valid_to >= valid_from", name="order"),
        CheckConstraint("decided_on <= valid_from", name="decided"),
        CheckConstraint("withdrawn_on IS NULL OR supersedes_id IS NOT NULL", name="withdrawn"),
        ForeignKeyConstraint(["product_id", "organisation_id"], ["products.id", "products.organisation_id"]),
        ForeignKeyConstraint(["supersedes_id", "organisation_id"], ["certificates.id", "certificates.organisation_id"]),
        UniqueConstraint("id", "organisation_id"),
        UniqueConstraint("supersedes_id"),
        Index("ix_certificates_product_id", "product_id"),
        Index("ix_certificates_organisation_id", "organisation_id"),
        Index("ix_certificates_file_sha256", "file_sha256"),
    )

    id: Mapped[Id]
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    product_id: Mapped[UUID | None]
    scheme: Mapped[str]
    issuer: Mapped[str]
    decision_number: Mapped[str]
    decided_on: Mapped[date] = mapped_column(Date)
    stars: Mapped[int | None] = mapped_column(SmallInteger)
    scope: Mapped[Words | None]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    file_sha256: Mapped[str | None] = mapped_column(ForeignKey("media_blobs.sha256"))
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"))
    supersedes_id: Mapped[UUID | None]
    withdrawn_on: Mapped[date | None]
    content_sha256: Mapped[str]
