"""The two communes of world.py, on a morning of November 2026."""

from collections.abc import Callable
from datetime import datetime

import pytest

from app.db import Database
from tests.worlds.village import NOW, Province, build


@pytest.fixture
def province(database: Database, clock_at: Callable[[datetime], None]) -> Province:
    clock_at(NOW)
    return build(database, clock_at)
