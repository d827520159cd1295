"""Verbs of the schedule and of reactions that open their own short transactions: thin, and safe to run twice."""

import threading
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import audit, clock, jobs, media, outbox, retention
from app.accounts import retention as accounts_retention
from app.actor import SYSTEM, Actor
from app.criteria import derivation
from app.criteria import retention as criteria_retention
from app.db import Database
from app.jobs import Job, Report
from app.marketplace_sync import looks
from app.notices import retention as notices_retention
from app.outbox import Event, NotYet
from app.places import lists
from app.places.events import ListForgotten
from app.retention import Verb
from app.settings import Settings
from app.trace import retention as trace_retention
from worker.process import process_settings

SETTLED_KEPT = timedelta(days=90)
SIGN_INS_KEPT = timedelta(days=365)
END_SECONDS = (
    30.0  # for each rule in one run: a backlog is worked off over the hours, and nobody waits behind it for long
)

# What ends the rows of which rule, by the name under which it is counted; the months of partitioned tables come by themselves.
ENDS: dict[str, Verb] = {
    "audit_entries": audit.forget_old,
    "jobs": jobs.forget_old,
    "sign_ins": accounts_retention.forget_sign_ins,
    "card_requests": accounts_retention.forget_card_requests,
    "notices": notices_retention.forget_old,
    "public_pages": trace_retention.forget_bodies,
    "village_assessments": criteria_retention.thin_answers,
    "batch_sources": trace_retention.end_records,  # before the steps, which stay while a batch names them
    "care_logs": trace_retention.forget_steps,
}

# A village derived with many others costs 20 ms, alone 130 ms; a batch is how long a step of one of its villages may wait.
AWAITED_BATCH, AWAITED_SECONDS = 50, 2.0
BULK_BATCH, BULK_SECONDS = 100, 240.0


def make_partitions(database: Database, _settings: Settings) -> None:
    """Keep the partitions of growing tables three months ahead, and give rows that came without one their own.

    Cheap while nothing is missing, so it may run often: the clock of the demo is moved at any moment. Each table alone:
    one that is locked or broken does not hold up the others; the failures are raised together at the end.
    """
    with database.transaction(SYSTEM) as session:
        names = session.scalars(text("SELECT name FROM partitioned_tables ORDER BY name")).all()
    failed: list[Exception] = []
    for name in names:
        try:
            with database.transaction(SYSTEM) as session:
                session.execute(text("SELECT hoi_make_partitions(:name, :now)"), {"name": name, "now": clock.now()})
        except SQLAlchemyError as error:
            failed.append(error)
    if failed:
        raise ExceptionGroup("tables without their months", failed)


def forget_settled_events(database: Database, _settings: Settings) -> None:
    """Drop events that were paid in full three months ago: what they said stands in the records they speak of."""
    before = clock.machine_now() - SETTLED_KEPT
    while True:
        with database.transaction(SYSTEM) as session:
            if outbox.forget_settled(session, before) == 0:
                return


def forget_sign_in_lines(database: Database, _settings: Settings) -> None:
    """Drop the trail's lines of signing in after a year: long enough for an incident, not a diary of whereabouts."""
    while True:
        with database.transaction(SYSTEM) as session:
            if audit.forget_sign_ins(session, clock.machine_now() - SIGN_INS_KEPT) == 0:
                return


def end_what_is_old(database: Database, _settings: Settings) -> None:
    """End what each table's rule lets go (`app.retention.RULES`), in small transactions; a run that is killed is gone on with.

    Each rule alone: one that is locked or broken does not hold up the others; the failures are raised together at the end.
    """
    with database.transaction(SYSTEM) as session:
        months: dict[str, Verb] = {
            name: partial(_end_month, table=name) for name in retention.tables_with_months(session)
        }
    failed: list[Exception] = []
    for name, verb in {**months, **ENDS}.items():
        try:
            retention.run(database, name, verb, seconds=END_SECONDS)
        except SQLAlchemyError as error:
            failed.append(error)
    if failed:
        raise ExceptionGroup("tables that were not ended", failed)


def _end_month(session: Session, _onward: str, *, table: str) -> retention.Step:
    return retention.end_month(session, table)


def forget_old_uploads(database: Database, settings: Settings) -> None:
    """Drop half-sent files after a week."""
    with database.transaction(SYSTEM) as session:
        media.forget_old_uploads(session, media.store_for(settings))


def forget_lists(database: Database, _settings: Settings) -> None:
    """Let go of the files of imports that nobody applied."""
    with database.transaction(SYSTEM) as session:
        lists.forget_lists(session)


def delete_forgotten_list(database: Database, settings: Settings, event: ListForgotten) -> None:
    """Delete the bytes of a list whose row is gone."""
    with database.transaction(SYSTEM) as session:
        lists.delete_forgotten_list(session, media.store_for(settings), event.sha256)


def mark_due_villages(database: Database, _settings: Settings) -> None:
    """Answers that time alone may have changed: a certificate ended, a window of days moved on, a sighting grew too old."""
    with database.transaction(SYSTEM) as session:
        derivation.mark_due(session, SYSTEM)


def derive_awaited_villages(database: Database, _settings: Settings, _event: Event) -> None:
    """What people wait for, in small transactions; after two seconds others of the queue have their turn."""
    if derivation.drain(database, awaited=True, batch=AWAITED_BATCH, seconds=AWAITED_SECONDS).more:
        raise NotYet(timedelta())


def derive_marked_villages(database: Database, _settings: Settings, event: Event | None = None) -> None:
    """Everything that is marked. As a chore it picks up what a process left that died of its work."""
    if derivation.drain(database, batch=BULK_BATCH, seconds=BULK_SECONDS).more and event is not None:
        raise NotYet(timedelta())


def look_at_listings(database: Database, settings: Settings) -> None:
    """One turn of looking at what is on sale, unless all threads of this process but one do so already.

    That one is for the look that a person waits for. What is rung for in vain is rung for again in a few seconds.
    """
    if not _Turns.begin(settings.looker_threads - 1):
        return
    try:
        looks.look(database, settings)
    finally:
        _Turns.end()


class _Turns:
    """How many threads of this process look at what is due."""

    taken = 0
    counting = threading.Lock()

    @classmethod
    def begin(cls, most: int) -> bool:
        with cls.counting:
            if cls.taken >= most:
                return False
            cls.taken += 1
            return True

    @classmethod
    def end(cls) -> None:
        with cls.counting:
            cls.taken -= 1


def import_villages(session: Session, actor: Actor, job: Job, report: Report) -> dict[str, Any]:
    """Apply a list of villages that was read and shown before."""
    return lists.apply_import(session, actor, job, report, media.store_for(process_settings()))
