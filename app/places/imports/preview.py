"""Compare with what is there: what applying the file would do."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.orm import Session

from app import clock
from app.db import Words, fold
from app.errors import Invalid
from app.places import queries
from app.places.imports.problems import Problem, Unreadable
from app.places.imports.rows import Label, Row, Village, labels_in, villages_in
from app.places.imports.table import Table, read_table
from app.places.models import ImportKind, Level, Place


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
        one = Row(row, {}, table.letters, kind)
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
    gone = queries.ended_villages(session, {v.code for v in villages}, today)
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
        known = there.get(v.code) or gone.get(v.code)
        if known is not None and known.level == Level.VILLAGE and known.valid_to is not None:
            what = f"{known.kind_word} {known.name}"
            refuse(
                v.row,
                "code",
                f"Mã {v.code} là mã của {what}, không còn từ sau ngày {known.valid_to:%d/%m/%Y}.",
                f"The code {v.code} belongs to {what}, which ended on {known.valid_to:%d/%m/%Y}.",
                "Xóa dòng này; nếu là thôn mới, dùng một mã chưa dùng.",
                "Delete the row; for a new village use a code that was never used.",
            )
        elif known is None:
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
        if village is None or village.valid_to is not None:
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
