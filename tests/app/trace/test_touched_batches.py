"""A step that can touch no batch makes nobody look at batches; one that a page shows, or that holds a batch, always does."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from app.actor import SYSTEM
from app.db import Database
from app.doors.consumer.queries.way import harvests_of, way_of
from app.outbox import Delivery
from app.trace import batches, diary, holds
from app.trace.events import BatchCreated, CareLogRecorded
from app.trace.models import Batch, Site
from app.trace.schemas import CareLogIn
from tests.app.trace.steps_written import events
from tests.worlds.farm import NOON, World, a_cycle, a_log, a_product, a_site, build, write
from tests.worlds.lots import correct, harvest, make, pay_debts, state
from worker import reactions, relay

TODAY = NOON.date()


def touched(database: Database) -> list[bool]:
    """What each event of new steps said, in their order."""
    return [body["touches_batches"] for body in events(database, CareLogRecorded.name)]


def written(database: Database, world: World, *steps: CareLogIn) -> bool:
    """Whether the step that came last was said to touch a batch."""
    assert set(write(database, world.farmer, *steps)) == {"stored"}
    return touched(database)[-1]


def shown(database: Database, batch: UUID) -> int:
    """How many steps the way of its page shows."""
    with database.transaction(SYSTEM) as session:
        return len(way_of(session, harvests_of(session, batch), session.get_one(Batch, batch)))


def version(database: Database, code: str) -> int:
    with database.transaction(SYSTEM) as session:
        asked = text("SELECT wanted_version FROM public_pages WHERE code = :code AND language = 'vi'")
        return session.scalar(asked, {"code": code}) or 0


def days(database: Database, *site_ids: UUID) -> list[date | None]:
    with database.transaction(SYSTEM) as session:
        found = {row.id: row.batched_to for row in session.execute(select(Site.id, Site.batched_to))}
    return [found[one] for one in site_ids]


def test_steps_of_a_site_without_a_batch_touch_none(database: Database, world: World, site: UUID) -> None:
    kinds = ("irrigating", "spraying", "harvesting")
    assert not written(database, world, *[a_log(site, kind, 1) for kind in kinds])
    relay.fan_out(database)
    with database.transaction(SYSTEM) as session:
        owed = session.execute(
            select(Delivery.reaction, func.count())
            .where(Delivery.reaction != "trace.pages_of_moved_site", Delivery.reaction.startswith("trace."))
            .group_by("reaction")
        ).all()
    assert owed == []


@pytest.mark.parametrize(
    ("kind", "days_ago", "touches", "more"),
    [
        ("irrigating", 3, True, 1),
        ("irrigating", 2, True, 1),
        ("irrigating", 1, True, 1),
        ("irrigating", 0, False, 0),
        ("spraying", 1, True, 1),
        ("spraying", 0, False, 0),
        ("harvesting", 1, True, 0),
    ],
)
def test_a_batch_is_touched_up_to_the_day_it_was_made_as_its_page_shows_it(
    database: Database,
    world: World,
    site: UUID,
    product: UUID,
    kind: str,
    days_ago: int,
    *,
    touches: bool,
    more: int,
) -> None:
    """Harvested the day before yesterday, made yesterday; its season goes on. A harvest that is in no batch is on no way."""
    season = a_cycle(database, world.farmer, site, product, TODAY - timedelta(days=60))
    log = harvest(database, world.farmer, site, 2, cycle_id=season)
    batch = make(database, world.manager, product, log, made_on=TODAY - timedelta(days=1))
    before = shown(database, batch)
    assert written(database, world, a_log(site, kind, days_ago, cycle_id=season)) is touches
    assert shown(database, batch) - before == more


def test_the_earliest_step_of_a_call_decides(database: Database, world: World, site: UUID, product: UUID) -> None:
    make(database, world.manager, product, harvest(database, world.farmer, site, 5))
    assert written(database, world, a_log(site, "weeding", 0), a_log(site, "weeding", 6), a_log(site, "weeding", 1))
    assert events(database, CareLogRecorded.name)[-1]["first_day"] == str(TODAY - timedelta(days=6))


def test_only_batches_that_show_the_step_are_rendered_anew(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    codes = []
    for days_ago in (9, 2):
        batch = make(database, world.manager, product, harvest(database, world.farmer, site, days_ago))
        with database.transaction(world.manager) as session:
            codes.append(batches.issue_code(session, world.manager, batch))
    pay_debts(database)
    before = [version(database, code) for code in codes]
    written(database, world, a_log(site, "weeding", 4))
    pay_debts(database)
    assert [version(database, code) for code in codes] == [before[0], before[1] + 1]
    written(database, world, a_log(site, "weeding", 0))
    pay_debts(database)
    assert [version(database, code) for code in codes] == [before[0], before[1] + 1]


def test_a_correction_moves_the_day_and_the_site_up_to_which_a_batch_is_touched(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    other = a_site(database, world.farmer, world.household, world.village)
    third = a_site(database, world.farmer, world.household, world.village)
    first, second = harvest(database, world.farmer, site, 6), harvest(database, world.farmer, third, 6)
    batch = make(database, world.manager, product, first, second)
    made = TODAY - timedelta(days=6)
    assert days(database, site, other, third) == [made, None, made]
    assert not written(database, world, a_log(other, "weeding", 6))
    correct(database, world.farmer, first, site_id=other)
    assert days(database, site, other, third) == [made, made, made]
    correct(database, world.farmer, first, site_id=other, happened_at=NOON - timedelta(days=3))
    assert days(database, site, other, third) == [TODAY - timedelta(days=3)] * 3
    before = shown(database, batch)
    assert written(database, world, a_log(third, "weeding", 3))
    assert shown(database, batch) == before + 1
    assert not written(database, world, a_log(third, "weeding", 2))
    assert shown(database, batch) == before + 1


def test_a_step_of_another_that_was_corrected_moves_no_day(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    make(database, world.manager, product, harvest(database, world.farmer, site, 6))
    log = a_log(site, "weeding", 9)
    written(database, world, log)
    correct(database, world.farmer, log, happened_at=NOON - timedelta(days=1))
    assert days(database, site) == [TODAY - timedelta(days=6)]


def test_an_event_of_before_may_touch_anything() -> None:
    old = {"care_log_id": "x", "site_id": "y", "organisation_id": "z"}
    assert [reactions.BY_NAME["trace.check_site"].answers(old | more) for more in ({}, {"touches_batches": False})] == [
        True,
        False,
    ]


def test_a_step_on_its_way_while_a_batch_is_made_is_waited_for(
    fresh_database: Database, wait_for: Callable[..., Any]
) -> None:
    """It read that no batch touches its site, and commits after the batch: what follows from the batch waits for it."""
    world = build(fresh_database)
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    product = a_product(fresh_database, world)
    log = harvest(fresh_database, world.farmer, site, 2)
    pay_debts(fresh_database)
    spray = a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7)
    made: list[UUID] = []

    def look() -> None:
        with fresh_database.transaction(SYSTEM) as session:
            holds.check_new_batch(session, SYSTEM, BatchCreated(batch_id=made[0]))

    def waits() -> bool:
        with fresh_database.transaction(SYSTEM) as session:
            blocked = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('tuple', 'transactionid')")
            return bool(session.scalar(blocked))

    looking = threading.Thread(target=look)
    with fresh_database.transaction(world.farmer) as writing:
        outcome = written_in(writing, world, spray)
        made.append(make(fresh_database, world.manager, product, log))
        looking.start()
        wait_for(waits, 20, "the look at the batch to wait for the step")
        assert (outcome, state(fresh_database, made[0])) == ("stored", "open")
    looking.join(20)
    assert touched(fresh_database)[-1] is False
    assert state(fresh_database, made[0]) == "held"


def written_in(session: Any, world: World, log: CareLogIn) -> str:
    """Write it in a transaction that goes on."""
    [outcome] = diary.record_care_logs(session, world.farmer, [log])
    return outcome.status
