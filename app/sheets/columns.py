"""The columns of a list as data, and the template to fill in."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO

from app.db import Words

EXAMPLE = "Ví dụ"


@dataclass(frozen=True, slots=True)
class Column:
    """`also`: other headings it may stand under. `fills`: a cell merged over several rows holds for each of them."""

    key: str
    title: str
    also: tuple[str, ...]
    says: Words
    example: str
    required: bool = True
    fills: bool = False


def template(columns: Sequence[Column]) -> bytes:
    """The headings and one example, which the reader knows by its first word and leaves out."""
    first, *others = (c.example for c in columns)
    return spreadsheet_csv([[c.title for c in columns], [f"{EXAMPLE}: {first}", *others]])


def spreadsheet_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV that Excel opens with its accents: UTF-8 with a byte-order mark, semicolons as Vietnamese Excel expects."""
    out = StringIO()
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode("utf-8-sig")
