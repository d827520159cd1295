"""The rows and columns of an official table that are no part of the list, left out by rule and told.

Left out below the headings are: a row that repeats the headings or numbers the columns; the example of our template; a row of
totals, whose first text is “Tổng”, “Cộng” or those words and what they count, and which lacks something required (“Cộng Hòa” is
a village); a heading of a group, one text merged over several columns; after the last totals, signatures: rows with at most one
of our columns filled; rows with nothing in our columns.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.db import Words, nfc
from app.messages import N_, Sentence, sentences
from app.sheets.cells import Cell, Merge
from app.sheets.columns import EXAMPLE, Column
from app.sheets.headings import Headings
from app.sheets.problems import clip

_TOTAL = re.compile(r"(?:tổng(?: cộng| số)?|cộng)(?![^\W\d_])(?:\([^()]*\)|\b[ivx]+\b|[\W\d_])*+")
_TOTAL_OF = re.compile(
    r"tổng (?:cộng|số)\b.*|(?:tổng|cộng)[\W\d_]+"
    r"(?:các|toàn|cả|chung|xã|phường|huyện|tỉnh|cụm|thôn|bản|khối|tổ|khu|phố|xóm|làng|hộ|người|nhân khẩu|cơ sở|trụ sở|nhà)\b.*"
)
_OF_ONE = ("code", "kind")  # columns in which nothing stands beside a total of something that is named
_COLUMN_NUMBER = re.compile(r"\(?(\d{1,2}|[A-Za-z])\)?")
_LISTED = 8
_FIRST = 3  # rows below the headings among which their second line and the numbers of the columns stand

_SAID: dict[str, Sentence] = {
    "above": N_("%(count)s dòng trên tiêu đề (%(rows)s)"),
    "repeated": N_("%(count)s dòng lặp lại tiêu đề hoặc đánh số cột (%(rows)s)"),
    "example": N_("%(count)s dòng ví dụ (%(rows)s)"),
    "total": N_("%(count)s dòng tổng cộng (%(rows)s)"),
    "group": N_("%(count)s dòng tên nhóm (%(rows)s)"),
    "footer": N_("%(count)s dòng cuối bảng (người lập, ký tên…) (%(rows)s)"),
    "empty": N_("%(count)s dòng không có gì ở các cột cần đọc (%(rows)s)"),
}


@dataclass(slots=True)
class Leftovers:
    """Row numbers to the rule by which each is left out."""

    rows: dict[int, str] = field(default_factory=dict)
    above: tuple[int, ...] = ()

    @property
    def examples(self) -> bool:
        return "example" in self.rows.values()

    def told(self, headings: Headings) -> Iterator[Words]:
        by_rule: dict[str, list[int]] = defaultdict(list)
        for row, rule in [*((n, "above") for n in self.above), *self.rows.items()]:
            by_rule[rule].append(row)
        if by_rule:
            parts = tuple(
                replace(_SAID[rule], values={"count": len(rows), "rows": _listed(rows)})
                for rule, rows in by_rule.items()
            )
            yield Words.of(N_("Bỏ qua %(parts)s.", parts=sentences(parts, "; ")))
        unread = [f"“{clip(headings.titles[at])}”" for at in headings.unknown]
        if unread:
            listed = ", ".join(unread[:_LISTED]) + ("…" if len(unread) > _LISTED else "")
            yield Words.of(N_("Không đọc %(unread)s cột: %(listed)s.", unread=len(unread), listed=listed))


def _listed(rows: Sequence[int]) -> Sentence:
    numbers = ", ".join(map(str, rows[:_LISTED])) + ("…" if len(rows) > _LISTED else "")
    return N_("dòng %(numbers)s", numbers=numbers)


def left_out(
    rows: Mapping[int, list[Cell]],
    merges: Sequence[Merge],
    headings: Headings,
    columns: Sequence[Column],
    filled: Mapping[tuple[int, int], Cell],
) -> Leftovers:
    """Which rows of the sheet are no data, and why. `filled`: by row and place, what cells merged downward mean there."""
    above = [n for n in rows if n < headings.row]
    below = {n: cells for n, cells in rows.items() if n > headings.row}
    found = Leftovers(above=tuple(above))
    wide = {m.top for m in merges if m.right > m.left and m.top == m.bottom}
    required = [headings.positions[c.key] for c in columns if c.required]
    ours = list(headings.positions.values())
    last_total = 0
    for order, (number, cells) in enumerate(below.items()):
        texts = [c.text.strip() for c in cells]
        mine = [texts[at] if at < len(texts) else "" for at in ours]
        rule = _rule(texts, mine, headings, first=order < _FIRST, wide=number in wide)
        if not rule and _is_total(number, texts, headings, required, filled):
            rule, last_total = "total", number
        if rule:
            found.rows[number] = rule
    for number, cells in below.items():
        if last_total and number > last_total and number not in found.rows:
            texts = [c.text.strip() for c in cells]
            if sum(bool(_meant(number, texts, at, filled)) for at in ours) <= 1:
                found.rows[number] = "footer"
    return found


def _rule(texts: list[str], mine: list[str], headings: Headings, *, first: bool, wide: bool) -> str:
    filled = [t for t in texts if t]
    if all(t == headings.titles[at].strip() for t, at in zip(mine, headings.positions.values(), strict=True)):
        return "repeated"
    if first and _numbers_the_columns(filled):
        return "repeated"
    if filled[0].casefold().startswith(EXAMPLE.casefold() + ":"):
        return "example"
    if wide and sum(len(t) > 3 for t in filled) == 1 and sum(bool(t) for t in mine) <= 1:  # noqa: PLR2004 - “I.”, “12.” count the groups
        return "group"
    return "" if any(mine) else "empty"


def _numbers_the_columns(filled: list[str]) -> bool:
    """Whether a row reads 1, 2, 3 or (1), (2), (3), with letters before the numbers as forms of statistics have them."""
    found = [_COLUMN_NUMBER.fullmatch(t) for t in filled]
    if len(filled) < 2 or not all(found):  # noqa: PLR2004 - one number alone counts nothing
        return False
    marks = [m.group(1) for m in found if m is not None]
    numbers = [int(m) for m in marks if m.isdigit()]
    letters = [m for m in marks if not m.isdigit()]
    return marks == [*letters, *map(str, numbers)] and numbers == list(range(1, len(numbers) + 1))


def _is_total(
    number: int, texts: list[str], headings: Headings, required: Sequence[int], filled: Mapping[tuple[int, int], Cell]
) -> bool:
    first = next(at for at, t in enumerate(texts) if t)
    said = nfc(texts[first]).casefold()
    if all(_meant(number, texts, at, filled) for at in required):
        return False
    if _TOTAL.fullmatch(said):
        return True
    beside = {headings.positions[key] for key in _OF_ONE if key in headings.positions} - {first}
    return _TOTAL_OF.fullmatch(said) is not None and not any(_meant(number, texts, at, filled) for at in beside)


def _meant(number: int, texts: list[str], at: int, filled: Mapping[tuple[int, int], Cell]) -> str:
    """The text of a cell, or of the one above that is merged down to it."""
    above = filled.get((number, at))
    if above is not None:
        return above.text.strip()
    return texts[at] if at < len(texts) else ""
