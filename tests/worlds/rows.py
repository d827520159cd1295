"""The rows that every invented world stands on: places, and the organisations that have their seat there."""

from datetime import date, datetime
from uuid import UUID

from app import clock
from app.accounts.models import Organisation
from app.db import new_id, sort_key
from app.places.models import Place

WORDS = {"province": "tỉnh", "commune": "xã", "village": "thôn"}


def a_place(
    level: str,
    name: str,
    code: str,
    parent: UUID | None = None,
    *,
    place_id: UUID | None = None,
    since: date | None = None,
    recorded_at: datetime | None = None,
) -> Place:
    """One of today's units; `since`: none is before our records begin."""
    return Place(
        id=place_id or new_id(),
        code=code,
        level=level,
        kind_word=WORDS[level],
        name=name,
        sort_key=sort_key(name),
        parent_id=parent,
        valid_from=since,
        valid_to=None,
        recorded_at=recorded_at or clock.now(),
    )


def an_organisation(
    kind: str,
    name: str,
    commune: UUID,
    village: UUID | None = None,
    *,
    organisation_id: UUID | None = None,
    created_at: datetime | None = None,
) -> Organisation:
    return Organisation(
        id=organisation_id or new_id(),
        kind=kind,
        name=name,
        tax_code=None,
        village_id=village,
        commune_id=commune,
        created_at=created_at or clock.now(),
        version=1,
    )
