"""The things one worker process holds: settings, and a database made after the fork."""

import gc
import sys
import threading

from celery.signals import (
    celeryd_after_setup,
    worker_before_create_process,
    worker_process_init,
    worker_process_shutdown,
)
from sqlalchemy.orm import configure_mappers

from app import settings as settings_module
from app.db import Database
from app.errors import SetupError
from app.settings import Settings
from worker import reactions, schedule


class _Process:
    """What one worker process holds; made after fork."""

    settings: Settings | None = None
    database: Database | None = None
    making = threading.Lock()


def process_settings() -> Settings:
    if _Process.settings is None:
        _Process.settings = settings_module.load()
    return _Process.settings


def process_database() -> Database:
    with _Process.making:  # the caller's threads all ask at once
        if _Process.database is None:
            settings = process_settings()
            _Process.database = Database(
                settings.database_url or "", clock_movable=settings.clock_movable, pool_size=4, application="hoi-worker"
            )
        return _Process.database


@celeryd_after_setup.connect
def _refuse_without_key(**_: object) -> None:
    """What seals the keys of shops cannot be made up for each process."""
    try:
        process_settings().signing_key()
    except SetupError as error:  # Celery logs what a signal raises and goes on; only this ends it
        sys.exit(f"✗ {error.text('vi')}")


@worker_before_create_process.connect
def _about_to_fork(**_: object) -> None:
    """Load what the children will need, and keep the collector from touching it: they share these pages, 30 MiB each."""
    for reaction in reactions.REACTIONS:
        if reaction.queue in {schedule.WORK, schedule.BULK}:
            reaction.find_verb()
            reaction.find_call()
    configure_mappers()
    gc.collect()
    gc.freeze()


@worker_process_init.connect
def _after_fork(**_: object) -> None:
    _Process.database = None


@worker_process_shutdown.connect
def _leaving(**_: object) -> None:
    if _Process.database is not None:
        _Process.database.dispose()
