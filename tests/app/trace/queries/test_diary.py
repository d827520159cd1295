"""The diary asked: steps in a window, and the farmer's day."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.trace import diary, queries
from app.trace.models import CareLog
from tests.app.trace.steps_written import correction
from tests.worlds.farm import NOON, World, a_cycle, a_log, a_product, a_site, write


def test_logs_in_a_window_count_by_village_household_and_vietnamese_day(database: Database, world: World) -> None:
    first = a_site(database, world.farmer, world.household, world.village)
    second = a_site(database, world.neighbour, world.other, world.second_village)
    own = a_site(database, world.manager, world.cooperative, world.village, name="Vườn HTX")
    late = a_log(first).model_copy(
        update={"happened_at": datetime(2026, 11, 9, 17, 30, tzinfo=UTC)}
    )  # 10/11 in Vietnam
    write(database, world.farmer, late, a_log(first, days_ago=3), a_log(first, days_ago=30))
    write(database, world.neighbour, a_log(second, days_ago=3))
    write(database, world.manager, a_log(own, days_ago=3))
    window = {"first": date(2026, 11, 10), "last": date(2026, 11, 20)}
    villages = [world.village, world.second_village]
    with database.transaction(SYSTEM) as session:
        found = queries.logs_in_window(session, villages, **window)
        before = queries.logs_in_window(session, villages, **window, known_at=NOON - timedelta(hours=1))
    assert found == {
        world.village: {world.household: [date(2026, 11, 10), date(2026, 11, 17)]},
        world.second_village: {world.other: [date(2026, 11, 17)]},
    }
    assert before == {}


def test_a_corrected_day_and_a_withdrawn_step_move_the_window(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log, gone = a_log(site, days_ago=3), a_log(site, days_ago=4)
    write(database, world.farmer, log, gone)
    with database.transaction(world.farmer) as session:
        moved = correction(site, happened_at=NOON - timedelta(days=60))
        diary.correct_care_log(session, world.farmer, log.id, moved)
        diary.correct_care_log(session, world.farmer, gone.id, correction(site, withdrawn="1"))
    with database.transaction(SYSTEM) as session:
        found = queries.logs_in_window(session, [world.village], first=date(2026, 11, 1), last=date(2026, 11, 20))
    assert found == {}


def test_a_farmer_sees_the_last_site_first_and_what_may_not_be_harvested(database: Database, world: World) -> None:
    product = a_product(database, world)
    old = a_site(database, world.farmer, world.household, world.village, name="Vườn dưới")
    used = a_site(database, world.farmer, world.household, world.village)
    season = a_cycle(database, world.farmer, used, product, date(2026, 9, 1))
    spray = a_log(used, "spraying", 2, material="Dầu khoáng", pre_harvest_days=7, cycle_id=season)
    write(database, world.farmer, a_log(old, days_ago=9), spray)
    with database.transaction(world.farmer) as session:
        sites = queries.farmer_sites(session, world.farmer)
        materials = queries.recent_materials(session, world.farmer)
    assert [s.site.id for s in sites] == [used, old]
    assert sites[0].cycle is not None
    assert sites[0].cycle.id == season
    assert sites[0].waiting is not None
    assert sites[0].waiting.allowed_from == date(2026, 11, 25)
    assert sites[1].waiting is None
    assert [(m.kind, m.material, m.pre_harvest_days) for m in materials] == [("spraying", "Dầu khoáng", 7)]


def test_the_farmers_day_says_a_treatment_of_which_the_days_to_wait_are_not_known(
    database: Database, world: World
) -> None:
    sites = [a_site(database, world.farmer, world.household, world.village, name=name) for name in ("A", "B", "C")]
    write(
        database,
        world.farmer,
        a_log(sites[0], "spraying", 30, material="Dầu khoáng"),
        a_log(sites[1], "spraying", 31),
        a_log(sites[2], "spraying", 2),
        a_log(sites[2], "spraying", 1, material="Dầu khoáng", pre_harvest_days=2),
    )
    with database.transaction(world.farmer) as session:
        today = queries.harvest_allowed_from(session, sites)
    assert {site: (w.known, w.applied_on, w.allowed_from) for site, w in today.items()} == {
        sites[0]: (False, date(2026, 10, 21), date(2026, 11, 21)),
        sites[2]: (True, date(2026, 11, 19), date(2026, 11, 21)),
    }, "what is known binds before what is not"


def test_a_window_counts_each_chain_as_its_last_row_known_then_says(database: Database, world: World) -> None:
    dice = random.Random(11)
    sites = [a_site(database, world.farmer, world.household, world.village, name=name) for name in ("A", "B")]
    known = [NOON + timedelta(hours=n) for n in range(8)]
    rows: list[dict[str, Any]] = []
    for _ in range(40):
        root = new_id()
        for turn, recorded in enumerate(sorted(dice.sample(known, dice.choice((1, 1, 2, 4))))):
            rows.append(
                {"id": new_id() if turn else root, "organisation_id": world.household, "site_id": dice.choice(sites),
                 "kind": "weeding", "happened_at": NOON - timedelta(hours=dice.randrange(24 * 12)), "recorded_at": recorded,
                 "written_by": world.farmer.person_id, "witness": "farmer", "photos": [], "content_sha256": "0",
                 "corrects_id": root if turn else None, "withdrawn": turn > 0 and dice.random() < 0.3,
                 "reason": "x" if turn else None}
            )  # fmt: skip
    first, last = NOON.date() - timedelta(days=9), NOON.date() - timedelta(days=2)
    counts = []
    with database.transaction(SYSTEM) as session:
        session.execute(insert(CareLog), rows)
        for moment in known:
            newest = {row["corrects_id"] or row["id"]: row for row in rows if row["recorded_at"] <= moment}
            days = sorted(clock.local(row["happened_at"]).date() for row in newest.values() if not row["withdrawn"])
            days = [day for day in days if first <= day <= last]
            found = queries.logs_in_window(session, [world.village], first=first, last=last, known_at=moment)
            assert found == ({world.village: {world.household: days}} if days else {})
            counts.append(len(days))
    assert len(set(counts)) > 3
