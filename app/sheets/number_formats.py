"""The kind of a number in a cell: a number, a date, a time. Excel keeps only a number and a format (ECMA-376, part 1, 18.8.30)."""

import re
from typing import NamedTuple

from app.sheets.cells import Cell, Kind
from app.sheets.package import Attributes, Package

# The formats that every workbook has without saying so; 27-36 and 50-58 are dates of East Asian editions.
_DATES = frozenset({14, 15, 16, 17, 22, *range(27, 37), *range(50, 59)})
_TIMES = frozenset({18, 19, 20, 21, 45, 46, 47})
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_EXACT = 1e15  # a cell holds 15 digits


class Format(NamedTuple):
    """`zeros`: how many digits the format shows at least, as “0000000” does."""

    kind: Kind = Kind.NUMBER
    zeros: int = 0


def cell_formats(package: Package, part: str) -> list[Format]:
    """The formats of the cells by the number that a cell bears."""
    codes: dict[int, str] = {}
    used: list[int] = []
    inside = ""

    def start(tag: str, attributes: Attributes) -> None:
        nonlocal inside
        if tag == "numFmt":
            codes[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif tag in {"cellXfs", "cellStyleXfs"}:
            inside = tag
        elif tag == "xf" and inside == "cellXfs":
            used.append(int(attributes.get("numFmtId", "0")))

    if not part or part not in package:
        return []
    package.walk(part, start)
    return [_format(key, codes.get(key)) for key in used]


def _format(key: int, code: str | None) -> Format:
    if code is None:
        if key in _DATES:
            return Format(Kind.DATE)
        return Format(Kind.TIME if key in _TIMES else Kind.NUMBER)
    plain = _LITERAL.sub("", code.split(";")[0]).lower().replace("general", "")
    if re.fullmatch("0+", plain):
        return Format(zeros=min(len(plain), 20))
    if re.search("[dy]", plain) or ("m" in plain and not re.search("[hs]", plain)):
        return Format(Kind.TIME if "[" in plain else Kind.DATE)
    return Format(Kind.TIME if re.search("[hms]", plain) else Kind.NUMBER)


def number(raw: str, shown: Format) -> Cell:
    """The cell of a number as it is shown. Raises ValueError when it is none."""
    value = float(raw)
    if shown.kind is not Kind.NUMBER:
        return Cell(raw, shown.kind)
    if abs(value) >= _EXACT:
        return Cell(raw, Kind.ROUNDED)
    if value.is_integer():
        return Cell(str(int(value)).zfill(shown.zeros), Kind.NUMBER)
    return Cell(repr(value), Kind.NUMBER)
