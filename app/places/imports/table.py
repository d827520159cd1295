"""Read a file: the rows under the headings we know."""

import re
from dataclasses import dataclass

from app.db import Words, fold
from app.places.imports.columns import COLUMNS, MAX_ROWS
from app.places.imports.csv_file import csv_lines, decode, refuse_garbled
from app.places.imports.problems import Problem, Unreadable, clip, unreadable
from app.places.imports.xlsx_file import xlsx_lines
from app.places.models import ImportKind


@dataclass(frozen=True, slots=True)
class Table:
    """What stood in the file: for each data row its number and its texts by column key."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    letters: dict[str, str]
    notes: tuple[Words, ...] = ()


def read_table(raw: bytes, kind: ImportKind) -> Table:
    """The rows of a CSV or XLSX under the headings we know. Raises Unreadable with every problem of its headings."""
    notes: list[Words] = []
    if raw.startswith(b"PK\x03\x04"):
        lines = xlsx_lines(raw)
    elif raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise unreadable(
            "Đây là tệp Excel đời cũ (.xls) hoặc tệp có mật khẩu.",
            "This is an old Excel file (.xls) or it has a password.",
            "Mở bằng Excel, bỏ mật khẩu nếu có, chọn Lưu thành .xlsx rồi gửi lại.",
            "Open it in Excel, remove the password, save it as .xlsx and send it again.",
        )
    else:
        text, note = decode(raw)
        if note is not None:
            notes.append(note)
        lines = csv_lines(text)
    refuse_garbled(lines)
    numbered = [(n, cells) for n, cells in enumerate(lines, start=1) if any(c.strip() for c in cells)]
    if not numbered:
        raise unreadable(
            "Tệp không có dòng nào.",
            "The file has no rows.",
            "Tải tệp mẫu về, điền rồi gửi lại.",
            "Download the template, fill it in and send it.",
        )
    if len(numbered) - 1 > MAX_ROWS:
        raise unreadable(
            f"Tệp có {len(numbered) - 1} dòng, mỗi lần nhập nhiều nhất {MAX_ROWS} dòng.",
            f"The file has {len(numbered) - 1} rows; one import takes at most {MAX_ROWS}.",
            "Chia thành nhiều tệp, ví dụ mỗi xã một tệp.",
            "Split it, for example one file for each commune.",
        )
    positions = _headings(numbered[0], kind)
    rows = tuple(
        (n, {key: (cells[at] if at < len(cells) else "") for key, at in positions.items()}) for n, cells in numbered[1:]
    )
    if not rows:
        raise unreadable(
            "Tệp chỉ có dòng tiêu đề.",
            "The file has only its heading.",
            "Điền ít nhất một dòng rồi gửi lại.",
            "Fill in at least one row and send it again.",
        )
    return Table(rows, {key: column_letter(at) for key, at in positions.items()}, tuple(notes))


def column_letter(position: int) -> str:
    """0 is A, 26 is AA."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _headings(first: tuple[int, list[str]], kind: ImportKind) -> dict[str, int]:
    row, cells = first
    known = {_heading(t): c.key for c in COLUMNS[kind] for t in (c.title, *c.also)}
    titles = ", ".join(f"“{c.title}”" for c in COLUMNS[kind])
    found: dict[str, int] = {}
    problems: list[Problem] = []
    for at, cell in enumerate(cells):
        if not cell.strip():
            continue
        key = known.get(_heading(cell))
        where = f"{column_letter(at)}{row}"
        shown = clip(cell)
        if key is None:
            problems.append(
                Problem(
                    row,
                    where,
                    shown,
                    Words(vi=f"Không biết cột “{shown}”.", en=f"Unknown column “{shown}”."),
                    Words(
                        vi=f"Xóa cột này, hoặc đổi tiêu đề thành một trong: {titles}.",
                        en=f"Delete the column or give it one of these headings: {titles}.",
                    ),
                )
            )
        elif key in found:
            problems.append(
                Problem(
                    row,
                    where,
                    shown,
                    Words(vi=f"Cột “{shown}” có hai lần.", en=f"The column “{shown}” is there twice."),
                    Words(vi="Giữ lại một cột.", en="Keep one of them."),
                )
            )
        else:
            found[key] = at
    problems.extend(
        Problem(
            row,
            "",
            column.title,
            Words(vi=f"Thiếu cột “{column.title}”.", en=f"The column “{column.title}” is missing."),
            Words(
                vi=f"Dòng đầu của tệp phải có: {titles}. Có thể tải tệp mẫu.",
                en=f"The first row must have: {titles}. You can download the template.",
            ),
        )
        for column in COLUMNS[kind]
        if column.required and column.key not in found
    )
    if problems:
        raise Unreadable(problems)
    return found


def _heading(value: str) -> str:
    return " ".join(re.sub(r"[^0-9a-z]+", " ", fold(value)).split())
