"""Actors made for a test without reading the database, with the rights that `accounts.named_rights` gives such roles."""

from collections.abc import Collection
from uuid import UUID

from app.accounts.named_rights import Reach, with_rights
from app.actor import Actor, Membership
from app.db import new_id


def acting(
    *memberships: Membership,
    households: Collection[UUID] = (),
    places: Collection[UUID] = (),
    person_id: UUID | None = None,
) -> Actor:
    """A person in these roles. `households`: members of the cooperatives they manage; `places`: what lies in every place
    that a role names.
    """
    below = frozenset(places)
    return with_rights(
        Actor(kind="person", person_id=person_id or new_id()),
        memberships,
        households=households,
        reach={m.place_id: Reach(below, below) for m in memberships if m.place_id is not None},
    )
