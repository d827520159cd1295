"""Dated attributes of places, and the list of communes with theirs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.places.models import Place, PlaceAttribute, PlaceName
from app.places.queries.dates import then_in_force
from app.places.queries.history import names_on
from app.places.queries.units import current_communes, village_counts


def attribute(session: Session, place_id: UUID, key: str, on: date, known_at: datetime | None = None) -> str | None:
    """The value on that date, None when nobody had recorded one by `known_at`."""
    return attributes_on(session, key, on, [place_id], known_at).get(place_id)


def attributes_on(
    session: Session,
    key: str,
    on: date,
    place_ids: Collection[UUID] | None = None,
    known_at: datetime | None = None,
) -> dict[UUID, str]:
    query = (
        select(PlaceAttribute.place_id, PlaceAttribute.value)
        .where(PlaceAttribute.key == key, then_in_force(PlaceAttribute, on, known_at))
        .order_by(PlaceAttribute.recorded_at)  # the value recorded last wins
    )
    if place_ids is not None:
        query = query.where(PlaceAttribute.place_id.in_(set(place_ids)))
    return {row.place_id: row.value for row in session.execute(query)}


def attribute_history(session: Session, place_id: UUID, key: str) -> list[PlaceAttribute]:
    """Newest first, corrected rows included."""
    return list(
        session.scalars(
            select(PlaceAttribute)
            .where(PlaceAttribute.place_id == place_id, PlaceAttribute.key == key)
            .order_by(PlaceAttribute.valid_from.desc(), PlaceAttribute.recorded_at.desc())
        )
    )


@dataclass(frozen=True, slots=True)
class CommuneLine:
    """`name` as it was on the date of the list."""

    place: Place
    name: Place | PlaceName
    villages: int
    group: str | None


def commune_lines(session: Session, on: date) -> list[CommuneLine]:
    """Every commune of the date with how many villages it has and its group of Decision 51/2025."""
    counts = village_counts(session, on)
    groups = attributes_on(session, "commune_group", on)
    communes = current_communes(session, on)
    names = names_on(session, [p.id for p in communes], on)
    return [CommuneLine(p, names.get(p.id, p), counts.get(p.id, 0), groups.get(p.id)) for p in communes]
