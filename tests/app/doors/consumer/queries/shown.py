"""The moment of these tests, and the page of their batch."""

from datetime import UTC, datetime
from typing import Any

from app.doors.consumer import queries

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


def page(world: Any) -> queries.BatchPage:
    return queries.batch_page(world.session, world.code)
