"""Work told apart: what is due in one queue is read alone and in order, many events are answered together, some only once."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.actor import SYSTEM, Actor
from app.audit import AuditEntry
from app.db import Database, new_id
from app.outbox import Delivery, Event, OutboxEvent
from worker import reactions, relay, schedule, tasks

LATER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Told(Event):
    name: ClassVar[str] = "test.told"
    number: int
    matters: bool = True


class Broker:
    """Keeps what it is given: the task, its arguments, and the queue."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, str]] = []

    def send_task(self, name: str, *, args: Any, queue: str, **_: object) -> None:
        self.sent.append((name, args, queue))


def note(session: Session, actor: Actor, events: list[Told]) -> None:
    """One line for all of them: how many there were and their sum."""
    if any(event.number < 0 for event in events):
        raise ValueError("a bad one")
    numbers = [event.number for event in events]
    audit.record(session, actor, "test:told", count=len(numbers), sum=sum(numbers))


def look(session: Session, actor: Actor, _event: Told) -> None:
    audit.record(session, actor, "test:looked")


def react_with(monkeypatch: pytest.MonkeyPatch, *made: reactions.Reaction) -> None:
    for one in made:
        monkeypatch.setitem(reactions.BY_NAME, one.name, one)
    monkeypatch.setitem(reactions.BY_EVENT, Told.name, made)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    react_with(monkeypatch, reactions.Reaction(Told, "test.note", verb=f"{__name__}:note", many=True))


def tell(database: Database, *numbers: int, matters: bool = True) -> list[UUID]:
    with database.transaction(SYSTEM) as session:
        return [outbox.publish(session, SYSTEM, Told(number, matters)) for number in numbers]


def send(database: Database) -> Broker:
    relay.fan_out(database)
    broker = Broker()
    relay.send_due(database, broker, lambda _queue: 0)  # type: ignore[arg-type]  # as much of a broker as is asked
    return broker


def noted(database: Database) -> list[tuple[int, int]]:
    with database.transaction(SYSTEM) as session:
        lines = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "test:told"))
        return sorted((line["count"], line["sum"]) for line in lines)


def owed(database: Database) -> list[Delivery]:
    with database.transaction(SYSTEM) as session:
        return list(
            session.scalars(
                select(Delivery)
                .join(OutboxEvent)
                .where(Delivery.done_at.is_(None))
                .order_by(OutboxEvent.position)
                .execution_options(populate_existing=True)
            )
        )


# --- many together -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("many")
def test_what_is_due_at_once_is_one_message_and_one_effect(fresh_database: Database) -> None:
    ids = tell(fresh_database, 1, 2, 3)
    broker = send(fresh_database)
    assert broker.sent == [("hoi.react_to_all", ([str(one) for one in ids], "test.note"), schedule.WORK)]
    for _ in range(2):
        tasks.pay_all(fresh_database, ids, "test.note")
    assert (noted(fresh_database), owed(fresh_database)) == ([(3, 6)], [])


@pytest.mark.usefixtures("many")
def test_a_message_has_no_more_than_its_measure(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MOST_TOGETHER", 2)
    tell(fresh_database, 1, 2, 3, 4, 5)
    assert [len(args[0]) for _, args, _ in send(fresh_database).sent] == [2, 2, 1]


@pytest.mark.usefixtures("many")
def test_one_that_fails_fails_alone(fresh_database: Database) -> None:
    ids = tell(fresh_database, 1, -2, 3)
    send(fresh_database)
    tasks.pay_all(fresh_database, ids, "test.note")
    assert noted(fresh_database) == [(1, 1), (1, 3)]
    [left] = owed(fresh_database)
    assert (left.event_id, left.attempts, left.lease_until) == (ids[1], 1, None)


@pytest.mark.usefixtures("many")
def test_what_a_process_may_have_died_of_is_done_alone(fresh_database: Database) -> None:
    ids = tell(fresh_database, 1, 2, 4)
    send(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(update(Delivery).where(Delivery.event_id == ids[0]).values(starts=1))
    tasks.pay_all(fresh_database, ids, "test.note")
    assert noted(fresh_database) == [(1, 1), (2, 6)]


@pytest.mark.usefixtures("many")
def test_a_message_of_an_earlier_turn_does_nothing(fresh_database: Database) -> None:
    ids = tell(fresh_database, 1, 2)
    send(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(update(Delivery).values(lease_until=None))
    tasks.pay_all(fresh_database, ids, "test.note")
    assert noted(fresh_database) == []
    assert [d.starts for d in owed(fresh_database)] == [0, 0]


# --- once, and only when it matters ------------------------------------------------------------------------------


def test_of_events_that_come_at_once_the_last_is_answered(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    react_with(monkeypatch, reactions.Reaction(Told, "test.look", verb=f"{__name__}:look", once=True))
    ids = tell(fresh_database, 1, 2, 3)
    assert relay.fan_out(fresh_database) == 3
    assert [d.event_id for d in owed(fresh_database)] == [ids[2]]
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalars(select(OutboxEvent.id).where(OutboxEvent.fanned_out_at.is_(None))).all() == []
    later = tell(fresh_database, 4)
    relay.fan_out(fresh_database)
    assert [d.event_id for d in owed(fresh_database)] == [ids[2], *later], "what comes later is looked at again"


def test_what_does_not_matter_is_not_owed(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    yes, no = (
        reactions.Reaction(Told, f"test.{word}", verb=f"{__name__}:look", when=("matters", word == "yes"))
        for word in ("yes", "no")
    )
    react_with(monkeypatch, yes, no)
    ids = [*tell(fresh_database, 1), *tell(fresh_database, 2, matters=False)]
    relay.fan_out(fresh_database)
    assert [(d.event_id, d.reaction) for d in owed(fresh_database)] == [(ids[0], "test.yes"), (ids[1], "test.no")]
    assert [r.answers({"number": 1}) for r in (yes, no)] == [True, False], "an event of before there was the flag"


# --- queues ------------------------------------------------------------------------------------------------------


def heap(database: Database, number: int, queue: str, *, due: bool = True) -> None:
    """So many deliveries that wait, older than anything that is written from now on."""
    with database.transaction(SYSTEM) as session:
        session.execute(
            text(
                "WITH made AS (INSERT INTO outbox_events"
                " (id, name, body, request_id, recorded_at, due_at, fanned_out_at)"
                " SELECT gen_random_uuid(), 'test.heap', '{}', '', now(), now(), now() FROM generate_series(1, :n)"
                " RETURNING id)"
                " INSERT INTO outbox_deliveries (event_id, reaction, queue, attempts, starts, run_after)"
                " SELECT id, 'test.heap', :queue, 0, 0, now() + CAST(:when AS interval) FROM made"
            ),
            {"n": number, "queue": queue, "when": "-1 hour" if due else "1 hour"},
        )


def test_a_step_is_sent_before_all_the_bulk_that_waits(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    react_with(
        monkeypatch,
        reactions.Reaction(Told, "test.heap", verb=f"{__name__}:look", queue=schedule.BULK),
        reactions.Reaction(Told, "test.step", verb=f"{__name__}:look"),
    )
    heap(fresh_database, 1200, schedule.BULK)
    tell(fresh_database, 1)
    sent = send(fresh_database).sent
    by_queue = [queue for _, _, queue in sent]
    assert (by_queue.count(schedule.WORK), by_queue.count(schedule.BULK)) == (1, relay.MOST_QUEUED)
    assert [args[1] for _, args, queue in sent if queue == schedule.WORK] == ["test.step"]


def test_what_is_due_is_read_in_proportion_to_what_is_sent(fresh_database: Database) -> None:
    """With 20,000 that wait in the same queue, and as many in another."""
    for queue in (schedule.WORK, schedule.BULK):
        heap(fresh_database, 20_000, queue)
    with fresh_database.transaction(SYSTEM) as session:
        explain = (
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM outbox_deliveries WHERE queue = 'hoi.bulk'"
            " AND done_at IS NULL AND dead_at IS NULL AND run_after <= now()"
            " AND (lease_until IS NULL OR lease_until < now()) ORDER BY run_after LIMIT 50 FOR UPDATE SKIP LOCKED"
        )
        plan = session.scalar(text(explain))[0]["Plan"]
    assert "ix_outbox_deliveries_open" in str(plan)
    assert plan["Actual Rows"] == 50
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 400


def test_one_look_says_what_there_is_to_do(fresh_database: Database) -> None:
    heap(fresh_database, 10, schedule.WORK, due=False)
    nothing = relay.look(fresh_database)
    assert (nothing, bool(nothing)) == (relay.Due(events=False, queues=(), dead=False), False)
    heap(fresh_database, 10, schedule.BULK)
    assert relay.look(fresh_database) == relay.Due(events=False, queues=(schedule.BULK,), dead=False)
    with fresh_database.transaction(SYSTEM) as session:
        outbox.publish(session, SYSTEM, Told(1), due_at=clock.now() + LATER)
    assert not relay.look(fresh_database).events
    tell(fresh_database, 1)
    assert relay.look(fresh_database).events
    now = clock.machine_now()
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(update(Delivery).values(lease_until=now + LATER, alive_at=now))
    assert relay.look(fresh_database) == relay.Due(events=True, queues=(), dead=False)
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(update(Delivery).values(alive_at=now - 2 * relay.DEAD_AFTER))
    assert relay.look(fresh_database).dead


def test_a_relay_with_nothing_due_asks_one_question_a_second(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    heap(fresh_database, 1000, schedule.WORK, due=False)
    looked, waited = [], []
    real = relay.look
    loop = relay.Relay(fresh_database, Broker(), lambda _queue: 1 / 0, fresh_database.url)  # type: ignore[arg-type]

    def look_(database: Database) -> relay.Due:
        looked.append(real(database))
        return looked[-1]

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            loop.stop()

    monkeypatch.setattr(relay, "look", look_)
    monkeypatch.setattr(loop, "_wait_for_bell", wait)
    monkeypatch.setattr(relay, "fan_out", lambda _database: 1 / 0)
    loop.run()
    assert (len(looked), waited) == (3, [relay.POLL_SECONDS] * 3)


def test_what_an_earlier_version_owed_goes_into_the_queue_of_this_one(fresh_database: Database) -> None:
    with fresh_database.transaction(SYSTEM) as session:
        for name in ("jobs.run", "notices.deliver", "trace.check_site", "gone.in_this_version"):
            event = outbox.publish(session, SYSTEM, Told(1))
            session.flush()
            queue = "hoi.old" if name.startswith("gone") else schedule.WORK
            session.add(Delivery(event_id=event, reaction=name, queue=queue, run_after=clock.machine_now() + LATER))
    assert relay.sort_into_queues(fresh_database) == 3
    assert {d.reaction: d.queue for d in owed(fresh_database)} == {
        "jobs.run": schedule.BULK,
        "notices.deliver": schedule.CALLS,
        "trace.check_site": schedule.WORK,
        "gone.in_this_version": schedule.WORK,
    }
    assert relay.sort_into_queues(fresh_database) == 0


def test_unused_ids_are_no_work(fresh_database: Database) -> None:
    tasks.pay_all(fresh_database, [new_id()], "criteria.derive_of_diary")
    assert owed(fresh_database) == []
