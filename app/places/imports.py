"""Lists of villages and premises from CSV or XLSX: read, judged row by row, compared with what is there; never half of it."""

import csv
import re
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO, StringIO

from python_calamine import CalamineError, CalamineWorkbook
from sqlalchemy.orm import Session

from app import clock
from app.db import Words, fold, nfc
from app.errors import Invalid, TooLarge
from app.places import queries
from app.places.models import ImportKind, Level, Place, PremisesKind

MAX_ROWS = 50_000
MAX_COLUMNS = 40
MAX_NAME = 80
MAX_UNPACKED = 100 * 1024 * 1024
VILLAGE_WORDS = ("thôn", "bản", "khối phố", "tổ dân phố", "khu phố", "khối", "khu", "xóm", "làng")
CODE = re.compile(r"^[0-9A-Z][0-9A-Z.\-]{0,19}$")
LONG_NUMBER = re.compile(r"\d{9,}")  # a phone or identity number: personal data, which a label must not hold
FORMULA_STARTS = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    also: tuple[str, ...]
    says: Words
    example: str
    required: bool = True


COLUMNS: dict[ImportKind, tuple[Column, ...]] = {
    ImportKind.VILLAGES: (
        Column(
            "commune",
            "Mã xã",
            ("mã phường", "mã xã phường"),
            Words(vi="Mã xã, phường từ 01/07/2025, năm chữ số.", en="Code of the commune since 1 July 2025, 5 digits."),
            "06463",
        ),
        Column(
            "code",
            "Mã thôn",
            ("mã thôn bản",),
            Words(
                vi="Mã riêng của thôn, không đổi về sau: chữ, số, chấm, gạch ngang; nhiều nhất 20.",
                en="The village's own lasting code: letters, digits, dots, hyphens; at most 20.",
            ),
            "06463-T01",
        ),
        Column(
            "kind",
            "Loại",
            ("loại hình",),
            Words(
                vi="Một trong: " + ", ".join(VILLAGE_WORDS) + ". Để trống nếu tên đã có chữ đó.",
                en="One of: " + ", ".join(VILLAGE_WORDS) + ". Leave empty if the name begins with it.",
            ),
            "thôn",
            required=False,
        ),
        Column(
            "name",
            "Tên thôn",
            ("tên", "tên thôn bản"),
            Words(vi="Tên như trong nghị quyết, nhiều nhất 80 chữ.", en="The name as decided, at most 80 characters."),
            "Quán Thanh",
        ),
    ),
    ImportKind.PREMISES: (
        Column(
            "code",
            "Mã thôn",
            ("mã thôn bản",),
            Words(vi="Mã của thôn đã có trong danh sách thôn.", en="Code of a village that is already in the list."),
            "06463-T01",
        ),
        Column(
            "kind",
            "Loại",
            ("loại hình",),
            Words(vi="Một trong: hộ, trụ sở, nhà văn hóa.", en="One of: hộ, trụ sở, nhà văn hóa."),
            "hộ",
        ),
        Column(
            "name",
            "Nhãn",
            ("tên", "tên gọi"),
            Words(
                vi="Tên gọi tại thôn, không ghi họ tên, số điện thoại hay số giấy tờ của ai; nhiều nhất 80 chữ.",
                en="A local label without anybody's name, phone or identity number; at most 80 characters.",
            ),
            "Hộ số 12",
        ),
    ),
}
PREMISES_WORDS: dict[str, PremisesKind] = {
    "hộ": PremisesKind.HOUSEHOLD,
    "hộ gia đình": PremisesKind.HOUSEHOLD,
    "trụ sở": PremisesKind.OFFICE,
    "cơ quan": PremisesKind.OFFICE,
    "nhà văn hóa": PremisesKind.CULTURE_HOUSE,
    "nhà văn hoá": PremisesKind.CULTURE_HOUSE,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend: `row` as Excel counts (1 is the heading; 0 the whole file), `cell` like B12, why, and the way out."""

    row: int
    cell: str
    column: str
    why: Words
    way_out: Words


@dataclass(frozen=True, slots=True)
class Table:
    """What stood in the file: for each data row its number and its texts by column key."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    letters: dict[str, str]
    notes: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Village:
    row: int
    commune_code: str
    code: str
    kind_word: str
    name: str


@dataclass(frozen=True, slots=True)
class Label:
    row: int
    village_code: str
    kind: PremisesKind
    label: str


@dataclass(frozen=True, slots=True)
class AddVillage:
    new: Village
    commune: Place


@dataclass(frozen=True, slots=True)
class RenameVillage:
    new: Village
    place: Place


@dataclass(frozen=True, slots=True)
class AddPremises:
    new: Label
    village: Place


@dataclass(slots=True)
class Plan:
    """What applying the file would do. Nothing may be applied while there are problems."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Words] = field(default_factory=list)
    villages: list[AddVillage] = field(default_factory=list)
    renames: list[RenameVillage] = field(default_factory=list)
    premises: list[AddPremises] = field(default_factory=list)
    unchanged: int = 0
    rows: int = 0

    @property
    def changes(self) -> int:
        return len(self.villages) + len(self.renames) + len(self.premises)


class Unreadable(Exception):
    """The file as a whole cannot be read as a table."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].why.en)
        self.problems = list(problems)


def _whole(vi: str, en: str, way_vi: str, way_en: str) -> Unreadable:
    return Unreadable([Problem(0, "", "", Words(vi=vi, en=en), Words(vi=way_vi, en=way_en))])


def template(kind: ImportKind) -> bytes:
    """A CSV that Excel opens with its accents: UTF-8 with a byte-order mark, semicolons as Vietnamese Excel expects."""
    out = StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([c.title for c in COLUMNS[kind]])
    writer.writerow([c.example for c in COLUMNS[kind]])
    return out.getvalue().encode("utf-8-sig")


def problems_csv(problems: Iterable[Problem], language: str) -> bytes:
    """Every problem as a CSV for Excel; cells that a spreadsheet would run as formulas are defused."""
    out = StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(["Dòng", "Ô", "Cột", "Vì sao", "Cách sửa"])
    for p in problems:
        cells = [str(p.row or ""), p.cell, p.column, p.why.text(language), p.way_out.text(language)]
        writer.writerow(["'" + c if c.startswith((*FORMULA_STARTS, "\t", "\r")) else c for c in cells])
    return out.getvalue().encode("utf-8-sig")


# --- reading -----------------------------------------------------------------------------------------------------


def read_table(raw: bytes, kind: ImportKind) -> Table:
    """The rows of a CSV or XLSX under the headings we know. Raises Unreadable with every problem of its headings."""
    notes: list[Words] = []
    if raw.startswith(b"PK\x03\x04"):
        lines = _xlsx_lines(raw)
    elif raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise _whole(
            "Đây là tệp Excel đời cũ (.xls) hoặc tệp có mật khẩu.",
            "This is an old Excel file (.xls) or it has a password.",
            "Mở bằng Excel, bỏ mật khẩu nếu có, chọn Lưu thành .xlsx rồi gửi lại.",
            "Open it in Excel, remove the password, save it as .xlsx and send it again.",
        )
    else:
        text, note = decode(raw)
        if note is not None:
            notes.append(note)
        lines = _csv_lines(text)
    numbered = [(n, cells) for n, cells in enumerate(lines, start=1) if any(c.strip() for c in cells)]
    if not numbered:
        raise _whole(
            "Tệp không có dòng nào.",
            "The file has no rows.",
            "Tải tệp mẫu về, điền rồi gửi lại.",
            "Download the template, fill it in and send it.",
        )
    if len(numbered) - 1 > MAX_ROWS:
        raise _whole(
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
        raise _whole(
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


def clip(value: str, limit: int = 60) -> str:
    """For showing: without control characters, not longer than `limit`."""
    clean = "".join(c if unicodedata.category(c)[0] != "C" else "�" for c in value.strip())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


# --- CSV ---------------------------------------------------------------------------------------------------------


def _csv_lines(text: str) -> list[list[str]]:
    body = text
    if body[:4].lower() == "sep=":
        body = body.partition("\n")[2]
    first = next((line for line in body.splitlines() if line.strip()), "")
    delimiter = max(";,\t", key=first.count)
    lines: list[list[str]] = []
    reader = csv.reader(StringIO(body, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            lines.append(cells)
            if len(lines) > MAX_ROWS * 2:
                break
    except csv.Error:
        raise Unreadable(
            [
                Problem(
                    reader.line_num,
                    f"A{reader.line_num}",
                    "",
                    Words(
                        vi=f"Dòng {reader.line_num} có dấu ngoặc kép mở mà không đóng, hoặc một ô quá dài.",
                        en=f"Row {reader.line_num} has an unclosed quotation mark or a cell that is far too long.",
                    ),
                    Words(vi="Xóa dấu ngoặc kép thừa ở dòng đó.", en="Remove the stray quotation mark in that row."),
                )
            ]
        ) from None
    return [[], *lines] if body is not text else lines


_TCVN3 = dict(
    zip(
        bytes.fromhex(
            "b5b8b6b7b9 a8bbbebcbdc6 a9c7cac8c9cb ae ccd0cecfd1 aad2d5d3d4d6 d7ddd8dcde"
            " dfe3e1e2e4 abe5e8e6e7e9 aceaedebecee eff3f1f2f4 adf5f8f6f7f9 fafdfbfcfe a1a2a3a4a5a6a7"
        ),
        "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵĂÂÊÔƠƯĐ",
        strict=True,
    )
)
_VOWELS = set("aăâeêioôơuưy")
_MARKS = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}
_LETTERS = set(_TCVN3.values()) | {c.upper() for c in _TCVN3.values()}
_PUNCTUATION = set("–—‘’“”… \u00a0")
_BROKEN = re.compile("[ÃÄÂÆ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|áº|á»")


def decode(raw: bytes) -> tuple[str, Words | None]:
    """The text of a CSV, NFC, and a note when its encoding had to be guessed. Raises Unreadable when none fits."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if raw.startswith(mark):
            return _checked(_strict(raw[len(mark) :], name)), None
    zeros = raw[:2000]
    if zeros.count(0) > len(zeros) // 4:
        return _checked(_strict(raw, "utf-16-le" if zeros[1::2].count(0) >= zeros[::2].count(0) else "utf-16-be")), None
    try:
        return _checked(raw.decode("utf-8")), None
    except UnicodeDecodeError:
        pass
    windows = _windows1258(raw)
    if windows is not None:
        return windows, _guessed("Windows-1258")
    tcvn3 = _tcvn3(raw)
    if tcvn3 is not None:
        return tcvn3, _guessed("TCVN3 (phông .VnTime)")
    raise _encoding()


def _strict(raw: bytes, name: str) -> str:
    try:
        return raw.decode(name)
    except UnicodeDecodeError:
        raise _encoding() from None


def _checked(text: str) -> str:
    broken = _BROKEN.search(text)
    if broken is not None:
        start = max(0, broken.start() - 10)
        shown = clip(text[start : broken.end() + 10].replace("\n", " ").replace("\r", " "))
        raise _whole(
            f"Chữ có dấu trong tệp đã hỏng từ trước, ví dụ “{shown}”.",
            f"The accented letters were already broken in the file, for example “{shown}”.",
            "Mở lại tệp gốc, lưu thành CSV UTF-8 hoặc .xlsx rồi gửi lại.",
            "Open the original, save it as CSV UTF-8 or .xlsx, and send that.",
        )
    return unicodedata.normalize("NFC", text)


def _encoding() -> Unreadable:
    return _whole(
        "Không đọc được bảng mã chữ của tệp này.",
        "The text encoding of this file is not readable.",
        "Mở bằng Excel, chọn Lưu thành “CSV UTF-8” hoặc .xlsx rồi gửi lại.",
        "Open it in Excel, save it as “CSV UTF-8” or .xlsx, and send that.",
    )


def _guessed(name: str) -> Words:
    return Words(
        vi=f"Tệp dùng bảng mã {name}, đã chuyển sang Unicode. Bác xem kỹ dấu của các tên trước khi nhập.",
        en=f"The file was in {name} and has been converted. Check the accents of the names before importing.",
    )


def _windows1258(raw: bytes) -> str | None:
    try:
        text = raw.decode("cp1258")
    except UnicodeDecodeError:
        return None
    before = ""
    for character in text:
        if character in _MARKS:
            base = unicodedata.normalize("NFD", before.casefold())[:1]
            if base not in _VOWELS:
                return None
        elif ord(character) > 127 and not (  # noqa: PLR2004 - the end of ASCII
            unicodedata.normalize("NFC", character) in _LETTERS or character in _PUNCTUATION
        ):
            return None
        before = character
    return unicodedata.normalize("NFC", text)


def _tcvn3(raw: bytes) -> str | None:
    if any(b > 127 and b not in _TCVN3 and b != 0xA0 for b in raw):  # noqa: PLR2004 - the end of ASCII
        return None
    return "".join(_TCVN3.get(b, chr(b)) for b in raw)


# --- XLSX --------------------------------------------------------------------------------------------------------

_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*?\br=[\"'](\d+)[\"']")
_FORMULA = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{1,3}\d{1,7})[\"'][^>]*>\s*<(?:\w+:)?f\b")
_ANY_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
_FIRST_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?\br:id=[\"']([^\"']+)[\"']")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")


def _xlsx_lines(raw: bytes) -> list[list[str]]:
    sheet = _first_sheet(raw)
    # The reader lays out a full rectangle: one far cell would ask for gigabytes, so the corners are looked at first.
    widest = max((_column_number(m.group(1)) for m in _CELL.finditer(sheet)), default=0)
    deepest = max((int(m.group(1)) for m in _ROW.finditer(sheet)), default=0)
    deepest = max(deepest, max((int(m.group(2)) for m in _CELL.finditer(sheet)), default=0))
    if widest > MAX_COLUMNS or deepest > MAX_ROWS + 1000:
        raise _whole(
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
                raise _whole(
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
    return _whole(
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


# --- judging -----------------------------------------------------------------------------------------------------


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


class _Row:
    """One row under judgement: collects problems, gives cleaned texts."""

    def __init__(self, number: int, cells: dict[str, str], letters: dict[str, str], kind: ImportKind) -> None:
        self.number = number
        self._cells = cells
        self._letters = letters
        self._titles = {c.key: c.title for c in COLUMNS[kind]}
        self.problems: list[Problem] = []

    def wrong(self, key: str, vi: str, en: str, way_vi: str, way_en: str) -> None:
        cell = f"{self._letters[key]}{self.number}" if key in self._letters else ""
        why, way = Words(vi=vi, en=en), Words(vi=way_vi, en=way_en)
        self.problems.append(Problem(self.number, cell, self._titles[key], why, way))

    def text(self, key: str, *, required: bool = True) -> str:
        """The cell as NFC text with single blanks; "" when it is missing or was refused."""
        given = self._cells.get(key, "").strip(" \u00a0")
        title = self._titles[key]
        if not given:
            if required:
                self.wrong(key, f"“{title}” để trống.", f"“{title}” is empty.", "Điền vào ô này.", "Fill in this cell.")
            return ""
        if given.startswith(FORMULA_STARTS):
            self.wrong(
                key,
                f"Ô bắt đầu bằng “{given[0]}” như một công thức.",
                f"The cell begins with “{given[0]}” like a formula.",
                "Xóa ký tự đó ở đầu ô.",
                "Remove that character from the beginning of the cell.",
            )
            return ""
        if any(unicodedata.category(c) in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"} for c in given):
            self.wrong(
                key,
                f"“{clip(given)}” có ký tự không thấy được (xuống dòng, tab hoặc ký tự lạ).",
                f"“{clip(given)}” holds invisible characters (line break, tab or others).",
                "Xóa ô rồi gõ lại.",
                "Clear the cell and type it again.",
            )
            return ""
        value = nfc(given)
        if len(value) > MAX_NAME:
            self.wrong(
                key,
                f"“{clip(value)}” dài {len(value)} chữ, nhiều nhất {MAX_NAME}.",
                f"“{clip(value)}” has {len(value)} characters, at most {MAX_NAME}.",
                "Viết ngắn lại.",
                "Shorten it.",
            )
            return ""
        return value

    def code(self, key: str) -> str:
        value = self.text(key).upper()
        if value and not CODE.match(value):
            self.wrong(
                key,
                f"Mã “{clip(value)}” có ký tự không dùng được.",
                f"The code “{clip(value)}” has characters that cannot be used.",
                "Chỉ dùng chữ không dấu, số, dấu chấm, gạch ngang; nhiều nhất 20.",
                "Use letters, digits, dots and hyphens only; at most 20.",
            )
            return ""
        return value


def villages_in(table: Table) -> tuple[list[Village], list[Problem]]:
    """The villages of a file and everything wrong with its rows taken alone."""
    found: list[Village] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for number, cells in table.rows:
        row = _Row(number, cells, table.letters, ImportKind.VILLAGES)
        commune = row.code("commune")
        if commune.isdigit() and len(commune) == 4:  # noqa: PLR2004 - Excel dropped the leading zero of five digits
            commune = commune.zfill(5)
        code = row.code("code")
        kind_word, name = _kind_and_name(row)
        if code and code in first:
            row.wrong(
                "code",
                f"Mã {code} đã có ở dòng {first[code]}.",
                f"The code {code} is already in row {first[code]}.",
                "Mỗi thôn một mã: sửa mã hoặc xóa dòng thừa.",
                "One code for each village: change it or delete the row.",
            )
        elif code:
            first[code] = number
        if row.problems:
            problems.extend(row.problems)
        else:
            found.append(Village(number, commune, code, kind_word, name))
    return found, problems


def _kind_and_name(row: _Row) -> tuple[str, str]:
    name = row.text("name")
    kind = row.text("kind", required=False).casefold()
    inside = next((w for w in VILLAGE_WORDS if name.casefold().startswith(w + " ")), "")
    if kind and kind not in VILLAGE_WORDS:
        row.wrong(
            "kind",
            f"Không biết loại “{clip(kind)}”.",
            f"Unknown kind “{clip(kind)}”.",
            "Dùng một trong: " + ", ".join(VILLAGE_WORDS) + ".",
            "Use one of: " + ", ".join(VILLAGE_WORDS) + ".",
        )
    elif not kind and not inside and name:
        row.wrong(
            "name" if "kind" not in row._letters else "kind",  # noqa: SLF001 - same module
            f"Chưa rõ “{name}” là thôn, bản hay khối phố.",
            f"It is not said whether “{name}” is a thôn, bản or khối phố.",
            "Điền cột “Loại”, hoặc viết tên như “thôn Quán Thanh”.",
            "Fill in “Loại”, or write the name like “thôn Quán Thanh”.",
        )
    if inside and kind in {"", inside}:
        kind, name = inside, name[len(inside) :].strip()
    return kind, name


def labels_in(table: Table) -> tuple[list[Label], list[Problem]]:
    """The premises of a file and everything wrong with its rows taken alone."""
    found: list[Label] = []
    problems: list[Problem] = []
    first: dict[tuple[str, str, str], int] = {}
    for number, cells in table.rows:
        row = _Row(number, cells, table.letters, ImportKind.PREMISES)
        code, word, label = row.code("code"), row.text("kind").casefold(), row.text("name")
        kind = PREMISES_WORDS.get(word)
        if word and kind is None:
            row.wrong(
                "kind",
                f"Không biết loại “{clip(word)}”.",
                f"Unknown kind “{clip(word)}”.",
                "Dùng một trong: hộ, trụ sở, nhà văn hóa.",
                "Use one of: hộ, trụ sở, nhà văn hóa.",
            )
        if LONG_NUMBER.search(re.sub(r"[\s.\-]", "", label)):
            row.wrong(
                "name",
                "Nhãn có số dài như số điện thoại hoặc số giấy tờ.",
                "The label holds a long number like a phone or identity number.",
                "Thay bằng tên gọi tại thôn, ví dụ “Hộ số 12”.",
                "Use a local label such as “Hộ số 12”.",
            )
        if kind is not None and not row.problems:
            key = (code, kind, fold(label))
            if key in first:
                row.wrong(
                    "name",
                    f"“{label}” đã có ở dòng {first[key]}.",
                    f"“{label}” is already in row {first[key]}.",
                    "Xóa dòng thừa hoặc đặt nhãn khác.",
                    "Delete the row or give another label.",
                )
            else:
                first[key] = number
                found.append(Label(number, code, kind, label))
        problems.extend(row.problems)
    return found, problems


# --- comparing ---------------------------------------------------------------------------------------------------


def plan(session: Session, raw: bytes, kind: ImportKind, effective_on: date) -> Plan:
    """What applying this file from `effective_on` would do, and every problem in it."""
    result = Plan()
    try:
        table = read_table(raw, kind)
    except Unreadable as error:
        result.problems = error.problems
        return result
    result.notes.extend(table.notes)
    result.rows = len(table.rows)
    if kind is ImportKind.VILLAGES:
        villages, result.problems = villages_in(table)
        _compare_villages(session, result, villages, table, effective_on)
    else:
        labels, result.problems = labels_in(table)
        _compare_premises(session, result, labels, table, effective_on)
    result.problems.sort(key=lambda p: (p.row, p.cell))
    return result


def _refuser(result: Plan, table: Table, kind: ImportKind) -> Callable[[int, str, str, str, str, str], None]:
    def refuse(row: int, key: str, vi: str, en: str, way_vi: str, way_en: str) -> None:
        one = _Row(row, {}, table.letters, kind)
        one.wrong(key, vi, en, way_vi, way_en)
        result.problems.extend(one.problems)

    return refuse


def _compare_villages(
    session: Session, result: Plan, villages: list[Village], table: Table, effective_on: date
) -> None:
    today = clock.today()
    refuse = _refuser(result, table, ImportKind.VILLAGES)
    communes = {
        code: place
        for code, place in queries.all_by_code(session, {v.commune_code for v in villages}, today).items()
        if place.level == Level.COMMUNE
    }
    unknown = {v.commune_code for v in villages} - communes.keys()
    closed = _closed_words(session, unknown, today)
    there = queries.all_by_code(session, {v.code for v in villages}, today)
    for v in villages:
        commune = communes.get(v.commune_code)
        if commune is None:
            vi, en = closed.get(v.commune_code, ("", ""))
            refuse(
                v.row,
                "commune",
                f"Không có xã, phường nào mang mã {v.commune_code} hôm nay.{vi}",
                f"No commune bears the code {v.commune_code} today.{en}",
                "Dùng mã của xã, phường từ 01/07/2025 (xem trang Địa bàn).",
                "Use the code of a commune since 1 July 2025 (see the places page).",
            )
            continue
        if commune.valid_from is not None and effective_on < commune.valid_from:
            refuse(
                v.row,
                "commune",
                f"{commune.kind_word.capitalize()} {commune.name} mới có từ {commune.valid_from:%d/%m/%Y}.",
                f"{commune.name} exists only since {commune.valid_from:%d/%m/%Y}.",
                "Chọn ngày áp dụng từ ngày đó trở đi.",
                "Choose a day from then on.",
            )
            continue
        known = there.get(v.code)
        if known is None:
            result.villages.append(AddVillage(v, commune))
        elif known.level != Level.VILLAGE or known.parent_id != commune.id:
            what = f"{known.kind_word} {known.name}"
            refuse(
                v.row,
                "code",
                f"Mã {v.code} đang là mã của {what}, không thuộc {commune.kind_word} {commune.name}.",
                f"The code {v.code} belongs to {what}, which is not in {commune.name}.",
                "Sửa mã thôn hoặc mã xã.",
                "Correct the village's code or the commune's.",
            )
        elif (known.kind_word, known.name) == (v.kind_word, v.name):
            result.unchanged += 1
        else:
            result.renames.append(RenameVillage(v, known))
    _note_namesakes(result, villages)


def _note_namesakes(result: Plan, villages: list[Village]) -> None:
    counted = Counter((v.commune_code, v.kind_word, fold(v.name)) for v in villages)
    twice = sorted(
        {
            f"{v.kind_word} {v.name} ({v.commune_code})"
            for v in villages
            if counted[v.commune_code, v.kind_word, fold(v.name)] > 1
        }
    )
    if twice:
        listed = ", ".join(twice[:10])
        result.notes.append(
            Words(
                vi=f"Có thôn trùng tên trong cùng một xã: {listed}. Nếu đúng là hai thôn thì cứ nhập.",
                en=f"Villages of one commune share a name: {listed}. If they are two villages, go on.",
            )
        )


def _closed_words(session: Session, codes: Collection[str], on: date) -> dict[str, tuple[str, str]]:
    closed = queries.closed_by_code(session, codes, on)
    after = queries.became_of(session, [p.id for ps in closed.values() for p in ps]) if closed else {}
    words: dict[str, tuple[str, str]] = {}
    for code, olds in closed.items():
        old = olds[0]
        kin = ", ".join(f"{k.place.kind_word} {k.place.name} ({k.place.code})" for k in after.get(old.id, []))
        if kin:
            words[code] = (
                f" Đó là mã cũ của {old.kind_word} {old.name}, nay thuộc {kin}.",
                f" It was the code of {old.name}, now in {kin}.",
            )
    return words


def _compare_premises(session: Session, result: Plan, labels: list[Label], table: Table, effective_on: date) -> None:
    refuse = _refuser(result, table, ImportKind.PREMISES)
    villages = {
        code: place
        for code, place in queries.all_by_code(session, {p.village_code for p in labels}, clock.today()).items()
        if place.level == Level.VILLAGE
    }
    there = queries.premises_keys(session, [v.id for v in villages.values()])
    for p in labels:
        village = villages.get(p.village_code)
        if village is None:
            refuse(
                p.row,
                "code",
                f"Không có thôn nào mang mã {p.village_code} hôm nay.",
                f"No village bears the code {p.village_code} today.",
                "Nhập danh sách thôn trước, hoặc sửa mã thôn.",
                "Import the list of villages first, or correct the code.",
            )
        elif village.valid_from is not None and effective_on < village.valid_from:
            refuse(
                p.row,
                "code",
                f"{village.kind_word.capitalize()} {village.name} mới có từ {village.valid_from:%d/%m/%Y}.",
                f"{village.name} exists only since {village.valid_from:%d/%m/%Y}.",
                "Chọn ngày áp dụng từ ngày đó trở đi.",
                "Choose a day from then on.",
            )
        elif (village.id, p.kind.value, fold(p.label)) in there:
            result.unchanged += 1
        else:
            result.premises.append(AddPremises(p, village))


def refuse_problems(result: Plan) -> None:
    """Raise Invalid when a plan may not be applied."""
    if result.problems:
        first = result.problems[0]
        raise Invalid(
            "import_problems",
            vi=f"Tệp còn {len(result.problems)} chỗ cần sửa, đầu tiên: {first.why.vi} Chưa có gì được ghi.",
            en=f"The file has {len(result.problems)} problems, the first: {first.why.en} Nothing was saved.",
        )
