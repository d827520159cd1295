"""Every page is asked for at one moment."""

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.app.doors.consumer.queries.shown import NOW


@pytest.fixture(autouse=True)
def _today(clock_at: Callable[[datetime], None]) -> None:
    clock_at(NOW)
