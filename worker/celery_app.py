"""The Celery application: broker settings that survive a killed worker, and our logs in each of its processes.

It knows no part of the business, so that the scheduler, which only sends names, stays small. A worker is told on its
command line to include `worker.tasks`.
"""

import logging
from urllib.parse import quote

from celery import Celery
from celery.signals import setup_logging

from app import broker
from app import settings as settings_module
from app.logs import configure_logging
from app.settings import Settings
from worker import schedule

LONGEST_TASK_SECONDS = 600


def redis_url(settings: Settings) -> str:
    return settings.redis_url or "redis://127.0.0.1:6379/0"


def broker_url(url: str) -> str:
    """Kombu's spelling: of a Unix socket, where it overlooks `db` and wants the number as `virtual_host`; of sentinels, one address each."""
    if url.startswith(broker.SENTINEL):
        told = broker.sentinels_of(url)
        login = f"{quote(told.username or '', safe='')}:{quote(told.password or '', safe='')}@" if told.password else ""
        hosts = (f"[{host}]" if ":" in host else host for host, _ in told.hosts)
        ports = (port for _, port in told.hosts)
        return ";".join(
            f"{broker.SENTINEL}{login}{host}:{port}/{told.db}" for host, port in zip(hosts, ports, strict=True)
        )
    if not url.startswith("unix://"):
        return url
    address, mark, query = url.replace("unix://", "redis+socket://", 1).partition("?")
    return address + mark + query.replace("db=", "virtual_host=", 1)


def sentinel_options(url: str) -> dict[str, object]:
    """What kombu must be told besides the addresses of sentinels."""
    if not url.startswith(broker.SENTINEL):
        return {}
    told = broker.sentinels_of(url)
    patience = {"socket_timeout": broker.PATIENCE_SECONDS, "socket_connect_timeout": broker.PATIENCE_SECONDS}
    return {"master_name": told.master, "sentinel_kwargs": {**patience, "password": told.sentinel_password}}


def make(settings: Settings) -> Celery:
    app = Celery("hoi")
    app.conf.update(
        broker_url=broker_url(redis_url(settings)),
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            # Longer than the longest task; the sweep for unacknowledged work runs often (kombu's default is every 100 s).
            "visibility_timeout": LONGEST_TASK_SECONDS + 60,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "socket_keepalive": True,
            "health_check_interval": 10,
            **sentinel_options(redis_url(settings)),
        },
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_time_limit=LONGEST_TASK_SECONDS,
        task_soft_time_limit=LONGEST_TASK_SECONDS - 30,
        task_default_queue=schedule.WORK,
        beat_schedule=schedule.entries(),
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=2000,
        timezone="Asia/Ho_Chi_Minh",
        enable_utc=True,
    )
    return app


@setup_logging.connect
def _log_our_way(**_: object) -> None:
    """With somebody connected to this signal, Celery sets up no logging of its own: neither in workers nor in the scheduler."""
    configure_logging(settings_module.load())
    logging.getLogger("celery.beat").setLevel(logging.WARNING)  # else a line for each chore, every few seconds


celery = make(settings_module.load())
