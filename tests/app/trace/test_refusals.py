"""Why a step is not written: who said no, wrong clocks, facts that cannot be, others' diaries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from app.actor import PUBLIC, SYSTEM
from app.db import Database, new_id
from app.errors import Forbidden
from app.trace import diary, queries
from app.trace.schemas import CareLogIn, CorrectionIn
from tests.app.trace.steps_written import everything, named, rows, says
from tests.worlds.farm import NOON, World, a_log, a_site, write


def test_who_said_no_is_written_for_without_their_name(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    before, after, again = (a_log(site, performed_by=world.farmer.person_id) for _ in range(3))
    assert write(database, world.manager, before) == ["stored"]  # never asked: named
    says(database, world.farmer, diary_agreed=False)
    assert write(database, world.manager, after) == ["stored"]
    assert write(database, world.manager, after) == ["repeated"]
    says(database, world.farmer, diary_agreed=True)
    assert write(database, world.manager, again) == ["stored"]
    assert named(database, before.id, after.id, again.id) == [world.farmer.person_id, None, world.farmer.person_id]


def test_a_correction_does_not_bring_the_name_back(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site, performed_by=world.farmer.person_id)
    write(database, world.manager, log)
    says(database, world.farmer, diary_agreed=False)
    correction = CorrectionIn(**log.model_dump(exclude={"id"}), id=new_id(), reason="Ghi lại cho đúng")
    with database.transaction(world.manager) as session:
        diary.correct_care_log(session, world.manager, log.id, correction)
    assert named(database, correction.id) == [None]


def test_who_said_no_writes_nothing_under_their_own_name(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    first = a_log(site)
    assert write(database, world.farmer, first) == ["stored"]  # never asked: the work is not lost
    says(database, world.farmer, diary_agreed=False)
    with database.transaction(world.farmer) as session:
        outcome = diary.record_care_logs(session, world.farmer, [a_log(site)])[0]
    assert (outcome.status, outcome.error.code if outcome.error else None) == ("refused", "diary_not_agreed")
    assert outcome.error is not None
    assert "/dong-y" in outcome.error.text("vi")
    assert "/dong-y" in outcome.error.text("en")
    correction = CorrectionIn(**first.model_dump(exclude={"id"}), id=new_id(), reason="Ghi nhầm", withdrawn=True)
    with database.transaction(world.farmer) as session, pytest.raises(Forbidden) as refused:
        diary.correct_care_log(session, world.farmer, first.id, correction)
    assert refused.value.code == "diary_not_agreed"
    assert rows(database) == 1
    says(database, world.farmer, diary_agreed=True)
    assert write(database, world.farmer, a_log(site)) == ["stored"]


def test_what_is_stored_is_answered_as_repeated_also_after_a_no(database: Database, world: World) -> None:
    """The phone missed our answer; told that the step was refused, it would keep it and ask for what is done."""
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site)
    correction = CorrectionIn(**log.model_dump(exclude={"id"}) | {"note": "Đã sửa"}, id=new_id(), reason="Ghi nhầm")

    def correct(sent: CorrectionIn) -> str:
        with database.transaction(world.farmer) as session:
            return diary.correct_care_log(session, world.farmer, log.id, sent).status

    assert (write(database, world.farmer, log), correct(correction)) == (["stored"], "stored")
    says(database, world.farmer, diary_agreed=False)
    before = everything(database)
    other, fresh = log.model_copy(update={"note": "khác"}), a_log(site)
    assert write(database, world.farmer, log, other, fresh) == ["repeated", "refused", "refused"]
    assert correct(correction) == "repeated"
    with pytest.raises(Forbidden, match="diary_not_agreed"):
        correct(correction.model_copy(update={"note": "khác"}))
    assert everything(database) == before


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"days_ago": -0.5}, "in_future"),
        ({"days_ago": -400}, "in_future"),
        ({"happened_at": datetime(1970, 1, 1, tzinfo=UTC)}, "too_long_ago"),
        ({"photos": ("0" * 64,)}, "photo_unknown"),
        ({"performed_by": new_id()}, "person_unknown"),
        ({"cycle_id": new_id()}, "cycle_elsewhere"),
        ({"site_id": new_id()}, "not_found"),
    ],
)
def test_a_refused_step_says_why_and_does_not_hinder_the_others(
    database: Database, world: World, facts: dict[str, Any], code: str
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    happened_at = facts.pop("happened_at", None)
    bad = a_log(site, **{"days_ago": 1} | facts) if "site_id" not in facts else a_log(facts["site_id"])
    if happened_at:
        bad = bad.model_copy(update={"happened_at": happened_at})
    with database.transaction(world.farmer) as session:
        outcomes = diary.record_care_logs(session, world.farmer, [bad, a_log(site)])
    assert [o.status for o in outcomes] == ["refused", "stored"]
    error = outcomes[0].error
    assert error is not None
    assert error.code == code
    assert rows(database) == 1


def test_ten_minutes_ahead_are_the_clocks_difference(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    assert write(database, world.farmer, a_log(site, days_ago=-9 / 1440)) == ["stored"]
    assert write(database, world.farmer, a_log(site, days_ago=-11 / 1440)) == ["refused"]


def test_ten_minutes_to_the_second_are_the_clocks_difference(database: Database, world: World) -> None:
    """By our clock, and by the phone's where it says what it shows."""
    site = a_site(database, world.farmer, world.household, world.village)
    second, ten = timedelta(seconds=1), timedelta(minutes=10)
    for phone_now, latest in ((None, NOON + ten), (NOON + timedelta(hours=1), NOON + timedelta(hours=1) + ten)):
        for moment, answer in ((latest, "stored"), (latest + second, "refused")):
            log = a_log(site).model_copy(update={"happened_at": moment})
            assert write(database, world.farmer, log, phone_now=phone_now) == [answer]


def test_a_phone_whose_clock_is_more_than_two_days_off_cannot_say_when_anything_was(
    database: Database, world: World
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    two_days, second = timedelta(hours=48), timedelta(seconds=1)
    flags = []
    for off in (-two_days - second, -two_days, two_days, two_days + second):
        log = a_log(site, days_ago=4)
        assert write(database, world.farmer, log, phone_now=NOON + off) == ["stored"]
        with database.transaction(world.farmer) as session:
            flags.append(queries.care_log(session, world.farmer, log.id).log.time_doubtful)
    assert flags == [True, False, False, True]


def test_a_phone_whose_clock_is_days_ahead_loses_nothing_and_is_flagged(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    ahead = a_log(site, days_ago=-3)
    assert write(database, world.farmer, ahead, phone_now=NOON + timedelta(days=3)) == ["stored"]
    behind = a_log(site, days_ago=4)
    assert write(database, world.farmer, behind, phone_now=NOON - timedelta(days=3)) == ["stored"]
    right = a_log(site, days_ago=1)
    assert write(database, world.farmer, right, phone_now=NOON + timedelta(hours=2)) == ["stored"]
    # Later than the phone's own now: somebody chose a day that has not come.
    chosen = a_log(site, days_ago=-5)
    assert write(database, world.farmer, chosen, phone_now=NOON + timedelta(days=3)) == ["refused"]
    # A clock years ahead is a fault to mend, not a time to keep.
    assert write(database, world.farmer, a_log(site, days_ago=-800), phone_now=NOON + timedelta(days=800)) == [
        "refused"
    ]
    with database.transaction(world.farmer) as session:
        flags = {
            log.id: queries.care_log(session, world.farmer, log.id).log.time_doubtful for log in (ahead, behind, right)
        }
    assert flags == {ahead.id: True, behind.id: True, right.id: False}


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"quantity": "-1", "unit": "kg"}, "greater_than_equal"),
        ({"quantity": "3"}, "unit_missing"),
        ({"unit": "kg"}, "quantity_missing"),
        ({"quantity": "3", "unit": "thúng"}, "unit"),
        ({"kind": "dancing"}, "kind"),
        ({"kind": "weeding", "pre_harvest_days": 7}, "pre_harvest_days"),
        ({"quantity": "1.0001", "unit": "kg"}, "decimal_max_places"),
        ({"happened_at": datetime(2026, 11, 19)}, "timezone_aware"),  # noqa: DTZ001 - the missing zone is the point
        ({"note": "a\x00b"}, "text"),
        ({"photos": ["../../etc"]}, "string_pattern_mismatch"),
    ],
)
def test_facts_that_cannot_be_are_refused_at_the_edge(facts: dict[str, Any], code: str) -> None:
    whole = {"id": new_id(), "site_id": new_id(), "kind": "harvesting", "happened_at": NOON} | facts
    with pytest.raises(ValidationError) as refused:
        CareLogIn.model_validate(whole)
    detail = refused.value.errors()[0]
    inner = detail.get("ctx", {}).get("error")
    assert (getattr(inner, "code", None) or detail["type"]) == code


def test_nobody_writes_for_others(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    for actor in (world.neighbour, world.stranger, world.official):
        with database.transaction(actor) as session:
            outcome = diary.record_care_logs(session, actor, [a_log(site)])[0]
        assert (outcome.status, outcome.error.code if outcome.error else None) == ("refused", "not_found")
    for actor in (PUBLIC, SYSTEM):
        with database.transaction(actor) as session, pytest.raises(Forbidden):
            diary.record_care_logs(session, actor, [a_log(site)])
    with database.transaction(world.purchaser) as session:
        outcome = diary.record_care_logs(session, world.purchaser, [a_log(site)])[0]
    assert outcome.status == "refused"
    assert rows(database) == 0
