"""CSV: the encodings that people send, guessed only where nothing else fits, and its lines."""

import csv
import re
import unicodedata
from collections.abc import Iterable
from io import StringIO
from string import ascii_letters

from app.db import Words
from app.places.imports.columns import MAX_ROWS
from app.places.imports.problems import Problem, Unreadable, clip, unreadable


def csv_lines(text: str) -> list[list[str]]:
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
LETTERS = frozenset(ascii_letters) | set(_TCVN3.values()) | {c.upper() for c in _TCVN3.values()}  # that Vietnamese has
_PUNCTUATION = set("–—‘’“”… \u00a0")
_BROKEN = re.compile("[ÃÄÂÆ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|áº|á»")
# What a file typed in an old font holds once Excel has saved it: bytes of TCVN3 or VNI, read as if they were Western letters.
_WESTERN = "".join(sorted(({chr(b) for b in _TCVN3} | set("ØøÛûÏïÑñÖöÄäÅåËëÜü")) - LETTERS))
_OLD_FONT = re.compile(
    f"[A-Za-z][{_WESTERN}]|[{_WESTERN}][A-Za-z]|a[ùõâê]|e[ùõâ]|o[ùâ]|u[ùõ]",  # VNI writes á as aù, ă as aê
    re.IGNORECASE,
)


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


def refuse_garbled(lines: Iterable[list[str]]) -> None:
    """Raise Unreadable when a cell holds letters of an old font, or letters that were broken before the file was saved.

    The whole file, not the cell: in an old font “Má” is “Mỏ”, and nothing in the word itself says so.
    """
    for number, cells in enumerate(lines, start=1):
        for cell in cells:
            if cell.isascii():
                continue
            text = unicodedata.normalize("NFC", cell)
            _checked(text)
            if _OLD_FONT.search(text):
                shown = clip(text.replace("\n", " ").replace("\r", " "))
                raise unreadable(
                    f"Tệp dùng phông .VnTime (TCVN3) hoặc VNI, ví dụ dòng {number}: “{shown}”.",
                    f"The file is in an old font, .VnTime (TCVN3) or VNI, for example in row {number}: “{shown}”.",
                    "Mở UniKey, bấm Ctrl+Shift+F6, chuyển bảng mã của tệp sang Unicode, lưu rồi gửi lại.",
                    "Convert it to Unicode, for example with UniKey (Ctrl+Shift+F6), save it and send it again.",
                )


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
        raise unreadable(
            f"Chữ có dấu trong tệp đã hỏng từ trước, ví dụ “{shown}”.",
            f"The accented letters were already broken in the file, for example “{shown}”.",
            "Mở lại tệp gốc, lưu thành CSV UTF-8 hoặc .xlsx rồi gửi lại.",
            "Open the original, save it as CSV UTF-8 or .xlsx, and send that.",
        )
    return unicodedata.normalize("NFC", text)


def _encoding() -> Unreadable:
    return unreadable(
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
            unicodedata.normalize("NFC", character) in LETTERS or character in _PUNCTUATION
        ):
            return None
        before = character
    return unicodedata.normalize("NFC", text)


def _tcvn3(raw: bytes) -> str | None:
    if any(b > 127 and b not in _TCVN3 and b != 0xA0 for b in raw):  # noqa: PLR2004 - the end of ASCII
        return None
    return "".join(_TCVN3.get(b, chr(b)) for b in raw)
