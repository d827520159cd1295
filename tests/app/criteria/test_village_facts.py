"""Recording facts of a village: who may, what is kept, what is refused."""

import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from app import clock
from app.actor import SYSTEM, Role
from app.criteria import queries, village_facts
from app.criteria.models import VillageAssessment, VillageFact
from app.criteria.schemas import NewVillageFact, Wifi
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, Invalid, InvalidMany, NotFound
from tests.app.criteria.records import events, rows
from tests.worlds.village import PROOF, Province, build


def new_wifi(**more: Any) -> NewVillageFact:
    values = {"id": new_id(), "kind": "wifi", "subject": new_id(), "observed_on": date(2026, 11, 20)}
    return NewVillageFact.model_validate(values | more)


def send(province: Province, who: str, village: str, new: NewVillageFact, value: Any = None) -> UUID:
    with province.database.transaction(province.actors[who]) as session:
        return village_facts.record_village_fact(
            session, province.actors[who], province.ids[village], new, value or Wifi(available=True)
        )


def test_same_fact_sent_twice_is_one_row_and_one_event(province: Province) -> None:
    new = new_wifi()
    assert send(province, "officer", "village", new) == send(province, "officer", "village", new) == new.id
    assert rows(province) == 1
    assert events(province, "criteria.village_fact_recorded") == 1


def test_same_id_with_another_content_conflicts_and_keeps_the_first(province: Province) -> None:
    new = new_wifi()
    send(province, "officer", "village", new)
    with pytest.raises(Conflict):
        send(province, "officer", "village", new, Wifi(available=False))
    with province.database.transaction(SYSTEM) as session:
        assert session.scalars(select(VillageFact.value)).all() == [{"available": True, "network": None}]


@pytest.mark.parametrize("other", [{"note": "Thấy tận nơi"}, {"evidence": ("cd" * 32,)}])
def test_same_id_with_another_note_or_proof_conflicts_too(province: Province, other: dict[str, Any]) -> None:
    new = new_wifi(note="Xem ảnh", evidence=(PROOF,))
    send(province, "officer", "village", new)
    with pytest.raises(Conflict):
        send(province, "officer", "village", new.model_copy(update=other))
    with province.database.transaction(SYSTEM) as session:
        stored = session.scalars(select(VillageFact)).one()
    assert (stored.note, stored.evidence) == ("Xem ảnh", [PROOF])
    assert events(province, "criteria.village_fact_recorded") == 1


def test_official_of_another_commune_cannot_find_the_village_and_writes_nothing(province: Province) -> None:
    with pytest.raises(NotFound):
        send(province, "foreigner", "village", new_wifi())
    assert rows(province) == 0
    assert events(province, "criteria.village_fact_recorded") == 0


def test_village_officer_records_in_the_own_village_only(province: Province) -> None:
    with pytest.raises(NotFound):
        send(province, "officer", "sister", new_wifi())
    assert rows(province) == 0


def test_administrator_records_nothing(province: Province) -> None:
    province.actors["admin"] = province.actor(Role.ADMINISTRATOR, "province", "village")
    with pytest.raises(Forbidden):
        send(province, "admin", "village", new_wifi())
    assert rows(province) == 0


def test_day_that_has_not_come_is_refused_by_its_field(province: Province) -> None:
    with pytest.raises(Invalid) as refused:
        send(province, "officer", "village", new_wifi(observed_on=date(2026, 11, 24)))
    assert (refused.value.code, refused.value.field) == ("future_day", "observed_on")
    assert rows(province) == 0


def test_answer_before_the_feedback_came_is_refused(province: Province) -> None:
    with pytest.raises(Invalid) as refused:
        province.record("feedback", topic="Rác", received_on="2026-11-10", answered_on="2026-11-09")
    assert (refused.value.code, refused.value.field) == ("days_in_wrong_order", "answered_on")
    assert rows(province) == 0


def test_digital_address_of_another_villages_premises_is_refused(province: Province) -> None:
    with pytest.raises(Invalid, match="premises_elsewhere"):
        province.record("digital_address", premises_id=new_id(), code="0123456789")
    assert rows(province) == 0


def test_household_of_another_village_cannot_be_a_participant(province: Province) -> None:
    with pytest.raises(Invalid, match="household_elsewhere"):
        province.model("smart_agriculture", household_ids=[str(new_id())])
    assert rows(province) == 0


def test_correction_names_the_row_it_corrects_and_nothing_is_lost(province: Province) -> None:
    first = province.record("wifi", available=True)
    second = province.record("wifi", available=False, subject=first.subject)
    with province.database.transaction(SYSTEM) as session:
        assert session.get_one(VillageFact, second.id).supersedes_id == first.id
    assert rows(province) == 2


def test_withdrawn_record_stands_no_more(province: Province) -> None:
    first = province.record("wifi", available=True)
    province.record("wifi", available=True, subject=first.subject, withdrawn=True)
    assert province.answer(3).reason.vi == "Wi-Fi miễn phí ở nhà văn hóa thôn: chưa ai ghi."


def withdraw(province: Province, fact: UUID, who: str = "officer", village: str = "village") -> UUID:
    actor = province.actors[who]
    with province.database.transaction(actor) as session:
        return village_facts.withdraw_village_fact(session, actor, province.ids[village], fact, new_id())


def test_mistake_taken_back_never_was_and_both_rows_stay(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    mistake = province.record("wifi", 30, available=True)
    clock_at(datetime(2026, 11, 24, 3, tzinfo=UTC))
    taken_back = withdraw(province, mistake.id)
    assert withdraw(province, mistake.id) == taken_back
    assert rows(province) == 2
    assert events(province, "criteria.village_fact_recorded") == 2
    nobody = "Wi-Fi miễn phí ở nhà văn hóa thôn: chưa ai ghi."
    assert province.answer(3).reason.vi == nobody
    assert province.answer(3, as_of=date(2026, 11, 1)).reason.vi == nobody
    assert province.answer(3, known_at=datetime(2026, 11, 23, 12, tzinfo=UTC)).value == "met"
    with province.database.transaction(SYSTEM) as session:
        row = session.get_one(VillageFact, taken_back)
    assert (row.withdrawn, row.supersedes_id, row.value) == (True, mistake.id, {"available": True, "network": None})


def test_record_elsewhere_or_corrected_meanwhile_cannot_be_taken_back(province: Province) -> None:
    first = province.record("wifi", available=True)
    with pytest.raises(NotFound):
        withdraw(province, first.id, "foreigner")
    with pytest.raises(NotFound):
        withdraw(province, first.id, "commune", "sister")
    province.record("wifi", available=False, subject=first.subject)
    with pytest.raises(Conflict):
        withdraw(province, first.id)
    assert rows(province) == 2


def test_recorded_facts_can_be_neither_changed_nor_deleted(province: Province) -> None:
    province.record("wifi", available=True)
    for statement in ("UPDATE village_facts SET note = 'x'", "DELETE FROM village_facts"):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            province.database.transaction(SYSTEM) as session,
        ):
            session.execute(text(statement))


def test_what_stands_on_any_day_as_known_at_any_moment_is_what_no_row_known_then_corrects(province: Province) -> None:
    dice = random.Random(7)
    day, moment = date(2026, 11, 1), datetime(2026, 11, 1, tzinfo=UTC)
    person = province.actors["officer"].person_id
    written: list[VillageFact] = []
    with province.database.transaction(SYSTEM) as session:
        for number in range(60):
            before = dice.choice([None, *{f.subject: f for f in written}.values()])
            row = VillageFact(
                id=new_id(), village_id=province.village, kind="wifi" if before is None else before.kind,
                subject=new_id() if before is None else before.subject, value={"available": True},
                observed_on=day + timedelta(days=dice.randrange(12)), recorded_at=moment + timedelta(hours=number),
                person_id=person, witness="village", evidence=[], note="", withdrawn=dice.random() < 0.2,
                supersedes_id=None if before is None else before.id,
            )  # fmt: skip
            session.add(row)
            session.flush()
            written.append(row)
        for _ in range(60):
            as_of, known_at = day + timedelta(days=dice.randrange(12)), moment + timedelta(hours=dice.randrange(60))
            then = [f for f in written if f.observed_on <= as_of and f.recorded_at <= known_at]
            corrected = {f.supersedes_id for f in then}
            found = queries.standing_facts(session, [province.village], as_of=as_of, known_at=known_at)
            assert {f.id for f in found[province.village]} == {
                f.id for f in then if f.id not in corrected and not f.withdrawn
            }


def test_list_of_addresses_is_one_event_and_only_changes_are_written(province: Province) -> None:
    first, second = province.premises(2)
    officer = province.actors["officer"]

    def send_codes(codes: dict[UUID, str | None], *evidence: str) -> int:
        with province.database.transaction(officer) as session:
            return village_facts.record_digital_addresses(
                session, officer, province.village, codes=codes, observed_on=date(2026, 11, 20), evidence=evidence
            )

    assert send_codes({first: "0123456789", second: None}) == 1
    assert send_codes({first: "0123456789", second: "0123456780"}) == 1
    assert send_codes({first: "0123456789", second: "0123456780"}) == 0
    assert events(province, "criteria.village_fact_recorded") == 2
    assert province.answer(4).value == "insufficient"
    assert send_codes({first: "0123456789", second: "0123456780"}, PROOF) == 2  # nothing proved them yet
    assert send_codes({first: "0123456789", second: "0123456780"}, "ef" * 32) == 0
    assert province.answer(4).value == "met"
    assert send_codes({second: None}) == 1
    assert [i.label for i in province.answer(4).missing] == ["Hộ số 2"]


def test_code_that_two_places_share_is_refused_for_both_and_for_the_one_that_stands(province: Province) -> None:
    first, second, third = province.premises(3)
    officer = province.actors["officer"]

    def send_codes(codes: dict[UUID, str | None]) -> None:
        with province.database.transaction(officer) as session:
            village_facts.record_digital_addresses(
                session, officer, province.village, codes=codes, observed_on=date(2026, 11, 20), evidence=(PROOF,)
            )

    with pytest.raises(InvalidMany) as refused:
        send_codes({first: "0123456789", second: "0123456789", third: "0123456780"})
    assert [(e.field, e.text("vi").partition(".")[0]) for e in refused.value.errors] == [
        (f"code_{first}", "Hộ số 1 có mã 0123456789 trùng với Hộ số 2"),
        (f"code_{second}", "Hộ số 2 có mã 0123456789 trùng với Hộ số 1"),
    ]
    assert rows(province) == 0
    send_codes({first: "0123456789", second: "0123456780"})
    with pytest.raises(Invalid, match="digital_address_taken"):
        send_codes({third: "0123456789"})
    with pytest.raises(Invalid, match="digital_address_taken"):
        province.record("digital_address", subject=third, premises_id=third, code="0123456789")
    assert rows(province) == 2
    send_codes({first: "0123456780", second: "0123456789"})  # the two change places
    assert rows(province) == 4


def test_row_level_security_hides_facts_and_answers_of_other_communes(province: Province) -> None:
    province.record("wifi", available=True)
    province.derive("village", "foreign")
    for who, seen in (("officer", {"village"}), ("foreigner", {"foreign"}), ("province", {"village", "foreign"})):
        with province.database.transaction(province.actors[who]) as session:
            answers = set(session.scalars(select(VillageAssessment.village_id)))
            assert answers == {province.ids[v] for v in seen}
            facts = set(session.scalars(select(VillageFact.village_id)))
            assert facts == ({province.village} if "village" in seen else set())


def test_of_two_who_write_the_first_record_at_once_one_is_told_so(fresh_database: Database) -> None:
    province = build(fresh_database, lambda _moment: None)
    subject = village_facts.subject_of(province.village, "wifi")
    actor = province.actors["officer"]
    told: list[str] = []

    def second() -> None:
        try:
            province.record("wifi", available=False, subject=subject)
        except Conflict as refused:
            told.append(refused.code)

    with fresh_database.transaction(actor) as session:
        new = new_wifi(subject=subject, observed_on=clock.today())
        village_facts.record_village_fact(session, actor, province.village, new, Wifi(available=True))
        session.flush()
        other = Thread(target=second)
        other.start()
        until = time.monotonic() + 20
        with fresh_database.transaction(SYSTEM) as watching:
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
            while not watching.scalar(waits):
                assert time.monotonic() < until, "the second writer never came to wait for the first"
    other.join()
    assert told == ["changed_meanwhile"]
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalars(select(VillageFact.id)).all() == [new.id]
