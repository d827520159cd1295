"""The days to wait, to the day: what binds on the day of a treatment, on the last day of the wait and on the first one allowed."""

from datetime import date, timedelta

import pytest
from sqlalchemy import insert, select

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.trace import queries, steps
from app.trace.models import CareLog
from tests.worlds.farm import NOON, World, a_log, a_site, write
from tests.worlds.lots import correct

SITE = new_id()
DAY = timedelta(days=1)
SPRAYED = NOON.date()


def a_step(kind: str = "spraying", days: int | None = 3, at: timedelta = timedelta(0)) -> CareLog:
    return CareLog(id=new_id(), site_id=SITE, kind=kind, material="x", happened_at=NOON + at, pre_harvest_days=days)


@pytest.mark.parametrize(
    ("days_later", "binds"), [(-1, False), (0, True), (1, True), (2, True), (3, False), (4, False)]
)
def test_a_wait_binds_from_its_own_day_to_the_day_before_the_first_allowed(days_later: int, *, binds: bool) -> None:
    wait = queries.waiting_after(a_step())
    assert (wait.applied_on, wait.allowed_from, wait.known) == (SPRAYED, SPRAYED + 3 * DAY, True)
    found = [wait] if binds else []
    assert queries.too_early(a_step("harvesting", None, days_later * DAY), [wait]) == found
    assert queries.binds_longest([wait], SPRAYED + days_later * DAY) == (wait if binds else None)


@pytest.mark.parametrize(
    ("kind", "days", "allowed_after", "known"),
    [
        ("spraying", None, 31, False),
        ("spraying", 0, 0, True),
        ("spraying", 365, 365, True),
        ("weeding", None, 0, True),
        ("fertilising", 1, 1, True),
    ],
)
def test_what_a_step_says_of_the_days_to_wait(kind: str, days: int | None, allowed_after: int, *, known: bool) -> None:
    wait = queries.waiting_after(a_step(kind, days))
    assert (wait.allowed_from - SPRAYED, wait.known) == (allowed_after * DAY, known)


def test_of_two_that_bind_the_longer_is_told_and_what_is_known_before_what_is_not() -> None:
    short, longer, unknown = (queries.waiting_after(a_step(days=days)) for days in (3, 7, None))
    for order in ([short, longer, unknown], [unknown, longer, short]):
        assert queries.binds_longest(order, SPRAYED) == longer
        assert queries.binds_longest(order, SPRAYED + 7 * DAY) == unknown
    assert queries.binds_longest([], SPRAYED) is None


def test_steps_are_told_from_the_first_moment_of_a_day_oldest_first(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    at = a_site(database, world.neighbour, world.other, world.village)
    morning = timedelta(hours=12)
    logs = [a_log(site, "spraying", days, material="x", pre_harvest_days=1) for days in (2, 3, 4)]
    first = a_log(site, "spraying", material="x", pre_harvest_days=1, happened_at=NOON - morning - 3 * DAY)
    before = a_log(
        site, "spraying", material="x", pre_harvest_days=1, happened_at=first.happened_at - timedelta(microseconds=1)
    )
    write(database, world.farmer, *logs, first, before, a_log(site, "weeding", 2))
    with database.transaction(world.farmer) as session:
        assert queries.waiting(session, [], None) == {}
        assert queries.binding(session, [], SPRAYED, SPRAYED) == {}
        found = queries.waiting(session, [site, at], (NOON - 3 * DAY).date())
        everything = queries.waiting(session, [site])
    assert {s: [w.care_log_id for w in steps] for s, steps in found.items()} == {
        site: [first.id, logs[1].id, logs[0].id]
    }
    assert [w.care_log_id for w in everything[site]] == [logs[2].id, before.id, first.id, logs[1].id, logs[0].id]


def test_what_may_bind_is_read_to_the_day_on_both_sides(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    over = a_log(site, "spraying", 12, material="x", pre_harvest_days=2)
    last_day = a_log(site, "spraying", 12, material="x", pre_harvest_days=3)
    at_the_end = a_log(site, "spraying", 2, material="x", pre_harvest_days=1)
    midnight = clock.start_of_day(SPRAYED - DAY)
    after = a_log(site, "spraying", material="x", pre_harvest_days=1, happened_at=midnight)
    unknown = a_log(site, "spraying", 40, material="x")
    write(database, world.farmer, over, last_day, at_the_end, after, unknown)
    with database.transaction(world.farmer) as session:
        found = queries.binding(session, [site], SPRAYED - 10 * DAY, SPRAYED - 2 * DAY)
    assert [w.care_log_id for w in found[site]] == [unknown.id, last_day.id, at_the_end.id]


def test_what_was_sprayed_today_forbids_the_harvest_of_today(database: Database, world: World) -> None:
    site, other = (a_site(database, world.farmer, world.household, world.village, name=name) for name in ("A", "B"))
    write(
        database,
        world.farmer,
        a_log(site, "spraying", 0, material="x", pre_harvest_days=1),
        a_log(other, "spraying", 0, material="x", pre_harvest_days=0),
    )
    with database.transaction(world.farmer) as session:
        found = queries.harvest_allowed_from(session, [site, other])
    assert {s: w.allowed_from for s, w in found.items()} == {site: date(2026, 11, 21)}


def test_the_database_works_out_the_same_first_day_for_every_kind_of_step(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    midnight = clock.start_of_day(SPRAYED)
    moments = (midnight - timedelta(microseconds=1), midnight, midnight + DAY - timedelta(microseconds=1))
    with database.transaction(SYSTEM) as session:
        for kind in steps.KINDS:
            for days in (None, 0, 3, 365):
                session.execute(
                    insert(CareLog),
                    [{"id": new_id(), "organisation_id": world.household, "site_id": site, "kind": kind, "happened_at": at,
                      "recorded_at": at, "written_by": world.farmer.person_id, "witness": "farmer", "photos": [],
                      "pre_harvest_days": days, "content_sha256": "0"} for at in moments],
                )  # fmt: skip
        asked = {w.care_log_id: w.allowed_from for w in queries.waiting(session, [site])[site]}
        rows = session.scalars(select(CareLog)).all()
    assert len(rows) == len(steps.KINDS) * 4 * 3
    assert {r.id: r.allowed_from for r in rows if r.allowed_from is not None} == asked
    assert {steps.STEPS[r.kind].waits for r in rows if r.id in asked and r.pre_harvest_days is None} == {True}


def test_a_wait_that_was_corrected_or_begins_tomorrow_does_not_bind_today(database: Database, world: World) -> None:
    shorter, longer, undone, ahead = (
        a_site(database, world.farmer, world.household, world.village, name=name) for name in "ABCD"
    )
    logs = [a_log(site, "spraying", 5, material="x", pre_harvest_days=days)
            for site, days in ((shorter, 9), (longer, 2), (undone, 9))]  # fmt: skip
    write(database, world.farmer, *logs)
    for log, change in zip(logs, ({"pre_harvest_days": 2}, {"pre_harvest_days": 9}, {"withdrawn": True}), strict=True):
        correct(database, world.farmer, log, **change)
    write(
        database,
        world.farmer,
        a_log(ahead, "spraying", -1, material="x", pre_harvest_days=9),
        phone_now=NOON + DAY,
    )
    with database.transaction(world.farmer) as session:
        found = queries.harvest_allowed_from(session, [shorter, longer, undone, ahead])
    assert {site: w.allowed_from for site, w in found.items()} == {longer: SPRAYED + 4 * DAY}
