"""Nobody packs or counts more than was harvested."""

import pytest

from app.db import Database
from app.errors import Conflict
from tests.app.trace.farm import World, a_pack, a_product
from tests.app.trace.shelf import a_batch, left, lines, move, take_back


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
    assert "nhiều nhất còn 15 gói, bác đếm được 16" in refused.value.vi
    assert (left(database, variant), lines(database)) == (13, before)
    missing = move(database, world.manager, variant, "counted", 10, batch_id=batch)
    move(database, world.manager, variant, "counted", 15, batch_id=batch)
    with pytest.raises(Conflict, match="more_than_batch"):
        take_back(database, world, missing)
    with pytest.raises(Conflict, match="more_than_batch"):
        move(database, world.manager, variant, "packed", 1, batch_id=batch)
    assert left(database, variant) == 15
