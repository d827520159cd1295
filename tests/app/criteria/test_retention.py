"""Old answers are thinned to their changes and the ends of months, and nothing that is asked of the kept time is answered otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app import clock, retention
from app.actor import SYSTEM
from app.criteria import queries
from app.criteria import retention as criteria_retention
from app.criteria.models import VillageAssessment
from app.db import Database, new_id
from app.places.models import Place
from tests.conftest import owner_of

PACK, CRITERION = queries.SMART_VILLAGE, "ocop-tren-san"
VALUES = ("met", "unmet", "insufficient")


def cut() -> datetime:
    """The first moment of the kept time: 24 whole months of Vietnam before the month that is running."""
    today = clock.local(clock.machine_now())
    year, number = divmod(today.year * 12 + today.month - 1 - 24, 12)
    return datetime(year, number + 1, 1, tzinfo=clock.VIETNAM).astimezone(UTC)


@pytest.fixture
def village(fresh_database: Database) -> UUID:
    province, village = new_id(), new_id()
    with fresh_database.transaction(SYSTEM) as session:
        for place, level, parent in ((province, "province", None), (village, "village", province)):
            session.add(
                Place(
                    id=place, code=f"T{level[0]}", level=level, kind_word="thôn", name="Thử", sort_key="thu",
                    parent_id=parent, valid_from=None, valid_to=None, recorded_at=clock.now(),
                )
            )  # fmt: skip
            session.flush()
    return village


def answered(database: Database, village: UUID, history: list[tuple[datetime, str, str]]) -> list[UUID]:
    """Answers at these moments: what the criterion was, and some detail. The last one stands."""
    rows = sorted(history)
    ids = [new_id() for _ in rows]
    with database.transaction(SYSTEM) as session:
        for number, (at, value, detail) in enumerate(rows):
            session.add(
                VillageAssessment(
                    id=ids[number], village_id=village, pack_id=PACK, pack_version="1", pack_sha256="0" * 64,
                    as_of=clock.local(at).date(), computed_at=at, confirmed_at=at, overall=value, values={CRITERION: value},
                    met=0, total=1, result={"canonical": detail}, flags=[], answer_sha256=detail,
                    next_change_on=None, current=number == len(rows) - 1,
                )
            )  # fmt: skip
    return ids


def thin(database: Database) -> int:
    return retention.run(database, "village_assessments", criteria_retention.thin_answers, seconds=60)


def kept(database: Database) -> list[UUID]:
    with database.transaction(SYSTEM) as session:
        return list(session.scalars(select(VillageAssessment.id).order_by(VillageAssessment.computed_at)))


def test_changes_ends_of_months_and_the_standing_answer_stay(fresh_database: Database, village: UUID) -> None:
    start = cut() - timedelta(days=1)  # the last day of a month
    month = start.replace(day=3)
    rows = [
        (month, "unmet", "a"),  # the first there is
        (month + timedelta(hours=1), "unmet", "b"),  # between equals
        (month + timedelta(hours=2), "unmet", "c"),  # what the change replaced
        (month + timedelta(hours=3), "met", "d"),  # the change
        (month + timedelta(hours=4), "met", "e"),  # between equals
        (month + timedelta(hours=5), "met", "f"),  # between equals
        (start, "met", "g"),  # the last of its month
        (cut() + timedelta(minutes=1), "met", "h"),
        (cut() + timedelta(minutes=2), "met", "i"),
        (cut() + timedelta(minutes=3), "met", "j"),  # stands
    ]
    ids = answered(fresh_database, village, rows)
    assert thin(fresh_database) == 3
    assert kept(fresh_database) == [ids[i] for i in (0, 2, 3, 6, 7, 8, 9)]
    assert thin(fresh_database) == 0


def test_an_answer_that_stands_for_years_stays(fresh_database: Database, village: UUID) -> None:
    old = cut() - timedelta(days=900)
    ids = answered(fresh_database, village, [(old + timedelta(minutes=i), "met", str(i)) for i in range(4)])
    assert thin(fresh_database) == 2
    assert kept(fresh_database) == [ids[0], ids[3]]


MOMENTS = st.integers(-40 * 30 * 24 * 60, 0)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(MOMENTS, st.sampled_from(VALUES), st.text("ab", max_size=2)),
        min_size=1, max_size=80, unique_by=lambda row: row[0],
    )
)  # fmt: skip
def test_what_is_asked_of_the_kept_time_is_answered_as_before(
    fresh_database: Database, village: UUID, history: Any
) -> None:
    with psycopg.connect(owner_of(fresh_database.url)) as owner:
        owner.execute("DELETE FROM village_assessments")
    now = clock.machine_now()
    rows = [(now + timedelta(minutes=minutes), value, detail) for minutes, value, detail in history]
    answered(fresh_database, village, rows)
    since = cut()
    moments = [since, now, *(at for at, _, _ in rows if at >= since)]
    old = [at for at, _, _ in rows if at < since]

    def told() -> Any:
        with fresh_database.transaction(SYSTEM) as session:
            at = [queries.answer_at(session, village, moment, PACK) for moment in moments]
            decided = queries.last_decided(session, village, PACK, CRITERION)
            standing = queries.current(session, [village])[village]
            before = queries.before(session, standing)
            then = [queries.answer_at(session, village, moment, PACK) for moment in old]
            return (
                [row.id if row else None for row in at],
                [row.id for row in queries.history(session, village, since=since, pack_id=PACK)],
                decided.id if decided else None,
                (before.overall, before.values) if before else None,
                standing.id,
                [(row.overall, row.values) if row else None for row in then],
            )

    answers = told()
    thin(fresh_database)
    assert told() == answers


def test_two_hundred_villages_are_gone_through_in_steps(fresh_database: Database, village: UUID) -> None:
    old = cut() - timedelta(days=400)
    with fresh_database.transaction(SYSTEM) as session:
        parent = session.get_one(Place, village).parent_id
        villages = [new_id() for _ in range(205)]
        for number, one in enumerate(villages):
            session.add(
                Place(
                    id=one, code=f"V{number}", level="village", kind_word="thôn", name="Thử", sort_key="thu",
                    parent_id=parent, valid_from=None, valid_to=None, recorded_at=clock.now(),
                )
            )  # fmt: skip
    for one in villages:
        answered(fresh_database, one, [(old + timedelta(minutes=i), "met", str(i)) for i in range(3)])
    assert thin(fresh_database) == 205


def test_a_killed_step_leaves_all_of_it(fresh_database: Database, village: UUID) -> None:
    old = cut() - timedelta(days=900)
    ids = answered(fresh_database, village, [(old + timedelta(minutes=i), "met", str(i)) for i in range(4)])

    def killed(session: Any, onward: str) -> retention.Step:
        step = criteria_retention.thin_answers(session, onward)
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return step

    with pytest.raises(DBAPIError):
        retention.run(fresh_database, "village_assessments", killed, seconds=60)
    assert kept(fresh_database) == ids
    assert thin(fresh_database) == 2
