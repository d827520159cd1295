"""One row under judgement: its cells as clean texts, and what is wrong with them."""

import re
import unicodedata

from app.db import Words, nfc
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

    def wrong(self, key: str, vi: str, en: str, way_vi: str, way_en: str) -> None:
        why, way = Words(vi=vi, en=en), Words(vi=way_vi, en=way_en)
        self.problems.append(Problem(self.number, self._address(key), self._titles[key], why, way))

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
                self.wrong(key, f"“{title}” để trống.", f"“{title}” is empty.", "Điền vào ô này.", "Fill in this cell.")
            return ""
        if cell.kind is Kind.NUMBER and not given.isdigit():
            self._not_a_text(key, Words(vi=f"số {clip(given).replace('.', ',')}", en=f"the number {clip(given)}"))
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
        if any(unicodedata.category(c) in _UNSEEN for c in given):
            self.wrong(
                key,
                f"“{clip(given)}” có ký tự không thấy được (xuống dòng, tab hoặc ký tự lạ).",
                f"“{clip(given)}” holds invisible characters (line break, tab or others).",
                "Xóa ô rồi gõ lại.",
                "Clear the cell and type it again.",
            )
            return ""
        value = nfc(given)
        if len(value) > MAX_TEXT:
            self.wrong(
                key,
                f"“{clip(value)}” dài {len(value)} chữ, nhiều nhất {MAX_TEXT}.",
                f"“{clip(value)}” has {len(value)} characters, at most {MAX_TEXT}.",
                "Viết ngắn lại.",
                "Shorten it.",
            )
            return ""
        return value

    def _typed_by_hand(self, key: str, kind: Kind) -> bool:
        """False, and a problem, for what a spreadsheet made of what somebody typed."""
        if kind is Kind.FORMULA:
            where = self._address(key)
            self.wrong(
                key,
                f"Ô {where} là công thức.",
                f"Cell {where} is a formula.",
                "Thay công thức bằng chữ hoặc số thường.",
                "Replace the formula by plain text or a plain number.",
            )
        else:
            self._not_a_text(key, TYPED[kind])
        return False

    def _not_a_text(self, key: str, what: Words) -> None:
        where = self._address(key)
        self.wrong(
            key,
            f"Ô {where} là {what.vi}, không phải chữ.",
            f"Cell {where} is {what.en or what.vi}, not a text.",
            "Đặt định dạng ô là Văn bản (Text) rồi gõ lại, ví dụ 30/4.",
            "Set the format of the cell to Text, then type it again, for example 30/4.",
        )

    def name(self, key: str) -> str:
        """The cell as a name: Vietnamese letters, digits and common punctuation."""
        value = self.text(key)
        strange = next((c for c in value if c not in NAME_CHARACTERS), "")
        if strange:
            self.wrong(
                key,
                f"“{clip(value)}” có ký tự lạ “{strange}”.",
                f"“{clip(value)}” holds the strange character “{strange}”.",
                "Gõ lại bằng bảng mã Unicode: chữ tiếng Việt, số và dấu câu thường.",
                "Type it again in Unicode: Vietnamese letters, digits and common punctuation.",
            )
            return ""
        return value

    def code(self, key: str) -> str:
        """The cell as a code in capitals: letters, digits, dots, hyphens; at most 20."""
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
