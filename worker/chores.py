"""Verbs of the schedule and of reactions that open their own short transactions: thin, and safe to run twice."""

import threading
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import audit, clock, media, outbox
from app.actor import SYSTEM, Actor
from app.criteria import assessments
from app.db import Database
from app.jobs import Job, Report
from app.marketplace_sync import looks
from app.outbox import Event
from app.places import lists
from app.places.events import ListForgotten
from app.settings import Settings
from worker.process import process_settings

SETTLED_KEPT = timedelta(days=90)
SIGN_INS_KEPT = timedelta(days=365)


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


def derive_due_villages(database: Database, _settings: Settings) -> None:
    """Answers that the calendar alone may have changed: a certificate ended, a window of days moved on."""
    with database.transaction(SYSTEM) as session:
        assessments.derive_due(session, SYSTEM)


def derive_selling_villages(database: Database, _settings: Settings, _event: Event | None = None) -> None:
    """A sighting on a marketplace grows too old by the hour, and the list of floors that count may change."""
    assessments.rebuild_selling(database)


def derive_all_villages(database: Database, _settings: Settings, _event: Event | None = None) -> None:
    """A choice of the province, or new villages, may change any answer."""
    assessments.rebuild(database)


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
