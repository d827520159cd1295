"""Lists by pages: each row on one page, forwards and backwards, while rows come and go; and counts that end at a thousand."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Select, column, literal, select, values
from sqlalchemy import types as sqltypes
from sqlalchemy.orm import Session

from app.actor import SYSTEM
from app.db import Database, keyset, numbered
from app.errors import BadAddress

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
AT = column("at", sqltypes.DateTime(timezone=True))
ID = column("id", sqltypes.Uuid())
NAME = column("name", sqltypes.Text())
NEWEST = keyset.Order((AT, datetime), (ID, UUID), newest_first=True)
BY_NAME = keyset.Order((numbered(NAME), str), (ID, UUID))


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.transaction(SYSTEM) as opened:
        yield opened


def lots(minutes: list[int], names: list[str] | None = None) -> Select[Any]:
    """Rows with these times, in minutes, and names; the ids in order."""
    names = names or ["Lô"] * len(minutes)
    rows = [
        (UUID(int=n), FIRST + timedelta(minutes=minute), name)
        for n, (minute, name) in enumerate(zip(minutes, names, strict=True), 1)
    ]
    made = values(*(column(one.name, one.type) for one in (ID, AT, NAME)), name="lots").data(rows)
    return select(ID).select_from(made)


def walked(session: Session, query: Select[Any], order: keyset.Order, size: int) -> list[list[int]]:
    pages: list[list[int]] = []
    mark = None
    while True:
        found = keyset.listed(session, query, order, mark, size=size)
        pages.append([row[0].int for row in found.rows])
        mark = found.next
        if mark is None:
            return pages


def test_every_row_stands_on_one_page_the_newest_first(session: Session) -> None:
    assert walked(session, lots([1, 3, 2, 3, 0]), NEWEST, 2) == [[4, 2], [3, 1], [5]]
    assert walked(session, lots([1, 2]), NEWEST, 2) == [[2, 1]]


def test_names_are_in_the_order_of_their_numbers(session: Session) -> None:
    assert walked(session, lots([0] * 4, ["Thửa 10", "Thửa 2", "Thửa 9", "Thửa 2"]), BY_NAME, 3) == [[2, 4, 3], [1]]


def test_back_is_the_page_one_came_from(session: Session) -> None:
    query = lots([0, 1, 2, 3, 4])
    first = keyset.listed(session, query, NEWEST, size=2)
    second = keyset.listed(session, query, NEWEST, first.next, size=2)
    third = keyset.listed(session, query, NEWEST, second.next, size=2)
    assert (first.previous, third.next) == (None, None)
    assert keyset.ids(keyset.listed(session, query, NEWEST, third.previous, size=2)) == [UUID(int=3), UUID(int=2)]
    back = keyset.listed(session, query, NEWEST, second.previous, size=2)
    assert (back.rows, back.previous, back.next) == (first.rows, None, first.next)


def test_a_row_that_comes_meanwhile_moves_nobodys_page(session: Session) -> None:
    first = keyset.listed(session, lots([0, 1, 2, 3]), NEWEST, size=2)
    second = keyset.listed(session, lots([0, 1, 2, 3, 9]), NEWEST, first.next, size=2)
    assert keyset.ids(second) == [UUID(int=2), UUID(int=1)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(minutes=st.lists(st.integers(0, 5), max_size=30), size=st.integers(1, 7), newest=st.booleans())
def test_all_pages_together_are_the_list(database: Database, minutes: list[int], size: int, newest: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    if not minutes:
        return
    order = keyset.Order((AT, datetime), (ID, UUID), newest_first=newest)
    wanted = sorted(((m, n) for n, m in enumerate(minutes, 1)), reverse=newest)
    with database.transaction(SYSTEM) as session:
        pages = walked(session, lots(minutes), order, size)
    assert [n for one in pages for n in one] == [n for _, n in wanted]
    assert all(len(one) == size for one in pages[:-1])


def test_counting_is_exact_to_its_limit_and_then_says_more(session: Session) -> None:
    query = lots([0, 1, 2])
    assert keyset.count(session, query, 3) == keyset.Count(3, more=False)
    assert keyset.count(session, query, 2) == keyset.Count(2, more=True)
    assert keyset.count(session, query.where(literal(value=False))) == keyset.Count(0)


@pytest.mark.parametrize(
    "mark", ["x", "s", "s!!", "sW10", "t" + "A" * 2000, "sWyIyMDI2LTExLTAxIiwgIngiXQ", "/etc/passwd", "s\x00"]
)
def test_a_mark_that_is_none_is_refused(session: Session, mark: str) -> None:
    with pytest.raises(BadAddress) as refused:
        keyset.listed(session, lots([0]), NEWEST, mark)
    assert refused.value.code == "page_mark"


def test_a_mark_with_a_moment_without_zone_or_a_number_too_large_is_refused(session: Session) -> None:
    by_number = keyset.Order((column("number", sqltypes.Integer()), int), (ID, UUID))
    for order, said in (
        (NEWEST, ["2026-11-01T00:00:00", str(UUID(int=1))]),
        (NEWEST, ["2026-11-01", str(UUID(int=1))]),
        (by_number, [2**31, str(UUID(int=1))]),
        (by_number, [-(2**31) - 1, str(UUID(int=1))]),
    ):
        mark = "s" + base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
        with pytest.raises(BadAddress):
            keyset.listed(session, lots([0]), order, mark)
    at_most = by_number.mark("s", (2**31 - 1, UUID(int=1)))
    assert by_number.read(at_most) == ("s", (2**31 - 1, UUID(int=1)))


def test_a_mark_by_id_says_no_name_and_leads_to_the_same_pages(session: Session) -> None:
    order = keyset.Order((numbered(NAME), str), (ID, UUID), by_id=True)
    query = lots([0] * 4, ["Bà Mai", "Ông An", "Bà Cúc", "Bà Mai"])
    assert walked(session, query, order, 2) == walked(session, query, BY_NAME, 2) == [[3, 1], [4, 2]]
    mark = keyset.listed(session, query, order, size=2).next
    assert mark is not None
    assert base64.urlsafe_b64decode(mark[1:] + "=" * (-len(mark[1:]) % 4)) == f'["{UUID(int=1)}"]'.encode()
    for one in (mark, "t" + mark[1:]):
        gone = keyset.listed(session, query.where(UUID(int=1) != ID), order, one, size=2)
        assert keyset.ids(gone) == [UUID(int=3), UUID(int=4)], "whose row is gone begins anew"
        assert gone.previous is None


def test_a_mark_of_another_list_and_a_nul_in_a_name_are_refused(session: Session) -> None:
    for mark, order in (
        (BY_NAME.mark("s", ("Lô", UUID(int=1))), NEWEST),
        (BY_NAME.mark("s", ("\0", UUID(int=1))), BY_NAME),
    ):
        with pytest.raises(BadAddress):
            keyset.listed(session, lots([0]), order, mark)
