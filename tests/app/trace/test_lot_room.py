"""Nobody packs or counts more than was harvested."""

from decimal import Decimal

import pytest

from app.db import Database
from app.errors import Conflict
from tests.app.trace.shelf import a_batch, left, lines, move, take_back
from tests.worlds.farm import World, a_pack, a_product


def test_no_count_finds_more_than_was_harvested(database: Database, world: World) -> None:
    product = a_product(database, world)
    variant = a_pack(database, world, product)
    batch = a_batch(database, world, product, kilograms=20)
    move(database, world.manager, variant, "packed", 18, batch_id=batch)
    move(database, world.manager, variant, "sold", 5, batch_id=batch)
    before = lines(database)
    with pytest.raises(Conflict) as refused:
        move(database, world.manager, variant, "counted", 16, batch_id=batch)
    assert refused.value.code == "count_above_batch"
    assert "nhiều nhất còn 15 gói, mà đếm được 16" in refused.value.text("vi")
    assert (left(database, variant), lines(database)) == (13, before)
    missing = move(database, world.manager, variant, "counted", 10, batch_id=batch)
    move(database, world.manager, variant, "counted", 15, batch_id=batch)
    with pytest.raises(Conflict, match="more_than_batch"):
        take_back(database, world, missing)
    with pytest.raises(Conflict, match="more_than_batch"):
        move(database, world.manager, variant, "packed", 1, batch_id=batch)
    assert left(database, variant) == 15


def test_packs_that_a_count_did_not_find_make_no_room_for_packing(database: Database, world: World) -> None:
    """They may be found again: nobody packs them a second time, neither in this pack nor in another one of the lot."""
    product = a_product(database, world)
    variant = a_pack(database, world, product)
    half = a_pack(database, world, product, sku="NA-500G", net_quantity=Decimal(500), net_unit="g")
    batch = a_batch(database, world, product, kilograms=20)
    move(database, world.manager, variant, "packed", 20, batch_id=batch)
    move(database, world.manager, variant, "counted", 15, batch_id=batch)
    before = lines(database)
    for other in (variant, half):
        with pytest.raises(Conflict, match="more_than_batch") as refused:
            move(database, world.manager, other, "packed", 1, batch_id=batch)
        assert "chỉ đủ đóng thêm 0 gói" in refused.value.text("vi")
    with pytest.raises(Conflict, match="count_above_batch"):
        move(database, world.manager, variant, "counted", 21, batch_id=batch)
    assert (left(database, variant), lines(database)) == (15, before)
    move(database, world.manager, variant, "counted", 20, batch_id=batch)
    assert left(database, variant) == 20


def test_what_a_count_finds_above_the_ledger_takes_room_like_packing(database: Database, world: World) -> None:
    product = a_product(database, world)
    variant = a_pack(database, world, product)
    half = a_pack(database, world, product, sku="NA-500G", net_quantity=Decimal(500), net_unit="g")
    batch = a_batch(database, world, product, kilograms=20)
    move(database, world.manager, variant, "packed", 10, batch_id=batch)
    move(database, world.manager, variant, "counted", 12, batch_id=batch)
    before = lines(database)
    with pytest.raises(Conflict, match="more_than_batch") as refused:
        move(database, world.manager, half, "packed", 17, batch_id=batch)
    assert ("chỉ đủ đóng thêm 16 gói" in refused.value.text("vi"), lines(database)) == (True, before)
    move(database, world.manager, half, "packed", 16, batch_id=batch)


def test_a_part_of_a_pack_is_no_pack(database: Database, world: World) -> None:
    product = a_product(database, world)
    variant = a_pack(database, world, product, net_quantity=Decimal(3))
    batch = a_batch(database, world, product, kilograms=20)
    with pytest.raises(Conflict, match="more_than_batch"):
        move(database, world.manager, variant, "packed", 7, batch_id=batch)
    move(database, world.manager, variant, "packed", 6, batch_id=batch)
    assert left(database, variant) == 6


def test_where_pack_and_lot_measure_different_things_the_mass_sets_no_limit(database: Database, world: World) -> None:
    product = a_product(database, world)
    bottle = a_pack(database, world, product, net_quantity=Decimal(1), net_unit="l")
    loose = a_pack(database, world, product, sku="NA-LE", net_quantity=None, net_unit=None)
    batch = a_batch(database, world, product, kilograms=1)
    for variant in (bottle, loose):
        move(database, world.manager, variant, "packed", 500, batch_id=batch)
        assert left(database, variant) == 500
