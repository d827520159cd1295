"""A line of the ledger is taken back whole and once, as far as its packs are still there."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.actor import SYSTEM
from app.db import Database, is_busy, new_id
from app.errors import Conflict, NotFound
from app.trace import stock
from app.trace.schemas import Movement, ReverseMovement
from tests.app.trace.shelf import a_batch, left, lines, move, take_back
from tests.worlds.farm import World, a_pack, a_product, build


def test_a_line_that_is_not_there_cannot_be_taken_back(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    before = lines(database)
    with pytest.raises(NotFound):
        take_back(database, world, new_id())
    assert lines(database) == before


def test_taking_back_is_sent_again_and_answers_the_same(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    sold = move(database, world.manager, variant, "sold", 3, batch_id=batch)
    asked = ReverseMovement(id=new_id(), reason="ghi nhầm")
    for _ in range(2):
        with database.transaction(world.manager) as session:
            assert stock.reverse(session, world.manager, sold, asked) == asked.id
    before = lines(database)
    other = asked.model_copy(update={"reason": "đếm lại"})
    with database.transaction(world.manager) as session, pytest.raises(Conflict, match="same_id_other_content"):
        stock.reverse(session, world.manager, sold, other)
    assert (left(database, variant), lines(database), before) == (10, before, 3)


def test_packs_that_are_all_still_there_are_taken_back(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    packed = move(database, world.manager, variant, "packed", 4, batch_id=batch)
    move(database, world.manager, variant, "sold", 10, batch_id=batch)
    take_back(database, world, packed)
    assert left(database, variant) == 0


def test_a_release_whose_packs_are_sold_is_not_taken_back(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "reserved", 1, batch_id=batch)
    released = move(database, world.manager, variant, "released", 1, batch_id=batch)
    sold = move(database, world.manager, variant, "sold", 10, batch_id=batch)
    before = lines(database)
    with pytest.raises(Conflict, match="not_enough") as refused:
        take_back(database, world, released)
    assert ("chỉ còn 0." in refused.value.text("vi"), lines(database)) == (True, before)
    take_back(database, world, sold)
    take_back(database, world, released)
    assert left(database, variant) == 9


def test_a_sale_of_a_lot_that_is_packed_whole_is_taken_back(database: Database, world: World) -> None:
    product = a_product(database, world)
    variant = a_pack(database, world, product)
    batch = a_batch(database, world, product, kilograms=20)
    move(database, world.manager, variant, "packed", 20, batch_id=batch)
    sold = move(database, world.manager, variant, "sold", 3, batch_id=batch)
    take_back(database, world, sold)
    assert left(database, variant) == 20


def test_a_count_is_taken_back_as_far_as_the_lots_mass_allows_and_without_a_lot_always(
    database: Database, world: World
) -> None:
    product = a_product(database, world)
    variant = a_pack(database, world, product)
    batch = a_batch(database, world, product, kilograms=20)
    move(database, world.manager, variant, "packed", 20, batch_id=batch)
    of_the_lot = move(database, world.manager, variant, "counted", 15, batch_id=batch)
    take_back(database, world, of_the_lot)  # just the five packs that the lot has room for
    assert left(database, variant) == 20
    of_all = move(database, world.manager, variant, "counted", 12)
    take_back(database, world, of_all)
    assert left(database, variant) == 20


def test_who_moves_or_takes_back_waits_for_who_moves_the_same_pack(fresh_database: Database) -> None:
    """Without a lot, which would be waited for as well."""
    world = build(fresh_database)
    product = a_product(fresh_database, world)
    variant = a_pack(fresh_database, world, product)
    batch = a_batch(fresh_database, world, product)
    packed = move(fresh_database, world.manager, variant, "packed", 10, batch_id=batch)

    def sell(session: Session) -> None:
        stock.move(session, world.manager, Movement(id=new_id(), variant_id=variant, kind="sold", units=1))

    def give_back(session: Session) -> None:
        stock.reverse(session, world.manager, packed, ReverseMovement(id=new_id(), reason="ghi nhầm"))

    with fresh_database.transaction(world.manager) as first:
        sell(first)
        for verb in (sell, give_back):
            with pytest.raises(OperationalError) as waited, fresh_database.transaction(world.manager) as second:
                second.execute(text("SET LOCAL lock_timeout = '50ms'"))
                verb(second)
            assert is_busy(waited.value)
    with fresh_database.transaction(SYSTEM) as session:
        assert stock.on_hand(session, [variant]) == {variant: 9}
