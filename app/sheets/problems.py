"""Problems of a file, said so that a person can mend them."""

import csv
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO

from app.db import Words
from app.messages import Said

FORMULA_STARTS = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: `row` as Excel counts (1 is the heading; 0 the whole file), `cell` like B12, why, and the way out."""

    row: int
    cell: str
    column: str
    why: Words
    way_out: Words


@dataclass(frozen=True, slots=True)
class Choice:
    """A sheet that a workbook offers: its name, and whether it is hidden."""

    name: str
    hidden: bool


class Unreadable(Exception):
    """The file as a whole cannot be read as a table. `choices`: the sheets among which a person may choose another."""

    def __init__(self, problems: Sequence[Problem], choices: Sequence[Choice] = ()) -> None:
        super().__init__(problems[0].why.text("en"))
        self.problems = list(problems)
        self.choices = tuple(choices)


def unreadable(why: Said, way: Said) -> Unreadable:
    return Unreadable([Problem(0, "", "", Words.of(why), Words.of(way))])


def clip(value: str, limit: int = 60) -> str:
    """For showing: without control characters, not longer than `limit`."""
    clean = "".join(c if unicodedata.category(c)[0] != "C" else "�" for c in value.strip())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def problems_csv(problems: Iterable[Problem], language: str) -> bytes:
    """Every problem as a CSV for Excel; cells that a spreadsheet would run as formulas are defused."""
    out = StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(["Dòng", "Ô", "Cột", "Vì sao", "Cách sửa"])
    for p in problems:
        cells = [str(p.row or ""), p.cell, p.column, p.why.text(language), p.way_out.text(language)]
        writer.writerow(["'" + c if c.startswith((*FORMULA_STARTS, "\t", "\r")) else c for c in cells])
    return out.getvalue().encode("utf-8-sig")
