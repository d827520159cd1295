"""XLSX: which sheets there are, and the cells of each with what Excel made of them. Formulas are never computed."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.messages import N_
from app.sheets.cells import EMPTY, MAX_COLUMNS, MAX_ROWS, Cell, Kind, Merge, Sheet, rows_once
from app.sheets.number_formats import Format, cell_formats, number
from app.sheets.package import Attributes, Package, canonical, opened, too_large
from app.sheets.problems import Unreadable, unreadable

MAX_SHEETS = 50
MAX_ARRAYS = 5000  # areas of several cells that one formula fills; a list has none
_ADDRESS = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_KINDS = {"b": Kind.TRUTH, "e": Kind.ERROR, "d": Kind.DATE}


def xlsx_sheets(raw: bytes) -> Iterator[Sheet | Unreadable]:
    """The sheets in the order of the workbook; for one that is too wide or too long, what would be said of it.

    Raises Unreadable, TooLarge.
    """
    with opened(raw) as package:
        _refuse_other_kinds(package)
        book = package_of_sheets(package)
        formats = cell_formats(package, book.styles)
        strings = _shared_strings(package, book.strings)
        for name, hidden, part in book.sheets[:MAX_SHEETS]:
            reader = _SheetReader(strings, formats)
            package.walk(part, reader.start, reader.end, reader.text)
            yield reader.sheet(name, hidden=hidden)


@dataclass(frozen=True, slots=True)
class Book:
    """Where the parts of a workbook are: the sheets with their names and whether they are hidden, texts and styles."""

    sheets: list[tuple[str, bool, str]]
    strings: str
    styles: str


def package_of_sheets(package: Package) -> Book:
    """Follow the relations from the root; prefixes and the two editions of the namespaces make no difference."""
    roots = _relations(package, "_rels/.rels") if "_rels/.rels" in package else {}
    main = next((target for kind, target in roots.values() if kind == "officedocument"), "xl/workbook.xml")
    folder, file = posixpath.split(canonical(main))
    relations = _relations(package, f"{folder}/_rels/{file}.rels")
    listed: list[tuple[str, bool, str]] = []

    def start(tag: str, attributes: Attributes) -> None:
        if tag == "sheet":
            key = next(v for k, v in attributes.items() if k.endswith("relationships id"))
            kind, target = relations[key]
            if kind == "worksheet":
                listed.append((attributes.get("name", ""), attributes.get("state", "visible") != "visible", target))

    package.walk(main, start)
    if not listed:
        raise KeyError(main)
    by_kind = dict(relations.values())
    return Book(listed, by_kind.get("sharedstrings", ""), by_kind.get("styles", ""))


def _relations(package: Package, name: str) -> dict[str, tuple[str, str]]:
    """Id to kind (the last word of its type) and the part it leads to."""
    base = posixpath.dirname(posixpath.dirname(canonical(name)))
    found: dict[str, tuple[str, str]] = {}

    def start(tag: str, attributes: Attributes) -> None:
        if tag == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes["Target"].replace("\\", "/")
            path = target if target.startswith("/") else posixpath.join(base, target)
            kind = attributes["Type"].rpartition("/")[2].lower()
            found[attributes["Id"]] = (kind, posixpath.normpath(path).lstrip("/"))

    package.walk(name, start)
    return found


def _refuse_other_kinds(package: Package) -> None:
    if package.ends_with("vbaproject.bin"):
        raise unreadable(N_("Tệp Excel này có macro."), N_("Lưu lại thành .xlsx (không macro) rồi gửi lại."))
    for part, what in (("word/document.xml", "Word"), ("ppt/presentation.xml", "PowerPoint"), ("content.xml", "LibreOffice (.ods)"), ("xl/workbook.bin", "Excel (.xlsb)")):  # fmt: skip
        if part in package:
            raise unreadable(
                N_("Đây là tệp %(what)s, không phải danh sách Excel (.xlsx).", what=what),
                N_("Mở tệp, lưu bảng danh sách thành .xlsx hoặc CSV UTF-8 rồi gửi lại."),
            )


def _shared_strings(package: Package, part: str) -> list[str]:
    found: list[str] = []
    if not part or part not in package:
        return found
    reader = _TextReader()

    def end(tag: str) -> None:
        if tag == "si":
            found.append(reader.take())
        reader.end(tag)

    package.walk(part, reader.start, end, reader.text)
    return found


class _TextReader:
    """Gathers the texts of <t>, whatever runs they are cut into, and leaves out how they are pronounced."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open = False
        self._spoken = False

    def start(self, tag: str, _attributes: Attributes) -> None:
        if tag == "rPh":
            self._spoken = True
        self._open = tag == "t" and not self._spoken

    def end(self, tag: str) -> None:
        self._open = False
        if tag == "rPh":
            self._spoken = False

    def text(self, text: str) -> None:
        if self._open:
            self._parts.append(text)

    def take(self) -> str:
        joined = "".join(self._parts)
        self._parts.clear()
        return _ESCAPED.sub(lambda m: chr(int(m.group(1), 16)), joined) if "_x" in joined else joined


class _SheetReader:
    """Gathers the cells that hold something; formats alone, however far they reach, are no cells."""

    def __init__(self, strings: list[str], formats: list[Format]) -> None:
        self._strings, self._formats = strings, formats
        self._inline = _TextReader()
        self._rows: dict[int, dict[int, Cell]] = {}
        self._merges: list[Merge] = []
        self._arrays: list[Merge] = []
        self._row, self._column = 0, -1
        self._type, self._style = "n", 0
        self._value: list[str] = []
        self._in_value, self._formula, self._holds = False, False, False
        self._widest, self._deepest = 0, 0

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "c":
            self._begin_cell(attributes)
        elif tag == "v":
            self._in_value = self._holds = True
        elif tag == "row":
            self._row, self._column = int(attributes.get("r", self._row + 1)), -1
        elif tag == "f":
            self._formula = self._holds = True
            if attributes.get("t") in {"array", "dataTable"} and "ref" in attributes:
                self._keep_array(_range(attributes["ref"]))
        elif tag == "mergeCell":
            self._merges.append(_range(attributes["ref"]))
        else:
            self._holds = self._holds or tag == "is"
            self._inline.start(tag, attributes)

    def end(self, tag: str) -> None:
        if tag == "v":
            self._in_value = False
        elif tag == "c":
            self._end_cell()
        else:
            self._inline.end(tag)

    def text(self, text: str) -> None:
        if self._in_value:
            self._value.append(text)
        else:
            self._inline.text(text)

    def _begin_cell(self, attributes: Attributes) -> None:
        address = _ADDRESS.fullmatch(attributes.get("r", ""))
        self._column = column_number(address.group(1)) if address else self._column + 1
        self._row = int(address.group(2)) if address else self._row
        self._type, self._style = attributes.get("t", "n"), int(attributes.get("s", "0"))
        self._formula = self._holds = False

    def _end_cell(self) -> None:
        raw, inline = "".join(self._value), self._inline.take()
        self._value.clear()
        if not self._holds:
            return
        cell = Cell(raw or inline, Kind.FORMULA) if self._formula else self._cell(raw, inline)
        if cell == EMPTY:
            return
        self._widest, self._deepest = max(self._widest, self._column + 1), max(self._deepest, self._row)
        if self._column < MAX_COLUMNS and self._row <= MAX_ROWS + 1000:
            self._rows.setdefault(self._row, {})[self._column] = cell

    def _cell(self, raw: str, inline: str) -> Cell:
        if self._type == "s":
            return Cell(self._strings[int(raw)]) if raw else EMPTY
        if self._type == "inlineStr":
            return Cell(inline)
        if self._type == "str":
            return Cell(raw)
        if self._type in _KINDS:
            return Cell({"1": "TRUE", "0": "FALSE"}.get(raw, raw) if self._type == "b" else raw, _KINDS[self._type])
        if not raw:
            return EMPTY
        return number(raw, self._formats[self._style] if self._style < len(self._formats) else Format())

    def sheet(self, name: str, *, hidden: bool) -> Sheet | Unreadable:
        if self._widest > MAX_COLUMNS or self._deepest > MAX_ROWS + 1000:
            return unreadable(
                N_(
                    "Trang tính trải tới cột %(widest)s, dòng %(deepest)s; nhiều nhất %(max_columns)s cột và "
                    "%(max_rows)s dòng.",
                    widest=self._widest,
                    deepest=self._deepest,
                    max_columns=MAX_COLUMNS,
                    max_rows=MAX_ROWS,
                ),
                N_("Chép riêng bảng danh sách sang một tệp mới rồi gửi lại."),
            )
        self._mark_formulas()
        rows = {
            row: [cells.get(at, EMPTY) for at in range(max(cells) + 1)]
            for row, cells in sorted(self._rows.items())
            if any(c.text.strip() for c in cells.values())
        }
        return Sheet(name, hidden, rows, tuple(self._merges))

    def _keep_array(self, area: Merge) -> None:
        if area.top == area.bottom and area.left == area.right:
            return  # the cell that holds it is marked already
        self._arrays.append(area)
        if len(self._arrays) > MAX_ARRAYS:
            raise too_large()

    def _mark_formulas(self) -> None:
        """One formula may fill a whole area, and stands only in its first cell."""
        for at in range(self._widest if self._arrays else 0):
            areas = [a for a in self._arrays if a.left <= at <= a.right]
            for _, reached in rows_once(areas, self._deepest):
                for cells in (self._rows[row] for row in reached if row in self._rows):
                    if at in cells:
                        cells[at] = Cell(cells[at].text, Kind.FORMULA)


def column_number(letters: str) -> int:
    """A is 0."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    return found - 1


def _range(reference: str) -> Merge:
    """Of "A2:A9" or "A2"; ValueError for anything else."""
    first, _, last = reference.partition(":")
    corners = [_ADDRESS.fullmatch(corner.replace("$", "")) for corner in (first, last or first)]
    (left, top), (right, bottom) = ((column_number(c.group(1)), int(c.group(2))) for c in corners if c is not None)
    return Merge(top, left, bottom, right)
