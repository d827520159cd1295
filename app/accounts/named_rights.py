"""Named rights: the one place that computes what somebody may do where from the roles they hold today."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from uuid import UUID

from app.actor import NOWHERE, OFFICIAL_ROLES, Actor, Membership, Right, Role, Scope

# Roles that are held for a place: a certifier reads what lies in theirs, without being an official.
PLACED_ROLES = OFFICIAL_ROLES | {Role.CERTIFIER}

_FARMER = {
    Right.FARM,
    Right.REPRESENT,
    Right.KEEP_DIARY,
    Right.HANDLE_GOODS,
    Right.RECALL_BATCH,
    Right.MANAGE_PRODUCTS,
}
_MANAGER = {Right.REPRESENT, Right.SELL, Right.MANAGE_MEMBERS}
# What a manager may do in the cooperative and, in its place, in each of its member households.
_MANAGER_ALSO_FOR_MEMBERS = {
    Right.KEEP_DIARY,
    Right.VOUCH_AS_COOPERATIVE,
    Right.HANDLE_GOODS,
    Right.RECALL_BATCH,
    Right.PRINT_LABELS,
    Right.MANAGE_PRODUCTS,
    Right.CONFIRM_LINK,
    Right.MANAGE_PEOPLE,
}
IN_THE_ORGANISATION: Mapping[Role, frozenset[Right]] = {
    Role.FARMER: frozenset(_FARMER),
    Role.COOPERATIVE_MANAGER: frozenset(_MANAGER | _MANAGER_ALSO_FOR_MEMBERS),
    Role.PURCHASER: frozenset({Right.HANDLE_GOODS, Right.PRINT_LABELS, Right.SELL, Right.CONFIRM_LINK}),
    Role.CERTIFIER: frozenset({Right.CORRECT_FINDING}),
}
IN_THE_PLACE: Mapping[Role, frozenset[Right]] = {
    Role.EXTENSION_OFFICER: frozenset({Right.OVERSEE, Right.CONFIRM_LINK, Right.RECORD_AS_OFFICER}),
    Role.VILLAGE_OFFICER: frozenset({Right.OVERSEE, Right.CONFIRM_LINK, Right.RECORD_AS_VILLAGE}),
    Role.DIGITAL_GROUP: frozenset({Right.OVERSEE, Right.CONFIRM_LINK, Right.RECORD_AS_DIGITAL_GROUP}),
    Role.COMMUNE_OFFICIAL: frozenset({Right.OVERSEE, Right.CONFIRM_LINK, Right.RECORD_AS_COMMUNE}),
    Role.PROVINCE_OFFICIAL: frozenset({Right.OVERSEE, Right.RECORD_AS_PROVINCE}),
    Role.ADMINISTRATOR: frozenset({Right.OVERSEE}),
    Role.CERTIFIER: frozenset({Right.RECORD_FINDING}),
}
# Ghi hộ: only in the part of the place that is in force today. Row-level security is not told of it: it hears the one
# household for which somebody writes, see `accounts.rights.on_behalf_of`.
IN_TODAYS_PLACE: Mapping[Role, frozenset[Right]] = {
    Role.EXTENSION_OFFICER: frozenset({Right.KEEP_DIARY, Right.VOUCH_AS_OFFICER}),
}
EVERYWHERE: Mapping[Role, frozenset[Right]] = {
    Role.PROVINCE_OFFICIAL: frozenset({Right.SET_PROVINCE_RULES}),
    Role.ADMINISTRATOR: frozenset({Right.SET_PROVINCE_RULES, Right.ADMINISTER, Right.MANAGE_PEOPLE}),
}
# Each recorder of a village's facts vouches as what they are there, the nearest to the village first.
RECORDERS: Mapping[Right, str] = {
    Right.RECORD_AS_DIGITAL_GROUP: "digital_group",
    Right.RECORD_AS_VILLAGE: "village",
    Right.RECORD_AS_OFFICER: "officer",
    Right.RECORD_AS_COMMUNE: "commune",
    Right.RECORD_AS_PROVINCE: "province",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """A place and all below it: today, and what ended or is yet to come besides."""

    today: frozenset[UUID]
    ever: frozenset[UUID]


def roles_giving(right: Right) -> frozenset[Role]:
    """The roles by which the people of an organisation have the right in it: whom news of it concerns."""
    return frozenset(role for role, rights in IN_THE_ORGANISATION.items() if right in rights)


def with_rights(
    actor: Actor,
    memberships: Iterable[Membership],
    *,
    households: Collection[UUID] = (),
    reach: Mapping[UUID, Reach] | None = None,
) -> Actor:
    """The actor with what these roles of today give. `households`: today's members of the cooperatives they manage;
    `reach`: for each place named in a role what lies in it.
    """
    held = tuple(memberships)
    placed = reach or {}
    members = frozenset(households) if any(m.role == Role.COOPERATIVE_MANAGER for m in held) else frozenset()
    parts: dict[Right, list[Scope]] = {}
    for membership in held:
        for right, scope in _given(membership, members, placed):
            parts.setdefault(right, []).append(scope)
    rights = {right: reduce(or_, scopes) for right, scopes in parts.items()}
    _vouch_as_a_neighbour(rights)
    _vouch_at_home_as_the_farmer(rights, held)
    places = [m.place_id for m in held if m.role in PLACED_ROLES and m.place_id is not None]
    answered_for = [placed[place].ever for place in places if place in placed]
    return replace(
        actor,
        memberships=held,
        organisations=frozenset({m.organisation_id for m in held}) | members,
        places=_one(answered_for),
        units=frozenset(place for place in places if place in placed),
        rights={right: scope for right, scope in rights.items() if scope},
    )


def _given(held: Membership, members: frozenset[UUID], reach: Mapping[UUID, Reach]) -> Iterator[tuple[Right, Scope]]:
    own = frozenset({held.organisation_id})
    for right in IN_THE_ORGANISATION.get(held.role, ()):
        for_members = held.role == Role.COOPERATIVE_MANAGER and right in _MANAGER_ALSO_FOR_MEMBERS
        yield right, Scope(own | members if for_members else own)
    there = reach.get(held.place_id) if held.place_id is not None else None
    if there is not None and held.place_id is not None:
        own_unit = frozenset({held.place_id})
        for right in IN_THE_PLACE.get(held.role, ()):
            yield right, Scope(places=there.ever, units=own_unit)
        for right in IN_TODAYS_PLACE.get(held.role, ()):
            yield right, Scope(places=there.today)
    for right in EVERYWHERE.get(held.role, ()):
        yield right, Scope(everywhere=True)


def _vouch_as_a_neighbour(rights: dict[Right, Scope]) -> None:
    """A farmer of another household, wherever they keep a diary that is not their own."""
    if Right.FARM in rights:
        diary, home = rights[Right.KEEP_DIARY], rights[Right.REPRESENT].organisations
        rights[Right.VOUCH_AS_NEIGHBOUR] = Scope(diary.organisations - home, diary.places, units=diary.units)


def _vouch_at_home_as_the_farmer(rights: dict[Right, Scope], held: Collection[Membership]) -> None:
    """One of the household's own people vouches as that, whatever they are elsewhere."""
    run = {m.organisation_id for m in held if m.role == Role.COOPERATIVE_MANAGER}
    home = rights.get(Right.FARM, NOWHERE).organisations - run
    cooperative = rights.get(Right.VOUCH_AS_COOPERATIVE, NOWHERE)
    rights[Right.VOUCH_AS_COOPERATIVE] = Scope(cooperative.organisations - home)


def _one(sets: list[frozenset[UUID]]) -> frozenset[UUID]:
    """Their union; the set itself where there is one, since a province's are many."""
    return sets[0] if len(sets) == 1 else frozenset().union(*sets)
