"""The diary: steps written with who, when and what, and corrected by new rows."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.actor import PUBLIC, SYSTEM
from app.db import Database
from app.db.keyset import Count
from app.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from app.trace import diary, queries
from tests.app.trace.steps_written import correction, events, rows
from tests.worlds.farm import NOON, World, a_log, a_site, write


def test_a_batch_of_steps_is_stored_with_who_when_and_what(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site, "spraying", 2, material="Dầu khoáng", quantity="2.5", unit="tank16", pre_harvest_days=7)
    assert write(database, world.farmer, log, a_log(site)) == ["stored", "stored"]
    with database.transaction(world.farmer) as session:
        line = queries.care_log(session, world.farmer, log.id)
    assert (line.log.quantity, line.log.unit, line.log.pre_harvest_days) == (Decimal("2.500"), "tank16", 7)
    assert line.log.happened_at == NOON - timedelta(days=2)
    assert line.log.recorded_at == NOON
    assert line.log.performed_by == line.log.written_by == world.farmer.person_id
    assert not line.log.time_doubtful
    # One event for the site, whatever the number of steps.
    assert [e["site_id"] for e in events(database, "trace.care_log_recorded")] == [str(site)]


def test_somebody_else_writes_for_the_one_who_did_it(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site, performed_by=world.farmer.person_id, witnessed_by=world.manager.person_id, witness="cooperative")
    assert write(database, world.manager, log) == ["stored"]
    with database.transaction(world.manager) as session:
        line = queries.care_log(session, world.manager, log.id)
    assert line.log.performed_by == world.farmer.person_id
    assert line.log.written_by == world.manager.person_id
    assert line.log.witnessed_by == world.manager.person_id


def test_more_than_two_hundred_are_sent_in_two_calls(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    logs = [a_log(site) for _ in range(201)]
    with database.transaction(world.farmer) as session, pytest.raises(TooLarge):
        diary.record_care_logs(session, world.farmer, logs)
    assert rows(database) == 0
    assert set(write(database, world.farmer, *logs[:200])) == {"stored"}
    assert rows(database) == 200


def test_stored_rows_can_be_neither_changed_nor_deleted(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    write(database, world.farmer, a_log(site))
    for statement in ("UPDATE care_logs SET note = 'x'", "DELETE FROM care_logs", "DELETE FROM stock_movements",
                      "UPDATE batch_events SET kind = 'held'", "UPDATE certificates SET stars = 5"):  # fmt: skip
        with pytest.raises(ProgrammingError, match="permission denied"), database.transaction(SYSTEM) as session:
            session.execute(text(statement))


def test_a_correction_is_a_new_row_and_the_old_one_stays(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site, quantity=2, unit="hour")
    write(database, world.farmer, log)
    with database.transaction(world.farmer) as session:
        diary.correct_care_log(session, world.farmer, log.id, correction(site, quantity=3, unit="hour"))
    with database.transaction(world.farmer) as session:
        chain = queries.chain(session, world.farmer, log.id)
        line = queries.care_log(session, world.farmer, log.id)
        found = queries.diary_of_site(session, world.farmer, site)
        listed, total = found.lines, found.total.number
    assert [c.quantity for c in chain] == [Decimal(2), Decimal(3)]
    assert (line.id, line.log.quantity, line.corrected) == (log.id, Decimal(3), 1)
    assert ([li.id for li in listed], total) == ([log.id], 1)
    assert [e["care_log_id"] for e in events(database, "trace.care_log_corrected")] == [str(log.id)]


def test_a_correction_of_a_correction_points_to_the_first_row(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log, once, twice = a_log(site), correction(site, note="một"), correction(site, note="hai")
    write(database, world.farmer, log)
    with database.transaction(world.farmer) as session:
        diary.correct_care_log(session, world.farmer, log.id, once)
        diary.correct_care_log(session, world.farmer, once.id, twice)
        assert diary.correct_care_log(session, world.farmer, log.id, twice).status == "repeated"
        chain = queries.chain(session, world.farmer, twice.id)
    assert [c.corrects_id for c in chain] == [None, log.id, log.id]
    assert chain[-1].note == "hai"


def test_a_withdrawn_step_leaves_the_diary_and_stays_on_record(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site)
    write(database, world.farmer, log)
    with database.transaction(world.farmer) as session:
        diary.correct_care_log(session, world.farmer, log.id, correction(site, withdrawn="1"))
        standing = queries.diary_of_site(session, world.farmer, site)
        assert (standing.lines, standing.total) == ([], Count(0))
        found = queries.diary_of_site(session, world.farmer, site, withdrawn=True)
        listed, total = found.lines, found.total.number
    assert (len(listed), total, listed[0].log.withdrawn) == (1, 1, True)


def test_corrections_of_others_and_of_other_content_are_refused(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    theirs = a_site(database, world.neighbour, world.other, world.village)
    log, new = a_log(site), correction(site)
    write(database, world.farmer, log)
    with database.transaction(world.stranger) as session, pytest.raises(NotFound):
        diary.correct_care_log(session, world.stranger, log.id, new)
    with database.transaction(world.official) as session, pytest.raises(Forbidden):
        diary.correct_care_log(session, world.official, log.id, new)
    with database.transaction(world.manager) as session, pytest.raises(Invalid, match="other_holder"):
        diary.correct_care_log(session, world.manager, log.id, correction(theirs))
    with database.transaction(world.farmer) as session, pytest.raises(Invalid, match="in_future"):
        diary.correct_care_log(session, world.farmer, log.id, correction(site, happened_at=NOON + timedelta(days=1)))
    assert rows(database) == 1
    with database.transaction(world.farmer) as session:
        diary.correct_care_log(session, world.farmer, log.id, new)
    with database.transaction(world.farmer) as session, pytest.raises(Conflict):
        diary.correct_care_log(session, world.farmer, log.id, new.model_copy(update={"note": "khác"}))
    assert rows(database) == 2


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.booleans()), max_size=8))
def test_the_last_word_of_every_chain_counts_whatever_was_corrected(
    database: Database, world: World, moves: list[tuple[int, int, bool]]
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    first = [a_log(site, quantity=i, unit="hour") for i in range(3)]
    write(database, world.farmer, *first)
    expected: dict[Any, Decimal | None] = {log.id: Decimal(i) for i, log in enumerate(first)}
    members = {log.id: [log.id] for log in first}
    for target, quantity, withdrawn in moves:
        root = first[target % 3].id
        via = members[root][quantity % len(members[root])]
        new = correction(site, quantity=quantity, unit="hour", withdrawn="1" if withdrawn else "0")
        with database.transaction(world.farmer) as session:
            diary.correct_care_log(session, world.farmer, via, new)
        members[root].append(new.id)
        expected[root] = None if withdrawn else Decimal(quantity)
    with database.transaction(world.farmer) as session:
        found = queries.diary_of_site(session, world.farmer, site)
        everything = queries.diary_of_site(session, world.farmer, site, withdrawn=True)
        by_kind = queries.diary_of_site(session, world.farmer, site, kind="weeding")
    standing = {k: v for k, v in expected.items() if v is not None}
    assert {li.id: li.log.quantity for li in found.lines} == standing
    assert found.total == by_kind.total == Count(len(standing))
    assert everything.total == Count(len(everything.lines)) == Count(3)


def test_a_step_is_counted_where_it_was_at_last_and_for_whoever_may_open_the_site(
    database: Database, world: World
) -> None:
    site, other = (a_site(database, world.farmer, world.household, world.village, name=name) for name in ("A", "B"))
    logs = [a_log(site, days_ago=n) for n in range(4)]
    write(database, world.farmer, *logs)
    with database.transaction(world.farmer) as session:
        diary.correct_care_log(session, world.farmer, logs[0].id, correction(other))
        diary.correct_care_log(session, world.farmer, logs[1].id, correction(site, withdrawn="1"))
    counted = text("SELECT hoi_steps_of_site(:site, false, :most)")
    for actor in (world.farmer, world.manager, world.official, SYSTEM):
        with database.transaction(actor) as session:
            assert queries.diary_of_site(session, actor, site).total == Count(2)
            assert queries.diary_of_site(session, actor, other).total == Count(1)
            assert session.scalar(counted, {"site": site, "most": 1}) == 1
    for actor in (world.neighbour, world.stranger, PUBLIC):
        with database.transaction(actor) as session:
            assert session.scalar(counted, {"site": site, "most": 9}) == 0
