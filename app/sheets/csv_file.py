"""CSV: the encodings that people send, guessed only where nothing else fits, and its lines."""

import csv
import unicodedata
from collections.abc import Callable
from io import StringIO

from app.db import Words
from app.messages import N_
from app.sheets.cells import MAX_ROWS, Cell, Sheet
from app.sheets.old_fonts import LETTERS, TCVN3, refuse_broken
from app.sheets.problems import Problem, Unreadable, unreadable

_LOOKED_AT = 60  # lines in which the headings of a list stand, if it has any


def csv_sheet(text: str, fits: Callable[[Sheet], bool]) -> Sheet:
    """The lines of a CSV, cut at the separator under which its first lines look right. Raises Unreadable."""
    body = text
    if body[:4].lower() == "sep=":
        body = body.partition("\n")[2]
    shift = 2 if body is not text else 1
    first = [line for line in body.splitlines()[:_LOOKED_AT] if line.strip()]
    by_count = sorted(";,\t", key=lambda mark: -max((line.count(mark) for line in first), default=0))
    head = "\n".join(first)
    delimiter = next((mark for mark in by_count if fits(_cut(head, mark, 1, strict=False))), by_count[0])
    return _cut(body, delimiter, shift, strict=True)


def _cut(body: str, delimiter: str, first: int, *, strict: bool) -> Sheet:
    rows: dict[int, list[Cell]] = {}
    reader = csv.reader(StringIO(body, newline=""), delimiter=delimiter, strict=strict)
    try:
        for number, cells in enumerate(reader, start=first):
            if any(c.strip() for c in cells):
                rows[number] = [Cell(c) for c in cells]
            if len(rows) > MAX_ROWS * 2:
                break
    except csv.Error:
        raise Unreadable([_stray_quote(reader.line_num)]) from None
    return Sheet("", hidden=False, rows=rows)


def _stray_quote(line: int) -> Problem:
    return Problem(
        line,
        f"A{line}",
        "",
        Words.of(N_("Dòng %(line)s có dấu ngoặc kép mở mà không đóng, hoặc một ô quá dài.", line=line)),
        Words.of(N_("Xóa dấu ngoặc kép thừa ở dòng đó.")),
    )


_VOWELS = set("aăâeêioôơuưy")
_MARKS = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}
_PUNCTUATION = set("–—‘’“”… \u00a0")


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
    refuse_broken(text)
    return unicodedata.normalize("NFC", text)


def _encoding() -> Unreadable:
    return unreadable(
        N_("Không đọc được bảng mã chữ của tệp này."),
        N_("Mở bằng Excel, chọn Lưu thành “CSV UTF-8” hoặc .xlsx rồi gửi lại."),
    )


def _guessed(name: str) -> Words:
    return Words.of(
        N_("Tệp dùng bảng mã %(name)s, đã chuyển sang Unicode. Hãy xem kỹ dấu của các tên trước khi nhập.", name=name)
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
            unicodedata.normalize("NFC", character) in LETTERS or character in _PUNCTUATION
        ):
            return None
        before = character
    return unicodedata.normalize("NFC", text)


def _tcvn3(raw: bytes) -> str | None:
    if any(b > 127 and b not in TCVN3 and b != 0xA0 for b in raw):  # noqa: PLR2004 - the end of ASCII
        return None
    return "".join(TCVN3.get(b, chr(b)) for b in raw)
