"""Steps are stored once under the phones' ids, refused with the way out, and corrected only by new rows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from app import clock
from app.accounts import privacy
from app.accounts.models import Membership, Organisation, Person, Purpose
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.actor import Membership as Held
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from app.outbox import OutboxEvent
from app.trace import diary, queries
from app.trace.models import CareLog, ConflictingSubmission, Witness
from app.trace.schemas import CareLogIn, CorrectionIn, FindingCorrectionIn, FindingIn
from tests.app.trace.farm import NOON, World, a_cycle, a_log, a_product, a_site, build, person, write


def rows(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(CareLog)) or 0


def events(database: Database, name: str) -> list[dict[str, Any]]:
    with database.transaction(SYSTEM) as session:
        found = session.scalars(select(OutboxEvent).where(OutboxEvent.name == name).order_by(OutboxEvent.position))
        return [e.body for e in found]


def test_a_batch_of_steps_is_stored_with_who_when_and_what(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site, "spraying", 2, material="Dầu khoáng", quantity="2,5", unit="tank16", pre_harvest_days=7)
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


def says(database: Database, actor: Actor, *, diary_agreed: bool) -> None:
    with database.transaction(actor) as session:
        given = {Purpose.ACCOUNT} | ({Purpose.DIARY} if diary_agreed else set())
        privacy.answer_consents(session, actor, given)


def named(database: Database, *log_ids: UUID) -> list[UUID | None]:
    with database.transaction(SYSTEM) as session:
        found = {row.id: row.performed_by for row in session.execute(select(CareLog.id, CareLog.performed_by))}
    return [found[i] for i in log_ids]


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
    assert "/dong-y" in outcome.error.vi
    assert "/dong-y" in outcome.error.en
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
    ("writer", "may"),
    [
        ("farmer", {"farmer"}),
        ("manager", {"farmer", "cooperative"}),
        ("officer", {"farmer", "officer"}),
        ("manager_with_a_farm", {"farmer", "cooperative", "neighbour"}),
        ("manager_at_home", {"farmer"}),
        ("certifier_at_home", {"farmer"}),
    ],
)
def test_nobody_vouches_as_what_they_are_not(database: Database, world: World, writer: str, may: set[str]) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    home, cooperative = Held(world.household, Role.FARMER), Held(world.cooperative, Role.COOPERATIVE_MANAGER)
    also = world.manager.organisations
    actor = {
        "farmer": world.farmer,
        "manager": world.manager,
        "officer": replace(
            world.official,
            memberships=(Held(world.foreign, Role.EXTENSION_OFFICER),),
            organisations=world.official.organisations | {world.household},
        ),
        "manager_with_a_farm": replace(world.manager, memberships=(cooperative, Held(world.other, Role.FARMER))),
        "manager_at_home": replace(world.farmer, memberships=(home, cooperative), organisations=also),
        "certifier_at_home": replace(world.farmer, memberships=(home, Held(world.foreign, Role.CERTIFIER))),
    }[writer]
    logs = [a_log(site, witness=witness) for witness in Witness]
    with database.transaction(actor) as session:
        outcomes = diary.record_care_logs(session, actor, logs)
    assert {str(log.witness) for log, o in zip(logs, outcomes, strict=True) if o.status == "stored"} == may
    refused = [o.error for o in outcomes if o.status == "refused"]
    assert {e.code for e in refused if e is not None} == {"witness_not_yours"}
    assert all(e is not None and "người đó tự ghi" in e.vi for e in refused)
    assert rows(database) == len(may)


def test_nobody_names_somebody_else_as_the_witness(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    assert write(database, world.farmer, a_log(site, witnessed_by=world.manager.person_id)) == ["refused"]
    named = a_log(site, witness="cooperative", witnessed_by=world.purchaser.person_id)
    assert write(database, world.manager, named) == ["refused"]
    assert rows(database) == 0


def test_a_correction_loses_the_witness_of_the_row_before_it_and_a_withdrawal_keeps_it(
    database: Database, world: World
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    seen: dict[str, Any] = {"witness": "cooperative", "witnessed_by": world.manager.person_id}
    log = a_log(site, **seen)
    assert write(database, world.manager, log) == ["stored"]
    with database.transaction(world.farmer) as session, pytest.raises(Invalid, match="witness_not_yours"):
        diary.correct_care_log(session, world.farmer, log.id, correction(site, note="khác", **seen))
    assert rows(database) == 1
    with database.transaction(world.farmer) as session:
        diary.correct_care_log(session, world.farmer, log.id, correction(site, withdrawn="1", **seen))
    assert rows(database) == 2


def test_the_same_step_again_is_answered_and_not_doubled(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site)
    assert write(database, world.farmer, log, log) == ["stored", "repeated"]
    assert write(database, world.farmer, log) == ["repeated"]
    assert write(database, world.manager, log) == ["repeated"]
    assert rows(database) == 1
    assert len(events(database, "trace.care_log_recorded")) == 1


def test_other_content_under_the_same_id_is_a_conflict_and_both_are_kept_once(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site)
    other = log.model_copy(update={"note": "khác"})
    assert write(database, world.farmer, log) == ["stored"]
    for _ in range(3):
        assert write(database, world.farmer, other, a_log(site)) == ["conflict", "stored"]
    with database.transaction(world.farmer) as session:
        kept = session.scalars(select(ConflictingSubmission)).all()
        line = queries.care_log(session, world.farmer, log.id)
    assert [(k.care_log_id, k.body["note"]) for k in kept] == [(log.id, "khác")]
    assert line.log.note is None


def test_two_contents_under_one_id_in_one_call(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site)
    assert write(database, world.farmer, log, log.model_copy(update={"note": "khác"})) == ["stored", "conflict"]
    assert rows(database) == 1


def test_a_strangers_id_is_a_conflict_that_tells_nothing(database: Database, world: World) -> None:
    mine = a_site(database, world.farmer, world.household, world.village)
    theirs = a_site(database, world.stranger, world.foreign, world.village)
    log = a_log(mine, note="riêng của hộ")
    write(database, world.farmer, log)
    with database.transaction(world.stranger) as session:
        same = log.model_copy(update={"site_id": theirs})
        outcome = diary.record_care_logs(session, world.stranger, [same])[0]
    assert outcome.status == "conflict"
    assert "riêng" not in str(outcome.error)


def test_ten_at_once_leave_one_row_and_one_event(fresh_database: Database) -> None:
    world = build(fresh_database)
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    logs = [a_log(site, note=str(i)) for i in range(5)]
    orders = [logs if i % 2 else logs[::-1] for i in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda order: write(fresh_database, world.farmer, *order), orders))
    flat = [status for answer in answers for status in answer]
    assert (flat.count("stored"), flat.count("repeated"), len(flat)) == (5, 45, 50)
    assert rows(fresh_database) == 5


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


# --- corrections -------------------------------------------------------------------------------------------------


def correction(site: Any, **facts: Any) -> CorrectionIn:
    whole = {
        "id": new_id(),
        "site_id": site,
        "kind": "weeding",
        "happened_at": NOON - timedelta(days=1),
        "reason": "ghi nhầm",
    }
    return CorrectionIn.model_validate(whole | facts)


def test_a_correction_is_a_new_row_and_the_old_one_stays(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site, quantity=2, unit="hour")
    write(database, world.farmer, log)
    with database.transaction(world.farmer) as session:
        diary.correct_care_log(session, world.farmer, log.id, correction(site, quantity=3, unit="hour"))
    with database.transaction(world.farmer) as session:
        chain = queries.chain(session, world.farmer, log.id)
        line = queries.care_log(session, world.farmer, log.id)
        listed, total = queries.diary_of_site(session, world.farmer, site)
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
        assert queries.diary_of_site(session, world.farmer, site) == ([], 0)
        listed, total = queries.diary_of_site(session, world.farmer, site, withdrawn=True)
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
        listed, _ = queries.diary_of_site(session, world.farmer, site)
    assert {li.id: li.log.quantity for li in listed} == {k: v for k, v in expected.items() if v is not None}


# --- windows, days to wait, the farmer's day ---------------------------------------------------------------------


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


def test_the_farmers_day_shows_last_site_first_and_what_may_not_be_harvested(database: Database, world: World) -> None:
    product = a_product(database, world)
    old = a_site(database, world.farmer, world.household, world.village, name="Vườn dưới")
    used = a_site(database, world.farmer, world.household, world.village)
    season = a_cycle(database, world.farmer, used, product, date(2026, 9, 1))
    spray = a_log(used, "spraying", 2, material="Dầu khoáng", pre_harvest_days=7, cycle_id=season)
    write(database, world.farmer, a_log(old, days_ago=9), spray)
    with database.transaction(world.farmer) as session:
        today = queries.today_for_farmer(session, world.farmer)
        materials = queries.recent_materials(session, world.farmer)
    assert [s.site.id for s in today.sites] == [used, old]
    assert today.sites[0].cycle is not None
    assert today.sites[0].cycle.id == season
    assert today.sites[0].waiting is not None
    assert today.sites[0].waiting.allowed_from == date(2026, 11, 25)
    assert today.sites[1].waiting is None
    assert (today.last_site_id, today.logs_this_week, len(today.recent)) == (used, 1, 2)
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


# --- a certifier's findings --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding on the farmer's site, and three certifiers: who wrote it, a colleague, one of another organisation."""

    id: UUID
    site: UUID
    certifier: Actor
    colleague: Actor
    rival: Actor


@pytest.fixture
def finding(database: Database, world: World) -> Finding:
    site = a_site(database, world.farmer, world.household, world.village)
    office, rivals = new_id(), new_id()
    places = frozenset({world.commune, world.village})
    people = [person((Role.CERTIFIER, o), places=places) for o in (office, office, rivals)]
    now = clock.now()
    with database.transaction(SYSTEM) as session:
        for o in (office, rivals):
            session.add(
                Organisation(id=o, kind="enterprise", name="Chứng nhận thử", tax_code=None, village_id=None,
                             commune_id=world.commune, created_at=now, version=1)
            )  # fmt: skip
        session.add_all(Person(id=p.person_id, created_at=now) for p in people)
        session.flush()
        session.add_all(
            Membership(person_id=p.person_id, organisation_id=p.memberships[0].organisation_id, role=Role.CERTIFIER,
                       place_id=world.commune, valid_from=date(2025, 7, 1), recorded_at=now)
            for p in people
        )  # fmt: skip
    seen = FindingIn(id=new_id(), note="Có vỏ thuốc cấm ở bờ vườn.")
    with database.transaction(people[0]) as session:
        diary.record_finding(session, people[0], site, seen)
    return Finding(seen.id, site, *people)


def everything(database: Database) -> list[Any]:
    with database.transaction(SYSTEM) as session:
        logs = session.execute(text("SELECT * FROM care_logs ORDER BY position")).all()
        sent = session.execute(text("SELECT id FROM outbox_events ORDER BY id")).all()
        trail = session.execute(text("SELECT id FROM audit_entries ORDER BY id")).all()
    return [logs, sent, trail]


def test_a_certifier_who_said_no_records_and_corrects_no_finding(
    database: Database, world: World, finding: Finding
) -> None:
    stored = FindingCorrectionIn(id=new_id(), note="Thấy vỏ thuốc ở bờ ruộng.", reason="Ghi rõ hơn")
    with database.transaction(finding.certifier) as session:
        diary.correct_finding(session, finding.certifier, finding.id, stored)
    says(database, finding.certifier, diary_agreed=False)
    before = everything(database)
    with database.transaction(finding.certifier) as session:
        assert diary.correct_finding(session, finding.certifier, finding.id, stored).status == "repeated"
    with database.transaction(finding.certifier) as session, pytest.raises(Forbidden) as refused:
        diary.record_finding(session, finding.certifier, finding.site, FindingIn(id=new_id(), note="Thấy khác."))
    assert refused.value.code == "diary_not_agreed"
    correction = FindingCorrectionIn(id=new_id(), note="Không phải thuốc cấm.", reason="Xem lại nhãn")
    with database.transaction(finding.certifier) as session, pytest.raises(Forbidden) as refused:
        diary.correct_finding(session, finding.certifier, finding.id, correction)
    assert refused.value.code == "diary_not_agreed"
    assert everything(database) == before


@pytest.mark.parametrize("who", ["farmer", "manager", "officer", "farmer_who_certifies"])
@pytest.mark.parametrize("withdrawn", ["0", "1"])
def test_a_finding_is_not_the_holders_to_correct_or_to_take_back(
    database: Database, world: World, finding: Finding, who: str, withdrawn: str
) -> None:
    actor = {
        "farmer": world.farmer,
        "manager": world.manager,
        "officer": replace(
            world.official,
            memberships=(Held(world.foreign, Role.EXTENSION_OFFICER),),
            organisations=world.official.organisations | {world.household},
        ),
        "farmer_who_certifies": replace(
            world.farmer, memberships=(*world.farmer.memberships, *finding.rival.memberships)
        ),
    }[who]
    before = everything(database)
    facts = {"kind": "observing", "note": "Vườn sạch.", "withdrawn": withdrawn}
    with database.transaction(actor) as session, pytest.raises(Forbidden, match="finding_is_the_certifiers") as refused:
        diary.correct_care_log(session, actor, finding.id, correction(finding.site, **facts))
    assert "chỉ họ sửa hoặc bỏ được" in refused.value.text("vi")
    assert "only they may correct or withdraw" in refused.value.text("en")
    assert everything(database) == before


def test_the_certifier_corrects_the_finding_and_the_first_words_stay(
    database: Database, world: World, finding: Finding
) -> None:
    better = FindingCorrectionIn(id=new_id(), note="Có vỏ thuốc, đã thu gom.", reason="Đã xem lại")
    with database.transaction(finding.certifier) as session:
        assert diary.correct_finding(session, finding.certifier, finding.id, better).status == "stored"
    with database.transaction(finding.certifier) as session:
        assert diary.correct_finding(session, finding.certifier, finding.id, better).status == "repeated"
    with database.transaction(world.farmer) as session:
        first, last = queries.chain(session, world.farmer, finding.id)
    assert (first.note, last.note, last.reason) == ("Có vỏ thuốc cấm ở bờ vườn.", better.note, "Đã xem lại")
    assert (last.witness, last.written_by, last.corrects_id) == ("certifier", finding.certifier.person_id, finding.id)
    assert [e["care_log_id"] for e in events(database, "trace.care_log_corrected")] == [str(finding.id)]
    # A farmer cannot slip in behind the correction either.
    before = everything(database)
    with database.transaction(world.farmer) as session, pytest.raises(Forbidden, match="finding_is_the_certifiers"):
        diary.correct_care_log(session, world.farmer, better.id, correction(finding.site, kind="observing"))
    assert everything(database) == before


def test_a_colleague_of_the_certifier_takes_the_finding_back(
    database: Database, world: World, finding: Finding
) -> None:
    gone = FindingCorrectionIn(id=new_id(), note="bỏ qua", reason="Nhầm vườn", withdrawn="1")  # type: ignore[arg-type]  # a ticked box
    with database.transaction(finding.colleague) as session:
        diary.correct_finding(session, finding.colleague, finding.id, gone)
    with database.transaction(world.farmer) as session:
        assert queries.diary_of_site(session, world.farmer, finding.site) == ([], 0)
        last = queries.chain(session, world.farmer, finding.id)[-1]
    assert (last.withdrawn, last.note) == (True, "Có vỏ thuốc cấm ở bờ vườn.")
    assert last.written_by == finding.colleague.person_id


def test_another_certifier_and_another_step_are_refused(database: Database, world: World, finding: Finding) -> None:
    log, new = a_log(finding.site), FindingCorrectionIn(id=new_id(), note="Vườn sạch.", reason="Xem lại")
    write(database, world.farmer, log)
    before = everything(database)
    with database.transaction(finding.rival) as session, pytest.raises(Forbidden):
        diary.correct_finding(session, finding.rival, finding.id, new)
    with database.transaction(world.farmer) as session, pytest.raises(Forbidden):
        diary.correct_finding(session, world.farmer, finding.id, new)
    with database.transaction(finding.certifier) as session, pytest.raises(NotFound):
        diary.correct_finding(session, finding.certifier, log.id, new)
    assert everything(database) == before
