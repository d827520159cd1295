"""Background work with a row that any page can show: what, how far, done or why not."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol
from uuid import UUID

import structlog
from sqlalchemy import Index, Integer, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.actor import SYSTEM, Actor
from app.db import Base, Database, Id, Words, json_ready, keyset, new_id
from app.errors import HoiError, not_found
from app.messages import N_
from app.outbox import Event, publish
from app.retention import MOST, Step, whole

BEAT_SECONDS = 2.0
KEPT = timedelta(days=365)  # after its end; what it did stands in the records it wrote
DEAD_AFTER = timedelta(seconds=8)  # a sign of life comes every two seconds, also from a busy machine
log = structlog.get_logger()


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(Base):
    """One piece of background work. `done` of `total` steps; `result` is small JSON that the page shows.

    `alive_at` (machine time): when the process that runs it last said so.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_person_id", "person_id", "queued_at", "id"),)

    id: Mapped[Id]
    kind: Mapped[str]
    title: Mapped[Words]
    params: Mapped[dict[str, Any]]
    person_id: Mapped[UUID | None]
    organisation_id: Mapped[UUID | None]
    state: Mapped[str] = mapped_column(default=JobState.QUEUED)
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[Words | None]
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    alive_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class JobRequested(Event):
    name: ClassVar[str] = "jobs.job_requested"
    job_id: UUID


class Report(Protocol):
    def __call__(self, done: int, total: int | None = None) -> None: ...


Handler = Callable[[Session, Actor, Job, Report], dict[str, Any]]


def start(
    session: Session,
    actor: Actor,
    kind: str,
    *,
    title: Words,
    params: dict[str, Any],
    organisation_id: UUID | None = None,
    job_id: UUID | None = None,
) -> UUID:
    """Queue the work in the caller's transaction; the worker runs the handler registered for `kind`."""
    identifier = job_id or new_id()
    session.add(
        Job(
            id=identifier,
            kind=kind,
            title=title,
            params=json_ready(params),
            person_id=actor.person_id,
            organisation_id=organisation_id,
            queued_at=clock.now(),
        )
    )
    publish(session, actor, JobRequested(job_id=identifier))
    return identifier


def read(session: Session, actor: Actor, job_id: UUID) -> Job:
    """The job, for the person who asked for it and for SYSTEM. Raises NotFound for everybody else."""
    job = session.get(Job, job_id)
    if job is None or not (
        actor.kind == "system" or (actor.person_id is not None and job.person_id == actor.person_id)
    ):
        raise not_found(N_("việc chạy nền này"))
    return job


NEWEST = keyset.Order((Job.queued_at, datetime), (Job.id, UUID), newest_first=True)


def own(session: Session, actor: Actor, mark: str = "") -> keyset.Paged[Job]:
    """A page of what this person asked for, the newest first. Raises BadAddress for a mark that is none."""
    return keyset.paged(session, select(Job).where(Job.person_id == actor.person_id), NEWEST, mark)


def is_stalled(job: Job) -> bool:
    """Whether the process that ran it is gone: the relay owes it again within seconds (`worker.relay.release_dead`)."""
    alive = job.alive_at or job.started_at
    return job.state == JobState.RUNNING and alive is not None and alive < clock.machine_now() - DEAD_AFTER


@contextmanager
def beating(beat: Callable[[], None]) -> Iterator[None]:
    """Give a sign of life every two seconds while the block runs, from a thread of its own. A beat that fails stops nothing."""
    over = threading.Event()

    def keep_beating() -> None:
        while not over.wait(BEAT_SECONDS):
            try:
                beat()
            except Exception as error:  # noqa: BLE001 - the database is away for a moment; the work will notice by itself
                log.warning("no sign of life", error=type(error).__name__)

    heart = threading.Thread(target=keep_beating, name="heart", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()


def run(database: Database, session: Session, job_id: UUID, handler_of: Callable[[str], Handler], actor: Actor) -> None:
    """Run the job inside `session`'s transaction: its effect and its being done commit together.

    Progress and signs of life are written through short transactions of their own. An expected error fails the job with its text; an
    unexpected one propagates, so that the delivery is tried again.
    """
    job = session.get_one(Job, job_id)
    if job.state in {JobState.DONE, JobState.FAILED}:
        return

    def report(done: int, total: int | None = None) -> None:
        values: dict[str, Any] = {"done": done, "state": JobState.RUNNING}
        if total is not None:
            values["total"] = total
        with database.transaction(SYSTEM) as aside:
            aside.execute(update(Job).where(Job.id == job_id).values(**values))

    def beat(**more: Any) -> None:  # noqa: ANN401 - columns
        with database.transaction(SYSTEM) as aside:
            aside.execute(update(Job).where(Job.id == job_id).values(alive_at=clock.machine_now(), **more))

    beat(state=JobState.RUNNING, started_at=clock.now(), done=0)
    outcome: dict[str, Any]
    try:
        with beating(beat), session.begin_nested():
            outcome = {"state": JobState.DONE, "result": json_ready(handler_of(job.kind)(session, actor, job, report))}
    except HoiError as error:
        outcome = {"state": JobState.FAILED, "error": Words.of(error.said)}
    session.execute(update(Job).where(Job.id == job_id).values(finished_at=clock.now(), **outcome))


def give_up(session: Session, job_id: UUID) -> None:
    """Mark the job failed after every try went wrong; what it would have done was rolled back each time."""
    words = Words.of(
        N_("Việc này thử nhiều lần vẫn không xong, chưa có gì được ghi. Hãy làm lại; nếu vẫn vậy, báo người vận hành.")
    )
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.in_([JobState.QUEUED, JobState.RUNNING]))
        .values(state=JobState.FAILED, error=words, finished_at=clock.now())
    )


def forget_old(session: Session, _onward: str) -> Step:
    """Delete jobs that ended a year ago, as SYSTEM. One that never ended stays, for somebody to see."""
    old = (
        select(Job.id).where(Job.finished_at < clock.machine_now() - KEPT).limit(MOST).with_for_update(skip_locked=True)
    )
    gone = session.scalars(delete(Job).where(Job.id.in_(old)).returning(Job.id)).all()
    return whole(len(gone))
