"""Dated units of the province; a place keeps its id for life, its names are rows of their own."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id, dated, folded, identity, one_of


class Level(StrEnum):
    PROVINCE = "province"
    DISTRICT = "district"
    COMMUNE = "commune"
    VILLAGE = "village"


class PremisesKind(StrEnum):
    HOUSEHOLD = "household"
    OFFICE = "office"
    CULTURE_HOUSE = "culture_house"


class ImportKind(StrEnum):
    VILLAGES = "villages"
    PREMISES = "premises"


class Place(Base):
    """One unit. `name` and `kind_word` are today's, without each other: "Chi Lăng" and "xã".

    `valid_from` None: in force since before our records begin. Codes repeat over time, never on one day.
    `province_id` is written by the database: what a place lies in never changes.
    `ended_at`, here and below: when we learned of `valid_to`, so that what we knew then is answered as of then.
    """

    __tablename__ = "places"
    __table_args__ = (
        one_of("level", Level),
        CheckConstraint("valid_to >= valid_from", name="order"),
        CheckConstraint("(valid_to IS NULL) = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(level = 'province') = (parent_id IS NULL)", name="parent"),
        ExcludeConstraint(
            (text("code"), "="),
            (text("daterange(valid_from, valid_to, '[]')"), "&&"),
            using="gist",
            name="ex_places_code",
        ),
        Index("ix_places_parent_id", "parent_id"),
        Index("ix_places_level", "level", "sort_key"),
        Index(
            "ix_places_name_folded",
            "name_folded",
            postgresql_using="gin",
            postgresql_ops={"name_folded": "gin_trgm_ops"},
        ),
    )

    id: Mapped[Id]
    code: Mapped[str]
    level: Mapped[str]
    kind_word: Mapped[str]
    name: Mapped[str]
    name_folded: Mapped[str] = folded("name")
    sort_key: Mapped[str] = mapped_column(Text(collation="C"))
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("places.id"))
    province_id: Mapped[UUID] = mapped_column(server_default=FetchedValue())
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class PlaceName(Base):
    """What a place was called, and when. A name corrected before it was ever in force ends the day before it began."""

    __tablename__ = "place_names"
    __table_args__ = (
        *dated(),
        Index("ix_place_names_place_id", "place_id"),
    )

    id: Mapped[Id]
    place_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"))
    kind_word: Mapped[str]
    name: Mapped[str]
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    person_id: Mapped[UUID | None]


class PlaceLineage(Base):
    """An old unit went, wholly or partly, into a new one on `effective_on`."""

    __tablename__ = "place_lineage"
    __table_args__ = (Index("ix_place_lineage_new_id", "new_id"),)

    old_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"), primary_key=True)
    new_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"), primary_key=True)
    partial: Mapped[bool]
    decision: Mapped[str]
    effective_on: Mapped[date]


class PlaceEnding(Base):
    """The decision that ended a village: merged, split or dissolved. What it went into is PlaceLineage; the id is the client's."""

    __tablename__ = "place_endings"
    __table_args__ = (Index("uq_place_endings_place_id", "place_id", unique=True),)

    id: Mapped[Id]
    place_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"))
    last_day: Mapped[date]
    decision: Mapped[str]
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID | None]


class PlaceAttribute(Base):
    """A dated value of a place with the document it rests on. A correction ends the old row, as PlaceName does."""

    __tablename__ = "place_attributes"
    __table_args__ = (
        *dated(),
        CheckConstraint("key <> 'commune_group' OR value IN ('1', '2', '3')", name="commune_group"),
        Index("uq_place_attributes_open", "place_id", "key", unique=True, postgresql_where=text("valid_to IS NULL")),
    )

    id: Mapped[Id]
    place_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"))
    key: Mapped[str]
    value: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    basis: Mapped[str]
    recorded_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    person_id: Mapped[UUID | None]


def _key_of_label(context: DefaultExecutionContext) -> str:
    label: str = context.get_current_parameters()["label"]  # type: ignore[no-untyped-call]  # the library says no types here
    return identity(label)


class Premises(Base):
    """A household's place, an office or a culture house under a local label that names no person.

    `label_key` tells labels apart as people do (“Hộ Pá Lâu”, “Hộ Pá Lầu”); `label_folded` is only for searching and order.
    """

    __tablename__ = "premises"
    __table_args__ = (
        one_of("kind", PremisesKind),
        *dated(),
        Index("ix_premises_village_id", "village_id"),
        Index(
            "uq_premises_open",
            "village_id",
            "kind",
            "label_key",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
    )

    id: Mapped[Id]
    village_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"))
    kind: Mapped[str]
    label: Mapped[str]
    label_folded: Mapped[str] = folded("label")
    label_key: Mapped[str] = mapped_column(default=_key_of_label)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    person_id: Mapped[UUID | None]


class PlaceImport(Base):
    """A file that somebody sent to be looked at, and perhaps applied; the file itself is a media blob."""

    __tablename__ = "place_imports"
    __table_args__ = (one_of("kind", ImportKind), Index("ix_place_imports_person_id", "person_id"))

    id: Mapped[Id]
    kind: Mapped[str]
    person_id: Mapped[UUID]
    file_name: Mapped[str]
    blob_sha256: Mapped[str]
    effective_on: Mapped[date]
    created_at: Mapped[datetime]
    job_id: Mapped[UUID | None]
    applied_at: Mapped[datetime | None]
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSONB())
