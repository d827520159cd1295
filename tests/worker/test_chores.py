"""What runs by the clock keeps growing tables in order, whatever came before it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars
from structlog.testing import capture_logs

from app import audit, clock, outbox
from app.actor import PUBLIC, SYSTEM
from app.audit import AuditEntry
from app.db import Database, new_id
from app.outbox import Delivery, DeliveryGivenUp, OutboxEvent
from app.settings import Settings
from tests.conftest import owner_of
from worker import chores, schedule, tasks


def month(moment: datetime, ahead: int = 0) -> str:
    at = moment.astimezone(UTC)
    year, number = divmod(at.year * 12 + at.month - 1 + ahead, 12)
    return f"{year}{number + 1:02d}"


def scanned(database: Database, code: str) -> datetime:
    """One scan at this moment of the business clock."""
    with database.transaction(SYSTEM) as session:
        at = clock.now()
        session.execute(
            text("INSERT INTO scan_tallies (id, received_at, code, scans) VALUES (:id, :at, :code, 3)"),
            {"id": new_id(), "at": at, "code": code},
        )
    return at


def where(database: Database) -> dict[str, str]:
    """Code -> the partition that its scan sits in."""
    with database.transaction(SYSTEM) as session:
        rows = session.execute(text("SELECT code, tableoid::regclass::text FROM scan_tallies"))
        return {row[0]: row[1] for row in rows}


def partitions(database: Database, table: str) -> set[str]:
    with database.transaction(SYSTEM) as session:
        rows = session.scalars(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:table AS regclass)"),
            {"table": table},
        )
        return {name.removeprefix(f"{table}_") for name in rows}


def test_rows_that_came_before_their_month_move_into_it(
    fresh_database: Database, settings: Settings, move_clock: Any
) -> None:
    scanned(fresh_database, "now")
    move_clock(timedelta(days=400))
    late = scanned(fresh_database, "late")
    assert where(fresh_database)["late"] == "scan_tallies_other"
    move_clock(timedelta(days=100))
    later = scanned(fresh_database, "later")
    for _ in range(2):
        chores.make_partitions(fresh_database, settings)
    assert where(fresh_database) == {
        "now": f"scan_tallies_{month(clock.machine_now())}",
        "late": f"scan_tallies_{month(late)}",
        "later": f"scan_tallies_{month(later)}",
    }
    made = partitions(fresh_database, "scan_tallies")
    assert {month(later, ahead) for ahead in range(4)} <= made
    assert scanned(fresh_database, "after") > later
    assert where(fresh_database)["after"] == f"scan_tallies_{month(later)}"
    with fresh_database.transaction(PUBLIC) as session:
        assert session.scalar(text("SELECT count(*) FROM scan_tallies")) == 0, (
            "the rules of the table hold in its months"
        )


def test_the_months_of_a_table_are_alike_however_they_came(
    fresh_database: Database, settings: Settings, move_clock: Any
) -> None:
    move_clock(timedelta(days=400))
    chores.make_partitions(fresh_database, settings)
    first, last = f"scan_tallies_{month(clock.machine_now())}", f"scan_tallies_{month(clock.now())}"

    def shape(owner: psycopg.Connection, name: str) -> list[Any]:
        asked = (
            "SELECT conname FROM pg_constraint WHERE conrelid = %(of)s::regclass AND contype = 'c'",
            "SELECT replace(indexdef, %(of)s, '') FROM pg_indexes WHERE tablename = %(of)s",
            "SELECT attname, attnotnull, atttypid FROM pg_attribute WHERE attrelid = %(of)s::regclass AND attnum > 0",
            "SELECT relowner, relacl FROM pg_class WHERE oid = %(of)s::regclass",
        )
        return [sorted(map(str, owner.execute(sql, {"of": name}).fetchall())) for sql in asked]

    with psycopg.connect(owner_of(fresh_database.url)) as owner:
        assert shape(owner, first) == shape(owner, last)


def test_a_table_that_is_held_does_not_hold_up_the_others(
    fresh_database: Database, settings: Settings, move_clock: Any
) -> None:
    move_clock(timedelta(days=400))
    with psycopg.connect(owner_of(fresh_database.url)) as reader:
        reader.execute("SELECT count(*) FROM channel_calls")
        with pytest.raises(ExceptionGroup) as failed:
            chores.make_partitions(fresh_database, settings)
    assert tasks.reason_of(failed.value) == "OperationalError 55P03"
    assert month(clock.now(), 3) in partitions(fresh_database, "scan_tallies")
    assert month(clock.now()) not in partitions(fresh_database, "channel_calls")
    chores.make_partitions(fresh_database, settings)
    assert month(clock.now(), 3) in partitions(fresh_database, "channel_calls")


def test_months_are_made_soon_after_the_clock_was_moved() -> None:
    assert schedule.CHORES["make_partitions"].every_seconds <= 60


def test_a_chore_that_fails_tells_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schedule.CHORES, "make_partitions", schedule.Chore(f"{__name__}:fail", 60))
    monkeypatch.setattr(tasks, "process_database", lambda: None)
    with capture_logs() as logged:
        tasks.scheduled("make_partitions")
    assert [line["error"] for line in logged] == ["ValueError"]
    assert "0912345678" not in str(logged)


def test_what_a_chore_logs_names_the_chore_and_no_task_before_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks, "resolve_name", lambda _: lambda *_: seen.append(get_contextvars()))
    monkeypatch.setattr(tasks, "process_database", lambda: database)
    monkeypatch.setattr(tasks, "process_settings", lambda: None)
    bind_contextvars(request_id="of the task before")
    tasks.scheduled("make_partitions")
    assert seen == [{"chore": "make_partitions"}]
    clear_contextvars()


def fail(_database: Database, _settings: Settings) -> None:
    raise ValueError("0912345678")


# --- events that are settled -------------------------------------------------------------------------------------


def event(database: Database, days_ago: int | None, **deliveries: dict[str, Any]) -> Any:
    """An event fanned out so long ago, with these deliveries; None: not due yet."""
    then = clock.machine_now() - timedelta(days=days_ago or 0)
    with database.transaction(SYSTEM) as session:
        identifier = outbox.publish(session, SYSTEM, DeliveryGivenUp(event_id=new_id(), reaction="x"))
        session.flush()
        session.execute(
            update(OutboxEvent)
            .where(OutboxEvent.id == identifier)
            .values(fanned_out_at=then if days_ago is not None else None)
        )
        for name, state in deliveries.items():
            session.add(Delivery(event_id=identifier, reaction=name, run_after=then, **state))
    return identifier


def kept(database: Database) -> tuple[set[Any], set[Any]]:
    with database.transaction(SYSTEM) as session:
        return set(session.scalars(select(OutboxEvent.id))), set(session.scalars(select(Delivery.event_id)))


def test_only_what_was_paid_in_full_three_months_ago_is_forgotten(
    fresh_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.machine_now()
    old, young = {"done_at": now - timedelta(days=91)}, {"done_at": now - timedelta(days=89)}
    gone = [event(fresh_database, 91, a=old, b=old), event(fresh_database, 200), event(fresh_database, 91, a=old)]
    stay = {
        event(fresh_database, 91, a=old, b=young),
        event(fresh_database, 91, a=old, b={}),
        event(fresh_database, 91, a={"dead_at": now - timedelta(days=91), "dead_reason": "OSError"}),
    }
    without = {event(fresh_database, 89), event(fresh_database, None)}
    assert kept(fresh_database)[0] == {*gone, *stay, *without}
    real, sizes = outbox.forget_settled, []

    def two_at_a_time(session: Any, before: datetime) -> int:
        sizes.append(real(session, before, 2))
        return sizes[-1]

    monkeypatch.setattr(outbox, "forget_settled", two_at_a_time)
    chores.forget_settled_events(fresh_database, settings)
    assert sizes == [2, 1, 0]
    assert kept(fresh_database) == ({*stay, *without}, stay)


def test_nobody_but_the_system_forgets_events(fresh_database: Database) -> None:
    event(fresh_database, 91)
    with pytest.raises(DBAPIError, match="only the system"), fresh_database.transaction(PUBLIC) as session:
        outbox.forget_settled(session, clock.machine_now())
    with pytest.raises(DBAPIError, match="permission denied"), fresh_database.transaction(SYSTEM) as session:
        session.execute(text("DELETE FROM outbox_events"))
    assert len(kept(fresh_database)[0]) == 1


def test_given_up_deliveries_are_found_by_their_index(fresh_database: Database) -> None:
    with fresh_database.transaction(SYSTEM) as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            session.scalars(text("EXPLAIN SELECT count(*) FROM outbox_deliveries WHERE dead_at IS NOT NULL"))
        )
    assert "ix_outbox_deliveries_dead" in plan


def test_lines_of_signing_in_are_forgotten_after_a_year_and_nothing_else_is(
    fresh_database: Database, settings: Settings
) -> None:
    old = clock.machine_now() - timedelta(days=366)
    with fresh_database.transaction(SYSTEM) as session:
        for action in ("accounts:sign_in:start", "accounts:sign_in:fail", "accounts:card:revoke"):
            for at in (old, clock.machine_now()):
                session.add(
                    AuditEntry(id=new_id(), at=at, action=action, actor_kind="system", request_id="", detail={})
                )
    chores.forget_sign_in_lines(fresh_database, settings)
    with fresh_database.transaction(SYSTEM) as session:
        kept = session.execute(
            select(AuditEntry.action, AuditEntry.at < clock.machine_now() - timedelta(days=365))
        ).all()
        with pytest.raises(DBAPIError, match="only the system forgets sign-ins, after a year"), session.begin_nested():
            audit.forget_sign_ins(session, clock.machine_now())
    assert sorted(map(tuple, kept)) == [
        ("accounts:card:revoke", False),
        ("accounts:card:revoke", True),
        ("accounts:sign_in:fail", False),
        ("accounts:sign_in:start", False),
    ]
    with fresh_database.transaction(PUBLIC) as session, pytest.raises(DBAPIError):
        audit.forget_sign_ins(session, old)


def test_one_thread_of_a_looker_is_left_for_the_look_that_a_person_waits_for(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def look(*_: object) -> None:
        begun.append(len(begun))
        chores.look_at_listings(database, few)  # as another thread would, meanwhile

    few = settings.model_copy(update={"looker_threads": 3})
    monkeypatch.setattr("app.marketplace_sync.looks.look", look)
    for turns in (2, 4):
        chores.look_at_listings(database, few)
        assert len(begun) == turns, "two at once, and again once they have ended"
