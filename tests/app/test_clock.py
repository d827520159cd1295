"""Business time moves; machine time does not."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app import clock


@pytest.fixture(autouse=True)
def _put_back() -> object:
    before = clock.current_shift()
    yield
    clock.shift(before)


def test_a_shift_moves_now_and_today_but_not_the_machine() -> None:
    before = clock.machine_now()
    clock.shift(timedelta(days=400))
    assert timedelta(days=400) <= clock.now() - before < timedelta(days=400, seconds=5)
    assert clock.machine_now() - before < timedelta(seconds=5)


def test_today_is_the_vietnamese_date_after_17h_utc() -> None:
    assert clock.local(datetime(2026, 11, 23, 17, 0, tzinfo=UTC)).date() == date(2026, 11, 24)
    assert clock.local(datetime(2026, 11, 23, 16, 59, tzinfo=UTC)).date() == date(2026, 11, 23)


def test_a_day_starts_at_17h_utc_of_the_day_before() -> None:
    assert clock.start_of_day(date(2026, 11, 24)) == datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
