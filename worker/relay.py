"""The relay: turns events into deliveries and sends what is due to the broker, at least once, by a bell and a 1 s poll."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from uuid import UUID

import psycopg
import structlog
from celery import Celery
from sqlalchemy import or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, outbox
from app import settings as settings_module
from app.actor import SYSTEM
from app.broker import client
from app.db import Database
from app.jobs import DEAD_AFTER
from app.logs import configure_logging
from app.outbox import Delivery, OutboxEvent
from worker import reactions, schedule
from worker.celery_app import celery, redis_url

BATCH = 500
# Messages of one queue that nobody has taken yet. Whoever takes ten a second begins each before its lease of a minute
# ends; a longer queue would only be made of messages that expire before their turn.
MOST_QUEUED = 500
MOST_TOGETHER = 100  # deliveries of one message, for reactions that take many events at once
POLL_SECONDS = 1.0
SWEEP_SECONDS = 2.0
CALM_SECONDS = 5.0  # after an outage of the database, until everybody who lives had the time to say so
BUSY_POLL_SECONDS = 0.1  # more may be due than was just sent, and the bell does not ring for room in a queue
Queued = Callable[[str], int]
log = structlog.get_logger()


def fan_out(database: Database) -> int:
    """Write a delivery row for each reaction to each event whose time has come. Returns how many events."""
    with database.transaction(SYSTEM) as session:
        events = session.execute(
            select(OutboxEvent.id, OutboxEvent.name, OutboxEvent.body)
            .where(OutboxEvent.fanned_out_at.is_(None), OutboxEvent.due_at <= clock.now())
            .order_by(OutboxEvent.position)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        if not events:
            return 0
        now = clock.machine_now()
        owed = [(e.id, r) for e in events for r in reactions.BY_EVENT.get(e.name, ()) if r.answers(e.body)]
        last = {r.name: event_id for event_id, r in owed}  # looking once does for all of them
        rows = [
            {"event_id": event_id, "reaction": r.name, "queue": r.queue, "attempts": 0, "run_after": now}
            for event_id, r in owed
            if not r.once or last[r.name] == event_id
        ]
        if rows:
            session.execute(insert(Delivery).on_conflict_do_nothing(), rows)
        session.execute(update(OutboxEvent).where(OutboxEvent.id.in_([e.id for e in events])).values(fanned_out_at=now))
        return len(events)


def queued_in(url: str) -> Queued:
    """How many messages lie in a queue of this Valkey, by its name. The answer raises what Valkey raises."""
    connection = client(url)
    return lambda queue: int(connection.llen(queue))


@dataclass(frozen=True, slots=True)
class Due:
    """What there is to do: events to fan out, queues in which something is due, work that a dead process may have held."""

    events: bool
    queues: tuple[str, ...]
    dead: bool

    def __bool__(self) -> bool:
        return self.events or self.dead or bool(self.queues)


def look(database: Database) -> Due:
    """One statement, which reads an entry or a few of each index: what a relay does a second while nothing is due."""
    with database.transaction(SYSTEM) as session:
        now = clock.machine_now()
        row = session.execute(
            _LOOK,
            {"queues": list(schedule.QUEUES), "now": now, "today": clock.now(), "dead": now - DEAD_AFTER},
        ).one()
        return Due(row.events, tuple(row.queues), row.dead)


_LOOK = text(
    "SELECT EXISTS (SELECT FROM outbox_events WHERE fanned_out_at IS NULL AND due_at <= :today) AS events,"
    " ARRAY (SELECT q FROM unnest(CAST(:queues AS text[])) WITH ORDINALITY AS u (q, number)"
    " WHERE EXISTS (SELECT FROM outbox_deliveries d WHERE d.queue = q AND d.done_at IS NULL AND d.dead_at IS NULL"
    " AND d.run_after <= :now AND (d.lease_until IS NULL OR d.lease_until < :now)) ORDER BY number) AS queues,"
    " EXISTS (SELECT FROM outbox_deliveries WHERE done_at IS NULL AND dead_at IS NULL AND alive_at < :dead"
    " AND lease_until > :now) AS dead"
)


def send_due(database: Database, broker: Celery, queued: Queued, queues: Iterable[str] = schedule.QUEUES) -> int:
    """Lease what is due in these queues and send it, as far as they have room. What the broker loses is sent again when its lease ends.

    A message is void when its lease ends, so that a long queue never holds two live ones for the same delivery.
    Returns how many were sent. Raises what the broker raises; what it did not take is due again at once.
    """
    return sum(_send_due(database, broker, queue, MOST_QUEUED - queued(queue)) for queue in queues)


def _send_due(database: Database, broker: Celery, queue: str, room: int) -> int:
    if room <= 0:
        return 0
    with database.transaction(SYSTEM) as session:
        messages = _together(_lease(session, queue, room))
    for number, (event_ids, name) in enumerate(messages):
        reaction = reactions.BY_NAME[name]
        task = ("hoi.react_to_all", (event_ids, name)) if reaction.many else ("hoi.react", (event_ids[0], name))
        try:
            broker.send_task(task[0], args=task[1], queue=queue, retry=False, expires=reaction.lease_seconds)
        except Exception:  # also a broker that answers: no memory left, read-only, disk full
            _give_back(database, [(UUID(one), name) for ids, name in messages[number:] for one in ids])
            raise
    return sum(len(event_ids) for event_ids, _ in messages)


def _lease(session: Session, queue: str, room: int) -> list[tuple[UUID, str]]:
    """Take what is due first, and give up what this version has no reaction for."""
    now = clock.machine_now()
    due = session.scalars(
        select(Delivery)
        .where(
            Delivery.queue == queue,
            Delivery.done_at.is_(None),
            Delivery.dead_at.is_(None),
            Delivery.run_after <= now,
            or_(Delivery.lease_until.is_(None), Delivery.lease_until < now),
        )
        .order_by(Delivery.run_after)
        .limit(room)
        .with_for_update(skip_locked=True)
    ).all()
    wanted = []
    for delivery in due:
        reaction = reactions.BY_NAME.get(delivery.reaction)
        if reaction is None:
            outbox.give_up(session, delivery, "no such reaction in this version")
            continue
        delivery.lease_until, delivery.alive_at = now + timedelta(seconds=reaction.lease_seconds), None
        wanted.append((delivery.event_id, delivery.reaction))
    return wanted


def _together(wanted: list[tuple[UUID, str]]) -> list[tuple[list[str], str]]:
    """One message for each delivery, or for up to MOST_TOGETHER of a reaction that takes many; in the order given."""
    messages: list[tuple[list[str], str]] = []
    open_ones: dict[str, list[str]] = {}
    for event_id, name in wanted:
        together = open_ones.get(name)
        if together is None or len(together) == MOST_TOGETHER:
            together = []
            messages.append((together, name))
            if reactions.BY_NAME[name].many:
                open_ones[name] = together
        together.append(str(event_id))
    return messages


def sort_into_queues(database: Database) -> int:
    """Put what is owed into the queues that this version reads, where an earlier one had other queues. Returns how many.

    Reactions that this version does not know come with the work, to be given up.
    """
    belongs = {r.name: r.queue for r in reactions.BY_NAME.values()}
    with database.transaction(SYSTEM) as session:
        asked = {"names": list(belongs), "queues": list(belongs.values()), "work": schedule.WORK}
        moved = session.scalars(_SORT, asked)
        return len(moved.all())


_SORT = text(
    "WITH belongs AS (SELECT * FROM unnest(CAST(:names AS text[]), CAST(:queues AS text[])) AS b (reaction, queue)),"
    " wrong AS (SELECT d.event_id, d.reaction, coalesce(b.queue, :work) AS queue FROM outbox_deliveries d"
    " LEFT JOIN belongs b USING (reaction) WHERE d.done_at IS NULL"  # the given-up ones too: they may be revived
    " AND d.queue <> coalesce(b.queue, :work) FOR UPDATE OF d SKIP LOCKED)"
    " UPDATE outbox_deliveries d SET queue = w.queue FROM wrong w"
    " WHERE d.event_id = w.event_id AND d.reaction = w.reaction RETURNING d.event_id"
)


def release_dead(database: Database) -> int:
    """Owe again at once what a process held that is gone, instead of waiting for its lease to end. Returns how many.

    Whoever runs a verb holds the delivery's row, which PostgreSQL frees when its connection ends, on whatever machine it ran;
    whoever calls somebody renews `alive_at`. So a row that can be had, and whose last sign of life is old, is nobody's.
    """
    now = clock.machine_now()
    with database.transaction(SYSTEM) as session:
        dead = (
            session.execute(
                select(Delivery)
                .where(
                    Delivery.done_at.is_(None),
                    Delivery.dead_at.is_(None),
                    Delivery.lease_until > now,
                    Delivery.alive_at < now - DEAD_AFTER,
                )
                .with_for_update(skip_locked=True)
            )
            .scalars()
            .all()
        )
        for delivery in dead:
            log.warning("taken up again", reaction=delivery.reaction, event_id=str(delivery.event_id))
            delivery.lease_until = delivery.alive_at = None
        return len(dead)


def _give_back(database: Database, unsent: list[tuple[UUID, str]]) -> None:
    """Nobody works on these: they are due again as soon as the broker answers, not only when their lease would end."""
    with database.transaction(SYSTEM) as session:
        session.execute(
            update(Delivery)
            .where(tuple_(Delivery.event_id, Delivery.reaction).in_(unsent))
            .values(lease_until=None)
            .execution_options(synchronize_session=False)
        )


class Relay:
    """The loop: never raises for a server that is lost or refuses, only waits and goes on."""

    def __init__(self, database: Database, broker: Celery, queued: Queued, database_url: str) -> None:
        self._database = database
        self._broker = broker
        self._queued = queued
        self._url = database_url
        self._stop = threading.Event()
        self._bell: psycopg.Connection | None = None
        self._sweep_at = 0.0
        self._sorted = False

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        self._stop.set()

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                self._begin()
                self._wait_for_bell(BUSY_POLL_SECONDS if self._round(look(self._database)) else POLL_SECONDS)
            except Exception as error:  # noqa: BLE001 - what stops one round must not stop the next
                log.warning("relay waits for its servers", error=type(error).__name__, detail=str(error)[:300])
                self._close_bell()
                self._sweep_at = time.monotonic() + CALM_SECONDS
                self._stop.wait(1)
        self._close_bell()

    def _round(self, due: Due) -> int:
        """Do what there is to do. Returns how many deliveries were sent."""
        if due.events:
            while fan_out(self._database) == BATCH:
                pass
            due = look(self._database)
        if due.dead:
            self._sweep()
        return send_due(self._database, self._broker, self._queued, due.queues)

    def _begin(self) -> None:
        if not self._sorted:
            sort_into_queues(self._database)
            self._sorted = True

    def _sweep(self) -> None:
        now = time.monotonic()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_SECONDS
            release_dead(self._database)

    def _wait_for_bell(self, seconds: float) -> None:
        if self._bell is None or self._bell.closed:
            self._bell = psycopg.connect(
                self._url, autocommit=True, application_name="hoi-relay-bell", connect_timeout=5
            )
            self._bell.execute("LISTEN hoi_outbox")
        for _ in self._bell.notifies(timeout=seconds, stop_after=1):
            break

    def _close_bell(self) -> None:
        if self._bell is not None:
            self._bell.close()
            self._bell = None


def main() -> int:
    settings = settings_module.load()
    configure_logging(settings)
    url = settings.database_url or ""
    database = Database(url, clock_movable=settings.clock_movable, pool_size=1, application="hoi-relay")
    relay = Relay(database, celery, queued_in(redis_url(settings)), url)
    signal.signal(signal.SIGTERM, relay.stop)
    signal.signal(signal.SIGINT, relay.stop)
    log.info("relay started")
    relay.run()
    database.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
