"""Thin tasks: pay one delivery, or run one verb of the schedule; each may run twice."""

import traceback
from datetime import timedelta
from pathlib import Path
from pkgutil import resolve_name
from uuid import UUID

import psycopg
import structlog
from celery import Task
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import clock, jobs, outbox
from app.actor import SYSTEM
from app.db import Database
from app.errors import HoiError
from app.jobs import JobRequested
from app.logs import scrub
from app.outbox import Delivery, NotYet, OutboxEvent, PartlyDone
from app.settings import ROOT
from worker import reactions, schedule
from worker.celery_app import celery
from worker.process import process_database, process_settings

LONGEST_WAIT = 900
MAX_ATTEMPTS = 12  # three quarters of an hour: what is ours to mend shall be seen soon
MAX_CALL_ATTEMPTS = 297  # three days: another company's server comes back by itself, also after a weekend
MAX_STARTS = 20  # about three hours of dying at it; whoever is killed for another reason comes to an end long before
FREE_STARTS = 3  # a machine that is switched off, or one more restart, costs no waiting
log = structlog.get_logger()


@celery.task(name="hoi.react", bind=True)
def react(_task: Task, event_id: str, reaction_name: str) -> None:  # type: ignore[type-arg]  # Task is generic only in the stubs
    pay(process_database(), UUID(event_id), reaction_name)


@celery.task(name="hoi.react_to_all")
def react_to_all(event_ids: list[str], reaction_name: str) -> None:
    pay_all(process_database(), [UUID(one) for one in event_ids], reaction_name)


@celery.task(name="hoi.scheduled")
def scheduled(name: str) -> None:
    _log_as(chore=name)
    try:
        resolve_name(schedule.CHORES[name].verb)(process_database(), process_settings())
    except Exception as error:  # noqa: BLE001 - Celery would log the text of the error; the next turn comes by itself
        log_failure("chore failed", error, chore=name)


def pay(database: Database, event_id: UUID, reaction_name: str) -> None:
    """Run one reaction and mark its delivery done in the same transaction; put a failure off, and give up after many."""
    reaction = reactions.BY_NAME[reaction_name]
    _log_as(reaction=reaction_name)
    reason = None
    try:
        event = _begin(database, event_id, reaction)
        if event is None:
            return
        if reaction.call is not None:
            _pay_call(database, event, reaction)
        else:
            _pay_verb(database, event, reaction)
    except NotYet as later:
        wait(database, event_id, reaction_name, later.wait)
    except Exception as error:  # noqa: BLE001 - whatever it was, the delivery is tried again
        log_failure("reaction failed", error, reaction=reaction_name, event_id=str(event_id))
        reason = reason_of(error)
    if reason is not None:  # not in the handler: if this fails too, Celery's log would quote the first error's text
        put_off(database, event_id, reaction_name, reason)


def pay_all(database: Database, event_ids: list[UUID], reaction_name: str) -> None:
    """Run a reaction that takes many events for all of these, in one transaction; where that fails, for each alone.

    Those that were begun before and came to no end are done alone at once: one of them may be what the process died of.
    """
    reaction = reactions.BY_NAME[reaction_name]
    _log_as(reaction=reaction_name)
    alone = event_ids
    try:
        with database.transaction(SYSTEM) as session:
            session.execute(text("SET LOCAL synchronous_commit = off"))
            now = clock.machine_now()
            begun = [d for d, _ in _open_all(session, event_ids, reaction_name) if d.lease_until and not d.starts]
            for delivery in begun:
                delivery.starts, delivery.alive_at = 1, now
                delivery.lease_until = now + timedelta(seconds=reaction.lease_seconds)
            together = [d.event_id for d in begun]
        with database.transaction(SYSTEM) as session:
            opened = _open_all(session, together, reaction_name)
            if opened and (verb := reaction.find_verb()):
                verb(session, SYSTEM, [outbox.read(reaction.event, row.body) for _, row in opened])
            for delivery, _ in opened:
                delivery.done_at = clock.machine_now()
        alone = [one for one in event_ids if one not in set(together)]
    except Exception as error:  # noqa: BLE001 - each is tried alone, and told alone
        log_failure("reaction to many failed", error, reaction=reaction_name)
    for event_id in alone:
        pay(database, event_id, reaction_name)


def _log_as(**what: str) -> None:
    """What every line says from here on; the process did another task before."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**what)


def _open_all(session: Session, event_ids: list[UUID], name: str) -> list[tuple[Delivery, OutboxEvent]]:
    """Those of the deliveries that nobody settled or is at, held by this transaction, with their events in order."""
    if not event_ids:
        return []
    rows = session.execute(
        select(Delivery, OutboxEvent)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(
            Delivery.event_id.in_(event_ids),
            Delivery.reaction == name,
            Delivery.done_at.is_(None),
            Delivery.dead_at.is_(None),
        )
        .order_by(OutboxEvent.position)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    return [(row[0], row[1]) for row in rows]


def reason_of(error: BaseException) -> str:
    """What may be kept of a failure. Texts of foreign errors quote values, and values are people's names and numbers."""
    if isinstance(error, HoiError):
        return str(scrub(str(error)))
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(reason_of(one) for one in error.exceptions)
    cause = error.orig if isinstance(error, DBAPIError) else error
    known = [type(error).__name__]
    if isinstance(cause, psycopg.Error):
        known += [found for found in (cause.sqlstate, cause.diag.constraint_name) if found]
    return " ".join(known)


def log_failure(what: str, error: BaseException, **more: str) -> None:
    """Log the reason and the lines of ours that it came through, but not the traceback, which ends with the text."""
    frames = [(Path(f.filename), f) for f in traceback.extract_tb(error.__traceback__)]
    through = [
        f"{path.relative_to(ROOT)}:{frame.lineno} {frame.name}"
        for path, frame in frames
        if path.is_relative_to(ROOT) and "site-packages" not in path.parts
    ]
    log.error(what, error=reason_of(error), through=through, **more)


def _open(session: Session, event_id: UUID, name: str, *, patient: bool = False) -> tuple[Delivery, OutboxEvent] | None:
    """The delivery, held by this transaction, with its event. None: settled, or somebody else is at it.

    `patient` waits for that somebody: for work whose beginning was counted, which must not end as if it had died of it.
    """
    row = session.execute(
        select(Delivery, OutboxEvent)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(
            Delivery.event_id == event_id,
            Delivery.reaction == name,
            Delivery.done_at.is_(None),
            Delivery.dead_at.is_(None),
        )
        .with_for_update(of=Delivery, skip_locked=not patient)
    ).one_or_none()
    if row is None:
        return None
    structlog.contextvars.bind_contextvars(request_id=row[1].request_id)
    return row[0], row[1]


def _begin(database: Database, event_id: UUID, reaction: reactions.Reaction) -> OutboxEvent | None:
    """Count a beginning and renew the lease, in a transaction of its own: a process that dies of the work leaves a trace.

    None: settled, somebody else is at it, or this message is one of an earlier turn. Gives up at MAX_STARTS.
    """
    with database.transaction(SYSTEM) as session:
        session.execute(text("SET LOCAL synchronous_commit = off"))  # an outage may forget the count of a try
        opened = _open(session, event_id, reaction.name)
        if opened is None:
            return None
        delivery, event = opened
        now = clock.machine_now()
        # The broker sends again at once what a dying process held; clocks of two machines may differ by a second, so
        # the time is asked only of those that died before.
        if delivery.lease_until is None or (delivery.starts > FREE_STARTS and delivery.run_after > now):
            return None
        if delivery.starts >= MAX_STARTS:
            _give_up(session, delivery, event, f"begun {delivery.starts} times, and the process died each time")
            return None
        delivery.starts += 1
        delivery.lease_until, delivery.alive_at = now + timedelta(seconds=reaction.lease_seconds), now
        if delivery.starts > FREE_STARTS:
            delivery.run_after = now + _pause(delivery.starts)
        return event


def _pay_verb(database: Database, begun: OutboxEvent, reaction: reactions.Reaction) -> None:
    partly: PartlyDone | None = None
    with database.transaction(SYSTEM) as session:
        opened = _open(session, begun.id, reaction.name, patient=True)
        if opened is None:
            return
        delivery, row = opened
        event = outbox.read(reaction.event, row.body)
        actor = SYSTEM.with_request(row.request_id)
        if isinstance(event, JobRequested):
            jobs.run(database, session, event.job_id, reactions.job_handler, actor)
        elif verb := reaction.find_verb():
            try:
                verb(session, actor, [event] if reaction.many else event)
            except PartlyDone as error:
                partly = error
        if partly is None:
            delivery.done_at = clock.machine_now()
    if partly is not None:  # what was done is committed
        raise partly


def _pay_call(database: Database, begun: OutboxEvent, reaction: reactions.Reaction) -> None:
    event = outbox.read(reaction.event, begun.body)
    if call := reaction.find_call():
        with jobs.beating(lambda: _give_sign(database, begun.id, reaction.name)):
            call(database, process_settings(), event)
    with database.transaction(SYSTEM) as session:
        opened = _open(session, begun.id, reaction.name, patient=True)
        if opened is not None:
            opened[0].done_at = clock.machine_now()


def _give_sign(database: Database, event_id: UUID, name: str) -> None:
    """Who runs a verb holds the delivery's row as long as it lives; who calls somebody holds nothing, so it says that it lives."""
    with database.transaction(SYSTEM) as session:
        session.execute(text("SET LOCAL synchronous_commit = off"))
        session.execute(
            update(Delivery)
            .where(
                Delivery.event_id == event_id,
                Delivery.reaction == name,
                Delivery.done_at.is_(None),
                Delivery.alive_at.is_not(None),
            )
            .values(alive_at=clock.machine_now())
            .execution_options(synchronize_session=False)
        )


def wait(database: Database, event_id: UUID, name: str, time: timedelta) -> None:
    """Nothing failed: due again after `time`, with as many attempts left as before."""
    with database.transaction(SYSTEM) as session:
        opened = _open(session, event_id, name)
        if opened is not None:
            _rest(opened[0], time)


def put_off(database: Database, event_id: UUID, name: str, reason: str) -> None:
    with database.transaction(SYSTEM) as session:
        opened = _open(session, event_id, name)
        if opened is None:
            return
        delivery, event = opened
        delivery.attempts += 1
        _rest(delivery, _pause(delivery.attempts))
        most = MAX_CALL_ATTEMPTS if reactions.BY_NAME[name].queue in {schedule.CALLS, schedule.LOOKS} else MAX_ATTEMPTS
        if delivery.attempts >= most:
            _give_up(session, delivery, event, reason)


def _pause(count: int) -> timedelta:
    """How long to leave it alone after it went wrong so many times."""
    return timedelta(seconds=min(2**count, LONGEST_WAIT))


def _rest(delivery: Delivery, time: timedelta) -> None:
    delivery.starts, delivery.lease_until, delivery.alive_at = 0, None, None
    delivery.run_after = clock.machine_now() + time


def _give_up(session: Session, delivery: Delivery, event: OutboxEvent, reason: str) -> None:
    outbox.give_up(session, delivery, reason)
    log.error("a delivery is given up", reaction=delivery.reaction, event_id=str(delivery.event_id), reason=reason)
    if event.name == JobRequested.name:
        # A job whose delivery is given up must not look as if it were still running.
        jobs.give_up(session, outbox.read(JobRequested, event.body).job_id)
