"""Thin tasks: pay one delivery, or run one verb of the schedule; each may run twice."""

from datetime import timedelta
from pkgutil import resolve_name
from uuid import UUID

import structlog
from celery import Task
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, jobs, outbox
from app.actor import SYSTEM
from app.db import Database
from app.jobs import JobRequested
from app.outbox import Delivery, NotYet, OutboxEvent
from worker import reactions, schedule
from worker.celery_app import celery
from worker.process import process_database, process_settings

MAX_ATTEMPTS = 12
log = structlog.get_logger()


@celery.task(name="hoi.react", bind=True)
def react(_task: Task, event_id: str, reaction_name: str) -> None:  # type: ignore[type-arg]  # Task is generic only in the stubs
    pay(process_database(), UUID(event_id), reaction_name)


@celery.task(name="hoi.scheduled")
def scheduled(name: str) -> None:
    resolve_name(schedule.CHORES[name].verb)(process_database(), process_settings())


def pay(database: Database, event_id: UUID, reaction_name: str) -> None:
    """Run one reaction and mark its delivery done in the same transaction; put a failure off, and give up after MAX_ATTEMPTS."""
    reaction = reactions.BY_NAME[reaction_name]
    structlog.contextvars.clear_contextvars()
    try:
        if reaction.call is not None:
            _pay_call(database, event_id, reaction)
        else:
            _pay_verb(database, event_id, reaction)
    except NotYet as later:
        wait(database, event_id, reaction_name, later.wait)
    except Exception as error:
        log.exception("reaction failed", reaction=reaction_name, event_id=str(event_id))
        put_off(database, event_id, reaction_name, f"{type(error).__name__}: {error}")


def _open(session: Session, event_id: UUID, name: str) -> tuple[Delivery, OutboxEvent] | None:
    row = session.execute(
        select(Delivery, OutboxEvent)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(Delivery.event_id == event_id, Delivery.reaction == name)
        .with_for_update(of=Delivery)
    ).one_or_none()
    if row is None or row[0].done_at is not None or row[0].dead_at is not None:
        return None
    structlog.contextvars.bind_contextvars(request_id=row[1].request_id, reaction=name)
    return row[0], row[1]


def _pay_verb(database: Database, event_id: UUID, reaction: reactions.Reaction) -> None:
    with database.transaction(SYSTEM) as session:
        opened = _open(session, event_id, reaction.name)
        if opened is None:
            return
        delivery, row = opened
        event = outbox.read(reaction.event, row.body)
        actor = SYSTEM.with_request(row.request_id)
        if isinstance(event, JobRequested):
            jobs.run(database, session, event.job_id, reactions.job_handler, actor)
        elif verb := reaction.find_verb():
            verb(session, actor, event)
        delivery.done_at = clock.machine_now()


def _pay_call(database: Database, event_id: UUID, reaction: reactions.Reaction) -> None:
    with database.transaction(SYSTEM) as session:
        opened = _open(session, event_id, reaction.name)
        if opened is None:
            return
        event = outbox.read(reaction.event, opened[1].body)
    if call := reaction.find_call():
        call(database, process_settings(), event)
    with database.transaction(SYSTEM) as session:
        opened = _open(session, event_id, reaction.name)
        if opened is not None:
            opened[0].done_at = clock.machine_now()


def wait(database: Database, event_id: UUID, name: str, time: timedelta) -> None:
    """Nothing failed: due again after `time`, with as many attempts left as before."""
    with database.transaction(SYSTEM) as session:
        opened = _open(session, event_id, name)
        if opened is not None:
            opened[0].lease_until, opened[0].run_after = None, clock.machine_now() + time


def put_off(database: Database, event_id: UUID, name: str, reason: str) -> None:
    with database.transaction(SYSTEM) as session:
        opened = _open(session, event_id, name)
        if opened is None:
            return
        delivery, _ = opened
        now = clock.machine_now()
        delivery.attempts += 1  # only what failed counts: a broker or a worker that died says nothing against the work
        delivery.lease_until = None
        delivery.run_after = now + timedelta(seconds=min(2**delivery.attempts, 900))
        if delivery.attempts >= MAX_ATTEMPTS:
            delivery.dead_at, delivery.dead_reason = now, reason[:2000]
            log.error("a delivery is given up", reaction=name, event_id=str(event_id), reason=reason[:300])
            _fail_job(session, opened[1])


def _fail_job(session: Session, row: OutboxEvent) -> None:
    """A job whose delivery is given up must not look as if it were still running."""
    if row.name == JobRequested.name:
        event = outbox.read(JobRequested, row.body)
        jobs.give_up(session, event.job_id)
