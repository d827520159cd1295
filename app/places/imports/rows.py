"""Check the rows, each taken alone."""

from dataclasses import dataclass

from app.db import holds_personal_number, identity, names_a_person
from app.places.imports.columns import COLUMNS, VILLAGE_WORDS
from app.places.models import ImportKind, PremisesKind
from app.sheets import Problem, Row, Table, clip

COMMUNE_DIGITS = 5
PREMISES_WORDS: dict[str, PremisesKind] = {
    "hộ": PremisesKind.HOUSEHOLD,
    "hộ gia đình": PremisesKind.HOUSEHOLD,
    "trụ sở": PremisesKind.OFFICE,
    "cơ quan": PremisesKind.OFFICE,
    "nhà văn hóa": PremisesKind.CULTURE_HOUSE,
    "nhà văn hoá": PremisesKind.CULTURE_HOUSE,
}
TITLES: dict[ImportKind, dict[str, str]] = {kind: {c.key: c.title for c in cols} for kind, cols in COLUMNS.items()}


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


def bare_code(code: str) -> str:
    """A code of digits without the zeros that a spreadsheet drops; any other code as it is."""
    return code.lstrip("0") or code if code.isdigit() else code


def villages_in(table: Table) -> tuple[list[Village], list[Problem]]:
    """The villages of a file and everything wrong with its rows taken alone."""
    found: list[Village] = []
    problems: list[Problem] = []
    first: dict[str, tuple[str, int]] = {}
    for number, cells in table.rows:
        row = Row(number, cells, table.letters, TITLES[ImportKind.VILLAGES])
        commune = row.code("commune")
        if commune.isdigit() and len(commune) == COMMUNE_DIGITS - 1:  # Excel dropped the leading zero
            commune = commune.zfill(COMMUNE_DIGITS)
        code = row.code("code")
        kind_word, name = _kind_and_name(row)
        bare = bare_code(code)
        if code and bare in first:
            twin, at = first[bare]
            vi = (
                f"Mã {code} đã có ở dòng {at}."
                if twin == code
                else f"Mã {code} chỉ khác mã {twin} ở dòng {at} số 0 đầu."
            )
            en = f"The code {code} is already in row {at}."
            if twin != code:
                en = f"The code {code} differs from {twin} in row {at} only by zeros at its beginning."
            row.wrong(
                "code",
                vi,
                en,
                "Mỗi thôn một mã: sửa mã hoặc xóa dòng thừa.",
                "One code for each village: change it or delete the row.",
            )
        elif code:
            first[bare] = (code, number)
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
            "kind" if "kind" in row.letters else "name",
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
        row = Row(number, cells, table.letters, TITLES[ImportKind.PREMISES])
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
            key = (code, kind, identity(label))
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
