"""Compare the premises of a file with those that are there."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.db import Words, identity
from app.messages import N_
from app.places import queries
from app.places.imports.plans import AddPremises, Judge, Plan
from app.places.imports.rows import Label, bare_code
from app.places.imports.villages import full, listed, not_yet
from app.places.models import ImportKind, Level, Place
from app.places.same_names import near_name_key
from app.sheets import Table


def compare_premises(session: Session, result: Plan, labels: list[Label], table: Table, effective_on: date) -> None:
    """Add to the plan what the premises of a file would change, and what is wrong with them or must be looked at."""
    judge = Judge(result, table, ImportKind.PREMISES)
    villages, twins = _villages(session, {p.village_code for p in labels})
    restored: dict[str, Place] = {}
    there = queries.premises_keys(
        session, [v.id for v in villages.values()] + [t.id for ts in twins.values() for t in ts]
    )
    added: dict[tuple[UUID, str, str], int] = {}
    for p in labels:
        village = villages.get(p.village_code)
        meant = twins.get(p.village_code, [])
        if village is None and len(meant) == 1 and len(meant[0].code) > len(p.village_code):
            village = restored.setdefault(p.village_code, meant[0])
        if village is None or village.valid_to is not None:
            judge.refuse(p.row, "code", *_no_village(p.village_code, meant))
            continue
        key = (village.id, p.kind.value, identity(p.label))
        if village.valid_from is not None and effective_on < village.valid_from:
            judge.refuse(p.row, "code", *not_yet(village))
        elif key in added:
            judge.refuse(p.row, "name", *_twice(p.label, added[key]))
        elif key in there:
            result.unchanged += 1
        else:
            added[key] = p.row
            result.premises.append(AddPremises(p, village))
    _ask(result, there, restored)


def _villages(session: Session, codes: Collection[str]) -> tuple[dict[str, Place], dict[str, list[Place]]]:
    """The villages of these codes and, for codes of digits that nobody bears, those in force that differ only by zeros."""
    today = clock.today()
    found = queries.all_by_code(session, codes, today)
    villages = {code: place for code, place in found.items() if place.level == Level.VILLAGE}
    strange = {code for code in codes if code.isdigit() and code not in found}
    near = queries.villages_by_bare_code(session, {bare_code(code) for code in strange})
    twins = {code: [v for v in near.get(bare_code(code), []) if v.valid_to is None] for code in strange}
    return villages, twins


def _no_village(code: str, meant: list[Place]) -> tuple[Words, Words]:
    if meant:
        shown = listed([f"{v.code} ({full(v)})" for v in meant])
        return (
            Words.of(N_("Mã %(code)s chỉ khác số 0 ở đầu với mã %(shown)s.", code=code, shown=shown)),
            Words.of(N_("Đặt định dạng ô là Văn bản (Text) rồi gõ đúng mã thôn.")),
        )
    way = N_("Nhập danh sách thôn trước, hoặc sửa mã thôn.")
    if code.isdigit():
        way = N_("Nhập danh sách thôn trước, hoặc sửa mã thôn (Excel có thể đã bỏ số 0 ở đầu mã).")
    return (
        Words.of(N_("Không có thôn nào mang mã %(code)s hôm nay.", code=code)),
        Words.of(way),
    )


def _twice(label: str, row: int) -> tuple[Words, Words]:
    return (
        Words.of(N_("“%(label)s” đã có ở dòng %(row)s.", label=label, row=row)),
        Words.of(N_("Xóa dòng thừa hoặc đặt nhãn khác.")),
    )


def _ask(result: Plan, there: dict[tuple[UUID, str, str], str], restored: dict[str, Place]) -> None:
    """Villages known only by a code without its zeros, and labels that are nearly the same."""
    if restored:
        shown = listed([f"{code} là {v.code} ({full(v)})" for code, v in restored.items()])
        result.questions.append(
            Words.of(
                N_(
                    "%(restored)s mã thôn mất số 0 ở đầu, đọc là thôn đang có: %(shown)s.",
                    restored=len(restored),
                    shown=shown,
                )
            )
        )
    near: dict[tuple[UUID, str, str], list[str]] = defaultdict(list)
    for (village_id, kind, _), label in there.items():
        near[village_id, kind, near_name_key(label)].append(label)
    for one in result.premises:
        near[one.village.id, one.new.kind.value, near_name_key(one.new.label)].append(one.new.label)
    fresh = {(a.village.id, a.new.kind.value, near_name_key(a.new.label)) for a in result.premises}
    doubtful = [", ".join(labels) for key, labels in near.items() if len(labels) > 1 and key in fresh]
    if doubtful:
        result.questions.append(
            Words.of(N_("Nhãn gần như một trong cùng một thôn: %(listed)s.", listed=listed(doubtful)))
        )
