"""One person's data in trace, for the file of their own data (Law 91/2025/QH15)."""

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.accounts.queries import among
from app.actor import Actor, Right
from app.db import picked
from app.trace.models import (
    Batch,
    BatchEvent,
    CareLog,
    ConflictingSubmission,
    Cycle,
    Site,
    SiteVillage,
    StockMovement,
    TraceCode,
)

_LOG = (
    "id organisation_id site_id cycle_id kind happened_at recorded_at witness material quantity unit pre_harvest_days photos"
    " corrects_id withdrawn time_doubtful"
)
_OWN_WORDS = "note reason device_id"


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """The steps this person did, wrote or witnessed, and what else they recorded. Needs a session of SYSTEM.

    Of a step that somebody else wrote, their free text and their phone are left out: they may name other people.
    """
    me = actor.person_id
    steps = session.scalars(
        select(CareLog)
        .where(or_(CareLog.performed_by == me, CareLog.written_by == me, CareLog.witnessed_by == me))
        .order_by(CareLog.position)
    )
    # One's own household: its plots, with their position, are one's own data, whoever typed them in.
    home = session.scalars(
        select(Site).where(among(Site.organisation_id, actor.where(Right.FARM))).order_by(Site.created_at, Site.id)
    )
    made = session.scalars(select(Site).where(Site.person_id == me).order_by(Site.created_at, Site.id))
    seasons = session.scalars(select(Cycle).where(Cycle.person_id == me).order_by(Cycle.created_at, Cycle.id))
    laid = session.scalars(
        select(SiteVillage)
        .where(or_(SiteVillage.person_id == me, SiteVillage.ended_by == me))
        .order_by(SiteVillage.recorded_at, SiteVillage.id)
    )
    sent = session.scalars(
        select(ConflictingSubmission)
        .where(ConflictingSubmission.person_id == me)
        .order_by(ConflictingSubmission.received_at, ConflictingSubmission.id)
    )
    lots = session.scalars(select(Batch).where(Batch.person_id == me).order_by(Batch.created_at, Batch.id))
    decided = session.scalars(select(BatchEvent).where(BatchEvent.person_id == me).order_by(BatchEvent.position))
    codes = session.scalars(
        select(TraceCode).where(TraceCode.person_id == me).order_by(TraceCode.created_at, TraceCode.code)
    )
    moved = session.scalars(select(StockMovement).where(StockMovement.person_id == me).order_by(StockMovement.position))
    return {
        "care_logs": [
            picked(log, _LOG)
            | (picked(log, _OWN_WORDS) if log.written_by == me else {})
            | {
                "performed_by_me": log.performed_by == me,
                "written_by_me": log.written_by == me,
                "witnessed_by_me": log.witnessed_by == me,
            }
            for log in steps
        ],
        "conflicting_submissions": [picked(c, "id care_log_id organisation_id body received_at") for c in sent],
        "sites_of_my_household": [
            picked(s, "id organisation_id name kind area area_unit photo_sha256 latitude longitude created_at")
            for s in home
        ],
        "sites_recorded": [picked(s, "id organisation_id kind created_at") for s in made],
        "site_villages": [
            picked(v, "id site_id village_id valid_from valid_to")
            | {"recorded_by_me": v.person_id == me, "ended_by_me": v.ended_by == me}
            for v in laid
        ],
        "cycles": [picked(c, "id site_id crop started_on expected_harvest_on ended_on created_at") for c in seasons],
        "batches": [picked(b, "id organisation_id product_id lot made_on created_at") for b in lots],
        "batch_events": [picked(e, "id batch_id organisation_id kind at recorded_at reason") for e in decided],
        "trace_codes": [picked(c, "code organisation_id batch_id lot created_at") for c in codes],
        "stock_movements": [
            picked(m, "id organisation_id variant_id batch_id kind units happened_at recorded_at reason") for m in moved
        ],
    }
