"""Check the rows, each taken alone."""

import re
import unicodedata
from dataclasses import dataclass

from app.db import Words, fold, holds_personal_number, names_a_person, nfc
from app.places.imports.columns import COLUMNS, VILLAGE_WORDS
from app.places.imports.csv_file import LETTERS
from app.places.imports.problems import FORMULA_STARTS, Problem, clip
from app.places.imports.table import Table
from app.places.models import ImportKind, PremisesKind

CODE = re.compile(r"^[0-9A-Z][0-9A-Z.\-]{0,19}$")
NAME_CHARACTERS = LETTERS | set("0123456789 -–.,:;'’\"“”()/&+°")
MAX_NAME = 80
PREMISES_WORDS: dict[str, PremisesKind] = {
    "hộ": PremisesKind.HOUSEHOLD,
    "hộ gia đình": PremisesKind.HOUSEHOLD,
    "trụ sở": PremisesKind.OFFICE,
    "cơ quan": PremisesKind.OFFICE,
    "nhà văn hóa": PremisesKind.CULTURE_HOUSE,
    "nhà văn hoá": PremisesKind.CULTURE_HOUSE,
}


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


class Row:
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
        row = Row(number, cells, table.letters, ImportKind.VILLAGES)
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


def _kind_and_name(row: Row) -> tuple[str, str]:
    name = row.name("name")
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
        row = Row(number, cells, table.letters, ImportKind.PREMISES)
        code, word, label = row.code("code"), row.text("kind").casefold(), row.name("name")
        kind = PREMISES_WORDS.get(word)
        if word and kind is None:
            row.wrong(
                "kind",
                f"Không biết loại “{clip(word)}”.",
                f"Unknown kind “{clip(word)}”.",
                "Dùng một trong: hộ, trụ sở, nhà văn hóa.",
                "Use one of: hộ, trụ sở, nhà văn hóa.",
            )
        if holds_personal_number(label):
            row.wrong(
                "name",
                "Nhãn có số dài như số điện thoại hoặc số giấy tờ.",
                "The label holds a long number like a phone or identity number.",
                "Thay bằng tên gọi tại thôn, ví dụ “Hộ số 07”.",
                "Use a local label such as “Hộ số 07”.",
            )
        elif names_a_person(label):
            row.wrong(
                "name",
                f"Nhãn “{clip(label)}” như tên của một người.",
                f"The label “{clip(label)}” looks like somebody's name.",
                "Không ghi họ tên ai. Thay bằng tên gọi tại thôn, ví dụ “Hộ số 07”.",
                "Name nobody. Use a local label such as “Hộ số 07”.",
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
