"""Lists that were sent to be imported."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from app.actor import Actor
from app.db import keyset
from app.errors import not_found
from app.jobs import Job, JobState
from app.media import MediaBlob
from app.messages import N_
from app.places.models import PlaceImport


def import_of(session: Session, actor: Actor, import_id: UUID, *, lock: bool = False) -> PlaceImport:
    """The actor's own import (SYSTEM: anybody's). Raises NotFound."""
    query = select(PlaceImport).where(PlaceImport.id == import_id)
    if actor.kind != "system":
        query = query.where(PlaceImport.person_id == actor.person_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise not_found(N_("lần nhập này"))
    return found


NEWEST = keyset.Order((PlaceImport.created_at, datetime), (PlaceImport.id, UUID), newest_first=True)


def own_imports(session: Session, actor: Actor, mark: str = "") -> keyset.Paged[PlaceImport]:
    """A page of the lists that the actor sent, the newest first. Raises BadAddress for a mark that is none."""
    query = select(PlaceImport).where(PlaceImport.person_id == actor.person_id)
    return keyset.paged(session, query, NEWEST, mark)


def lists_to_forget(session: Session, before: datetime) -> list[str]:
    """Hashes of lists sent before a moment that nobody applied, and that no younger, running or applied import shares."""
    other = aliased(PlaceImport)
    needed = (
        select(other.id)
        .outerjoin(Job, Job.id == other.job_id)
        .where(
            other.blob_sha256 == MediaBlob.sha256,
            or_(
                other.applied_at.is_not(None),
                other.created_at >= before,
                Job.state.in_([JobState.QUEUED, JobState.RUNNING]),
            ),
        )
    )
    sent = select(PlaceImport.blob_sha256).where(PlaceImport.created_at < before)
    return list(
        session.scalars(
            select(MediaBlob.sha256)
            .where(MediaBlob.kind == "import", MediaBlob.sha256.in_(sent), ~needed.exists())
            .order_by(MediaBlob.sha256)
        )
    )


def failed_job(session: Session, row: PlaceImport) -> Job | None:
    """The job of an import that could not be done; None while it waits, runs, is done or was never asked for."""
    job = session.get(Job, row.job_id) if row.job_id is not None and row.applied_at is None else None
    return job if job is not None and job.state == JobState.FAILED else None
