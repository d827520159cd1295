"""Lists by pages that begin where the last one ended: the hundredth costs as much as the first, and nothing moves under the reader.

Counting is exact to a thousand; beyond it a list says that it is longer, which is all that anybody does with the number.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    ScalarSelect,
    Select,
    and_,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import NullType

from app.errors import BadAddress
from app.messages import N_

PAGE = 50  # lines of one page of a list
MOST_COUNTED = 1000
MOST_CHOICES = 200  # lines of a select; who has more searches
LONGEST_MARK = 4000  # characters; the longest names of a place and its holder, with every number in them padded
AFTER, BEFORE = "s", "t"  # "sau", "trước"

Thing = TypeVar("Thing")
Column = ColumnElement[Any] | InstrumentedAttribute[Any]
Query = Select[*tuple[Any, ...]]
Rows = Sequence[Row[*tuple[Any, ...]]]


def _bounded(column: Column, kind: type) -> Any:  # noqa: ANN401 - a type, for pydantic
    """What the column can be compared with: a moment with its zone, a number that fits."""
    if kind is datetime:
        return AwareDatetime
    if kind is int:
        most = 2**63 if isinstance(column.type, BigInteger) else 2**31
        return Annotated[int, Field(ge=-most, lt=most)]
    return kind


class Order:
    """What a list is ordered by: columns that are never NULL with their Python types, the last of them unique.

    All of them ascend, or with `newest_first` all descend, as one index can give them. `joined`: they are of several tables, so
    an index gives the first column only. `by_id`: a mark holds the last of them alone, since addresses are kept in histories
    and logs, where no person's name belongs.
    """

    def __init__(
        self, *keys: tuple[Column, type], newest_first: bool = False, joined: bool = False, by_id: bool = False
    ) -> None:
        self.columns = tuple(column for column, _ in keys)
        self.newest_first = newest_first
        self.joined = joined
        self.by_id = by_id
        told = keys[-1:] if by_id else keys
        kinds: Any = tuple[tuple(_bounded(column, kind) for column, kind in told)]  # type: ignore[misc]  # made of what is given
        self._types: TypeAdapter[tuple[Any, ...]] = TypeAdapter(kinds)

    def by(self, *, backwards: bool = False) -> list[ColumnElement[Any]]:
        return [c.desc() if self.newest_first is not backwards else c.asc() for c in self.columns]

    def beyond(self, values: Sequence[Any], *, backwards: bool = False) -> ColumnElement[bool]:
        """Rows that come after these values, or before them."""
        given = [
            literal(value, None if isinstance(column.type, NullType) else column.type)
            for value, column in zip(values, self.columns, strict=True)
        ]
        here, there, first = tuple_(*self.columns), tuple_(*given), self.columns[0]
        if self.newest_first is not backwards:
            return and_(here < there, first <= given[0]) if self.joined else here < there
        return and_(here > there, first >= given[0]) if self.joined else here > there

    def mark(self, direction: str, values: Sequence[Any]) -> str:
        packed = self._types.dump_json(tuple(values[-1:] if self.by_id else values))
        return direction + base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def read(self, mark: str) -> tuple[str, tuple[Any, ...]]:
        """Raises BadAddress for anything that `mark` did not write for this list."""
        direction, packed = mark[:1], mark[1:]
        values = self._unpack(packed) if direction in {AFTER, BEFORE} and len(mark) <= LONGEST_MARK else None
        if values is None or any(isinstance(value, str) and "\0" in value for value in values):
            raise BadAddress(
                "page_mark",
                N_("Địa chỉ của trang này không đúng. Hãy mở lại danh sách từ đầu."),
                field="trang",
            )
        return direction, values

    def _unpack(self, packed: str) -> tuple[Any, ...] | None:
        try:
            return self._types.validate_json(base64.b64decode(packed + "=" * (-len(packed) % 4), b"-_", validate=True))
        except (ValueError, ValidationError, binascii.Error):
            return None


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are: `number` of them, and with `more` an unknown number above it."""

    number: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list. `previous` and `next` are the marks of the neighbouring pages; None where there is none."""

    rows: Rows
    previous: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class Choices:
    """What a select offers: the rows, whether there are `more` than it shows, and what was searched for."""

    rows: Rows
    more: bool
    asked: str = ""


def count(session: Session, query: Query, most: int = MOST_COUNTED) -> Count:
    """How many rows the query finds, exact up to `most`."""
    return counts(session, (query, most))[0]


def counts(session: Session, *queries: tuple[Query, int]) -> list[Count]:
    """As `count` for each query and its own `most`, by one statement."""
    found = session.execute(select(*(_number(query, most) for query, most in queries))).one()
    return [Count(min(n, most), more=n > most) for n, (_query, most) in zip(found, queries, strict=True)]


def _number(query: Query, most: int) -> ScalarSelect[int]:
    some: Query = (
        query.with_only_columns(literal_column("1"), maintain_column_froms=True).order_by(None).limit(most + 1)
    )
    return select(func.count()).select_from(some.subquery()).scalar_subquery()


def listed(session: Session, query: Query, order: Order, mark: str | None = None, *, size: int = PAGE) -> Listed:
    """The rows of the query on the page that `mark` names, in this order; without a mark the first page.

    Each row ends with the columns of the order, unnamed. Raises BadAddress for a mark that is none.
    """
    direction, values = order.read(mark) if mark else (AFTER, None)
    if values is not None and order.by_id:
        values = _of_row(session, query, order, values[0])
        direction = AFTER if values is None else direction
    backwards = direction == BEFORE
    if values is not None:
        query = query.where(order.beyond(values, backwards=backwards))
    keys = [column.label(f"key_{number}") for number, column in enumerate(order.columns)]
    found = session.execute(
        query.add_columns(*keys).order_by(None).order_by(*order.by(backwards=backwards)).limit(size + 1)
    ).all()
    further, rows = len(found) > size, list(found[:size])
    if backwards:
        rows.reverse()
    earlier, later = (further, True) if backwards else (values is not None, further)
    width = len(order.columns)
    return Listed(
        rows,
        previous=order.mark(BEFORE, rows[0][-width:]) if rows and earlier else None,
        next=order.mark(AFTER, rows[-1][-width:]) if rows and later else None,
    )


@dataclass(frozen=True, slots=True)
class Paged(Generic[Thing]):
    """One page of a list of things, the marks of its neighbours, and how many the whole list has."""

    rows: list[Thing]
    listed: Listed
    count: Count


def paged(
    session: Session, query: Select[Thing], order: Order, mark: str | None = None, *, size: int = PAGE
) -> Paged[Thing]:
    """The page that `mark` names of a query for one thing a row, with its count. Raises BadAddress as `listed` does."""
    found = listed(session, query, order, mark, size=size)
    return Paged([row[0] for row in found.rows], found, count(session, query))


def choices(
    session: Session,
    query: Query,
    order: Order,
    *,
    search: ColumnElement[bool] | None = None,
    asked: str = "",
    chosen: ColumnElement[bool] | None = None,
    own: ColumnElement[bool] | None = None,
    most: int = MOST_CHOICES,
) -> Choices:
    """The first rows of the query for a select: those that `search` finds, where something was asked, and always the `chosen` ones.

    `own`: those that stand before the others.
    """
    wanted = query
    if search is not None:
        wanted = query.where(search if chosen is None else or_(search, chosen))
    first = [condition.desc() for condition in (chosen, own) if condition is not None]
    found = session.execute(wanted.order_by(None).order_by(*first, *order.by()).limit(most + 1)).all()
    return Choices(found[:most], more=len(found) > most, asked=asked)


def _of_row(session: Session, query: Query, order: Order, key: object) -> tuple[Any, ...] | None:
    """What the list is ordered by in the row of this key; None, and the list is shown from its beginning, where it is gone."""
    only: Query = query.with_only_columns(*order.columns, maintain_column_froms=True)
    row = session.execute(only.order_by(None).where(order.columns[-1] == key).limit(1)).first()
    return None if row is None else tuple(row)


def ids(found: Listed) -> list[UUID]:
    """The unique last column of each row of a list that is ordered by an id."""
    return [row[-1] for row in found.rows]
