"""An event becomes one paid delivery for each reaction, whatever dies in between."""

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import ResponseError
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from app import audit, clock, jobs, outbox
from app.actor import SYSTEM, Actor
from app.audit import AuditEntry
from app.db import Database, Words, new_id
from app.errors import Invalid
from app.outbox import Delivery, DeliveryGivenUp, Event, NotYet, OutboxEvent
from app.settings import ROOT, Settings
from worker import celery_app, reactions, relay, schedule, tasks


@dataclass(frozen=True, slots=True)
class Rang(Event):
    name: ClassVar[str] = "test.rang"
    bell_id: UUID


class FakeBroker:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.lives: list[float] = []
        self.queues: list[str] = []

    def send_task(self, name: str, *, args: tuple[str, str], queue: str, expires: float, **_: object) -> None:
        assert name in {"hoi.react", "hoi.react_to_all"}
        assert queue in schedule.QUEUES
        self.queues.append(queue)
        self.sent.append(args)
        self.lives.append(expires)


def send_due(database: Database, broker: Any, **queued: int) -> int:
    """`queued`: what already lies in a queue of this name, untouched."""
    return relay.send_due(database, broker, lambda queue: queued.get(queue, 0))


def ring(session: Session, actor: Actor, event: Rang) -> None:
    audit.record(session, actor, "test:bell:ring", subject_id=event.bell_id)


def refuse(_session: Session, _actor: Actor, _event: Rang) -> None:
    raise RuntimeError("no bell today")


@pytest.fixture
def one_reaction(monkeypatch: pytest.MonkeyPatch) -> None:
    reaction = reactions.Reaction(Rang, "test.ring", verb=f"{__name__}:ring")
    monkeypatch.setitem(reactions.BY_NAME, "test.ring", reaction)
    monkeypatch.setitem(reactions.BY_EVENT, Rang.name, (reaction,))


def publish(database: Database, **kwargs: object) -> UUID:
    bell = new_id()
    with database.transaction(SYSTEM) as session:
        outbox.publish(session, SYSTEM, Rang(bell_id=bell), **kwargs)
    return bell


def send_one(database: Database) -> tuple[FakeBroker, UUID]:
    """Ring a bell and send its one delivery. Returns the broker and the event's id."""
    publish(database)
    relay.fan_out(database)
    broker = FakeBroker()
    assert send_due(database, broker) == 1
    return broker, UUID(broker.sent[0][0])


def react_with(monkeypatch: pytest.MonkeyPatch, name: str, **does: Any) -> None:
    reaction = reactions.Reaction(Rang, name, **does)
    monkeypatch.setitem(reactions.BY_NAME, name, reaction)
    monkeypatch.setitem(reactions.BY_EVENT, Rang.name, (reaction,))


def owed(database: Database) -> Delivery:
    """The one delivery of a bell."""
    with database.transaction(SYSTEM) as session:
        return session.scalars(
            select(Delivery)
            .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
            .where(OutboxEvent.name == Rang.name)
            .execution_options(populate_existing=True)
        ).one()


def change(database: Database, **values: object) -> None:
    with database.transaction(SYSTEM) as session:
        session.execute(update(Delivery).values(**values))


def rings(database: Database) -> list[UUID | None]:
    with database.transaction(SYSTEM) as session:
        return list(session.scalars(select(AuditEntry.subject_id).where(AuditEntry.action == "test:bell:ring")))


@pytest.mark.usefixtures("one_reaction")
def test_one_event_is_sent_once_and_paid_once_even_when_delivered_three_times(fresh_database: Database) -> None:
    bell = publish(fresh_database)
    broker = FakeBroker()
    assert relay.fan_out(fresh_database) == 1
    assert relay.fan_out(fresh_database) == 0
    assert send_due(fresh_database, broker) == 1
    assert send_due(fresh_database, broker) == 0, "the lease holds"
    for _ in range(3):
        tasks.pay(fresh_database, UUID(broker.sent[0][0]), broker.sent[0][1])
    assert rings(fresh_database) == [bell]
    with fresh_database.transaction(SYSTEM) as session:
        assert outbox.open_debts(session) == 0


@pytest.mark.usefixtures("one_reaction")
def test_a_delivery_that_the_broker_lost_is_sent_again_when_its_lease_ends(fresh_database: Database) -> None:
    broker, _event = send_one(fresh_database)
    broker.sent.clear()
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(update(Delivery).values(lease_until=clock.machine_now() - timedelta(seconds=1)))
    assert send_due(fresh_database, broker) == 1
    assert len(broker.sent) == 1


class DeadBroker(FakeBroker):
    """Takes this many, then is away."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self.takes = takes

    def send_task(self, name: str, *, args: tuple[str, str], **more: object) -> None:
        if len(self.sent) >= self.takes:
            raise OperationalError("no broker")
        super().send_task(name, args=args, **more)


@pytest.mark.usefixtures("one_reaction")
def test_what_a_dead_broker_did_not_take_is_due_at_once_and_costs_no_attempt(fresh_database: Database) -> None:
    for _ in range(3):
        publish(fresh_database)
    relay.fan_out(fresh_database)
    first = DeadBroker(1)
    with pytest.raises(OperationalError):
        send_due(fresh_database, first)
    for _ in range(tasks.MAX_ATTEMPTS):
        with pytest.raises(OperationalError):
            send_due(fresh_database, DeadBroker(0))
    back = FakeBroker()
    assert send_due(fresh_database, back) == 2
    assert len({*first.sent, *back.sent}) == 3
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalars(select(Delivery.attempts)).all() == [0, 0, 0]


class RefusingBroker(FakeBroker):
    """Valkey without memory, as redis-py tells it: the connection is well, the answer is no."""

    def send_task(self, name: str, **more: Any) -> None:  # noqa: ARG002 - the refused message
        raise ResponseError("OOM command not allowed when used memory > 'maxmemory'.")


@pytest.mark.usefixtures("one_reaction")
def test_what_a_broker_refused_is_due_again_at_once(fresh_database: Database) -> None:
    publish(fresh_database)
    relay.fan_out(fresh_database)
    with pytest.raises(ResponseError):
        send_due(fresh_database, RefusingBroker())
    assert owed(fresh_database).lease_until is None
    assert send_due(fresh_database, FakeBroker()) == 1


@pytest.mark.usefixtures("one_reaction")
def test_the_relay_lives_on_when_the_broker_refuses(fresh_database: Database) -> None:
    class RefusesOnce(FakeBroker):
        refused = 0

        def send_task(self, name: str, **more: Any) -> None:
            if not self.refused:
                self.refused += 1
                raise ResponseError("READONLY You can't write against a read only replica.")
            super().send_task(name, **more)
            loop.stop()

    publish(fresh_database)
    broker = RefusesOnce()
    loop = relay.Relay(fresh_database, broker, lambda _queue: 0, fresh_database.url)
    loop.run()
    assert (broker.refused, len(broker.sent)) == (1, 1)


@pytest.mark.usefixtures("one_reaction")
def test_a_message_is_void_when_its_lease_ends(fresh_database: Database) -> None:
    before = clock.machine_now()
    broker, _event = send_one(fresh_database)
    assert broker.lives == [60]
    lease_until = owed(fresh_database).lease_until
    assert lease_until is not None
    assert timedelta(seconds=60) <= lease_until - before < timedelta(seconds=70)


def test_a_full_queue_is_given_no_more_and_the_other_queue_does_not_wait_for_it(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that expire before their turn would be sent again and again, faster than a worker can throw them away."""
    work = reactions.Reaction(Rang, "test.ring", verb=f"{__name__}:ring")
    call = reactions.Reaction(Rang, "test.call", call=f"{__name__}:call_in_vain", queue=schedule.CALLS)
    monkeypatch.setitem(reactions.BY_NAME, work.name, work)
    monkeypatch.setitem(reactions.BY_NAME, call.name, call)
    monkeypatch.setitem(reactions.BY_EVENT, Rang.name, (work, call))
    for _ in range(3):
        publish(fresh_database)
    relay.fan_out(fresh_database)
    broker = FakeBroker()
    full = {schedule.WORK: relay.MOST_QUEUED, schedule.CALLS: relay.MOST_QUEUED + 7}
    assert send_due(fresh_database, broker, **full) == 0
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalars(select(Delivery.lease_until).distinct()).all() == [None]
    assert send_due(fresh_database, broker, **full | {schedule.WORK: relay.MOST_QUEUED - 2}) == 2
    assert [name for _event, name in broker.sent] == [work.name, work.name]
    assert send_due(fresh_database, broker, **full | {schedule.CALLS: 0}) == 3
    assert [name for _event, name in broker.sent[2:]] == [call.name] * 3
    assert send_due(fresh_database, broker) == 1
    assert len(set(broker.sent)) == 6


def test_the_length_of_a_queue_is_asked_of_valkey(settings: Settings) -> None:
    queued = relay.queued_in(celery_app.redis_url(settings))
    broker = celery_app.make(settings)
    with broker.connection_for_write() as connection:
        for _ in range(3):
            broker.send_task("hoi.react", args=("x", "y"), queue=schedule.WORK, connection=connection)
    assert [queued(queue) for queue in schedule.QUEUES] == [3, 0, 0, 0]


@pytest.mark.usefixtures("one_reaction")
def test_an_event_of_the_future_waits_for_business_time(fresh_database: Database) -> None:
    publish(fresh_database, due_at=clock.now() + timedelta(days=30))
    assert relay.fan_out(fresh_database) == 0
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(text("UPDATE clock_shift SET shift = '31 days'"))
    assert relay.fan_out(fresh_database) == 1
    clock.shift(timedelta())


def test_a_failing_reaction_is_put_off_and_dies_with_its_reason(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    react_with(monkeypatch, "test.refuse", verb=f"{__name__}:refuse")
    publish(fresh_database)
    relay.fan_out(fresh_database)
    broker = FakeBroker()
    for _ in range(tasks.MAX_ATTEMPTS):
        with fresh_database.transaction(SYSTEM) as session:
            session.execute(update(Delivery).values(run_after=clock.machine_now() - timedelta(seconds=1)))
        assert send_due(fresh_database, broker) == 1
        tasks.pay(fresh_database, UUID(broker.sent[-1][0]), "test.refuse")
    assert send_due(fresh_database, broker) == 0
    with fresh_database.transaction(SYSTEM) as session:
        delivery = session.scalars(select(Delivery)).one()
    assert (delivery.attempts, delivery.done_at) == (tasks.MAX_ATTEMPTS, None)
    assert delivery.dead_reason == "RuntimeError"
    with fresh_database.transaction(SYSTEM) as session:
        news = session.scalars(select(OutboxEvent.body).where(OutboxEvent.name == DeliveryGivenUp.name)).all()
    assert news == [{"event_id": str(delivery.event_id), "reaction": "test.refuse"}]


PHONE, NAME = "0912345678", "Nguyễn Văn Thử"


def write_to_nobody(session: Session, _actor: Actor, _event: Rang) -> None:
    session.execute(
        text("INSERT INTO scan_tallies (id, received_at, code, scans) VALUES (:id, :at, :code, 0)"),
        {"id": new_id(), "at": clock.now(), "code": f"{NAME} {PHONE}"},
    )


def refuse_by_a_rule(_session: Session, _actor: Actor, _event: Rang) -> None:
    raise Invalid("no_name", Words(vi="Dòng 7 thiếu tên.", en=f"Row 7 ({PHONE}) has no name."))


@pytest.mark.parametrize(
    ("verb", "reason"),
    [
        (write_to_nobody, "IntegrityError 23514 ck_scan_tallies_scans"),
        (refuse_by_a_rule, "no_name: Row 7 ([số đã che]) has no name."),
    ],
)
def test_the_reason_of_a_failure_names_no_person(
    fresh_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    verb: Any,
    reason: str,
) -> None:
    react_with(monkeypatch, "test.private", verb=f"{__name__}:{verb.__name__}")
    _broker, event = send_one(fresh_database)
    change(fresh_database, attempts=tasks.MAX_ATTEMPTS - 1)
    with capture_logs() as lines:
        tasks.pay(fresh_database, event, "test.private")
    assert owed(fresh_database).dead_reason == reason
    logged = str(lines)
    assert f"tests/worker/test_outbox_flow.py:{verb.__code__.co_firstlineno + 1} {verb.__name__}" in logged
    assert [word for word in (PHONE, *NAME.split()) if word in logged] == []


def test_a_failure_that_cannot_be_put_off_does_not_drag_its_text_along(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise OSError("the database went away")

    react_with(monkeypatch, "test.private", verb=f"{__name__}:write_to_nobody")
    monkeypatch.setattr(tasks, "put_off", lost)
    _broker, event = send_one(fresh_database)
    with pytest.raises(OSError, match="went away") as raised:
        tasks.pay(fresh_database, event, "test.private")
    assert raised.value.__context__ is None


def test_a_delivery_of_a_reaction_that_is_no_more_is_given_up_and_told(fresh_database: Database) -> None:
    with fresh_database.transaction(SYSTEM) as session:
        event = outbox.publish(session, SYSTEM, Rang(bell_id=new_id()))
        session.flush()
        session.add(Delivery(event_id=event, reaction="test.of_yesterday", run_after=clock.machine_now()))
    relay.fan_out(fresh_database)
    assert send_due(fresh_database, FakeBroker()) == 0
    assert owed(fresh_database).dead_reason == "no such reaction in this version"
    with fresh_database.transaction(SYSTEM) as session:
        news = session.scalars(select(OutboxEvent.body).where(OutboxEvent.name == DeliveryGivenUp.name)).all()
    assert news == [{"event_id": str(event), "reaction": "test.of_yesterday"}]


def call_in_vain(_database: Database, _settings: Any, _event: Rang) -> None:
    raise OSError("no mail server")


def test_a_call_is_tried_for_three_days_then_given_up_and_told(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = [tasks._pause(n) for n in range(1, tasks.MAX_CALL_ATTEMPTS)]
    assert timedelta(days=3) <= sum(waits, timedelta()) < timedelta(days=3, hours=1)
    assert max(waits) == timedelta(minutes=15)
    react_with(monkeypatch, "test.call", call=f"{__name__}:call_in_vain", queue=schedule.CALLS)
    publish(fresh_database)
    relay.fan_out(fresh_database)
    broker = FakeBroker()
    left = []
    for attempts in (tasks.MAX_ATTEMPTS - 1, tasks.MAX_CALL_ATTEMPTS - 2, tasks.MAX_CALL_ATTEMPTS - 1):
        change(fresh_database, attempts=attempts, run_after=clock.machine_now() - timedelta(seconds=1))
        send_due(fresh_database, broker)
        tasks.pay(fresh_database, UUID(broker.sent[-1][0]), "test.call")
        left.append((owed(fresh_database).attempts, owed(fresh_database).dead_reason))
    assert left == [(12, None), (296, None), (297, "OSError")]
    relay.fan_out(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalars(select(Delivery.reaction).where(Delivery.dead_at.is_(None))).all() == [
            "notices.delivery_given_up"
        ]


def test_what_cannot_tell_of_a_failure_does_not_tell_of_itself(fresh_database: Database) -> None:
    with fresh_database.transaction(SYSTEM) as session:
        outbox.publish(session, SYSTEM, DeliveryGivenUp(event_id=new_id(), reaction="test.ring"))
    relay.fan_out(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        outbox.give_up(session, session.scalars(select(Delivery)).one(), "RuntimeError")
    assert relay.fan_out(fresh_database) == 0


POISON = """
import os, signal, sys
from uuid import UUID
from app.db import Database
from tests.worker import test_outbox_flow as flow
from worker import reactions, tasks

url, event, deaths, times = sys.argv[1:]

def die(_session, _actor, _event):
    with open(deaths, "a") as file:
        file.write(".")
    os.kill(os.getpid(), signal.SIGKILL)

reactions.BY_NAME["test.ring"] = reactions.Reaction(flow.Rang, "test.ring", verb="__main__:die")
for _ in range(int(times)):
    child = os.fork()
    if child == 0:
        database = Database(url)
        with database.engine.begin() as connection:  # the one before holds the row until its server sees that it died
            connection.exec_driver_sql("SELECT 1 FROM outbox_deliveries FOR UPDATE")
        tasks.pay(database, UUID(event), "test.ring")
        os._exit(0)
    os.waitpid(child, 0)
"""


def die_of_it(database: Database, event: UUID, deaths: Path, times: int) -> int:
    """Let so many processes begin, one after the other, and return how many have died of it so far."""
    arguments = [database.url, str(event), str(deaths), str(times)]
    subprocess.run([sys.executable, "-c", POISON, *arguments], check=True, cwd=ROOT, timeout=60)
    return len(deaths.read_text())


@pytest.mark.usefixtures("one_reaction")
def test_work_that_kills_its_process_is_begun_twenty_times_ever_more_seldom_then_given_up(
    fresh_database: Database, tmp_path: Path
) -> None:
    _broker, event = send_one(fresh_database)
    deaths = tmp_path / "deaths"
    assert die_of_it(fresh_database, event, deaths, 6) == 4, "after the fourth it has to wait"
    delivery = owed(fresh_database)
    assert (delivery.starts, delivery.attempts, delivery.dead_at) == (4, 0, None)
    assert timedelta(seconds=1) < delivery.run_after - clock.machine_now() <= timedelta(seconds=16)
    due = clock.machine_now() - timedelta(seconds=1)
    change(fresh_database, starts=tasks.MAX_STARTS - 1, run_after=due)
    assert die_of_it(fresh_database, event, deaths, 2) == 5
    change(fresh_database, run_after=due)
    assert die_of_it(fresh_database, event, deaths, 1) == 5, "not begun again"
    delivery = owed(fresh_database)
    assert (delivery.starts, delivery.done_at) == (20, None)
    assert delivery.dead_reason == "begun 20 times, and the process died each time"
    with fresh_database.transaction(SYSTEM) as session:
        assert outbox.revive(session) == 1
    assert owed(fresh_database).starts == 0


@pytest.mark.usefixtures("one_reaction")
def test_others_deaths_are_forgotten_when_the_work_comes_to_an_end(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    react_with(monkeypatch, "test.refuse", verb=f"{__name__}:refuse")
    _broker, event = send_one(fresh_database)
    change(fresh_database, starts=tasks.MAX_STARTS - 1)
    tasks.pay(fresh_database, event, "test.refuse")
    delivery = owed(fresh_database)
    assert (delivery.starts, delivery.attempts, delivery.dead_at) == (0, 1, None)


@pytest.mark.usefixtures("one_reaction")
def test_while_somebody_is_at_it_others_return_at_once_and_it_is_not_sent_again(fresh_database: Database) -> None:
    broker, event = send_one(fresh_database)
    change(fresh_database, lease_until=clock.machine_now() - timedelta(seconds=1))
    with fresh_database.transaction(SYSTEM) as at_it:
        assert tasks._open(at_it, event, "test.ring") is not None
        began = time.monotonic()
        tasks.pay(fresh_database, event, "test.ring")
        tasks.put_off(fresh_database, event, "test.ring", "RuntimeError")
        assert send_due(fresh_database, broker) == 0
        assert time.monotonic() - began < 5, "it would have waited for the lock ten seconds"
    delivery = owed(fresh_database)
    assert (delivery.attempts, delivery.starts, delivery.done_at) == (0, 0, None)
    assert rings(fresh_database) == []
    assert send_due(fresh_database, broker) == 1
    tasks.pay(fresh_database, event, "test.ring")
    assert len(rings(fresh_database)) == 1


@pytest.mark.usefixtures("one_reaction")
def test_a_beginning_that_was_counted_waits_for_whoever_touches_the_row(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., Any]
) -> None:
    """Else it would end with nothing done, counted as a death, and the fourth such end would put the work off."""
    _broker, event = send_one(fresh_database)
    begin = tasks._begin

    def begin_then_be_touched(*arguments: Any) -> OutboxEvent | None:
        begun = begin(*arguments)
        touch()
        return begun

    with ExitStack() as touching, ThreadPoolExecutor(1) as pool:

        def touch() -> None:
            session = touching.enter_context(fresh_database.transaction(SYSTEM))
            assert tasks._open(session, event, "test.ring") is not None

        monkeypatch.setattr(tasks, "_begin", begin_then_be_touched)
        paying = pool.submit(tasks.pay, fresh_database, event, "test.ring")

        def waits() -> bool:
            assert not paying.done(), "it ended without its work"
            with fresh_database.transaction(SYSTEM) as session:
                return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

        wait_for(waits, 20, "the work to wait for the row")
        touching.close()
        paying.result(timeout=20)
    delivery = owed(fresh_database)
    assert (delivery.starts, delivery.attempts, delivery.done_at is not None) == (1, 0, True)
    assert len(rings(fresh_database)) == 1


@pytest.mark.usefixtures("one_reaction")
def test_a_copy_of_an_earlier_turn_does_not_end_the_waiting(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    react_with(monkeypatch, "test.refuse", verb=f"{__name__}:refuse")
    _broker, event = send_one(fresh_database)
    for _ in range(3):
        tasks.pay(fresh_database, event, "test.refuse")
    assert owed(fresh_database).attempts == 1


def wait_a_little(_session: Session, _actor: Actor, _event: Rang) -> None:
    raise NotYet(timedelta(seconds=7))


def test_a_reaction_that_cannot_begin_yet_waits_without_losing_an_attempt(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    react_with(monkeypatch, "test.wait", verb=f"{__name__}:wait_a_little")
    broker, event = send_one(fresh_database)
    before = clock.machine_now()
    tasks.pay(fresh_database, event, "test.wait")
    assert send_due(fresh_database, broker) == 0
    with fresh_database.transaction(SYSTEM) as session:
        delivery = session.scalars(select(Delivery)).one()
    assert (delivery.attempts, delivery.lease_until, delivery.done_at, delivery.dead_at) == (0, None, None, None)
    assert timedelta(seconds=7) <= delivery.run_after - before < timedelta(seconds=17)


def give_up(database: Database) -> UUID:
    bell = publish(database)
    relay.fan_out(database)
    with database.transaction(SYSTEM) as session:
        session.execute(
            update(Delivery)
            .where(Delivery.done_at.is_(None))
            .values(dead_at=clock.machine_now(), dead_reason="RuntimeError: no bell today", attempts=12)
        )
    return bell


@pytest.mark.usefixtures("one_reaction")
def test_what_was_given_up_is_paid_after_a_revival(fresh_database: Database) -> None:
    bell = give_up(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        assert (outbox.count_dead(session), outbox.open_debts(session)) == (1, 0)
        assert outbox.revive(session, "another.reaction") == 0
        assert [d.dead_reason for d in outbox.dead_deliveries(session)] == ["RuntimeError: no bell today"]
        assert outbox.revive(session, "test.ring") == 1
    settle(fresh_database)
    assert rings(fresh_database) == [bell]
    with fresh_database.transaction(SYSTEM) as session:
        assert (outbox.count_dead(session), outbox.open_debts(session)) == (0, 0)


def test_a_job_reports_its_way_and_its_result(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int, int | None]] = []

    def handler(_session: Session, _actor: Actor, job: jobs.Job, report: jobs.Report) -> dict[str, object]:
        report(3, 4)
        with fresh_database.transaction(SYSTEM) as aside:
            row = aside.get_one(jobs.Job, job.id)
            seen.append((row.state, row.done, row.total))
        return {"made": 4}

    monkeypatch.setattr(reactions, "job_handler", {"test.job": handler}.__getitem__)
    with fresh_database.transaction(SYSTEM) as session:
        job_id = jobs.start(session, SYSTEM, "test.job", title=Words(vi="Thử"), params={"n": 4})
    settle(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        job = session.get_one(jobs.Job, job_id)
    assert seen == [("running", 3, 4)]
    assert (job.state, job.result) == ("done", {"made": 4})


def test_a_job_refused_by_a_rule_fails_with_the_rules_sentence_and_changes_nothing(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler(session: Session, actor: Actor, _job: jobs.Job, _report: jobs.Report) -> dict[str, object]:
        audit.record(session, actor, "test:half:applied")
        session.flush()
        raise Invalid("bad_row", Words(vi="Dòng 7 thiếu tên.", en="Row 7 has no name."))

    monkeypatch.setattr(reactions, "job_handler", {"test.job": handler}.__getitem__)
    with fresh_database.transaction(SYSTEM) as session:
        job_id = jobs.start(session, SYSTEM, "test.job", title=Words(vi="Thử"), params={})
    settle(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        job = session.get_one(jobs.Job, job_id)
        applied = session.scalars(select(AuditEntry.action)).all()
    assert (job.state, job.error) == ("failed", Words(vi="Dòng 7 thiếu tên.", en="Row 7 has no name."))
    assert applied == []


def settle(database: Database) -> None:
    """Pay everything that is owed, in this process, without a broker."""
    broker = FakeBroker()
    while relay.fan_out(database) or send_due(database, broker):
        for event_id, name in broker.sent:
            tasks.pay(database, UUID(event_id), name)
        broker.sent.clear()
