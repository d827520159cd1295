"""Verbs of the schedule and of reactions that open their own short transactions: thin, and safe to run twice."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock, media
from app.actor import SYSTEM, Actor
from app.criteria import service as criteria
from app.db import Database
from app.jobs import Job, Report
from app.outbox import Event
from app.places import service as places
from app.settings import Settings
from worker.process import process_settings


def make_partitions(database: Database, _settings: Settings) -> None:
    """Keep the partitions of growing tables three months ahead."""
    with database.transaction(SYSTEM) as session:
        for name in session.scalars(text("SELECT name FROM partitioned_tables")).all():
            session.execute(text("SELECT hoi_make_partitions(:name, :now)"), {"name": name, "now": clock.now()})


def forget_old_uploads(database: Database, settings: Settings) -> None:
    """Drop half-sent files after a week."""
    with database.transaction(SYSTEM) as session:
        media.forget_old_uploads(session, media.store_for(settings))


def forget_lists(database: Database, settings: Settings) -> None:
    """Delete the files of imports that nobody applied."""
    with database.transaction(SYSTEM) as session:
        places.forget_lists(session, media.store_for(settings))


def derive_due_villages(database: Database, _settings: Settings) -> None:
    """Answers that the calendar alone may have changed: a certificate ended, a window of days moved on."""
    with database.transaction(SYSTEM) as session:
        criteria.derive_due(session, SYSTEM)


def derive_selling_villages(database: Database, _settings: Settings, _event: Event | None = None) -> None:
    """A sighting on a marketplace grows too old by the hour, and the list of floors that count may change."""
    criteria.rebuild_selling(database)


def derive_all_villages(database: Database, _settings: Settings, _event: Event | None = None) -> None:
    """A choice of the province, or new villages, may change any answer."""
    criteria.rebuild(database)


def import_villages(session: Session, actor: Actor, job: Job, report: Report) -> dict[str, Any]:
    """Apply a list of villages that was read and shown before."""
    return places.apply_import(session, actor, job, report, media.store_for(process_settings()))
