"""The invented commune, at noon of 20/11/2026."""

from collections.abc import Callable
from datetime import datetime

import pytest

from app.db import Database
from tests.worlds.farm import NOON, World, build


@pytest.fixture(autouse=True)
def _now(clock_at: Callable[[datetime], None]) -> None:
    clock_at(NOON)


@pytest.fixture
def world(database: Database) -> World:
    return build(database)
