"""Which role gives which right where: every pair of roles against a table written by hand, and what a day's change does to it."""

from datetime import date, timedelta
from itertools import product
from uuid import UUID

import pytest
from sqlalchemy import text

from app import clock
from app.accounts import actors, rights
from app.accounts.models import Organisation
from app.accounts.named_rights import PLACED_ROLES, Reach, with_rights
from app.actor import PUBLIC, SYSTEM, Actor, Membership, Right, Role
from app.db import Database, new_id
from app.errors import NotFound
from tests.actors import acting
from tests.worlds.organisations import Province

# Two cooperatives each with a member household, in two places; a role of the first letter is held in C, H or P.
C, H, A, HA, P, PA = (new_id() for _ in range(6))
EVERYWHERE = "everywhere"
DIARY = {Right.KEEP_DIARY, Right.HANDLE_GOODS, Right.RECALL_BATCH, Right.MANAGE_PRODUCTS}
FOR_A_HOUSEHOLD = DIARY | {Right.VOUCH_AS_COOPERATIVE, Right.PRINT_LABELS, Right.CONFIRM_LINK, Right.MANAGE_PEOPLE}

# Written from the agreement, not from the code: for each role what it gives in its cooperative, its household, its place.
EXPECTED: dict[Role, dict[str, set[Right]]] = {
    Role.FARMER: {"household": DIARY | {Right.FARM, Right.REPRESENT}},
    Role.COOPERATIVE_MANAGER: {
        "cooperative": FOR_A_HOUSEHOLD | {Right.REPRESENT, Right.SELL, Right.MANAGE_MEMBERS},
        "household": FOR_A_HOUSEHOLD,
    },
    Role.PURCHASER: {"cooperative": {Right.HANDLE_GOODS, Right.PRINT_LABELS, Right.SELL, Right.CONFIRM_LINK}},
    Role.CERTIFIER: {"cooperative": {Right.CORRECT_FINDING}, "place": {Right.RECORD_FINDING}},
    Role.EXTENSION_OFFICER: {
        "place": {
            Right.OVERSEE,
            Right.CONFIRM_LINK,
            Right.RECORD_AS_OFFICER,
            Right.KEEP_DIARY,
            Right.VOUCH_AS_OFFICER,
        }
    },
    Role.VILLAGE_OFFICER: {"place": {Right.OVERSEE, Right.CONFIRM_LINK, Right.RECORD_AS_VILLAGE}},
    Role.DIGITAL_GROUP: {"place": {Right.OVERSEE, Right.CONFIRM_LINK, Right.RECORD_AS_DIGITAL_GROUP}},
    Role.COMMUNE_OFFICIAL: {"place": {Right.OVERSEE, Right.CONFIRM_LINK, Right.RECORD_AS_COMMUNE}},
    Role.PROVINCE_OFFICIAL: {
        "place": {Right.OVERSEE, Right.RECORD_AS_PROVINCE},
        EVERYWHERE: {Right.SET_PROVINCE_RULES},
    },
    Role.ADMINISTRATOR: {
        "place": {Right.OVERSEE},
        EVERYWHERE: {Right.SET_PROVINCE_RULES, Right.ADMINISTER, Right.MANAGE_PEOPLE},
    },
}
PAIRS = list(product(Role, Role))


def held(role: Role, cooperative: UUID, household: UUID, place: UUID) -> Membership:
    return Membership(household if role == Role.FARMER else cooperative, role, place)


def somebody(*memberships: Membership, households: set[UUID]) -> Actor:
    reach = {place: Reach(frozenset({place}), frozenset({place})) for place in (P, PA)}
    return with_rights(Actor(kind="person", person_id=new_id()), memberships, households=households, reach=reach)


def expected(*roles: tuple[Role, UUID, UUID, UUID]) -> set[tuple[Right, object]]:
    """What each role gives where it is held; and the one right that two make: a farm of one's own and another's diary."""
    cells: set[tuple[Right, object]] = set()
    for role, cooperative, household, place in roles:
        there = {"cooperative": cooperative, "household": household, "place": place, EVERYWHERE: EVERYWHERE}
        cells |= {(right, there[where]) for where, given in EXPECTED[role].items() for right in given}
    homes = {household for role, _, household, _ in roles if role == Role.FARMER}
    run = {cooperative for role, cooperative, _, _ in roles if role == Role.COOPERATIVE_MANAGER}
    if homes:
        diaries = {at for right, at in cells if right == Right.KEEP_DIARY}
        cells |= {(Right.VOUCH_AS_NEIGHBOUR, at) for at in diaries - homes - run}
    return cells - {(Right.VOUCH_AS_COOPERATIVE, home) for home in homes}


def cells_of(actor: Actor) -> set[tuple[Right, object]]:
    found: set[tuple[Right, object]] = set()
    for right, scope in actor.rights.items():
        found |= {(right, at) for at in scope.organisations | scope.places}
        found |= {(right, EVERYWHERE)} if scope.everywhere else set()
    return found


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_roles_held_apart_give_what_each_gives_where_it_is_held(first: Role, second: Role) -> None:
    households = {h for role, h in ((first, H), (second, HA)) if role == Role.COOPERATIVE_MANAGER}
    actor = somebody(held(first, C, H, P), held(second, A, HA, PA), households=households)
    assert cells_of(actor) == expected((first, C, H, P), (second, A, HA, PA))
    assert actor.places == {at for role, at in ((first, P), (second, PA)) if "place" in EXPECTED[role]}
    for right in Right:
        for at in (C, H, A, HA):
            named = {(right, at), (right, EVERYWHERE)}
            assert actor.may(right, at) == bool(cells_of(actor) & named)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_roles_held_together_give_what_each_gives(first: Role, second: Role) -> None:
    households = {H} if Role.COOPERATIVE_MANAGER in {first, second} else set()
    actor = somebody(held(first, C, H, P), held(second, C, H, P), households=households)
    assert cells_of(actor) == expected((first, C, H, P), (second, C, H, P))


def test_every_right_is_given_by_some_role_and_nobody_without_a_role_has_any() -> None:
    given = {right for there in EXPECTED.values() for rights_there in there.values() for right in rights_there}
    assert given | {Right.VOUCH_AS_NEIGHBOUR} == set(Right)
    for right in Right:
        assert not PUBLIC.may(right, C)
        assert not PUBLIC.may_somewhere(right)
        assert SYSTEM.may(right, C)
        assert SYSTEM.may_at(right, P)
        assert SYSTEM.may_everywhere(right)


def test_a_role_in_a_cooperative_gives_nothing_in_its_households_but_to_the_manager() -> None:
    for role in set(Role) - {Role.COOPERATIVE_MANAGER, Role.FARMER}:
        actor = somebody(held(role, C, H, P), households={H})
        assert [right for right in Right if H in actor.where(right)] == [], role


def test_a_role_for_a_place_of_which_nothing_is_known_gives_only_what_needs_no_place() -> None:
    roles = (held(role, C, H, P) for role in (Role.COMMUNE_OFFICIAL, Role.CERTIFIER, Role.PROVINCE_OFFICIAL))
    actor = with_rights(Actor(kind="person", person_id=new_id()), roles)
    assert cells_of(actor) == {(Right.CORRECT_FINDING, C), (Right.SET_PROVINCE_RULES, EVERYWHERE)}
    assert (actor.places, actor.units) == (set(), set())


# --- days --------------------------------------------------------------------------------------------------------


def role_from(province: Province, name: str, at: str, role: Role, begins: date, ends: date | None = None) -> None:
    with province.database.transaction(SYSTEM) as session:
        session.execute(
            text(
                "INSERT INTO memberships (id, person_id, organisation_id, role, place_id, valid_from, valid_to,"
                " recorded_at, ended_at) VALUES (:id, :person, :at, :role, :place, :begins, :ends, now(),"
                " CASE WHEN CAST(:ends AS date) IS NOT NULL THEN now() END)"
            ),
            {
                "id": new_id(),
                "person": province[name],
                "at": province[at],
                "role": role,
                "place": province["commune"] if role in PLACED_ROLES else None,
                "begins": begins,
                "ends": ends,
            },
        )


@pytest.mark.parametrize("role", list(Role))
def test_a_role_gives_its_rights_from_its_first_to_its_last_day(province: Province, role: Role) -> None:
    today, day = clock.today(), timedelta(days=1)
    at = "household" if role == Role.FARMER else "coop"
    before = province.actor("sau")
    role_from(province, "sau", at, role, today + day)
    role_from(province, "sau", at, role, today - 9 * day, today - day)
    assert province.actor("sau") == before
    role_from(province, "sau", at, role, today, today)
    now = province.actor("sau")
    assert now.roles == {Role.FARMER, role}
    assert now != before


@pytest.mark.parametrize(("begins", "ends", "diaries"), [(-9, -1, 0), (1, None, 0), (0, None, 1), (-9, 0, 1)])
def test_a_household_is_its_cooperatives_while_it_is_a_member(
    province: Province, begins: int, ends: int | None, diaries: int
) -> None:
    today = clock.today()
    with province.database.transaction(SYSTEM) as session:
        session.execute(
            text(
                "INSERT INTO household_memberships (id, household_id, cooperative_id, valid_from, valid_to, recorded_at,"
                " ended_at) VALUES (:id, :household, :coop, :begins, :ends, now(),"
                " CASE WHEN CAST(:ends AS date) IS NOT NULL THEN now() END)"
            ),
            {
                "id": new_id(),
                "household": province["other_household"],
                "coop": province["coop"],
                "begins": today + timedelta(days=begins),
                "ends": None if ends is None else today + timedelta(days=ends),
            },
        )
    minh = province.actor("minh")
    there = {province["other_household"]}
    assert len(minh.where(Right.KEEP_DIARY) & there) == len(minh.organisations & there) == diaries


# --- on behalf ---------------------------------------------------------------------------------------------------


def test_an_officer_with_a_farm_is_a_farmer_at_home_and_an_officer_next_door(province: Province) -> None:
    province.household("minh", "coop", "next_door", "village")
    role_from(province, "lanh", "office", Role.EXTENSION_OFFICER, clock.today())
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        assert rights.on_behalf_of(session, lanh, session.get_one(Organisation, province["household"])) is lanh
        writer = rights.on_behalf_of(session, lanh, session.get_one(Organisation, province["next_door"]))
    vouching = (Right.KEEP_DIARY, Right.VOUCH_AS_OFFICER, Right.VOUCH_AS_NEIGHBOUR)
    assert [lanh.may(right, province["household"]) for right in vouching] == [True, False, False]
    assert [lanh.may(right, province["next_door"]) for right in vouching] == [False, False, False]
    assert [writer.may(right, province["next_door"]) for right in vouching] == [True, True, True]
    assert [right for right in Right if writer.may(right, province["next_door"])] == list(vouching)


def test_an_officer_writes_for_many_as_for_each_of_them(province: Province) -> None:
    province.household("minh", "coop", "next_door", "village")
    province.household("minh", "coop", "second_door", "village")
    role_from(province, "lanh", "office", Role.EXTENSION_OFFICER, clock.today())
    lanh = province.actor("lanh")
    asked = ("household", "coop", "next_door", "office", "other_household", "second_door")
    with province.database.transaction(SYSTEM) as session:
        found = [session.get_one(Organisation, province[name]) for name in asked]
    with province.database.transaction(lanh) as session:
        writer, theirs = rights.on_behalf_of_each(session, lanh, found)
        told = session.execute(text("SELECT hoi_may(:right)"), {"right": Right.KEEP_DIARY}).scalar_one()
    own, doors = province["household"], {province["next_door"], province["second_door"]}
    assert [o.id for o in theirs] == [own, province["next_door"], province["second_door"]]
    assert writer.where(Right.KEEP_DIARY) == set(told) == {own} | doors
    assert writer.where(Right.VOUCH_AS_OFFICER) == writer.where(Right.VOUCH_AS_NEIGHBOUR) == doors
    for right in set(Right) - {Right.KEEP_DIARY, Right.VOUCH_AS_OFFICER, Right.VOUCH_AS_NEIGHBOUR}:
        assert writer.where(right) == lanh.where(right), right


def test_who_writes_for_nobody_else_stays_who_they_are(province: Province) -> None:
    minh = province.actor("minh")
    with province.database.transaction(SYSTEM) as session:
        found = [session.get_one(Organisation, province[name]) for name in ("other_household", "household")]
    with province.database.transaction(minh) as session:
        assert rights.on_behalf_of_each(session, minh, found) == (minh, [found[1]])
        assert rights.on_behalf_of_each(session, minh, found)[0] is minh
        assert rights.on_behalf_of_each(session, minh, []) == (minh, [])


@pytest.mark.parametrize("at", ["coop", "office", "other_household"])
def test_an_officer_writes_for_no_cooperative_no_authority_and_no_household_of_elsewhere(
    province: Province, at: str
) -> None:
    role_from(province, "xa", "office", Role.EXTENSION_OFFICER, clock.today())
    xa = province.actor("xa")
    with province.database.transaction(SYSTEM) as session:
        organisation = session.get_one(Organisation, province[at])
    with province.database.transaction(xa) as session, pytest.raises(NotFound):
        rights.on_behalf_of(session, xa, organisation)


def test_acting_also_for_somebody_widens_the_named_right_alone(database: Database) -> None:
    actor = acting(Membership(A, Role.EXTENSION_OFFICER, PA))
    with database.transaction(actor) as session:
        wider = actors.act_also_for(session, actor, H, rights=[Right.RECORD_FINDING])
        for right in Right:
            told = session.execute(text("SELECT :h = ANY (hoi_may(:right))"), {"h": H, "right": right}).scalar_one()
            assert (told, wider.may(right, H)) == (right == Right.RECORD_FINDING,) * 2
