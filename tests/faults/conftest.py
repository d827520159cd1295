"""A farm on the database of the test, and processes that come back at once."""

import pytest

from app.db import Database
from tests.app.marketplace_sync.conftest import pictures, shop, world  # noqa: F401 - fixtures
from tests.faults.field import Farm, make_farm


@pytest.fixture
def farm(fresh_database: Database) -> Farm:
    return make_farm(fresh_database)


@pytest.fixture(autouse=True)
def _come_back_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is killed often would wait longer each time."""
    monkeypatch.setattr("app.supervisor.keeper.BACKOFF_SECONDS", (0.05,))
