"""Doors by person, and what waits for the one who sits at a desk."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.actor import Actor, Right, Role
from app.db import keyset
from app.notices import queries as notices

# A person with several roles goes to the door with the widest view; everything else is in its menu.
DOORS: tuple[tuple[Role, str], ...] = (
    (Role.ADMINISTRATOR, "official.home"),
    (Role.PROVINCE_OFFICIAL, "official.home"),
    (Role.COMMUNE_OFFICIAL, "official.home"),
    (Role.VILLAGE_OFFICER, "official.home"),
    (Role.DIGITAL_GROUP, "official.home"),
    (Role.COOPERATIVE_MANAGER, "cooperative.home"),
    (Role.PURCHASER, "cooperative.home"),
    (Role.CERTIFIER, "certifier.home"),
    (Role.EXTENSION_OFFICER, "farmer.home"),
    (Role.FARMER, "farmer.home"),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What waits for the one who sits at a desk, for its bell and its menu."""

    unseen: int = 0
    phones_waiting: int = 0


def door_of(actor: Actor) -> str | None:
    """The endpoint of this person's own door; None for somebody without a role."""
    return next((endpoint for role, endpoint in DOORS if actor.has(role)), None)


def desk(session: Session, actor: Actor, now: datetime) -> Desk:
    """`now` is machine time, which phones that wait for a word are counted in."""
    if actor.person_id is None:
        return Desk()
    asked = [notices.unseen(actor)]
    if managed := actor.where(Right.MANAGE_MEMBERS):
        asked.append((accounts.waiting(managed, now), keyset.MOST_COUNTED))
    unseen, *waiting = keyset.counts(session, *asked)
    return Desk(unseen.number + unseen.more, waiting[0].number if waiting else 0)
