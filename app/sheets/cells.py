"""A cell as the file holds it: its text and what the spreadsheet made of it, and a sheet full of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.db import Words
from app.messages import N_

MAX_ROWS = 50_000
MAX_COLUMNS = 40


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    ROUNDED = "rounded"
    DATE = "date"
    TIME = "time"
    TRUTH = "truth"
    ERROR = "error"
    FORMULA = "formula"


class Cell(NamedTuple):
    text: str
    kind: Kind = Kind.TEXT


EMPTY = Cell("")

TYPED: dict[Kind, Words] = {
    Kind.ROUNDED: Words.of(N_("số dài mà Excel đã làm tròn")),
    Kind.DATE: Words.of(N_("ngày tháng")),
    Kind.TIME: Words.of(N_("giờ hoặc khoảng thời gian")),
    Kind.TRUTH: Words.of(N_("giá trị đúng/sai (TRUE/FALSE)")),
    Kind.ERROR: Words.of(N_("báo lỗi của Excel")),
}


class Merge(NamedTuple):
    """Cells shown as one: rows as Excel counts, columns from 0, both ends included."""

    top: int
    left: int
    bottom: int
    right: int


def rows_once(areas: Iterable[Merge], last: int) -> Iterator[tuple[Merge, range]]:
    """Each area of one column with those of its rows, up to `last`, that none before it reached: no row comes twice."""
    reached = -1
    for area in sorted(areas):
        yield area, range(max(area.top, reached + 1), min(area.bottom, last) + 1)
        reached = max(reached, area.bottom)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: the rows that hold anything, by their numbers as Excel counts. A CSV is one sheet without a name."""

    name: str
    hidden: bool
    rows: dict[int, list[Cell]]
    merges: tuple[Merge, ...] = ()


def column_letter(position: int) -> str:
    """0 is A, 26 is AA."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
