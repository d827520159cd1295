"""Months are dropped or thinned by the rule that stands in the database, whatever writes, holds, dies or moves the clock meanwhile."""

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import clock, retention
from app.actor import PUBLIC, SYSTEM
from app.db import Database, new_id
from app.retention import Step
from app.settings import Settings
from tests.conftest import owner_of
from worker import chores, tasks


def month_start(ahead: int) -> datetime:
    """The first moment of the UTC month that lies so many months ahead of the machine's."""
    now = clock.machine_now()
    year, number = divmod(now.year * 12 + now.month - 1 + ahead, 12)
    return datetime(year, number + 1, 1, tzinfo=UTC)


def make_months(database: Database, table: str, *ahead: int) -> None:
    with database.transaction(SYSTEM) as session:
        for one in ahead:
            session.execute(text("SELECT hoi_make_partitions(:table, :at)"), {"table": table, "at": month_start(one)})


def scan(session: Session, code: str, at: datetime) -> None:
    session.execute(
        text("INSERT INTO scan_tallies (id, received_at, code, scans) VALUES (:id, :at, :code, 1)"),
        {"id": new_id(), "at": at, "code": code},
    )


def scans(database: Database) -> dict[str, str]:
    """Code -> the month that its scan sits in."""
    with database.transaction(SYSTEM) as session:
        rows = session.execute(text("SELECT code, right(tableoid::regclass::text, 6) FROM scan_tallies"))
        return {row[0]: row[1] for row in rows}


def named(moment: datetime) -> str:
    return moment.strftime("%Y%m")


def counted(database: Database) -> dict[str, int]:
    with database.transaction(SYSTEM) as session:
        return {row.name: row.gone for row in retention.runs(session) if row.gone}


# --- months that are dropped -------------------------------------------------------------------------------------


def test_a_month_goes_sixty_months_after_its_end_and_no_day_sooner(
    fresh_database: Database, settings: Settings
) -> None:
    make_months(fresh_database, "scan_tallies", -65, -61, -60)
    just, still = month_start(-60) - timedelta(microseconds=1), month_start(-60)
    with fresh_database.transaction(SYSTEM) as session:
        scan(session, "older", month_start(-64))
        scan(session, "just over", just)
        scan(session, "not yet", still)
        scan(session, "today", clock.now())
    chores.end_what_is_old(fresh_database, settings)
    assert scans(fresh_database) == {"not yet": named(still), "today": named(clock.now())}
    assert counted(fresh_database) == {"scan_tallies": 2}
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalar(text("SELECT to_regclass(:name)"), {"name": f"scan_tallies_{named(just)}"}) is None
        last = {row.name: row.finished_at for row in retention.runs(session)}
    assert set(last) == {*chores.ENDS, "scan_tallies", "channel_calls", "listing_observations"}
    assert all(at is not None for at in last.values())


def test_calls_go_after_a_year(fresh_database: Database, settings: Settings) -> None:
    make_months(fresh_database, "channel_calls", -14)
    with fresh_database.transaction(SYSTEM) as session:
        for at in (month_start(-12) - timedelta(seconds=1), month_start(-12)):
            session.execute(
                text(
                    "INSERT INTO channel_calls (id, at, account_id, organisation_id, verb, outcome, milliseconds, detail)"
                    " VALUES (:id, :at, :id, :id, 'look', 'ok', 1, '')"
                ),
                {"id": new_id(), "at": at},
            )
    chores.end_what_is_old(fresh_database, settings)
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalars(text("SELECT at FROM channel_calls")).all() == [month_start(-12)]


def test_a_moved_clock_ends_nothing(fresh_database: Database, settings: Settings, move_clock: Any) -> None:
    with fresh_database.transaction(SYSTEM) as session:
        scan(session, "real", clock.now())
    move_clock(timedelta(days=9000))
    chores.make_partitions(fresh_database, settings)
    with fresh_database.transaction(SYSTEM) as session:
        scan(session, "moved", clock.now())
    chores.end_what_is_old(fresh_database, settings)
    assert set(scans(fresh_database)) == {"real", "moved"}
    assert counted(fresh_database) == {}


def test_rows_that_come_for_a_month_that_ends_sit_in_their_months(fresh_database: Database, settings: Settings) -> None:
    """Writers on both sides of midnight, and late ones for months that are over, while months are made and ended."""
    make_months(fresh_database, "scan_tallies", -66, -61, -60)
    turn, over = month_start(1), month_start(-62)
    stop, written, failed = threading.Event(), [0, 0], list[Exception]()

    def write(number: int) -> None:
        chance = random.Random(number)
        try:
            while not stop.is_set():
                with fresh_database.transaction(SYSTEM) as session:
                    shift = timedelta(microseconds=chance.randint(-5, 4))
                    scan(session, f"turn {number} {written[number]}", turn + shift)
                    scan(session, f"late {number} {written[number]}", over + shift)
                written[number] += 1
        except Exception as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(6):
            chores.make_partitions(fresh_database, settings)
            chores.end_what_is_old(fresh_database, settings)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert failed == []
    chores.make_partitions(fresh_database, settings)
    chores.end_what_is_old(fresh_database, settings)
    kept = scans(fresh_database)
    assert min(written) > 0
    turned = {f"turn {number} {i}" for number in (0, 1) for i in range(written[number])}
    assert set(kept) == turned, "every row of the turn of the month, and none that came too late"
    # What comes for an old month between the count and the drop goes uncounted: nobody waits for an exact number.
    assert 0 < counted(fresh_database)["scan_tallies"] <= sum(written)
    assert set(kept.values()) == {named(turn), named(turn - timedelta(days=1))}, "none is left without a month"


def test_a_month_that_is_read_holds_up_nothing_else(fresh_database: Database, settings: Settings) -> None:
    make_months(fresh_database, "scan_tallies", -64)
    make_months(fresh_database, "channel_calls", -20)
    with psycopg.connect(owner_of(fresh_database.url)) as reader:
        reader.execute("SELECT count(*) FROM channel_calls")
        with pytest.raises(ExceptionGroup) as failed:
            chores.end_what_is_old(fresh_database, settings)
    assert tasks.reason_of(failed.value) == "OperationalError 55P03"
    oldest = text(
        "SELECT min(right(inhrelid::regclass::text, 6)) FROM pg_inherits WHERE inhparent = CAST(:table AS regclass)"
    )

    def first_of(table: str) -> Any:
        with fresh_database.transaction(SYSTEM) as session:
            return session.scalar(oldest, {"table": table})

    assert first_of("scan_tallies") == named(clock.machine_now())
    assert first_of("channel_calls") == named(month_start(-20))
    chores.end_what_is_old(fresh_database, settings)
    assert first_of("channel_calls") == named(clock.machine_now())


def test_two_chores_at_once_and_one_that_was_killed(fresh_database: Database, settings: Settings) -> None:
    make_months(fresh_database, "scan_tallies", -80, -76, -72, -68, -64)
    with fresh_database.transaction(SYSTEM) as session:
        for ahead in range(-80, -60):
            scan(session, f"{ahead}", month_start(ahead))

    def killed(session: Session, onward: str) -> Step:
        left = len(scans(fresh_database))
        step = retention.end_month(session, "scan_tallies")
        if left == 15:  # five months are gone, and the end of the sixth is never committed
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return step

    with pytest.raises(DBAPIError):
        retention.run(fresh_database, "scan_tallies", killed, seconds=60)
    assert (len(scans(fresh_database)), counted(fresh_database)) == (15, {"scan_tallies": 5})
    failed = list[Exception]()

    def end() -> None:
        try:
            chores.end_what_is_old(fresh_database, settings)
        except Exception as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    both = [threading.Thread(target=end) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert failed == []
    chores.end_what_is_old(fresh_database, settings)  # the first may have let go of a name while the second was there
    assert (scans(fresh_database), counted(fresh_database)) == ({}, {"scan_tallies": 20})


def test_time_that_is_over_stops_a_run_and_the_next_goes_on(fresh_database: Database) -> None:
    calls = list[str]()

    def endless(_session: Session, onward: str) -> Step:
        calls.append(onward)
        return Step(1, f"{len(calls)}")

    assert retention.run(fresh_database, "jobs", endless, seconds=-1) == 1
    with fresh_database.transaction(SYSTEM) as session:
        (row,) = retention.runs(session)
        assert (row.gone, row.gone_last, row.finished_at) == (1, 1, None)
    assert calls == [""]


@pytest.mark.parametrize(
    "call",
    [
        "hoi_end_month('scan_tallies')",
        "hoi_thin_assessments('{}', 1)",
        "hoi_forget_audit_lines(1)",
        "hoi_end_records(1)",
        "hoi_forget_steps(1)",
    ],
)
def test_nobody_but_the_system_ends_anything(database: Database, call: str) -> None:
    with pytest.raises(DBAPIError, match="only the system"), database.transaction(PUBLIC) as session:
        session.execute(text(f"SELECT {call}"))


@pytest.mark.parametrize("table", ["care_logs", "batch_sources", "audit_entries", "village_assessments", "kept_months"])
def test_the_application_deletes_none_of_it_itself(database: Database, table: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), database.transaction(SYSTEM) as session:
        session.execute(text(f"DELETE FROM {table}"))


def test_a_table_without_a_rule_is_refused(database: Database) -> None:
    with pytest.raises(DBAPIError, match="no rule for its months"), database.transaction(SYSTEM) as session:
        session.execute(text("SELECT hoi_end_month('care_logs')"))


# --- months that are thinned -------------------------------------------------------------------------------------

PROBE = """
CREATE TABLE probe (id uuid NOT NULL, listing_id uuid NOT NULL, seen_at timestamptz NOT NULL, live boolean NOT NULL,
                    before_until timestamptz,
                    PRIMARY KEY (id, seen_at)) PARTITION BY RANGE (seen_at);
INSERT INTO partitioned_tables (name) VALUES ('probe');
INSERT INTO kept_months (name, months, last_of, of_before) VALUES ('probe', 24, 'listing_id', 'before_until');
CREATE TABLE probe_other PARTITION OF probe DEFAULT;
GRANT SELECT, INSERT ON probe TO hoi_app;
"""
LISTINGS = [new_id() for _ in range(4)]


@pytest.fixture
def probed(fresh_database: Database) -> Database:
    """A partitioned table of sightings of which the last of each month stays, with the months of four years."""
    with psycopg.connect(owner_of(fresh_database.url)) as owner:
        owner.execute(PROBE.encode())
    make_months(fresh_database, "probe", *range(-48, 0, 4))
    return fresh_database


def newest(database: Database, moments: list[datetime]) -> list[dict[UUID, Any]]:
    """At each moment the newest sighting of each listing: what was known then."""
    asked = text(
        "SELECT DISTINCT ON (listing_id) listing_id, id FROM probe WHERE seen_at <= :at ORDER BY listing_id, seen_at DESC"
    )
    with database.transaction(SYSTEM) as session:
        return [dict(session.execute(asked, {"at": at}).all()) for at in moments]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(-46 * 30 * 24 * 60, 0), st.booleans()),
        min_size=1, max_size=60, unique_by=lambda seen: (seen[0], seen[1]),
    )
)  # fmt: skip
def test_what_was_known_in_the_kept_time_is_known_after_thinning(probed: Database, history: Any) -> None:
    now = clock.machine_now()
    with psycopg.connect(owner_of(probed.url)) as owner:
        owner.execute("DELETE FROM probe")
        owner.execute("UPDATE kept_months SET thinned_before = NULL WHERE name = 'probe'")
    seen = [(LISTINGS[which], now + timedelta(minutes=minutes), live) for which, minutes, live in history]
    with probed.transaction(SYSTEM) as session:
        for listing, at, live in seen:
            session.execute(
                text("INSERT INTO probe VALUES (:id, :listing, :at, :live, NULL)"),
                {"id": new_id(), "listing": listing, "at": at, "live": live},
            )
    cut = month_start(-24)
    moments = [cut, cut + timedelta(seconds=1), *(at for _, at, _ in seen if at >= cut), now]
    ends = [month_start(ahead) - timedelta(microseconds=1) for ahead in range(-47, -23)]
    before = newest(probed, moments + ends)
    gone = retention.run(probed, "probe", lambda s, _: retention.end_month(s, "probe"), seconds=60)
    assert newest(probed, moments + ends) == before
    last = {
        (listing, named(at)): max(b for a, b, _ in seen if (a, named(b)) == (listing, named(at)))
        for listing, at, _ in seen
    }
    stay = [at for listing, at, _ in seen if at >= cut or at == last[listing, named(at)]]
    with probed.transaction(SYSTEM) as session:
        assert sorted(session.scalars(text("SELECT seen_at FROM probe"))) == sorted(stay)
    assert gone == len(seen) - len(stay)
    again = retention.run(probed, "probe", lambda s, _: retention.end_month(s, "probe"), seconds=60)
    assert again == 0, "a month is thinned once"


def test_a_row_says_nothing_of_one_before_it_that_is_gone(probed: Database) -> None:
    rows = [
        (LISTINGS[0], -30, 1),
        (LISTINGS[0], -30, 2),
        (LISTINGS[0], -29, 1),
        (LISTINGS[1], -30, 1),
        (LISTINGS[0], -3, 1),
    ]
    with probed.transaction(SYSTEM) as session:
        for listing, ahead, day in rows:
            at = month_start(ahead) + timedelta(days=day)
            session.execute(
                text("INSERT INTO probe VALUES (:id, :listing, :at, true, :at)"),
                {"id": new_id(), "listing": listing, "at": at},
            )
    assert retention.run(probed, "probe", lambda s, _: retention.end_month(s, "probe"), seconds=60) == 1
    with probed.transaction(SYSTEM) as session:
        told = session.execute(text("SELECT seen_at, before_until IS NULL FROM probe")).all()
    gone = month_start(-30) + timedelta(days=2)
    assert {at for at, empty in told if empty} == {gone}
    assert len(told) == 4


def test_a_thinned_month_is_as_any_other(probed: Database) -> None:
    with probed.transaction(SYSTEM) as session:
        for day in (1, 2, 3):
            session.execute(
                text("INSERT INTO probe VALUES (:id, :listing, :at, true, NULL)"),
                {"id": new_id(), "listing": LISTINGS[0], "at": month_start(-30) + timedelta(days=day)},
            )
    assert retention.run(probed, "probe", lambda s, _: retention.end_month(s, "probe"), seconds=60) == 2
    with psycopg.connect(owner_of(probed.url)) as owner:
        names = [f"probe_{named(month_start(ahead))}" for ahead in (-30, -3)]
        asked = (
            "SELECT pg_get_expr(relpartbound, oid) IS NOT NULL, relowner, relacl FROM pg_class WHERE oid = %(of)s::regclass",
            "SELECT replace(replace(indexdef, %(of)s, ''), 'probe_thinned', '') FROM pg_indexes WHERE tablename = %(of)s",
            "SELECT attname, attnotnull, atttypid FROM pg_attribute WHERE attrelid = %(of)s::regclass AND attnum > 0",
        )
        shapes = [[owner.execute(sql, {"of": name}).fetchall() for sql in asked] for name in names]
    assert shapes[0] == shapes[1]


def test_every_partitioned_table_has_a_rule(database: Database) -> None:
    with database.transaction(SYSTEM) as session:
        partitioned = set(session.scalars(text("SELECT name FROM partitioned_tables")))
        ruled = dict(session.execute(text("SELECT name, months FROM kept_months")).all())
    assert partitioned <= set(ruled)
    for table, months in ruled.items():
        assert f"{months} tháng" in retention.RULES[table].kept
