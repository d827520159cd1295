"""Rows of the diary: what becomes of a step, how it is stored once under its id, and who hears of it."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts.queries import among
from app.actor import Actor
from app.db import canonical_json, json_ready, new_id
from app.errors import Conflict, HoiError, forbidden
from app.messages import N_
from app.outbox import publish_all
from app.trace import queries
from app.trace.events import CareLogRecorded
from app.trace.models import CareLog, ConflictingSubmission
from app.trace.schemas import CareLogIn, CorrectionIn, StepFacts

AHEAD = timedelta(minutes=10)  # clocks differ a little; beyond that the step has not happened yet
DOUBTFUL_CLOCK = timedelta(hours=48)  # a phone whose clock is that far off cannot say when anything was
Status = Literal["stored", "repeated", "conflict", "refused"]


@dataclass(frozen=True, slots=True)
class LogOutcome:
    """What became of one item. `conflict`: the id holds other content, and what came was kept beside it."""

    id: UUID
    status: Status
    error: HoiError | None = None


def writer_of(actor: Actor) -> UUID:
    if actor.person_id is None:
        raise forbidden()
    return actor.person_id


def conflict() -> Conflict:
    return Conflict(
        "same_id_other_content",
        N_("Việc này đã ghi trước đó với nội dung khác. Cả hai bản đều được giữ; hợp tác xã sẽ xem và sửa cho đúng."),
    )


def digest_of(log: StepFacts) -> str:
    return hashlib.sha256(canonical_json(vars(log))).hexdigest()  # it has no parts of its own, so this is all it says


def _doubtful(happened_at: datetime, phone_now: datetime | None) -> bool:
    now = clock.now()
    return happened_at - now > AHEAD or (phone_now is not None and abs(phone_now - now) > DOUBTFUL_CLOCK)


def build_row(
    log: CareLogIn | CorrectionIn,
    actor: Actor,
    writer: UUID,
    organisation_id: UUID,
    phone_now: datetime | None,
    *,
    unnamed: Collection[UUID],
    digest: str | None = None,
) -> dict[str, Any]:
    """`unnamed`: people who said no to a diary in their name; what they did is written as done by somebody. `digest`: that of the
    step, where it is known already.
    """
    performed_by = log.performed_by if "performed_by" in log.model_fields_set else writer
    return {
        "id": log.id,
        "organisation_id": organisation_id,
        "site_id": log.site_id,
        "cycle_id": log.cycle_id,
        "kind": log.kind,
        "happened_at": log.happened_at,
        "recorded_at": clock.now(),
        "performed_by": None if performed_by in unnamed else performed_by,
        "written_by": writer,
        "witnessed_by": log.witnessed_by,
        "witness": log.witness,
        "material": log.material,
        "quantity": log.quantity,
        "unit": log.unit,
        "pre_harvest_days": log.pre_harvest_days,
        "note": log.note,
        "photos": list(log.photos),
        "corrects_id": None,
        "withdrawn": False,
        "reason": None,
        "device_id": actor.device_id,
        "time_doubtful": _doubtful(log.happened_at, phone_now),
        "content_sha256": digest or digest_of(log),
    }


# One JSON value for all rows: five times faster than parameters for each. In the order of sites and ids, so that two calls with
# the same sites or ids wait for each other instead of blocking each other. ON CONFLICT names no index: of two equal rows inserted at the
# same moment, the second fails on the other unique index of the id when only one of the two indexes is named.
INSERT = (
    "INSERT INTO care_logs (id, organisation_id, site_id, cycle_id, kind, happened_at, recorded_at, performed_by, written_by,"
    " witnessed_by, witness, material, quantity, unit, pre_harvest_days, note, photos, corrects_id, withdrawn, reason,"
    " device_id, time_doubtful, content_sha256)"
    " SELECT id, organisation_id, site_id, cycle_id, kind, happened_at, recorded_at, performed_by, written_by,"
    " witnessed_by, witness, material, quantity, unit, pre_harvest_days, note, photos, corrects_id, withdrawn, reason,"
    " device_id, time_doubtful, content_sha256"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, organisation_id uuid, site_id uuid, cycle_id uuid,"
    " kind text, happened_at timestamptz, recorded_at timestamptz, performed_by uuid, written_by uuid, witnessed_by uuid,"
    " witness text, material text, quantity numeric, unit text, pre_harvest_days smallint, note text, photos jsonb,"
    " corrects_id uuid, withdrawn boolean, reason text, device_id uuid, time_doubtful boolean, content_sha256 text)"
    " ORDER BY site_id, id ON CONFLICT DO NOTHING RETURNING id"
)


_INSERT = text(INSERT)


def rows_json(rows: Collection[dict[str, Any]]) -> str:
    return orjson.dumps(list(rows), default=json_ready).decode()  # only PostgreSQL reads it, moments in any zone


def insert_rows(session: Session, rows: Collection[dict[str, Any]]) -> set[UUID]:
    """The ids that were new."""
    if not rows:
        return set()
    return set(session.scalars(_INSERT, {"rows": rows_json(rows)}))


@dataclass(frozen=True, slots=True)
class Stands:
    """What stands under an id: the digest of the step, and its site."""

    digest: str
    site_id: UUID


def contents_of(session: Session, ids: Collection[UUID]) -> dict[UUID, Stands]:
    """What stands under these ids, as far as the actor may see it."""
    if not ids:
        return {}
    found = session.execute(select(CareLog.id, CareLog.content_sha256, CareLog.site_id).where(among(CareLog.id, ids)))
    return {row.id: Stands(row.content_sha256, row.site_id) for row in found}


def is_stored(session: Session, log: CorrectionIn) -> bool:
    """Whether the same content stands under this id already."""
    there = contents_of(session, [log.id]).get(log.id)
    return there is not None and there.digest == digest_of(log)


def build_conflict(log: CareLogIn, actor: Actor, organisation_id: UUID, digest: str, site_id: UUID) -> dict[str, Any]:
    """The row of what came under a taken id. `site_id`: of the step that stands under it, where the actor may see it."""
    return {
        "id": new_id(),
        "care_log_id": log.id,
        "site_id": site_id,
        "organisation_id": organisation_id,
        "body": json_ready(log),
        "content_sha256": digest,
        "received_at": clock.now(),
        "person_id": actor.person_id,
    }


def keep_conflicts(session: Session, kept: Sequence[dict[str, Any]]) -> None:
    if kept:
        statement = insert(ConflictingSubmission).on_conflict_do_nothing(
            index_elements=["care_log_id", "organisation_id", "content_sha256"]
        )
        session.execute(statement, list(kept))


def announce(session: Session, actor: Actor, rows: Sequence[dict[str, Any]]) -> None:
    """One event for each site and one line in the trail for each holder, whatever the number of steps."""
    by_site = {row["site_id"]: row for row in rows}
    first: dict[UUID, date] = {}
    for row in rows:
        day = clock.local(row["happened_at"]).date()
        first[row["site_id"]] = min(day, first.get(row["site_id"], day))
    batched = queries.batched_to(session, by_site)  # after the rows were written: see the triggers of migration 0107
    news = []
    for site_id, row in by_site.items():
        touches = site_id in batched and first[site_id] <= batched[site_id]
        news.append(CareLogRecorded(row["id"], site_id, row["organisation_id"], touches, first[site_id]))
    publish_all(session, actor, news)
    counts = Counter(row["organisation_id"] for row in rows)
    audit.record_each(session, actor, "trace:care_log:record", {o: {"count": count} for o, count in counts.items()})
