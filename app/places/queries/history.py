"""The history of a unit: what it was before, what became of it, and the names it has borne."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.places.models import Place, PlaceEnding, PlaceLineage, PlaceName
from app.places.queries.dates import then_in_force


@dataclass(frozen=True, slots=True)
class Kin:
    """A unit before or after; `partial` says that only a part of the old unit is in the new one."""

    place: Place
    partial: bool
    decision: str
    effective_on: date


def became(session: Session, place_id: UUID) -> list[Kin]:
    """What became of an old unit."""
    return _kin(session, PlaceLineage.new_id, PlaceLineage.old_id, [place_id]).get(place_id, [])


def was_before(session: Session, place_id: UUID) -> list[Kin]:
    """What stood before where this unit is now."""
    return _kin(session, PlaceLineage.old_id, PlaceLineage.new_id, [place_id]).get(place_id, [])


def became_of(session: Session, place_ids: Collection[UUID]) -> dict[UUID, list[Kin]]:
    return _kin(session, PlaceLineage.new_id, PlaceLineage.old_id, place_ids)


def _kin(session: Session, wanted: object, given: object, place_ids: Collection[UUID]) -> dict[UUID, list[Kin]]:
    rows = session.execute(
        select(given, Place, PlaceLineage)  # type: ignore[call-overload]  # two columns of one table, chosen by the caller
        .join(Place, Place.id == wanted)
        .where(given.in_(set(place_ids)))  # type: ignore[attr-defined]  # as above
        .order_by(Place.sort_key, Place.code)
    )
    found: dict[UUID, list[Kin]] = defaultdict(list)
    for key, one, line in rows:
        found[key].append(Kin(one, line.partial, line.decision, line.effective_on))
    return found


def names_on(
    session: Session, place_ids: Collection[UUID], on: date, known_at: datetime | None = None
) -> dict[UUID, PlaceName]:
    """What places were called on a date, as we knew it at `known_at`; one without a name on that date is missing."""
    if not place_ids:
        return {}
    rows = session.scalars(
        select(PlaceName)
        .where(PlaceName.place_id.in_(set(place_ids)), then_in_force(PlaceName, on, known_at))
        .order_by(PlaceName.recorded_at)  # the name recorded last wins
    )
    return {row.place_id: row for row in rows}


def ending_of(session: Session, place_id: UUID) -> PlaceEnding | None:
    """The decision that ended a village; None for one in force, and for what was loaded with its end."""
    return session.scalar(select(PlaceEnding).where(PlaceEnding.place_id == place_id))


def names_of(session: Session, place_id: UUID) -> list[PlaceName]:
    """Every name the place has borne, newest first; names that were corrected before their first day are left out."""
    return list(
        session.scalars(
            select(PlaceName)
            .where(
                PlaceName.place_id == place_id,
                or_(
                    PlaceName.valid_to.is_(None),
                    PlaceName.valid_from.is_(None),
                    PlaceName.valid_to >= PlaceName.valid_from,
                ),
            )
            .order_by(PlaceName.valid_from.desc().nulls_last(), PlaceName.recorded_at.desc())
        )
    )
