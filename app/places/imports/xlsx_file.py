"""XLSX: looked at before it is unpacked, and refused with macros or formulas."""

import re
import zipfile
import zlib
from io import BytesIO

from python_calamine import CalamineError, CalamineWorkbook

from app.db import Words
from app.errors import TooLarge
from app.places.imports.columns import MAX_COLUMNS, MAX_ROWS
from app.places.imports.problems import Problem, Unreadable, unreadable

MAX_UNPACKED = 100 * 1024 * 1024
_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*?\br=[\"'](\d+)[\"']")
_FORMULA = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{1,3}\d{1,7})[\"'][^>]*>\s*<(?:\w+:)?f\b")
_ANY_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
_FIRST_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?\br:id=[\"']([^\"']+)[\"']")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")


def xlsx_lines(raw: bytes) -> list[list[str]]:
    sheet = _first_sheet(raw)
    # The reader lays out a full rectangle: one far cell would ask for gigabytes, so the corners are looked at first.
    widest = max((_column_number(m.group(1)) for m in _CELL.finditer(sheet)), default=0)
    deepest = max((int(m.group(1)) for m in _ROW.finditer(sheet)), default=0)
    deepest = max(deepest, max((int(m.group(2)) for m in _CELL.finditer(sheet)), default=0))
    if widest > MAX_COLUMNS or deepest > MAX_ROWS + 1000:
        raise unreadable(
            f"Trang tính trải tới cột {widest}, dòng {deepest}; nhiều nhất {MAX_COLUMNS} cột và {MAX_ROWS} dòng.",
            f"The sheet reaches column {widest}, row {deepest}; at most {MAX_COLUMNS} columns and {MAX_ROWS} rows.",
            "Chép riêng bảng danh sách sang một tệp mới rồi gửi lại.",
            "Copy just the list into a new file and send that.",
        )
    formulas = [m.group(1).decode() for m in _FORMULA.finditer(sheet)]
    if formulas or _ANY_FORMULA.search(sheet):
        raise Unreadable([_formula(cell) for cell in formulas[:1000] or [""]])
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(raw))
        rows = workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, ValueError, OSError, zipfile.BadZipFile):
        raise _not_xlsx() from None
    return [[_cell_text(value) for value in row] for row in rows]


def _first_sheet(raw: bytes) -> bytes:
    try:
        with zipfile.ZipFile(BytesIO(raw)) as book:
            names = {i.filename for i in book.infolist()}
            unpacked = sum(i.file_size for i in book.infolist())
            if unpacked > MAX_UNPACKED or len(names) > 2000:  # noqa: PLR2004 - a workbook has tens of parts
                raise TooLarge(
                    "import_unpacked",
                    vi="Tệp Excel bung ra quá lớn. Bác chép riêng bảng danh sách sang một tệp mới rồi gửi lại.",
                    en="The workbook unpacks to too much. Copy just the list into a new file and send that.",
                    field="file",
                )
            if any(n.lower().endswith("vbaproject.bin") for n in names):
                raise unreadable(
                    "Tệp Excel này có macro.",
                    "This workbook has macros.",
                    "Lưu lại thành .xlsx (không macro) rồi gửi lại.",
                    "Save it as .xlsx without macros and send that.",
                )
            first = _FIRST_SHEET.search(book.read("xl/workbook.xml"))
            relations = book.read("xl/_rels/workbook.xml.rels")
            target = _target(relations, first.group(1) if first else b"")
            path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            return book.read(path)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error):
        raise _not_xlsx() from None


def _target(relations: bytes, identifier: bytes) -> str:
    for match in _RELATION.finditer(relations):
        tag = match.group(0)
        if re.search(rb"\bId=[\"']" + re.escape(identifier) + rb"[\"']", tag):
            found = re.search(rb"\bTarget=[\"']([^\"']+)[\"']", tag)
            if found:
                return found.group(1).decode("utf-8", "replace")
    raise KeyError(identifier)


def _not_xlsx() -> Unreadable:
    return unreadable(
        "Tệp này không phải Excel (.xlsx) hoặc bị hỏng.",
        "This is not an Excel workbook (.xlsx), or it is broken.",
        "Mở bằng Excel, lưu lại thành .xlsx hoặc CSV UTF-8 rồi gửi lại.",
        "Open it in Excel, save it as .xlsx or CSV UTF-8, and send that.",
    )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _cell_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _formula(cell: str) -> Problem:
    return Problem(
        int(re.sub(r"\D", "", cell) or 0),
        cell,
        "",
        Words(
            vi=f"Ô {cell} là công thức." if cell else "Trang tính có công thức.",
            en=f"Cell {cell} is a formula." if cell else "The sheet has formulas.",
        ),
        Words(vi="Thay công thức bằng chữ hoặc số thường.", en="Replace the formula by plain text or a plain number."),
    )
