"""Lists of villages and premises: sent, looked at, applied whole by a job, forgotten when nobody applies them."""

from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import audit, clock, jobs
from app.actor import SYSTEM, Actor
from app.db import Words, nfc
from app.errors import Conflict, Invalid, forbidden
from app.jobs import Job, Report
from app.media import MediaBlob, MediaStore, delete_forgotten, forget_list, open_blob, store_file
from app.messages import N_
from app.outbox import publish
from app.places import imports, queries
from app.places.events import ListForgotten, PlaceChanged, PremisesChanged, VillagesImported
from app.places.imports import Plan
from app.places.models import ImportKind, PlaceImport
from app.places.service import (
    CHUNK,
    IMPORT_LOCK,
    MERGER,
    add_premises,
    add_villages,
    chunks,
    rename_place,
    require_manager,
)
from app.sheets import clip

IMPORT_JOB = "places.import_villages"
LISTS_LOCK = 20250702  # shared by whoever sends a list, alone for whoever deletes old ones
LISTS_KEPT = timedelta(days=2)  # a list that nobody applied; it may hold what should not have been sent


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
            N_("Ngày áp dụng phải từ %(merger)s đến hôm nay.", merger=f"{MERGER:%d/%m/%Y}"),
            field="effective_on",
        )
    media_type = "text/csv"
    if raw.startswith(b"PK\x03\x04"):
        media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": LISTS_LOCK})
    known = session.get(PlaceImport, import_id)
    # Asked before the file is stored: a refused one may hold what should not have been sent.
    sent = (sha256(raw).hexdigest(), kind, effective_on)
    if known is not None and (known.blob_sha256, known.kind, known.effective_on) != sent:
        raise Conflict("import_id_taken", N_("Lần nhập này đã có một tệp khác. Hãy mở lại trang nhập rồi chọn tệp."))
    digest = store_file(session, store, raw, kind="import", media_type=media_type)  # again, if it was forgotten
    if known is not None:
        return known.id
    session.add(
        PlaceImport(
            id=import_id,
            kind=kind,
            person_id=actor.person_id,
            file_name=clip(nfc(file_name), 120) or "danh-sach.csv",
            blob_sha256=digest,
            effective_on=effective_on,
            created_at=clock.now(),
        )
    )
    audit.record(session, actor, "places:import:preview", subject_id=import_id, kind=kind)
    return import_id


def plan_import(
    session: Session, actor: Actor, store: MediaStore, import_id: UUID, sheet: str = ""
) -> tuple[PlaceImport, Plan]:
    """What the kept file would do if it were applied now. `sheet`: the one to read, by name, where there are several."""
    require_manager(actor)
    row = queries.import_of(session, actor, import_id)
    if session.get(MediaBlob, row.blob_sha256) is None:
        raise Conflict(
            "import_forgotten",
            N_("Tệp này chưa được nhập nên đã bị xóa sau %(days)s ngày. Hãy gửi lại tệp.", days=LISTS_KEPT.days),
        )
    raw = open_blob(session, store, row.blob_sha256).data
    return row, imports.plan(session, raw, ImportKind(row.kind), row.effective_on, sheet)


def request_import(
    session: Session, actor: Actor, store: MediaStore, import_id: UUID, *, sheet: str = "", seen: str = ""
) -> UUID:
    """Queue the import and return its job; pressing again returns the same job, unless that one failed: then a new one.

    `seen`: what the plan asked when the person said yes. Raises Invalid while a row is wrong or something asked was not seen.
    """
    require_manager(actor)
    row = queries.import_of(session, actor, import_id, lock=True)
    if row.job_id is not None and queries.failed_job(session, row) is None:
        return row.job_id
    plan = plan_import(session, actor, store, import_id, sheet)[1]
    imports.refuse_problems(plan, seen)
    if plan.changes == 0:
        raise Conflict("import_nothing", N_("Mọi dòng trong tệp đã có sẵn, không có gì để nhập."))
    title = N_("Nhập %(changes)s cơ sở từ %(file)s", changes=plan.changes, file=row.file_name)
    if row.kind == ImportKind.VILLAGES:
        title = N_("Nhập %(changes)s thôn từ %(file)s", changes=plan.changes, file=row.file_name)
    row.job_id = jobs.start(
        session,
        actor,
        IMPORT_JOB,
        title=Words.of(title),
        params={"import_id": import_id, "sheet": sheet, "seen": seen},
    )
    audit.record(session, actor, "places:import:apply", subject_id=import_id, changes=plan.changes)
    return row.job_id


def apply_import(session: Session, actor: Actor, job: Job, report: Report, store: MediaStore) -> dict[str, Any]:
    """The job behind `request_import`: everything or nothing, judged again against what is there now. Safe to repeat."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": IMPORT_LOCK})
    row = queries.import_of(session, actor, UUID(str(job.params["import_id"])), lock=True)
    if row.applied_at is not None:
        return row.summary or {}
    # Jobs that waited while the program was renewed know neither a sheet nor what was asked.
    plan = plan_import(session, actor, store, row.id, str(job.params.get("sheet", "")))[1]
    imports.refuse_problems(plan, str(job.params.get("seen", "")))
    report(0, plan.changes)
    done = 0
    for part in chunks(plan.villages, CHUNK):
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
    for added in chunks(plan.premises, CHUNK):
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


def forget_lists(session: Session) -> int:
    """Let go of the files of imports that nobody applied in time; the imports stay. Returns how many. Runs as SYSTEM.

    The bytes go once this is committed, by the reaction to `ListForgotten`.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LISTS_LOCK})
    old = queries.lists_to_forget(session, clock.now() - LISTS_KEPT)
    gone = [digest for digest in old if forget_list(session, digest)]
    for digest in gone:
        publish(session, SYSTEM, ListForgotten(sha256=digest))
    return len(gone)


def delete_forgotten_list(session: Session, store: MediaStore, digest: str) -> bool:
    """Delete the bytes of a list that was let go; False when the same list was sent again since. Runs as SYSTEM."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LISTS_LOCK})
    return delete_forgotten(session, store, digest)
