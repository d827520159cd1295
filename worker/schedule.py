"""What runs by the clock alone; each verb is safe to run twice and in several processes."""

from collections.abc import Callable

from sqlalchemy import text

from app import clock, media
from app.actor import SYSTEM
from app.criteria import service as criteria
from app.db import Database
from app.marketplace_sync import sync
from app.settings import Settings
from worker.celery_app import celery


def make_partitions(database: Database, _settings: Settings) -> None:
    """Keep the partitions of growing tables three months ahead."""
    with database.transaction(SYSTEM) as session:
        for name in session.scalars(text("SELECT name FROM partitioned_tables")).all():
            session.execute(text("SELECT hoi_make_partitions(:name, :now)"), {"name": name, "now": clock.now()})


def forget_old_uploads(database: Database, settings: Settings) -> None:
    """Drop half-sent files after a week."""
    with database.transaction(SYSTEM) as session:
        media.forget_old_uploads(session, media.store_for(settings))


def look_at_listings(database: Database, settings: Settings) -> None:
    """Ask the marketplaces about the listings whose time for a look has come."""
    sync.look(database, settings)


def derive_due_villages(database: Database, _settings: Settings) -> None:
    """Answers that the calendar alone may have changed: a certificate ended, a window of days moved on."""
    with database.transaction(SYSTEM) as session:
        criteria.derive_due(session, SYSTEM)


def derive_selling_villages(database: Database, _settings: Settings) -> None:
    """A sighting on a marketplace grows too old by the hour."""
    criteria.rebuild_selling(database)


VERBS: dict[str, Callable[[Database, Settings], None]] = {
    "make_partitions": make_partitions,
    "forget_old_uploads": forget_old_uploads,
    "derive_due_villages": derive_due_villages,
    "derive_selling_villages": derive_selling_villages,
    "look_at_listings": look_at_listings,
}

EVERY_SECONDS: dict[str, float] = {
    "make_partitions": 6 * 3600.0,
    "forget_old_uploads": 3600.0,
    "derive_due_villages": 300.0,
    "derive_selling_villages": 900.0,
    "look_at_listings": 5.0,
}

celery.conf.beat_schedule = {
    name: {"task": "hoi.scheduled", "schedule": seconds, "args": (name,), "options": {"expires": seconds}}
    for name, seconds in EVERY_SECONDS.items()
}
