"""Tables of the criteria: what people recorded of a village, what the province chose, and each answer that was derived."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id, one_of

FACT_KINDS = ("digital_group", "group_activity", "channel", "feedback", "wifi", "digital_address", "model", "no_model")
WITNESSES = ("village", "digital_group", "commune", "province", "officer")


class VillageFact(Base):
    """One thing that a named person recorded of a village, with its evidence.

    `subject` tells apart the things of one kind (an activity, a piece of feedback, a premises, a model); the newest row
    of a subject stands, and it names the one before in `supersedes_id`: a subject has one first row and every row one
    successor at most, so that of two people who write at once only one is taken. A row with `withdrawn` takes the thing back.
    `superseded_on` and `superseded_at` are the successor's `observed_on` and `recorded_at`, kept by the database.
    """

    __tablename__ = "village_facts"
    __table_args__ = (
        one_of("kind", FACT_KINDS),
        one_of("witness", WITNESSES),
        Index("ix_village_facts_village_id", "village_id", "kind"),
        Index("ix_village_facts_recorded_at", "village_id", "recorded_at"),
        Index("ix_village_facts_superseded_on", "village_id", "superseded_on"),
        Index("ix_village_facts_superseded_at", "village_id", "superseded_at"),
        Index("uq_village_facts_supersedes_id", "supersedes_id", unique=True),
        Index(
            "uq_village_facts_first",
            "village_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("supersedes_id IS NULL"),
        ),
    )

    id: Mapped[Id]
    village_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"))
    kind: Mapped[str]
    subject: Mapped[UUID]
    value: Mapped[dict[str, Any]]
    observed_on: Mapped[date]
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    witness: Mapped[str]
    evidence: Mapped[list[Any]]
    note: Mapped[str]
    withdrawn: Mapped[bool]
    supersedes_id: Mapped[UUID | None] = mapped_column(ForeignKey("village_facts.id"))
    superseded_on: Mapped[date | None]
    superseded_at: Mapped[datetime | None]

    @property
    def unproven(self) -> bool:
        """It says that something is there and nothing shows it, so that it does not count yet."""
        return not self.withdrawn and not self.evidence and needs_proof(self.kind, self.value)


def needs_proof(kind: str, value: Mapping[str, Any]) -> bool:
    """Whether a record says that something is there; that there is none needs no evidence."""
    if kind == "channel":
        return bool(value["exists"])
    if kind == "wifi":
        return bool(value["available"])
    if kind == "digital_address":
        return bool(value["code"])
    if kind == "feedback":
        return bool(value.get("answered_on"))
    return kind != "no_model"


class ParameterChoice(Base):
    """What the province decided where the letter leaves something open; the newest row in force on a date stands."""

    __tablename__ = "parameter_choices"
    __table_args__ = (Index("ix_parameter_choices_pack_id", "pack_id", "name"),)

    id: Mapped[Id]
    pack_id: Mapped[str]
    name: Mapped[str]
    value: Mapped[Any] = mapped_column(type_=Base.type_annotation_map[dict[str, Any]])
    valid_from: Mapped[date]
    decided_by: Mapped[str]
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))


class VillageAssessment(Base):
    """One answer for one village, kept for as long as the records that gave it stand; a change is a new row.

    `result` is the answer as it was computed. What only counts records and decides nothing goes on while the answer stands:
    `tallies` says how its counts read when the answer was last confirmed, see `assessments.tallies`.
    `next_change_at`: from then on time alone may have changed the answer. `next_change_on` is the same as a civil day, for
    answers that know no hour.
    """

    __tablename__ = "village_assessments"
    __table_args__ = (
        Index(
            "uq_village_assessments_current", "village_id", "pack_id", unique=True, postgresql_where=text('"current"')
        ),
        Index("ix_village_assessments_village_id", "village_id", "computed_at"),
        Index("ix_village_assessments_next_change_at", "next_change_at", postgresql_where=text('"current"')),
    )

    id: Mapped[Id]
    village_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"))
    pack_id: Mapped[str]
    pack_version: Mapped[str]
    pack_sha256: Mapped[str]
    as_of: Mapped[date]
    computed_at: Mapped[datetime]
    confirmed_at: Mapped[datetime]
    overall: Mapped[str]
    values: Mapped[dict[str, Any]]
    met: Mapped[int] = mapped_column(Integer)
    total: Mapped[int] = mapped_column(Integer)
    result: Mapped[dict[str, Any]]
    flags: Mapped[list[Any]]
    answer_sha256: Mapped[str]
    next_change_on: Mapped[date | None]
    next_change_at: Mapped[datetime | None]
    tallies: Mapped[dict[str, Any]] = mapped_column(default=dict)
    current: Mapped[bool]


class VillageToDerive(Base):
    """A village whose records changed since it was derived. `times`: how often that was said, `asked_at` first."""

    __tablename__ = "villages_to_derive"

    village_id: Mapped[UUID] = mapped_column(ForeignKey("places.id"), primary_key=True)
    pack_id: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
    awaited: Mapped[bool]
    times: Mapped[int] = mapped_column(Integer)
