"""Places an official answers for."""

from uuid import UUID

from sqlalchemy.orm import Session

from app.actor import Actor, Right
from app.errors import not_found
from app.messages import N_
from app.places import queries as places
from app.places.models import Level, Place


def place_of(session: Session, actor: Actor, place_id: UUID, level: Level) -> Place:
    """A place that this official answers for. Raises NotFound for one elsewhere, as for one that does not exist."""
    if not actor.may_at(Right.OVERSEE, place_id):
        raise not_found(N_("nơi này"))
    found = places.place(session, place_id)
    if found.level != level:
        raise not_found(N_("nơi này"))
    return found


def own_places(session: Session, actor: Actor) -> list[Place]:
    """The places named in the official's roles, the widest first."""
    ids = {m.place_id for m in actor.memberships if m.place_id is not None} & actor.places_where(Right.OVERSEE)
    order = {level.value: n for n, level in enumerate(Level)}
    return sorted(places.places(session, ids).values(), key=lambda p: (order[p.level], p.sort_key, p.code))
