"""Compare a file with what is there, and write what is there as a file."""

from collections.abc import Iterator, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from app.places import queries
from app.places.imports.columns import COLUMNS
from app.places.imports.plans import Plan
from app.places.imports.premises import compare_premises
from app.places.imports.rows import PREMISES_WORDS, labels_in, villages_in
from app.places.imports.villages import compare_villages
from app.places.models import ImportKind
from app.sheets import Unreadable, read_table, spreadsheet_csv


def plan(session: Session, raw: bytes, kind: ImportKind, effective_on: date, sheet: str = "") -> Plan:
    """What applying this file from `effective_on` would do, and every problem in it. `sheet`: the one to read, by name."""
    result = Plan(sheet=sheet)
    try:
        table = read_table(raw, COLUMNS[kind], sheet)
    except Unreadable as error:
        result.problems, result.choices = error.problems, error.choices
        return result
    result.notes.extend(table.notes)
    result.rows, result.sheet, result.choices = len(table.rows), table.sheet, table.choices
    if kind is ImportKind.VILLAGES:
        villages, result.problems = villages_in(table)
        compare_villages(session, result, villages, table, effective_on)
    else:
        labels, result.problems = labels_in(table)
        compare_premises(session, result, labels, table, effective_on)
    result.problems.sort(key=lambda p: (p.row, p.cell))
    return result


def current_list(session: Session, kind: ImportKind, on: date) -> bytes:
    """Everything in force on a date as a list of this kind: sent back as it is, it changes nothing."""
    lines = _villages(session, on) if kind is ImportKind.VILLAGES else _premises(session, on)
    return spreadsheet_csv([[c.title for c in COLUMNS[kind]], *lines])


def _villages(session: Session, on: date) -> Iterator[Sequence[str]]:
    codes: dict[UUID | None, str] = {c.id: c.code for c in queries.current_communes(session, on)}
    for one in queries.all_villages(session, on):
        yield [codes.get(one.parent_id, ""), one.code, one.kind_word, one.name]


def _premises(session: Session, on: date) -> Iterator[Sequence[str]]:
    words = {kind: word for word, kind in reversed(PREMISES_WORDS.items())}
    villages = queries.all_villages(session, on)
    there = queries.premises_of_villages(session, [v.id for v in villages], on)
    for village in villages:
        for one in there.get(village.id, ()):
            yield [village.code, next(w for kind, w in words.items() if kind == one.kind), one.label]
