"""Read a list: the sheet that holds it, the rows under its headings, and what was left out."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.db import Words
from app.messages import N_, Sentence, sentences
from app.sheets.cells import EMPTY, MAX_ROWS, Cell, Sheet, column_letter, rows_once
from app.sheets.columns import Column
from app.sheets.csv_file import csv_sheet, decode
from app.sheets.headings import Headings, find_headings, refuse_headings
from app.sheets.leftovers import Leftovers, left_out
from app.sheets.old_fonts import refuse_garbled
from app.sheets.other_files import refuse_other_files, refuse_pipes
from app.sheets.problems import Choice, Problem, Unreadable, unreadable
from app.sheets.xlsx_file import xlsx_sheets


@dataclass(frozen=True, slots=True)
class Table:
    """What stood in the file: for each data row its number and its cells by column key, the column letters, what to tell."""

    rows: tuple[tuple[int, dict[str, Cell]], ...]
    letters: dict[str, str]
    notes: tuple[Words, ...] = ()
    sheet: str = ""
    choices: tuple[Choice, ...] = ()


def read_table(raw: bytes, columns: Sequence[Column], sheet: str = "") -> Table:
    """The rows of a CSV or XLSX under the headings of these columns; `sheet`: the one to read where there are several.

    Without a name the one sheet is read whose headings fit; hidden ones only where no other fits. Raises Unreadable with
    every problem of the headings or, when more than one sheet fits or none does, with those to choose from; TooLarge.
    """
    if raw.startswith(b"PK\x03\x04"):
        return _from_workbook(raw, columns, sheet)
    refuse_other_files(raw)
    text, note = decode(raw)
    found = csv_sheet(text, lambda s: find_headings(s, columns).complete)
    refuse_pipes(found)
    return _table(found, columns, [note] if note is not None else [], ())


def _from_workbook(raw: bytes, columns: Sequence[Column], wanted: str) -> Table:
    seen: list[Choice] = []
    kept: list[Sheet] = []
    fitting: list[Choice] = []
    too_far: Unreadable | None = None
    for one in xlsx_sheets(raw):
        if isinstance(one, Unreadable):
            too_far = too_far or one
            continue
        choice = Choice(one.name, one.hidden)
        seen.append(choice)
        if find_headings(one, columns).complete:
            fitting.append(choice)
            kept.append(one)
        elif one.rows and (not kept or wanted == one.name):
            kept.append(one)  # what is said of the first sheet, should none fit
    if not seen and too_far is not None:
        raise too_far
    chosen = _chosen(seen, fitting, kept, wanted)
    if chosen is None:
        if kept and not fitting:
            _refuse_garbled(kept[0])
        raise _which(seen, fitting)
    others = tuple(seen if len(seen) > 1 else ())
    try:
        return _table(chosen, columns, [_read_sheet(chosen)] if others else [], others)
    except Unreadable as error:
        raise Unreadable(error.problems, others) from None


def _chosen(seen: list[Choice], fitting: list[Choice], kept: list[Sheet], wanted: str) -> Sheet | None:
    if wanted:
        return next((s for s in kept if s.name == wanted), None)
    shown = [c for c in fitting if not c.hidden] or fitting
    if len(shown) == 1:
        return next(s for s in kept if s.name == shown[0].name)
    if not shown and len(seen) == 1:
        return kept[0] if kept else Sheet(seen[0].name, hidden=False, rows={})
    return None


def _named(choices: Sequence[Choice]) -> Sentence:
    return sentences(
        tuple(N_("“%(name)s” (đang ẩn)", name=c.name) if c.hidden else Sentence(f"“{c.name}”") for c in choices), ", "
    )


def _which(seen: list[Choice], fitting: list[Choice]) -> Unreadable:
    asked = fitting or seen
    names = _named(asked)
    if fitting:
        why = N_("Tệp có %(count)s trang tính cùng đủ tiêu đề: %(names)s.", count=len(fitting), names=names)
    else:
        why = N_("Không trang tính nào của tệp có đủ tiêu đề cần có: %(names)s.", names=names)
    way = Words.of(N_("Chọn ở ô “Trang tính cần đọc” trên trang này."))
    return Unreadable([Problem(0, "", "", Words.of(why), way)], asked)


def _read_sheet(chosen: Sheet) -> Words:
    if chosen.hidden:
        return Words.of(N_("Đọc trang tính “%(name)s” (đang ẩn trong tệp).", name=chosen.name))
    return Words.of(N_("Đọc trang tính “%(name)s”.", name=chosen.name))


def _table(sheet: Sheet, columns: Sequence[Column], notes: list[Words], choices: tuple[Choice, ...]) -> Table:
    _refuse_garbled(sheet)
    if not sheet.rows:
        raise unreadable(N_("Tệp không có dòng nào."), N_("Tải tệp mẫu về, điền rồi gửi lại."))
    headings = find_headings(sheet, columns)
    refuse_headings(headings, sheet, columns)
    filled = _filled(sheet, headings, columns)
    left = left_out(sheet.rows, sheet.merges, headings, columns, filled)
    numbers = [n for n in sheet.rows if n > headings.row and n not in left.rows]
    if len(numbers) > MAX_ROWS:
        raise _too_many(len(numbers))
    rows = tuple(
        (n, {key: filled.get((n, at)) or _at(sheet.rows[n], at) for key, at in headings.positions.items()})
        for n in numbers
    )
    if not rows:
        raise _no_rows(left)
    letters = {key: column_letter(at) for key, at in headings.positions.items()}
    return Table(rows, letters, (*notes, *left.told(headings)), sheet.name, choices)


def _refuse_garbled(sheet: Sheet) -> None:
    refuse_garbled((n, (c.text for c in cells)) for n, cells in sheet.rows.items())


def _at(cells: list[Cell], at: int) -> Cell:
    return cells[at] if at < len(cells) else EMPTY


def _filled(sheet: Sheet, headings: Headings, columns: Sequence[Column]) -> dict[tuple[int, int], Cell]:
    """The cell that was merged downward, for the rows below its first, in the columns where that means each of them."""
    fills = {headings.positions[c.key] for c in columns if c.fills and c.key in headings.positions}
    filled: dict[tuple[int, int], Cell] = {}
    merges = [m for m in sheet.merges if m.left in fills and m.top in sheet.rows and m.top > headings.row]
    for at in fills:
        for merge, reached in rows_once((m for m in merges if m.left == at), max(sheet.rows)):
            cell = _at(sheet.rows[merge.top], at)
            filled.update({(n, at): cell for n in reached if n in sheet.rows and n > merge.top})
    return filled


def _too_many(count: int) -> Unreadable:
    return unreadable(
        N_("Tệp có %(count)s dòng, mỗi lần nhập nhiều nhất %(max_rows)s dòng.", count=count, max_rows=MAX_ROWS),
        N_("Chia thành nhiều tệp, ví dụ mỗi xã một tệp."),
    )


def _no_rows(left: Leftovers) -> Unreadable:
    return unreadable(
        N_("Tệp chỉ có dòng ví dụ của tệp mẫu.") if left.examples else N_("Tệp chỉ có dòng tiêu đề."),
        N_("Điền ít nhất một dòng rồi gửi lại."),
    )
