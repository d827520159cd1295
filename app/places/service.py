"""The needs of every verb of places: who may keep the list of places, and adding and renaming them."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app import clock
from app.actor import Actor, Right
from app.db import new_id, sort_key
from app.errors import forbidden
from app.places.imports import AddPremises, AddVillage
from app.places.models import Level, Place, PlaceName, Premises

MERGER = date(2025, 7, 1)
IMPORT_LOCK = 20250701  # one import at a time: two that add the same village would each find it missing
CHUNK = 1000
T = TypeVar("T")


def may_manage(actor: Actor) -> bool:
    """Only the province keeps the list of its places."""
    return actor.may_everywhere(Right.SET_PROVINCE_RULES)


def require_manager(actor: Actor) -> None:
    """Raises Forbidden."""
    if not may_manage(actor):
        raise forbidden()


def insert_places(session: Session, places: Sequence[dict[str, Any]], person_id: UUID | None) -> int:
    now = clock.now()
    for part in chunks(places, CHUNK):
        session.execute(
            insert(Place),
            [p | {"sort_key": sort_key(p["name"]), "recorded_at": now, "ended_at": _ended(p, now)} for p in part],
        )
        session.execute(
            insert(PlaceName),
            [
                {
                    "id": new_id(),
                    "place_id": p["id"],
                    "kind_word": p["kind_word"],
                    "name": p["name"],
                    "valid_from": p["valid_from"],
                    "valid_to": p["valid_to"],
                    "recorded_at": now,
                    "ended_at": _ended(p, now),
                    "person_id": person_id,
                }
                for p in part
            ],
        )
    return len(places)


def _ended(place: dict[str, Any], now: datetime) -> datetime | None:
    return now if place["valid_to"] is not None else None


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    walk = iter(items)
    while part := list(islice(walk, size)):
        yield part


def add_villages(session: Session, rows: Sequence[AddVillage], valid_from: date, person_id: UUID | None) -> None:
    """Insert villages that the caller has judged."""
    insert_places(
        session,
        [
            {
                "id": new_id(),
                "code": r.new.code,
                "level": Level.VILLAGE,
                "kind_word": r.new.kind_word,
                "name": r.new.name,
                "parent_id": r.commune.id,
                "valid_from": valid_from,
                "valid_to": None,
            }
            for r in rows
        ],
        person_id,
    )


def rename_place(
    session: Session, place: Place, *, kind_word: str, name: str, valid_from: date, person_id: UUID | None
) -> None:
    """Give a place another name from a day on. It stays the same place: everything that points to it stays.

    The old name's row ends the day before. A day not after the old name's own first day corrects that name instead.
    """
    now = clock.now()
    current = session.scalars(
        select(PlaceName)
        .where(PlaceName.place_id == place.id, PlaceName.valid_to.is_not_distinct_from(place.valid_to))
        .order_by(PlaceName.recorded_at.desc())
    ).first()
    start = valid_from
    if current is not None:
        if current.valid_from is not None and current.valid_from >= valid_from:
            start = current.valid_from
        current.valid_to = start - timedelta(days=1)
        current.ended_at = now
    session.add(
        PlaceName(
            place_id=place.id,
            kind_word=kind_word,
            name=name,
            valid_from=start,
            valid_to=place.valid_to,
            recorded_at=now,
            ended_at=now if place.valid_to is not None else None,
            person_id=person_id,
        )
    )
    session.execute(
        update(Place).where(Place.id == place.id).values(kind_word=kind_word, name=name, sort_key=sort_key(name))
    )


def add_premises(session: Session, rows: Sequence[AddPremises], valid_from: date, person_id: UUID | None) -> None:
    """Insert premises that the caller has judged."""
    now = clock.now()
    session.execute(
        insert(Premises),
        [
            {
                "id": new_id(),
                "village_id": r.village.id,
                "kind": r.new.kind,
                "label": r.new.label,
                "valid_from": valid_from,
                "valid_to": None,
                "recorded_at": now,
                "ended_at": None,
                "person_id": person_id,
            }
            for r in rows
        ],
    )
