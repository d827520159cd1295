"""The invented commune, at noon of 20/11/2026."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from app.db import Database
from tests.app.trace.shelf import a_batch, move
from tests.worlds.farm import NOON, World, a_pack, a_product, a_site, build


@pytest.fixture(autouse=True)
def _now(clock_at: Callable[[datetime], None]) -> None:
    clock_at(NOON)


@pytest.fixture
def world(database: Database) -> World:
    return build(database)


@pytest.fixture
def site(database: Database, world: World) -> UUID:
    return a_site(database, world.farmer, world.household, world.village)


@pytest.fixture
def product(database: Database, world: World) -> UUID:
    return a_product(database, world)


@pytest.fixture
def pack(database: Database, world: World, product: UUID) -> tuple[UUID, UUID]:
    """A pack and a lot of it with 10 packs."""
    variant = a_pack(database, world, product)
    batch = a_batch(database, world, product)
    move(database, world.manager, variant, "packed", 10, batch_id=batch)
    return variant, batch
