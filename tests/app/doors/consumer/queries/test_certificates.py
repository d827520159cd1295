"""Certificates as they stand today, and when that changes."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from tests.app.doors.consumer.queries.shown import page


def test_the_stars_of_ocop_are_no_standard(world: Any) -> None:
    world.certificate("12/QĐ", valid_to=date(2027, 6, 1))
    world.certificate("9/VG", valid_to=date(2027, 6, 1), scheme="vietgap", stars=None)
    world.certificate("8/VG", valid_to=date(2026, 8, 1), scheme="vietgap", stars=None)
    assert [c.number for c in page(world).standards] == ["9/VG"]


def test_a_certificate_is_shown_as_it_stands_today_and_the_page_knows_when_that_changes(world: Any) -> None:
    world.certificate("12/QĐ", valid_to=date(2026, 12, 31))
    world.certificate("7/QĐ", valid_to=date(2026, 8, 1), stars=3)
    world.certificate("1/QĐ", valid_to=date(2025, 8, 1), stars=3)
    shown = page(world)
    assert [(c.number, c.state) for c in shown.certificates] == [("12/QĐ", "valid"), ("7/QĐ", "lapsed")]
    assert shown.next_change_at == datetime(2026, 12, 31, 17, tzinfo=UTC)


def test_a_corrected_certificate_hides_the_row_it_follows(world: Any) -> None:
    wrong = world.certificate("12/QĐ", valid_to=date(2027, 12, 31))
    world.certificate("12/QĐ-UBND", valid_to=date(2027, 6, 1), supersedes_id=wrong)
    assert [c.number for c in page(world).certificates] == ["12/QĐ-UBND"]


def test_a_withdrawn_certificate_no_longer_holds(world: Any) -> None:
    given = world.certificate("12/QĐ", valid_to=date(2027, 12, 31))
    world.certificate("12/QĐ", valid_to=date(2027, 12, 31), supersedes_id=given, withdrawn_on=date(2026, 11, 23))
    assert [c.state for c in page(world).certificates] == ["revoked"]
    assert page(world).valid_certificates == []


def test_a_certificate_that_ended_leaves_the_page_after_a_year_by_itself(
    world: Any, clock_at: Callable[[datetime], None]
) -> None:
    world.certificate("7/QĐ", valid_to=date(2026, 8, 1), stars=3)
    assert page(world).next_change_at == datetime(2027, 8, 1, 17, tzinfo=UTC)
    clock_at(datetime(2027, 8, 1, 16, 59, tzinfo=UTC))
    assert [c.number for c in page(world).certificates] == ["7/QĐ"]
    clock_at(datetime(2027, 8, 1, 17, 0, tzinfo=UTC))
    assert (page(world).certificates, page(world).next_change_at) == ((), None)
