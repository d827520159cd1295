"""Work of a process that is gone is owed again within seconds; work of one that lives never is."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app import clock, jobs, outbox
from app.actor import SYSTEM
from app.db import Database, Words, new_id
from app.jobs import DEAD_AFTER, Job
from app.outbox import Delivery, Event, OutboxEvent
from app.settings import Settings
from worker import reactions, relay, tasks

OLD = DEAD_AFTER + timedelta(seconds=1)
let_go = threading.Event()
begun = threading.Event()


@dataclass(frozen=True, slots=True)
class Bell(Event):
    name: ClassVar[str] = "test.bell"


def hold(_database: Database, _settings: Settings, _event: Bell) -> None:
    """A call that takes as long as the test likes."""
    begun.set()
    assert let_go.wait(60)


@pytest.fixture(autouse=True)
def _one_reaction(monkeypatch: pytest.MonkeyPatch) -> None:
    reaction = reactions.Reaction(Bell, "test.hold", call=f"{__name__}:hold", lease_seconds=600)
    monkeypatch.setitem(reactions.BY_NAME, "test.hold", reaction)
    monkeypatch.setitem(reactions.BY_EVENT, Bell.name, (reaction,))
    monkeypatch.setattr(tasks, "process_settings", lambda: None)
    let_go.clear()
    begun.clear()


def sent(database: Database) -> UUID:
    """A delivery that the relay has leased and sent, and nobody has begun."""
    with database.transaction(SYSTEM) as session:
        event_id = outbox.publish(session, SYSTEM, Bell())
    relay.fan_out(database)
    later = clock.machine_now() + timedelta(minutes=10)
    change(database, lease_until=later)
    return event_id


def change(database: Database, **values: object) -> None:
    with database.transaction(SYSTEM) as session:
        session.execute(update(Delivery).values(**values))


def delivery(database: Database) -> Delivery:
    with database.transaction(SYSTEM) as session:
        return session.scalars(select(Delivery)).one()


def begin(database: Database, event_id: UUID) -> OutboxEvent:
    event = tasks._begin(database, event_id, reactions.BY_NAME["test.hold"])
    assert event is not None
    return event


def test_what_a_dead_process_held_is_owed_again(fresh_database: Database) -> None:
    event_id = sent(fresh_database)
    begin(fresh_database, event_id)
    assert relay.release_dead(fresh_database) == 0, "it has just begun"
    change(fresh_database, alive_at=clock.machine_now() - OLD)
    assert relay.release_dead(fresh_database) == 1
    found = delivery(fresh_database)
    assert (found.lease_until, found.alive_at, found.starts, found.attempts) == (None, None, 1, 0)
    assert relay.release_dead(fresh_database) == 0
    assert tasks._begin(fresh_database, event_id, reactions.BY_NAME["test.hold"]) is None, (
        "a message of the turn before"
    )


def test_what_waits_in_the_broker_is_not_taken_for_dead(fresh_database: Database) -> None:
    sent(fresh_database)
    assert (delivery(fresh_database).alive_at, relay.release_dead(fresh_database)) == (None, 0)


def test_what_is_sent_again_after_a_death_waits_like_any_other(fresh_database: Database) -> None:
    event_id = sent(fresh_database)
    begin(fresh_database, event_id)
    change(fresh_database, alive_at=clock.machine_now() - OLD)
    relay.release_dead(fresh_database)

    class Broker:
        def send_task(self, *_args: object, **_more: object) -> None:
            return

    assert relay.send_due(fresh_database, Broker(), lambda _queue: 0) == 1  # type: ignore[arg-type]  # as much of a broker as is asked
    found = delivery(fresh_database)
    assert (found.alive_at, found.lease_until is not None, relay.release_dead(fresh_database)) == (None, True, 0)


def test_a_verb_that_runs_long_holds_its_row_and_is_left_alone(fresh_database: Database) -> None:
    event_id = sent(fresh_database)
    begin(fresh_database, event_id)
    change(fresh_database, alive_at=clock.machine_now() - OLD)
    with fresh_database.transaction(SYSTEM) as session:  # as `_pay_verb` does it
        assert tasks._open(session, event_id, "test.hold", patient=True) is not None
        assert relay.release_dead(fresh_database) == 0
    assert relay.release_dead(fresh_database) == 1, "its connection ended"


def test_a_call_says_that_it_lives_as_long_as_it_runs(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.05)
    event_id = sent(fresh_database)
    running = threading.Thread(target=tasks.pay, args=(fresh_database, event_id, "test.hold"))
    running.start()
    try:
        assert begun.wait(30)
        change(fresh_database, alive_at=clock.machine_now() - OLD)
        until = clock.machine_now() + timedelta(seconds=30)
        while (seen := delivery(fresh_database).alive_at) is not None and seen < clock.machine_now() - DEAD_AFTER:
            assert clock.machine_now() < until, "no sign of life"
        assert relay.release_dead(fresh_database) == 0
    finally:
        let_go.set()
        running.join(30)
    assert delivery(fresh_database).done_at is not None
    assert not [t for t in threading.enumerate() if t.name == "heart"]


def test_a_beat_that_fails_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.01)
    tried = threading.Event()

    def beat() -> None:
        tried.set()
        raise OSError("away")

    with jobs.beating(beat):
        assert tried.wait(30)


def test_a_job_gives_signs_of_life_and_is_stalled_without_them(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.05)
    with fresh_database.transaction(SYSTEM) as session:
        job_id = jobs.start(session, SYSTEM, "test", title=Words(vi="Việc"), params={}, job_id=new_id())

    def job() -> Job:
        with fresh_database.transaction(SYSTEM) as aside:
            return aside.get_one(Job, job_id)

    stalled: list[bool] = []

    def work(*_given: object) -> dict[str, object]:
        stalled.append(jobs.is_stalled(job()))
        with fresh_database.transaction(SYSTEM) as aside:
            aside.execute(update(Job).values(alive_at=clock.machine_now() - OLD))
        until = clock.machine_now() + timedelta(seconds=30)
        while jobs.is_stalled(job()):
            assert clock.machine_now() < until, "no sign of life"
        return {}

    assert not jobs.is_stalled(job()), "it waits for its turn"
    with fresh_database.transaction(SYSTEM) as session:
        jobs.run(fresh_database, session, job_id, lambda _kind: work, SYSTEM)
    assert (job().state, stalled, jobs.is_stalled(job())) == ("done", [False], False)
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(update(Job).values(state="running", alive_at=clock.machine_now() - OLD))
    assert jobs.is_stalled(job())
