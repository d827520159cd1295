"""Row-level security answers as the named rights do: every pair of roles, every right that writes a table, own and foreign."""

from collections.abc import Callable
from itertools import product

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.accounts import rights
from app.accounts.models import Organisation
from app.accounts.named_rights import PLACED_ROLES, RECORDERS, Reach, with_rights
from app.actor import SYSTEM, Actor, Membership, Right, Role
from app.db import Database, new_id
from tests.worlds.farm import World

REFUSED = "42501"
# For each right the tables it writes, with what else a policy looks at.
WRITES: dict[Right, dict[str, str]] = {
    Right.KEEP_DIARY: {"sites": "", "site_villages": "", "cycles": "", "care_logs": "witness = 'farmer'", "conflicting_submissions": ""},
    Right.RECORD_FINDING: {"care_logs": "witness = 'certifier'"},
    Right.HANDLE_GOODS: {"batches": "", "trace_codes": "", "stock_movements": "", "batch_events": "kind = 'created'"},
    Right.RECALL_BATCH: {"batch_events": "kind = 'recalled'"},
    Right.MANAGE_PRODUCTS: {"products": "", "variants": "", "product_villages": "", "certificates": ""},
    Right.SELL: {"channel_accounts": "", "listings": "", "declared_listings": ""},
    Right.CONFIRM_LINK: {"declared_confirmations": "by_colleague = true"},
}  # fmt: skip
HELPERS = (Role.COOPERATIVE_MANAGER, Role.EXTENSION_OFFICER, Role.FARMER)


def accepts(session: Session, table: str, values: dict[str, object]) -> bool:
    """Whether the policy lets such a row in; what else is wrong with it is asked only after."""
    columns = ", ".join(values)
    given = ", ".join(f":{name}" for name in values)
    try:
        with session.begin_nested():
            session.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({given})"), values)
    except DBAPIError as error:
        return getattr(error.orig, "sqlstate", None) != REFUSED
    return True


def two_roles(world: World, first: Role, second: Role) -> Actor:
    """`first` in the cooperative, its household and the village; `second` in the foreign one, the other household and elsewhere."""
    here, there = world.village, new_id()
    one = Membership(world.household if first == Role.FARMER else world.cooperative, first, here)
    other = Membership(world.other if second == Role.FARMER else world.foreign, second, there)
    return with_rights(
        Actor(kind="person", person_id=world.purchaser.person_id),
        [one, other],
        households=[world.household] if first == Role.COOPERATIVE_MANAGER else [],
        reach={m.place_id: Reach(frozenset({m.place_id}), frozenset({m.place_id})) for m in (one, other) if m.place_id},
    )


def test_the_database_lets_in_what_the_named_right_lets_in(
    database: Database, world: World, counts: Callable[[int, int], int]
) -> None:
    pairs = list(product(Role, HELPERS)) if counts(0, 1) == 0 else list(product(Role, Role))
    with database.transaction(SYSTEM) as session:
        where = [
            session.get_one(Organisation, o) for o in (world.cooperative, world.household, world.foreign, world.other)
        ]
    differ = []
    for first, second in pairs:
        actor = two_roles(world, first, second)
        with database.transaction(actor) as session:
            for right, tables in WRITES.items():
                for organisation in where:
                    said = actor.may(right, organisation.id)
                    if right == Right.CONFIRM_LINK:
                        said = rights.may_in(actor, right, organisation)
                    for table, also in tables.items():
                        column, _, value = also.replace("'", "").partition(" = ")
                        values = {"organisation_id": organisation.id} | ({column: value} if also else {})
                        if accepts(session, table, values) != said:
                            differ.append((first, second, right, table, organisation.name, said))
            differ += [
                (first, second, Right.CONFIRM_LINK, "a look from outside", organisation.name)
                for organisation in where
                if accepts(
                    session,
                    "declared_confirmations",
                    {"organisation_id": organisation.id, "by_colleague": "false"},
                )
                != actor.may_at(Right.CONFIRM_LINK, organisation.village_id, organisation.commune_id)
            ]
            differ += [
                (first, second, right, "village_facts", village)
                for right, witness in RECORDERS.items()
                for village in (world.village, world.second_village)
                if accepts(session, "village_facts", {"village_id": village, "witness": witness})
                != actor.may_at(right, village)
            ]
    assert differ == []


def test_a_row_never_changes_hands_and_who_may_only_look_changes_nothing(
    database: Database, world: World, site: object, pack: object
) -> None:
    """A right in one organisation does not fetch the rows of another, and a purchaser writes nothing of a manager's."""
    hats = two_roles(world, Role.PURCHASER, Role.COOPERATIVE_MANAGER)
    for statement in (
        "UPDATE variants SET price_dong = 1",
        "UPDATE products SET retired_on = '2026-01-01'",
        "UPDATE variants SET organisation_id = :foreign",
        "UPDATE products SET organisation_id = :foreign",
    ):
        with database.transaction(hats) as session, pytest.raises(DBAPIError) as caught, session.begin_nested():
            session.execute(text(statement), {"foreign": world.foreign} if ":foreign" in statement else {})
        assert getattr(caught.value.orig, "sqlstate", None) == REFUSED, statement


def test_placed_roles_are_those_that_some_right_is_given_to_for_a_place() -> None:
    assert set(Role) - {Role.FARMER, Role.COOPERATIVE_MANAGER, Role.PURCHASER} == PLACED_ROLES
