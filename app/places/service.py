"""The verbs of places: load the province, import lists, add and rename, set attributes."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from app import audit, clock, jobs
from app.actor import Actor, Role
from app.db import Words, new_id, nfc, sort_key
from app.errors import Conflict, Invalid, forbidden
from app.jobs import Job, Report
from app.media import MediaBlob, MediaStore, forget_list, open_blob, store_file
from app.outbox import publish
from app.places import imports, queries
from app.places.events import PlaceChanged, PremisesChanged, VillagesImported
from app.places.imports import AddPremises, AddVillage, Plan, RenameVillage
from app.places.models import (
    ImportKind,
    Level,
    Place,
    PlaceAttribute,
    PlaceImport,
    PlaceLineage,
    PlaceName,
    Premises,
)

DATA = Path(__file__).resolve().parent / "data"
MERGER = date(2025, 7, 1)
MERGER_DECISION = "Nghị quyết 1672/NQ-UBTVQH15 ngày 16/06/2025"
IMPORT_JOB = "places.import_villages"
IMPORT_LOCK = 20250701  # one import at a time: two that add the same village would each find it missing
LISTS_LOCK = 20250702  # shared by whoever sends a list, alone for whoever deletes old ones
LISTS_KEPT = timedelta(days=2)  # a list that nobody applied; it may hold what should not have been sent
CHUNK = 1000
GROUP_KEY = "commune_group"

T = TypeVar("T")


def may_manage(actor: Actor) -> bool:
    """Only the province keeps the list of its places."""
    return actor.kind == "system" or actor.has(Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR)


def require_manager(actor: Actor) -> None:
    """Raises Forbidden."""
    if not may_manage(actor):
        raise forbidden()


# --- reference data ----------------------------------------------------------------------------------------------


def load_reference(session: Session) -> int:
    """Add what is missing of Lạng Sơn: province, closed districts, old and new communes, lineage. Returns how many rows.

    Safe to call at every start. Codes repeat between old and new communes, so rows are matched by code and dates.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": IMPORT_LOCK})
    units = list(csv.DictReader(StringIO((DATA / "langson-units.csv").read_text(encoding="utf-8"))))
    query = select(Place.code, Place.valid_to, Place.id).where(Place.level != Level.VILLAGE)
    # Before 1 July 2025 and since: a code alone does not say which unit is meant.
    known = {(row.code, row.valid_to is not None and row.valid_to < MERGER): row.id for row in session.execute(query)}
    added = 0
    for level in (Level.PROVINCE, Level.DISTRICT, Level.COMMUNE):
        rows = [u for u in units if u["level"] == level]
        new = [u for u in rows if (u["code"], bool(u["valid_to"])) not in known]
        places = [_reference_row(u, known) for u in new]
        known.update({(u["code"], bool(u["valid_to"])): p["id"] for u, p in zip(new, places, strict=True)})
        added += _insert_places(session, places, None)
    lines = list(csv.DictReader(StringIO((DATA / "langson-lineage.csv").read_text(encoding="utf-8"))))
    there = {(row.old_id, row.new_id) for row in session.execute(select(PlaceLineage.old_id, PlaceLineage.new_id))}
    lineage = [
        {
            "old_id": known[line["old_code"], True],
            "new_id": known[line["new_code"], False],
            "partial": line["partial"] == "1",
            "decision": MERGER_DECISION,
            "effective_on": MERGER,
        }
        for line in lines
    ]
    missing = [row for row in lineage if (row["old_id"], row["new_id"]) not in there]
    if missing:
        session.execute(insert(PlaceLineage), missing)
    return added + len(missing)


def _reference_row(unit: dict[str, str], known: dict[tuple[str, bool], UUID]) -> dict[str, Any]:
    parent = unit["parent_code"]
    closed = bool(unit["valid_to"])
    return {
        "id": new_id(),
        "code": unit["code"],
        "level": unit["level"],
        "kind_word": nfc(unit["kind_word"]),
        "name": nfc(unit["name"]),
        "parent_id": known.get((parent, closed)) or known.get((parent, False)) if parent else None,
        "valid_from": date.fromisoformat(unit["valid_from"]) if unit["valid_from"] else None,
        "valid_to": date.fromisoformat(unit["valid_to"]) if closed else None,
    }


def _insert_places(session: Session, places: Sequence[dict[str, Any]], person_id: UUID | None) -> int:
    now = clock.now()
    for part in _chunks(places, CHUNK):
        session.execute(
            insert(Place),
            [p | {"sort_key": sort_key(p["name"]), "recorded_at": now, "ended_at": _ended(p, now)} for p in part],
        )
        session.execute(
            insert(PlaceName),
            [
                {
                    "id": new_id(),
                    "place_id": p["id"],
                    "kind_word": p["kind_word"],
                    "name": p["name"],
                    "valid_from": p["valid_from"],
                    "valid_to": p["valid_to"],
                    "recorded_at": now,
                    "ended_at": _ended(p, now),
                    "person_id": person_id,
                }
                for p in part
            ],
        )
    return len(places)


def _ended(place: dict[str, Any], now: datetime) -> datetime | None:
    return now if place["valid_to"] is not None else None


def _chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    walk = iter(items)
    while part := list(islice(walk, size)):
        yield part


# --- imports -----------------------------------------------------------------------------------------------------


def begin_import(
    session: Session,
    actor: Actor,
    store: MediaStore,
    *,
    import_id: UUID,
    kind: ImportKind,
    effective_on: date,
    file_name: str,
    raw: bytes,
) -> UUID:
    """Keep the file to be looked at; nothing is applied. The same id with the same file again changes nothing."""
    require_manager(actor)
    if actor.person_id is None:
        raise forbidden()
    if effective_on > clock.today() or effective_on < MERGER:
        raise Invalid(
            "effective_on",
            vi=f"Ngày áp dụng phải từ {MERGER:%d/%m/%Y} đến hôm nay.",
            en=f"The day must be between {MERGER:%d/%m/%Y} and today.",
            field="effective_on",
        )
    media_type = "text/csv"
    if raw.startswith(b"PK\x03\x04"):
        media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": LISTS_LOCK})
    digest = store_file(session, store, raw, kind="import", media_type=media_type)
    known = session.get(PlaceImport, import_id)
    if known is not None:
        if (known.blob_sha256, known.kind, known.effective_on) != (digest, kind, effective_on):
            raise Conflict(
                "import_id_taken",
                vi="Lần nhập này đã có một tệp khác. Bác mở lại trang nhập rồi chọn tệp.",
                en="This import already holds another file. Open the import page again and choose the file.",
            )
        return known.id
    session.add(
        PlaceImport(
            id=import_id,
            kind=kind,
            person_id=actor.person_id,
            file_name=imports.clip(nfc(file_name), 120) or "danh-sach.csv",
            blob_sha256=digest,
            effective_on=effective_on,
            created_at=clock.now(),
        )
    )
    audit.record(session, actor, "places:import:preview", subject_id=import_id, kind=kind)
    return import_id


def plan_import(session: Session, actor: Actor, store: MediaStore, import_id: UUID) -> tuple[PlaceImport, Plan]:
    """What the kept file would do if it were applied now."""
    require_manager(actor)
    row = queries.import_of(session, actor, import_id)
    if session.get(MediaBlob, row.blob_sha256) is None:
        raise Conflict(
            "import_forgotten",
            vi=f"Tệp này chưa được nhập nên đã bị xóa sau {LISTS_KEPT.days} ngày. Bác gửi lại tệp.",
            en=f"This file was not imported and has been deleted after {LISTS_KEPT.days} days. Send it again.",
        )
    raw = open_blob(session, store, row.blob_sha256).data
    return row, imports.plan(session, raw, ImportKind(row.kind), row.effective_on)


def request_import(session: Session, actor: Actor, store: MediaStore, import_id: UUID) -> UUID:
    """Queue the import and return its job; pressing again returns the same job, unless that one failed: then a new one.

    Raises Invalid while a row is wrong.
    """
    require_manager(actor)
    row = queries.import_of(session, actor, import_id, lock=True)
    if row.job_id is not None and queries.failed_job(session, row) is None:
        return row.job_id
    plan = plan_import(session, actor, store, import_id)[1]
    imports.refuse_problems(plan)
    if plan.changes == 0:
        raise Conflict(
            "import_nothing",
            vi="Mọi dòng trong tệp đã có sẵn, không có gì để nhập.",
            en="Every row of the file is already there; nothing to import.",
        )
    what = "thôn" if row.kind == ImportKind.VILLAGES else "cơ sở"
    row.job_id = jobs.start(
        session,
        actor,
        IMPORT_JOB,
        title=Words(
            vi=f"Nhập {plan.changes} {what} từ {row.file_name}", en=f"Import {plan.changes} rows from {row.file_name}"
        ),
        params={"import_id": import_id},
    )
    audit.record(session, actor, "places:import:apply", subject_id=import_id, changes=plan.changes)
    return row.job_id


def apply_import(session: Session, actor: Actor, job: Job, report: Report, store: MediaStore) -> dict[str, Any]:
    """The job behind `request_import`: everything or nothing, judged again against what is there now. Safe to repeat."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": IMPORT_LOCK})
    row = queries.import_of(session, actor, UUID(str(job.params["import_id"])), lock=True)
    if row.applied_at is not None:
        return row.summary or {}
    plan = plan_import(session, actor, store, row.id)[1]
    imports.refuse_problems(plan)
    report(0, plan.changes)
    done = 0
    for part in _chunks(plan.villages, CHUNK):
        add_villages(session, part, row.effective_on, row.person_id)
        report(done := done + len(part))
    for rename in plan.renames:
        rename_place(
            session,
            rename.place,
            kind_word=rename.new.kind_word,
            name=rename.new.name,
            valid_from=row.effective_on,
            person_id=row.person_id,
        )
        publish(session, actor, PlaceChanged(place_id=rename.place.id))
    report(done := done + len(plan.renames))
    for added in _chunks(plan.premises, CHUNK):
        add_premises(session, added, row.effective_on, row.person_id)
        report(done := done + len(added))
    for village_id in sorted({p.village.id for p in plan.premises}):
        publish(session, actor, PremisesChanged(village_id=village_id))
    if plan.villages or plan.renames:
        publish(session, actor, VillagesImported(import_id=row.id))
    row.applied_at = clock.now()
    row.summary = {
        "added": len(plan.villages) + len(plan.premises),
        "renamed": len(plan.renames),
        "unchanged": plan.unchanged,
    }
    audit.record(session, actor, "places:import:done", subject_id=row.id, **row.summary)
    return row.summary


def forget_lists(session: Session, store: MediaStore) -> int:
    """Delete the files of imports that nobody applied in time; the rows stay. Returns how many. Runs as SYSTEM."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LISTS_LOCK})
    old = queries.lists_to_forget(session, clock.now() - LISTS_KEPT)
    return sum(forget_list(session, store, digest) for digest in old)


def add_villages(session: Session, rows: Sequence[AddVillage], valid_from: date, person_id: UUID | None) -> None:
    """Insert villages that the caller has judged."""
    _insert_places(
        session,
        [
            {
                "id": new_id(),
                "code": r.new.code,
                "level": Level.VILLAGE,
                "kind_word": r.new.kind_word,
                "name": r.new.name,
                "parent_id": r.commune.id,
                "valid_from": valid_from,
                "valid_to": None,
            }
            for r in rows
        ],
        person_id,
    )


def rename_place(
    session: Session, place: Place, *, kind_word: str, name: str, valid_from: date, person_id: UUID | None
) -> None:
    """Give a place another name from a day on. It stays the same place: everything that points to it stays.

    The old name's row ends the day before. A day not after the old name's own first day corrects that name instead.
    """
    now = clock.now()
    current = session.scalars(
        select(PlaceName)
        .where(PlaceName.place_id == place.id, PlaceName.valid_to.is_not_distinct_from(place.valid_to))
        .order_by(PlaceName.recorded_at.desc())
    ).first()
    start = valid_from
    if current is not None:
        if current.valid_from is not None and current.valid_from >= valid_from:
            start = current.valid_from
        current.valid_to = start - timedelta(days=1)
        current.ended_at = now
    session.add(
        PlaceName(
            place_id=place.id,
            kind_word=kind_word,
            name=name,
            valid_from=start,
            valid_to=place.valid_to,
            recorded_at=now,
            ended_at=now if place.valid_to is not None else None,
            person_id=person_id,
        )
    )
    session.execute(
        update(Place).where(Place.id == place.id).values(kind_word=kind_word, name=name, sort_key=sort_key(name))
    )


# --- premises ----------------------------------------------------------------------------------------------------


def add_premises(session: Session, rows: Sequence[AddPremises], valid_from: date, person_id: UUID | None) -> None:
    """Insert premises that the caller has judged."""
    now = clock.now()
    session.execute(
        insert(Premises),
        [
            {
                "id": new_id(),
                "village_id": r.village.id,
                "kind": r.new.kind,
                "label": r.new.label,
                "valid_from": valid_from,
                "valid_to": None,
                "recorded_at": now,
                "ended_at": None,
                "person_id": person_id,
            }
            for r in rows
        ],
    )


# --- attributes --------------------------------------------------------------------------------------------------


def set_attribute(
    session: Session, actor: Actor, *, place_id: UUID, key: str, value: str, valid_from: date, basis: str
) -> UUID:
    """Record a value of a place from a day on, with the document it rests on. The value before ends the day before.

    The same value and basis again change nothing. A day before the present value's first day is refused.
    """
    require_manager(actor)
    place = queries.place(session, place_id)
    if (key == GROUP_KEY and place.level != Level.COMMUNE) or place.valid_to is not None:
        raise Invalid(
            "not_here",
            vi="Chỉ đặt được nhóm cho xã, phường đang có.",
            en="A group can be set only for a commune in force.",
        )
    if valid_from > clock.today() + timedelta(days=366):
        raise Invalid(
            "valid_from",
            vi="Ngày áp dụng xa quá một năm. Bác kiểm tra lại năm.",
            en="The day is more than a year ahead. Check the year.",
            field="valid_from",
        )
    current = session.scalar(
        select(PlaceAttribute)
        .where(PlaceAttribute.place_id == place_id, PlaceAttribute.key == key, PlaceAttribute.valid_to.is_(None))
        .with_for_update()
    )
    if current is not None:
        if (current.value, current.basis) == (value, basis) and current.valid_from <= valid_from:
            return current.id
        if current.valid_from > valid_from:
            raise Invalid(
                "valid_from",
                vi=f"Giá trị đang dùng có từ {current.valid_from:%d/%m/%Y}; ngày áp dụng phải từ đó trở đi.",
                en=f"The present value began on {current.valid_from:%d/%m/%Y}; choose that day or a later one.",
                field="valid_from",
            )
        current.valid_to = valid_from - timedelta(days=1)
        current.ended_at = clock.now()
        session.flush()  # the open row must be closed before the next one opens: one open row for each key
    row = PlaceAttribute(
        id=new_id(),
        place_id=place_id,
        key=key,
        value=value,
        valid_from=valid_from,
        basis=basis,
        recorded_at=clock.now(),
        person_id=actor.person_id,
    )
    session.add(row)
    audit.record(session, actor, "places:attribute:set", subject_id=place_id, key=key, value=value)
    publish(session, actor, PlaceChanged(place_id=place_id))
    return row.id


__all__ = [
    "AddPremises",
    "AddVillage",
    "RenameVillage",
    "add_premises",
    "add_villages",
    "apply_import",
    "begin_import",
    "forget_lists",
    "load_reference",
    "may_manage",
    "plan_import",
    "rename_place",
    "request_import",
    "require_manager",
    "set_attribute",
]
