"""Compare the villages of a file with those that are there."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.db import Words, identity
from app.messages import N_, Sentence
from app.places import queries
from app.places.imports.plans import AddVillage, Judge, Plan, RenameVillage
from app.places.imports.rows import Village, bare_code
from app.places.models import ImportKind, Level, Place
from app.places.names import Called
from app.places.same_names import near_name_key
from app.sheets import Table

LISTED = 10


def compare_villages(session: Session, result: Plan, villages: list[Village], table: Table, effective_on: date) -> None:
    """Add to the plan what the villages of a file would change, and what is wrong with them or must be looked at."""
    judge = Judge(result, table, ImportKind.VILLAGES)
    communes = _communes(session, {v.commune_code for v in villages})
    unknown = {v.commune_code for v in villages} - communes.keys()
    closed = _closed_words(session, unknown, clock.today())
    known = _KnownVillages(session, {v.code for v in villages})
    same: list[RenameVillage] = []
    for v in villages:
        commune = communes.get(v.commune_code)
        if commune is None:
            judge.refuse(v.row, "commune", *_no_commune(v.commune_code, closed))
        elif commune.valid_from is not None and effective_on < commune.valid_from:
            judge.refuse(v.row, "commune", *not_yet(commune))
        else:
            place, twins = known.of(v)
            if twins:
                judge.refuse(v.row, "code", *_only_zeros_apart(v.code, twins))
                continue
            refused = _refused(v, place, commune)
            if refused is not None:
                judge.refuse(v.row, "code", *refused)
            elif place is None:
                result.villages.append(AddVillage(v, commune))
            elif identity(full(place)) != identity(full(v)):
                result.renames.append(RenameVillage(v, place))
            else:
                same.append(RenameVillage(v, place))
    result.unchanged += len(same)
    _tell_of_other_spellings(result, same)
    _ask_about_names(session, result, communes)
    _ask_about_zeros(result)


def full(one: Place | Village) -> str:
    return f"{one.kind_word} {one.name}"


def _communes(session: Session, codes: Collection[str]) -> dict[str, Place]:
    found = queries.all_by_code(session, codes, clock.today())
    return {code: place for code, place in found.items() if place.level == Level.COMMUNE}


class _KnownVillages:
    """The places that bear or bore the codes of a file, and those whose codes differ only by zeros at the beginning."""

    def __init__(self, session: Session, codes: Collection[str]) -> None:
        today = clock.today()
        self._there = queries.all_by_code(session, codes, today)
        self._gone = queries.ended_villages(session, codes, today)
        strange = {bare_code(c) for c in codes if c.isdigit() and c not in self._there and c not in self._gone}
        self._twins = queries.villages_by_bare_code(session, strange)

    def of(self, v: Village) -> tuple[Place | None, list[Place]]:
        """The place of a row, and none; or no place, and the villages that may be meant.

        A code without its zero is that village's when it could be no other: one village, of that commune, by that name.
        """
        place = self._there.get(v.code) or self._gone.get(v.code)
        twins = self._twins.get(bare_code(v.code), []) if place is None and v.code.isdigit() else []
        if len(twins) == 1 and twins[0].valid_to is None and len(twins[0].code) > len(v.code):
            same = identity(full(twins[0])) == identity(full(v))
            if same:
                return twins[0], []
        return place, twins


def _refused(v: Village, place: Place | None, commune: Place) -> tuple[Words, Words] | None:
    """Why the place that bears the code cannot be the village of this row, and the way out."""
    if place is None:
        return None
    what = full(place)
    if place.level == Level.VILLAGE and place.valid_to is not None:
        return (
            Words.of(
                N_(
                    "Mã %(code)s là mã của %(what)s, không còn từ sau ngày %(valid_to)s.",
                    code=v.code,
                    what=what,
                    valid_to=f"{place.valid_to:%d/%m/%Y}",
                )
            ),
            Words.of(N_("Xóa dòng này; nếu là thôn mới, dùng một mã chưa dùng.")),
        )
    if place.level != Level.VILLAGE or place.parent_id != commune.id:
        return (
            Words.of(
                N_(
                    "Mã %(code)s đang là mã của %(what)s, không thuộc %(commune)s.",
                    code=v.code,
                    what=what,
                    commune=full(commune),
                )
            ),
            Words.of(N_("Sửa mã thôn hoặc mã xã.")),
        )
    return None


def not_yet(place: Place) -> tuple[Words, Words]:
    """Why nothing can be recorded of a place before its first day."""
    return (
        Words.of(
            N_(
                "%(place)s mới có từ %(day)s.",
                place=Called(place.kind_word, place.name, first=True),
                day=f"{place.valid_from:%d/%m/%Y}",
            )
        ),
        Words.of(N_("Chọn ngày áp dụng từ ngày đó trở đi.")),
    )


def _only_zeros_apart(code: str, twins: list[Place]) -> tuple[Words, Words]:
    listed = ", ".join(f"{t.code} ({full(t)})" for t in twins[:LISTED])
    return (
        Words.of(N_("Mã %(code)s chỉ khác số 0 ở đầu với mã %(listed)s.", code=code, listed=listed)),
        Words.of(
            N_(
                "Nếu là thôn đó: đặt định dạng ô là Văn bản (Text) rồi gõ đúng mã đang có. Nếu là thôn khác: dùng "
                "mã khác hẳn."
            )
        ),
    )


def _no_commune(code: str, closed: dict[str, Sentence]) -> tuple[Words, Words]:
    return (
        Words.of(closed.get(code, N_("Không có xã, phường nào mang mã %(code)s hôm nay.", code=code))),
        Words.of(N_("Dùng mã của xã, phường từ 01/07/2025 (xem trang Địa bàn).")),
    )


def _closed_words(session: Session, codes: Collection[str], on: date) -> dict[str, Sentence]:
    closed = queries.closed_by_code(session, codes, on)
    after = queries.became_of(session, [p.id for ps in closed.values() for p in ps]) if closed else {}
    words: dict[str, Sentence] = {}
    for code, olds in closed.items():
        old = olds[0]
        kin = ", ".join(f"{full(k.place)} ({k.place.code})" for k in after.get(old.id, []))
        if kin:
            words[code] = N_(
                "Không có xã, phường nào mang mã %(code)s hôm nay. Đó là mã cũ của %(old)s, nay thuộc %(kin)s.",
                code=code,
                old=full(old),
                kin=kin,
            )
    return words


# --- what is told and what is asked ------------------------------------------------------------------------------


def listed(found: list[str]) -> str:
    return "; ".join(found[:LISTED]) + ("…" if len(found) > LISTED else "")


def _tell_of_other_spellings(result: Plan, same: list[RenameVillage]) -> None:
    restored = [r for r in same if r.place.code != r.new.code]
    respelled = [r for r in same if full(r.place) != full(r.new)]
    if restored:
        shown = listed([f"{r.new.code} là {r.place.code}" for r in restored])
        result.notes.append(
            Words.of(
                N_(
                    "%(restored)s mã thôn mất số 0 ở đầu, đã nhận ra thôn đang có: %(shown)s.",
                    restored=len(restored),
                    shown=shown,
                )
            )
        )
    if respelled:
        shown = listed([f"{full(r.new)} ({full(r.place)})" for r in respelled])
        result.notes.append(
            Words.of(
                N_(
                    "%(respelled)s tên chỉ khác cách viết (hoà và hòa, chữ hoa), giữ tên đang có: %(shown)s. Muốn đổi "
                    "cách viết thì bấm “Đổi tên” ở trang của thôn.",
                    respelled=len(respelled),
                    shown=shown,
                )
            )
        )


@dataclass(frozen=True, slots=True)
class _Bearer:
    name: str
    code: str
    fresh: bool


def _ask_about_names(session: Session, result: Plan, communes: dict[str, Place]) -> None:
    """Two villages of one commune by one name, or nearly, once the file is applied: more often one typed twice than two."""
    renamed = {r.place.id: r.new for r in result.renames}
    touched = {a.commune.id for a in result.villages} | {r.place.parent_id for r in result.renames}
    bearers: dict[tuple[UUID | None, str], list[_Bearer]] = defaultdict(list)
    for place in queries.villages_of(session, [c for c in touched if c is not None], clock.today()):
        name = full(renamed.get(place.id, place))
        bearers[place.parent_id, near_name_key(name)].append(_Bearer(name, place.code, place.id in renamed))
    for added in result.villages:
        name = full(added.new)
        bearers[added.commune.id, near_name_key(name)].append(_Bearer(name, added.new.code, fresh=True))
    by_id = {c.id: c for c in communes.values()}
    for (commune_id, _), group in bearers.items():
        if len(group) > 1 and commune_id is not None and any(b.fresh for b in group):
            where, who = (
                full(by_id[commune_id]),
                ", ".join(f"{b.name} ({b.code})" for b in sorted(group, key=lambda b: b.code)),
            )
            one = len({identity(b.name) for b in group}) == 1
            result.questions.append(
                Words.of(
                    N_("Trùng tên trong %(where)s: %(who)s.", where=where, who=who)
                    if one
                    else N_("Tên gần như một trong %(where)s: %(who)s.", where=where, who=who)
                )
            )


def _ask_about_zeros(result: Plan) -> None:
    """A new code of digits that begins like the commune's without its zero has most likely lost its own."""
    doubtful = [
        a.new.code
        for a in result.villages
        if a.new.code.isdigit()
        and not a.new.code.startswith(a.commune.code)
        and a.commune.code.startswith("0")
        and a.new.code.startswith(bare_code(a.commune.code))
    ]
    if doubtful:
        result.questions.append(
            Words.of(
                N_(
                    "%(doubtful)s mã thôn mới bắt đầu như mã xã mất số 0 ở đầu, có lẽ Excel đã bỏ số 0: %(listed)s.",
                    doubtful=len(doubtful),
                    listed=listed(doubtful),
                )
            )
        )
