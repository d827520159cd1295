"""The harness keeps its promises: isolation, real processes on a database of their own, no network."""

import os
import signal
import socket
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.actor import PUBLIC, SYSTEM, Actor
from app.audit import AuditEntry
from app.db import Database
from app.outbox import Event
from app.settings import Settings
from tests.conftest import owner_of
from worker.celery_app import broker_url, make


@dataclass(frozen=True, slots=True)
class Unheard(Event):
    name: ClassVar[str] = "test.unheard"


def entries(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def lasting_entries(url: str) -> int:
    with psycopg.connect(owner_of(url)) as connection:
        row = connection.execute("SELECT count(*) FROM audit_entries").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("_again", [1, 2])
def test_what_a_test_commits_is_seen_by_its_later_transactions_and_by_nobody_else(
    database: Database, worker_database_url: str, _again: int
) -> None:
    with database.transaction(SYSTEM) as session:
        assert entries(session) == 0
        audit.record(session, SYSTEM, "test:harness:kept")
    with pytest.raises(ZeroDivisionError), database.transaction(SYSTEM) as session:
        audit.record(session, SYSTEM, "test:harness:dropped")
        session.flush()
        raise ZeroDivisionError
    with database.transaction(SYSTEM) as session:
        assert entries(session) == 1
    assert lasting_entries(worker_database_url) == 0


def test_row_level_security_holds_in_tests(
    session_for: Callable[[Actor], AbstractContextManager[Session]],
) -> None:
    with session_for(SYSTEM) as session:
        audit.record(session, SYSTEM, "test:harness:secret")
    with session_for(PUBLIC) as session:
        assert entries(session) == 0
    with pytest.raises(ProgrammingError, match="permission denied"), session_for(SYSTEM) as session:
        session.query(AuditEntry).delete()


def test_a_session_of_system_is_at_hand(db_session: Session) -> None:
    audit.record(db_session, SYSTEM, "test:harness:session")
    db_session.flush()
    assert entries(db_session) == 1


def test_fresh_databases_really_commit_and_share_nothing(make_database: Callable[[], Database]) -> None:
    one, other = make_database(), make_database()
    with one.transaction(SYSTEM) as session:
        audit.record(session, SYSTEM, "test:harness:fresh")
    assert (lasting_entries(one.url), lasting_entries(other.url)) == (1, 0)


def test_the_clock_stands_where_a_test_puts_it(clock_at: Callable[[datetime], None]) -> None:
    clock_at(datetime(2026, 1, 31, 17, 30, tzinfo=UTC))
    assert clock.now() == datetime(2026, 1, 31, 17, 30, tzinfo=UTC)
    assert clock.today().isoformat() == "2026-02-01", "it is past midnight in Vietnam"
    assert clock.machine_now() > clock.now()


def test_the_clock_of_all_processes_moves(fresh_database: Database, move_clock: Callable[[timedelta], None]) -> None:
    move_clock(timedelta(days=400))
    with fresh_database.transaction(SYSTEM):
        assert clock.now() - clock.machine_now() == pytest.approx(timedelta(days=400), abs=timedelta(seconds=1))


def test_other_machines_are_out_of_reach() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"), socket.socket() as outside:
        outside.connect(("192.0.2.1", 80))
    with pytest.raises(pytest.fail.Exception, match=r"example\.com"):
        socket.getaddrinfo("example.com", 80)


def test_settings_of_tests_are_complete_and_movable(settings: Settings, redis_url: str) -> None:
    assert settings.clock_movable
    assert settings.redis_url == redis_url
    assert settings.secret_key is not None


def test_the_broker_uses_the_same_database_of_valkey_as_everybody_else() -> None:
    assert broker_url("unix:///a%20b/v.sock?db=3") == "redis+socket:///a%20b/v.sock?virtual_host=3"
    assert broker_url("unix:///v.sock") == "redis+socket:///v.sock"
    assert broker_url("rediss://host:6379/4") == "rediss://host:6379/4"


@pytest.mark.slow
def test_real_web_answers_on_a_fresh_database_and_comes_back_when_killed(
    running_web: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    web = running_web()
    first = web.pid("web")

    def ready() -> bool:
        web.tend()
        try:
            with urllib.request.urlopen(f"{web.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own server
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_for(ready, 20, "web to be ready")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: ready() and web.pid("web") != first, 20, "web to be back")


@pytest.mark.slow
def test_real_relay_and_worker_work_on_a_fresh_database_and_again_after_kill(
    fresh_database: Database, running_worker: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    with psycopg.connect(owner_of(fresh_database.url), autocommit=True) as owner:
        owner.execute("CREATE TABLE probe (at timestamptz) PARTITION BY RANGE (at)")
        owner.execute("INSERT INTO partitioned_tables (name) VALUES ('probe')")
        workers = running_worker()
        broker = make(workers.settings)

        def settled() -> bool:
            workers.tend()
            with fresh_database.transaction(SYSTEM) as session:
                return outbox.open_debts(session) == 0

        def partitions() -> int:
            workers.tend()
            row = owner.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'probe'::regclass").fetchone()
            assert row is not None
            return int(row[0])

        for _ in range(2):
            with fresh_database.transaction(SYSTEM) as session:
                outbox.publish(session, SYSTEM, Unheard())
            wait_for(settled, 20, "the relay to fan the event out")
            broker.send_task("hoi.scheduled", args=("make_partitions",))
            wait_for(lambda: partitions() == 4, 30, "the worker to make the partitions")
            for (name,) in owner.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'probe'::regclass"
            ):
                owner.execute(f"DROP TABLE {name}".encode())
            for process in ("relay", "worker"):
                os.kill(workers.pid(process), signal.SIGKILL)
        broker.close()
