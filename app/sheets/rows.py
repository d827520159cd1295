"""One row under judgement: its cells as clean texts, and what is wrong with them."""

import re
import unicodedata

from app.db import Words, nfc
from app.messages import N_, Said
from app.sheets.cells import EMPTY, TYPED, Cell, Kind
from app.sheets.old_fonts import LETTERS
from app.sheets.problems import FORMULA_STARTS, Problem, clip

CODE = re.compile(r"^[0-9A-Z][0-9A-Z.\-]{0,19}$")
NAME_CHARACTERS = LETTERS | set("0123456789 -–.,:;'’\"“”()/&+°")
MAX_TEXT = 80
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})


class Row:
    """`titles` and `letters`: of the columns by their keys. Every refusal is one problem with the address of its cell.

    Blanks of any width, no-break ones among them, count as blanks and are never a problem; what else cannot be seen is one.
    """

    def __init__(self, number: int, cells: dict[str, Cell], letters: dict[str, str], titles: dict[str, str]) -> None:
        self.number = number
        self.letters = letters
        self._cells = cells
        self._titles = titles
        self.problems: list[Problem] = []

    def wrong(self, key: str, why: Said, way: Said) -> None:
        problem = Problem(self.number, self._address(key), self._titles[key], Words.of(why), Words.of(way))
        self.problems.append(problem)

    def _address(self, key: str) -> str:
        return f"{self.letters[key]}{self.number}" if key in self.letters else ""

    def text(self, key: str, *, required: bool = True) -> str:
        """The cell as NFC text with single blanks; "" when it is missing or was refused."""
        cell = self._cells.get(key, EMPTY)
        given = cell.text.strip()
        if cell.kind not in {Kind.TEXT, Kind.NUMBER} and not self._typed_by_hand(key, cell.kind):
            return ""
        if not given:
            if required:
                title = self._titles[key]
                self.wrong(key, N_("“%(title)s” để trống.", title=title), N_("Điền vào ô này."))
            return ""
        if cell.kind is Kind.NUMBER and not given.isdigit():
            self._not_a_text(key, N_("số %(given)s", given=Words(vi=clip(given).replace(".", ","), en=clip(given))))
            return ""
        if given.startswith(FORMULA_STARTS):
            self.wrong(
                key, N_("Ô bắt đầu bằng “%(given)s” như một công thức.", given=given[0]), N_("Xóa ký tự đó ở đầu ô.")
            )
            return ""
        if any(unicodedata.category(c) in _UNSEEN for c in given):
            self.wrong(
                key,
                N_("“%(value)s” có ký tự không thấy được (xuống dòng, tab hoặc ký tự lạ).", value=clip(given)),
                N_("Xóa ô rồi gõ lại."),
            )
            return ""
        value = nfc(given)
        if len(value) > MAX_TEXT:
            self.wrong(
                key,
                N_(
                    "“%(value)s” dài %(length)s chữ, nhiều nhất %(most)s.",
                    value=clip(value),
                    length=len(value),
                    most=MAX_TEXT,
                ),
                N_("Viết ngắn lại."),
            )
            return ""
        return value

    def _typed_by_hand(self, key: str, kind: Kind) -> bool:
        """False, and a problem, for what a spreadsheet made of what somebody typed."""
        if kind is Kind.FORMULA:
            where = self._address(key)
            self.wrong(key, N_("Ô %(where)s là công thức.", where=where), N_("Thay công thức bằng chữ hoặc số thường."))
        else:
            self._not_a_text(key, TYPED[kind])
        return False

    def _not_a_text(self, key: str, what: Said) -> None:
        where = self._address(key)
        self.wrong(
            key,
            N_("Ô %(where)s là %(what)s, không phải chữ.", where=where, what=what),
            N_("Đặt định dạng ô là Văn bản (Text) rồi gõ lại, ví dụ 30/4."),
        )

    def name(self, key: str) -> str:
        """The cell as a name: Vietnamese letters, digits and common punctuation."""
        value = self.text(key)
        strange = next((c for c in value if c not in NAME_CHARACTERS), "")
        if strange:
            self.wrong(
                key,
                N_("“%(value)s” có ký tự lạ “%(strange)s”.", value=clip(value), strange=strange),
                N_("Gõ lại bằng bảng mã Unicode: chữ tiếng Việt, số và dấu câu thường."),
            )
            return ""
        return value

    def code(self, key: str) -> str:
        """The cell as a code in capitals: letters, digits, dots, hyphens; at most 20."""
        value = self.text(key).upper()
        if value and not CODE.match(value):
            self.wrong(
                key,
                N_("Mã “%(value)s” có ký tự không dùng được.", value=clip(value)),
                N_("Chỉ dùng chữ không dấu, số, dấu chấm, gạch ngang; nhiều nhất 20."),
            )
            return ""
        return value
