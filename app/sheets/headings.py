"""Find the row of headings, wherever it stands, and say what is wrong with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.db import Words, fold
from app.messages import N_, Said
from app.sheets.cells import Cell, Sheet, column_letter
from app.sheets.columns import Column
from app.sheets.problems import Problem, Unreadable, clip

_LOOKED_AT = 40  # rows that may stand above the headings: the office, the motto, the title, the date


@dataclass(frozen=True, slots=True)
class Headings:
    """`positions`: column key to place, from 0. `doubled` and `unknown`: places of headings that are there twice or not ours."""

    row: int
    titles: tuple[str, ...]
    positions: dict[str, int]
    doubled: tuple[int, ...]
    unknown: tuple[int, ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return not self.missing and not self.doubled


def find_headings(sheet: Sheet, columns: Sequence[Column]) -> Headings:
    """The first row with every heading that is required; else the one with most of them; else the first row.

    A heading that is merged downward over two rows counts in both.
    """
    known = {heading_key(title): c.key for c in columns for title in (c.title, *c.also)}
    best = Headings(0, (), {}, (), (), tuple(c.key for c in columns if c.required))
    for row in list(sheet.rows)[:_LOOKED_AT]:
        found = _headings_of(row, _with_merged(sheet, row), columns, known)
        if found.complete:
            return found
        if best.row == 0 or len(found.positions) > len(best.positions):
            best = found
    return best


def _headings_of(row: int, cells: list[Cell], columns: Sequence[Column], known: dict[str, str]) -> Headings:
    positions: dict[str, int] = {}
    doubled: list[int] = []
    unknown: list[int] = []
    for at, cell in enumerate(cells):
        if not cell.text.strip():
            continue
        key = known.get(heading_key(cell.text))
        if key is None:
            unknown.append(at)
        elif key in positions:
            doubled.append(at)
        else:
            positions[key] = at
    missing = tuple(c.key for c in columns if c.required and c.key not in positions)
    return Headings(row, tuple(c.text for c in cells), positions, tuple(doubled), tuple(unknown), missing)


def _with_merged(sheet: Sheet, row: int) -> list[Cell]:
    cells = list(sheet.rows[row])
    for merge in sheet.merges[:1000]:
        if merge.top < row <= merge.bottom <= merge.top + 3 and merge.top in sheet.rows:
            above = sheet.rows[merge.top]
            if merge.left < len(above):
                cells.extend([Cell("")] * (merge.left + 1 - len(cells)))
                cells[merge.left] = above[merge.left]
    return cells


def heading_key(value: str) -> str:
    """What makes two headings the same: letters and digits without case, accents, and what stands in parentheses."""
    bare = re.sub(r"\([^()]*\)", " ", fold(value))
    return " ".join(re.sub(r"[^0-9a-z]+", " ", bare).split())


def refuse_headings(found: Headings, sheet: Sheet, columns: Sequence[Column]) -> None:
    """Raise Unreadable with every problem of the headings. Unknown ones are a problem only while one of ours is missing."""
    if found.complete:
        return
    titles = ", ".join(f"“{c.title}”" for c in columns)
    if not found.positions:
        raise Unreadable([_no_headings(found, sheet, titles)])
    problems = [
        _problem(found, at, N_("Cột “%(title)s” có hai lần.", title=_title(found, at)), N_("Giữ lại một cột."))
        for at in found.doubled
    ]
    if found.missing:
        way = N_("Xóa cột này, hoặc đổi tiêu đề thành một trong: %(titles)s.", titles=titles)
        problems += [
            _problem(found, at, N_("Không biết cột “%(title)s”.", title=_title(found, at)), way) for at in found.unknown
        ]
    problems.sort(key=lambda p: p.cell)
    by_key = {c.key: c.title for c in columns}
    problems.extend(
        Problem(
            found.row,
            "",
            by_key[key],
            Words.of(N_("Thiếu cột “%(by_key)s”.", by_key=by_key[key])),
            Words.of(N_("Dòng tiêu đề phải có: %(titles)s. Có thể tải tệp mẫu.", titles=titles)),
        )
        for key in found.missing
    )
    raise Unreadable(problems)


def _title(found: Headings, at: int) -> str:
    return clip(found.titles[at])


def _problem(found: Headings, at: int, why: Said, way: Said) -> Problem:
    cell = f"{column_letter(at)}{found.row}"
    return Problem(found.row, cell, _title(found, at), Words.of(why), Words.of(way))


def _no_headings(found: Headings, sheet: Sheet, titles: str) -> Problem:
    shown = clip(next(t for t in found.titles if t.strip()))
    why = N_(
        "Đây không phải danh sách cần nhập: không thấy dòng tiêu đề; dòng %(row)s là “%(shown)s”.",
        row=found.row,
        shown=shown,
    )
    if sheet.name:
        why = N_(
            "Đây không phải danh sách cần nhập trên trang tính “%(sheet)s”: không thấy dòng tiêu đề;"
            " dòng %(row)s là “%(shown)s”.",
            sheet=clip(sheet.name),
            row=found.row,
            shown=shown,
        )
    way = N_("Cần một dòng tiêu đề có: %(titles)s. Có thể tải tệp mẫu.", titles=titles)
    return Problem(found.row, "", "", Words.of(why), Words.of(way))
