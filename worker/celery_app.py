"""The Celery application: broker settings that survive a killed worker, one database per process after fork."""

import structlog
from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from app import settings as settings_module
from app.db import Database
from app.logs import configure_logging
from app.settings import Settings

LONGEST_TASK_SECONDS = 600

log = structlog.get_logger()


def broker_url(redis_url: str) -> str:
    """Kombu's spelling of a Unix socket address; it overlooks `db` and wants the number as `virtual_host`."""
    if not redis_url.startswith("unix://"):
        return redis_url
    address, mark, query = redis_url.replace("unix://", "redis+socket://", 1).partition("?")
    return address + mark + query.replace("db=", "virtual_host=", 1)


def make(settings: Settings) -> Celery:
    app = Celery("hoi", include=["worker.tasks"])
    app.conf.update(
        broker_url=broker_url(settings.redis_url or "redis://127.0.0.1:6379/0"),
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            # Longer than the longest task; the sweep for unacknowledged work runs often (kombu's default is every 100 s).
            "visibility_timeout": LONGEST_TASK_SECONDS + 60,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "socket_keepalive": True,
            "health_check_interval": 10,
        },
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_time_limit=LONGEST_TASK_SECONDS,
        task_soft_time_limit=LONGEST_TASK_SECONDS - 30,
        task_default_queue="hoi",
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.worker_processes,
        worker_hijack_root_logger=False,
        worker_max_tasks_per_child=2000,
        timezone="Asia/Ho_Chi_Minh",
        enable_utc=True,
    )
    return app


class _Process:
    """What one worker process holds; made after fork."""

    settings: Settings | None = None
    database: Database | None = None


def process_settings() -> Settings:
    if _Process.settings is None:
        _Process.settings = settings_module.load()
    return _Process.settings


def process_database() -> Database:
    if _Process.database is None:
        settings = process_settings()
        _Process.database = Database(
            settings.database_url or "", clock_movable=settings.clock_movable, pool_size=2, application="hoi-worker"
        )
    return _Process.database


@worker_process_init.connect
def _after_fork(**_: object) -> None:
    _Process.database = None
    configure_logging(process_settings())


@worker_process_shutdown.connect
def _leaving(**_: object) -> None:
    if _Process.database is not None:
        _Process.database.dispose()


celery = make(settings_module.load())
