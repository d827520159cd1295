"""Check the rows, each taken alone."""

from dataclasses import dataclass

from app.db import holds_personal_number, identity, names_a_person
from app.messages import N_
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
            why = N_("Mã %(code)s đã có ở dòng %(row)s.", code=code, row=at)
            if twin != code:
                why = N_("Mã %(code)s chỉ khác mã %(twin)s ở dòng %(row)s số 0 đầu.", code=code, twin=twin, row=at)
            row.wrong("code", why, N_("Mỗi thôn một mã: sửa mã hoặc xóa dòng thừa."))
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
            N_("Không biết loại “%(value)s”.", value=clip(kind)),
            N_("Dùng một trong: %(words)s.", words=", ".join(VILLAGE_WORDS)),
        )
    elif not kind and not inside and name:
        row.wrong(
            "kind" if "kind" in row.letters else "name",
            N_("Chưa rõ “%(name)s” là thôn, bản hay khối phố.", name=name),
            N_("Điền cột “Loại”, hoặc viết tên như “thôn Quán Thanh”."),
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
                N_("Không biết loại “%(value)s”.", value=clip(word)),
                N_("Dùng một trong: hộ, trụ sở, nhà văn hóa."),
            )
        if holds_personal_number(label):
            row.wrong(
                "name",
                N_("Nhãn có số dài như số điện thoại hoặc số giấy tờ."),
                N_("Thay bằng tên gọi tại thôn, ví dụ “Hộ số 07”."),
            )
        elif names_a_person(label):
            row.wrong(
                "name",
                N_("Nhãn “%(value)s” như tên của một người.", value=clip(label)),
                N_("Không ghi họ tên ai. Thay bằng tên gọi tại thôn, ví dụ “Hộ số 07”."),
            )
        if kind is not None and not row.problems:
            key = (code, kind, identity(label))
            if key in first:
                row.wrong(
                    "name",
                    N_("“%(label)s” đã có ở dòng %(row)s.", label=label, row=first[key]),
                    N_("Xóa dòng thừa hoặc đặt nhãn khác."),
                )
            else:
                first[key] = number
                found.append(Label(number, code, kind, label))
        problems.extend(row.problems)
    return found, problems
