"""An event becomes one paid delivery for each reaction, whatever dies in between."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import pytest
from kombu.exceptions import OperationalError
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from app import audit, clock, jobs, outbox
from app.actor import SYSTEM, Actor
from app.audit import AuditEntry
from app.db import Database, Words, new_id
from app.errors import Invalid
from app.outbox import Delivery, Event, NotYet
from worker import reactions, relay, schedule, tasks


@dataclass(frozen=True, slots=True)
class Rang(Event):
    name: ClassVar[str] = "test.rang"
    bell_id: UUID


class FakeBroker:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send_task(self, name: str, *, args: tuple[str, str], queue: str, **_: object) -> None:
        assert (name, queue) == ("hoi.react", schedule.WORK)
        self.sent.append(args)


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


def rings(database: Database) -> list[UUID | None]:
    with database.transaction(SYSTEM) as session:
        return list(session.scalars(select(AuditEntry.subject_id).where(AuditEntry.action == "test:bell:ring")))


@pytest.mark.usefixtures("one_reaction")
def test_one_event_is_sent_once_and_paid_once_even_when_delivered_three_times(fresh_database: Database) -> None:
    bell = publish(fresh_database)
    broker = FakeBroker()
    assert relay.fan_out(fresh_database) == 1
    assert relay.fan_out(fresh_database) == 0
    assert relay.send_due(fresh_database, broker) == 1
    assert relay.send_due(fresh_database, broker) == 0, "the lease holds"
    for _ in range(3):
        tasks.pay(fresh_database, UUID(broker.sent[0][0]), broker.sent[0][1])
    assert rings(fresh_database) == [bell]
    with fresh_database.transaction(SYSTEM) as session:
        assert outbox.open_debts(session) == 0


@pytest.mark.usefixtures("one_reaction")
def test_a_delivery_that_the_broker_lost_is_sent_again_when_its_lease_ends(fresh_database: Database) -> None:
    publish(fresh_database)
    broker = FakeBroker()
    relay.fan_out(fresh_database)
    relay.send_due(fresh_database, broker)
    broker.sent.clear()
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(update(Delivery).values(lease_until=clock.machine_now() - timedelta(seconds=1)))
    assert relay.send_due(fresh_database, broker) == 1
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
        relay.send_due(fresh_database, first)
    for _ in range(tasks.MAX_ATTEMPTS):
        with pytest.raises(OperationalError):
            relay.send_due(fresh_database, DeadBroker(0))
    back = FakeBroker()
    assert relay.send_due(fresh_database, back) == 2
    assert len({*first.sent, *back.sent}) == 3
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalars(select(Delivery.attempts)).all() == [0, 0, 0]


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
    reaction = reactions.Reaction(Rang, "test.refuse", verb=f"{__name__}:refuse")
    monkeypatch.setitem(reactions.BY_NAME, "test.refuse", reaction)
    monkeypatch.setitem(reactions.BY_EVENT, Rang.name, (reaction,))
    publish(fresh_database)
    relay.fan_out(fresh_database)
    broker = FakeBroker()
    for _ in range(tasks.MAX_ATTEMPTS):
        with fresh_database.transaction(SYSTEM) as session:
            session.execute(update(Delivery).values(run_after=clock.machine_now() - timedelta(seconds=1)))
        assert relay.send_due(fresh_database, broker) == 1
        tasks.pay(fresh_database, UUID(broker.sent[-1][0]), "test.refuse")
    assert relay.send_due(fresh_database, broker) == 0
    with fresh_database.transaction(SYSTEM) as session:
        delivery = session.scalars(select(Delivery)).one()
    assert (delivery.attempts, delivery.done_at) == (tasks.MAX_ATTEMPTS, None)
    assert delivery.dead_reason == "RuntimeError: no bell today"


def wait_a_little(_session: Session, _actor: Actor, _event: Rang) -> None:
    raise NotYet(timedelta(seconds=7))


def test_a_reaction_that_cannot_begin_yet_waits_without_losing_an_attempt(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaction = reactions.Reaction(Rang, "test.wait", verb=f"{__name__}:wait_a_little")
    monkeypatch.setitem(reactions.BY_NAME, "test.wait", reaction)
    monkeypatch.setitem(reactions.BY_EVENT, Rang.name, (reaction,))
    publish(fresh_database)
    relay.fan_out(fresh_database)
    broker = FakeBroker()
    relay.send_due(fresh_database, broker)
    before = clock.machine_now()
    tasks.pay(fresh_database, UUID(broker.sent[0][0]), "test.wait")
    assert relay.send_due(fresh_database, broker) == 0
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
        raise Invalid("bad_row", vi="Dòng 7 thiếu tên.", en="Row 7 has no name.")

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
    while relay.fan_out(database) or relay.send_due(database, broker):
        for event_id, name in broker.sent:
            tasks.pay(database, UUID(event_id), name)
        broker.sent.clear()
