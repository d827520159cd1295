"""Recording, choosing and deriving: who may, what is kept, what is told, and what a wrong request leaves behind."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from app import clock
from app.actor import SYSTEM, Role
from app.criteria import assessments, choices, queries, village_facts
from app.criteria.events import AssessmentChanged
from app.criteria.models import ParameterChoice, VillageAssessment, VillageFact
from app.criteria.schemas import NewParameterChoice, NewVillageFact, Wifi
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, Invalid, InvalidMany, NotFound
from app.notices.models import Notice
from app.outbox import OutboxEvent
from app.places.models import PlaceAttribute
from tests.app.criteria.world import PROOF, Province, build


def rows(province: Province, model: Any = VillageFact) -> int:
    with province.database.transaction(SYSTEM) as session:
        return int(session.scalar(select(func.count()).select_from(model)) or 0)


def events(province: Province, name: str) -> int:
    with province.database.transaction(SYSTEM) as session:
        return int(session.scalar(select(func.count()).where(OutboxEvent.name == name)) or 0)


def current(province: Province, village: str = "village") -> VillageAssessment:
    with province.database.transaction(SYSTEM) as session:
        return queries.current(session, [province.ids[village]])[province.ids[village]]


def new_wifi(**more: Any) -> NewVillageFact:
    values = {"id": new_id(), "kind": "wifi", "subject": new_id(), "observed_on": date(2026, 11, 20)}
    return NewVillageFact.model_validate(values | more)


def send(province: Province, who: str, village: str, new: NewVillageFact, value: Any = None) -> UUID:
    with province.database.transaction(province.actors[who]) as session:
        return village_facts.record_village_fact(
            session, province.actors[who], province.ids[village], new, value or Wifi(available=True)
        )


# --- recording


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
    assert [(e.field, e.vi.partition(".")[0]) for e in refused.value.errors] == [
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


# --- choices


def choice(value: int | str, name: str = "feedback_days", valid_from: date = date(2026, 11, 1)) -> NewParameterChoice:
    return NewParameterChoice(
        id=new_id(),
        pack_id=queries.SMART_VILLAGE,
        name=name,
        value=value,
        valid_from=valid_from,
        decided_by="Công văn 345 ngày 20/11/2026",
    )


def choose(province: Province, who: str, new: NewParameterChoice) -> None:
    with province.database.transaction(province.actors[who]) as session:
        choices.choose_parameter(session, province.actors[who], new)


def test_choice_holds_from_its_day_and_not_before(province: Province) -> None:
    choose(province, "province", choice(10, valid_from=date(2026, 12, 1)))
    with province.database.transaction(SYSTEM) as session:
        now = datetime(2026, 11, 23, 3, tzinfo=UTC)
        before = queries.choices(session, queries.SMART_VILLAGE, as_of=date(2026, 11, 30), known_at=now)
        since = queries.choices(session, queries.SMART_VILLAGE, as_of=date(2026, 12, 1), known_at=now)
        due = session.scalars(select(OutboxEvent.due_at).where(OutboxEvent.name == "criteria.parameter_chosen")).all()
    assert (before, since) == ({}, {"feedback_days": 10})
    assert due == [datetime(2026, 11, 30, 17, tzinfo=UTC)]


@pytest.mark.parametrize("bad", [choice(0), choice(61), choice("soon"), choice(5, name="no_such")])
def test_choice_that_the_pack_refuses_is_not_kept(province: Province, bad: NewParameterChoice) -> None:
    with pytest.raises(Invalid):
        choose(province, "province", bad)
    assert rows(province, ParameterChoice) == 0


def test_choice_sent_twice_is_one_row_and_the_same_id_with_another_value_conflicts(province: Province) -> None:
    new = choice(10)
    choose(province, "province", new)
    choose(province, "province", new)
    choose(province, "province", new.model_copy(update={"value": "10"}))  # as a form spells it
    for other in ({"value": 9}, {"decided_by": "Công văn 346"}, {"valid_from": date(2026, 11, 2)}):
        with pytest.raises(Conflict):
            choose(province, "province", new.model_copy(update=other))
    with province.database.transaction(SYSTEM) as session:
        assert session.scalars(select(ParameterChoice.value)).all() == [10]
    assert events(province, "criteria.parameter_chosen") == 1


def test_commune_official_chooses_nothing(province: Province) -> None:
    with pytest.raises(Forbidden):
        choose(province, "commune", choice(10))
    assert rows(province, ParameterChoice) == 0


# --- deriving


def test_same_records_derived_twice_keep_one_answer_and_confirm_it(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    assert province.derive() == 1
    first = current(province)
    clock_at(first.computed_at + timedelta(hours=1))
    assert province.derive() == 0
    again = current(province)
    assert (again.id, again.computed_at) == (first.id, first.computed_at)
    assert again.confirmed_at == first.computed_at + timedelta(hours=1)


def test_new_record_gives_a_new_answer_and_the_old_one_stays_in_the_history(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.derive()
    before = current(province)
    clock_at(before.computed_at + timedelta(minutes=5))
    province.record("wifi", available=True)
    assert province.derive() == 1
    after = current(province)
    assert (before.values["wifi-nha-van-hoa"], after.values["wifi-nha-van-hoa"]) == ("insufficient", "met")
    assert (before.met, after.met, after.total) == (0, 1, 5)
    with province.database.transaction(SYSTEM) as session:
        history = queries.history(session, province.village, since=before.computed_at)
    assert [r.id for r in history] == [before.id, after.id]
    assert events(province, "criteria.assessment_changed") == 2


def test_stored_answer_is_never_rewritten(province: Province) -> None:
    province.derive()
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        province.database.transaction(SYSTEM) as session,
    ):
        session.execute(text("UPDATE village_assessments SET overall = 'met'"))


def test_pass_because_a_product_left_the_list_is_flagged_with_name_day_and_reason(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    assert current(province).values["ocop-tren-san"] == "unmet"
    assert current(province).next_change_on == date(2026, 11, 24)
    clock_at(datetime(2026, 11, 23, 17, 30, tzinfo=UTC))
    with province.database.transaction(SYSTEM) as session:
        assert assessments.derive_due(session, SYSTEM) == 1
    after = current(province)
    assert after.values["ocop-tren-san"] == "met"
    (flag,) = after.flags
    assert flag["vi"] == (
        "Tiêu chí 5 chuyển sang “đạt” chỉ vì có mục thôi được tính."
        " Thôi tính 1: Mật ong (Chứng nhận OCOP hết hạn từ 24/11/2026)."
    )
    clock_at(datetime(2026, 11, 23, 18, tzinfo=UTC))
    province.record("wifi", available=True)
    province.derive()
    assert [f["clause"] for f in current(province).flags] == [5]


def tomorrow(hour: int, minute: int = 0) -> datetime:
    """A moment of the 24th in Vietnam, by its hour there."""
    return datetime(2026, 11, 23, 17, tzinfo=UTC) + timedelta(hours=hour, minutes=minute)


def derive_at(province: Province, clock_at: Callable[[datetime], None], moment: datetime) -> VillageAssessment:
    clock_at(moment)
    province.derive()
    return current(province)


def test_pass_by_departure_is_flagged_across_a_time_without_data(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    """Not met, then unknown while a sighting is stale, then met: the product that left between is still named."""
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai", hours_ago=40)
    province.derive()
    assert current(province).values["ocop-tren-san"] == "unmet"
    between = derive_at(province, clock_at, tomorrow(9))  # the honey has left, the sighting is 48 hours old and more
    assert (between.values["ocop-tren-san"], between.flags) == ("insufficient", [])
    province.seen("Na dai", hours_ago=0)
    after = derive_at(province, clock_at, tomorrow(10))
    assert after.values["ocop-tren-san"] == "met"
    assert [(f["outcome"], [i["label"] for i in f["left"]]) for f in after.flags] == [("met", ["Mật ong"])]


def test_flag_waits_while_the_answer_is_unknown_and_ends_when_the_clause_is_not_met(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai", hours_ago=30)
    province.derive()
    flagged = derive_at(province, clock_at, tomorrow(1))
    assert [f["clause"] for f in queries.flags_of(flagged)] == [5]
    stale = derive_at(province, clock_at, tomorrow(20))
    assert stale.values["ocop-tren-san"] == "insufficient"
    assert (len(stale.flags), queries.flags_of(stale)) == (1, [])
    province.seen("Na dai", hours_ago=0)
    again = derive_at(province, clock_at, tomorrow(21))
    assert queries.flags_of(again) == flagged.flags
    province.seen("Na dai", hours_ago=0, live=False)
    assert derive_at(province, clock_at, tomorrow(22)).flags == []


def test_flag_ends_when_what_left_counts_again(province: Province, clock_at: Callable[[datetime], None]) -> None:
    province.product("Na dai")
    honey = province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    assert len(derive_at(province, clock_at, tomorrow(1)).flags) == 1
    province.seen("Mật ong", hours_ago=0)
    province.certify(honey, date(2029, 1, 1))
    after = derive_at(province, clock_at, tomorrow(2))
    assert (after.values["ocop-tren-san"], after.flags) == ("met", [])


def test_pass_by_a_certificate_that_was_a_mistake_says_so_and_ends_when_the_product_counts(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    honey = province.product("Mật ong")
    province.seen("Na dai")
    province.derive()
    assert current(province).values["ocop-tren-san"] == "unmet"
    clock_at(tomorrow(1))
    province.certified_by_mistake("Mật ong")
    after = derive_at(province, clock_at, tomorrow(2))
    assert after.values["ocop-tren-san"] == "met"
    [flag] = after.flags
    assert flag["vi"] == (
        "Tiêu chí 5 chuyển sang “đạt” chỉ vì có mục thôi được tính."
        " Thôi tính 1: Mật ong (Chứng nhận OCOP ghi nhầm, đã sửa ngày 24/11/2026)."
    )
    assert flag["en"] == (
        "Criterion 5 became “met” only because something left the count."
        " No longer counted, 1: Mật ong (Its OCOP certificate was recorded by mistake; that was put right on 24/11/2026)."
    )
    province.seen("Mật ong", hours_ago=0)
    province.certify(honey, date(2029, 1, 1))
    counted = derive_at(province, clock_at, tomorrow(3))
    assert (counted.values["ocop-tren-san"], counted.flags) == ("met", [])


def test_clause_that_no_longer_applies_because_its_last_product_left_is_flagged(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    """Not a pass gained, but as much the work of a departure: the page says which product, when and why."""
    province.product("Na dai", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    assert current(province).values["ocop-tren-san"] == "met"
    after = derive_at(province, clock_at, tomorrow(1))
    assert after.values["ocop-tren-san"] == "not_applicable"
    assert [(f["outcome"], f["vi"]) for f in after.flags] == [
        (
            "not_applicable",
            (
                "Tiêu chí 5 chuyển sang “không áp dụng” chỉ vì có mục thôi được tính."
                " Thôi tính 1: Na dai (Chứng nhận OCOP hết hạn từ 24/11/2026)."
            ),
        )
    ]
    province.product("Mật ong")
    province.seen("Mật ong", hours_ago=0)
    other = derive_at(province, clock_at, tomorrow(2))
    assert (other.values["ocop-tren-san"], other.flags) == (
        "met",
        [],
    )  # met by the honey, as it was by the custard apple


def test_retired_product_and_one_made_elsewhere_are_named_with_day_and_reason(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    choose(province, "province", choice("producing_village", "village_of_product"))
    for name in ("Na dai", "Mật ong", "Hồi khô"):
        province.product(name)
        province.made_in(name, "village")
    province.seen("Na dai")
    province.derive()
    assert current(province).values["ocop-tren-san"] == "unmet"
    province.retire("Mật ong", date(2026, 11, 24))
    province.moved_away("Hồi khô", date(2026, 11, 23))
    after = derive_at(province, clock_at, tomorrow(1))
    assert after.values["ocop-tren-san"] == "met"
    (flag,) = after.flags
    assert [(i["label"], i["vi"]) for i in flag["left"]] == [
        ("Hồi khô", "Thôi sản xuất ở thôn này từ 24/11/2026."),
        ("Mật ong", "Chủ thể thôi làm sản phẩm này từ 24/11/2026."),
    ]
    with province.database.transaction(province.actors["province"]) as session:
        tallies = queries.tallies(session, date(2026, 11, 24))
    assert (tallies[province.commune].flagged, tallies[province.commune].total) == (1, 2)
    yesterday = province.answer(5, known_at=datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert (yesterday.have, yesterday.of) == (1, 3)


def test_old_sighting_is_found_by_the_quarter_hour_round(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.seen("Na dai", hours_ago=47)
    province.derive()
    assert current(province).values["ocop-tren-san"] == "met"
    clock_at(datetime(2026, 11, 23, 4, 5, tzinfo=UTC))
    assert assessments.rebuild_selling(province.database) == 1
    assert current(province).values["ocop-tren-san"] == "insufficient"


def test_rebuild_gives_every_village_of_today_its_answer(province: Province) -> None:
    assert assessments.rebuild(province.database, batch=2) == 3
    assert assessments.rebuild(province.database, batch=2) == 0
    assert rows(province, VillageAssessment) == 3


# --- telling


def tell(province: Province, village: str = "village") -> list[tuple[Any, str, str]]:
    with province.database.transaction(SYSTEM) as session:
        event = AssessmentChanged(village_id=province.ids[village], assessment_id=current(province, village).id)
        assessments.tell_of_change(session, SYSTEM, event)
        found = session.execute(select(Notice.person_id, Notice.title, Notice.body)).all()
    return [(person, title.vi, body.vi) for person, title, body in found]


def test_first_answer_is_told_to_nobody_and_a_change_to_the_village_only(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.derive()
    assert tell(province) == []
    clock_at(datetime(2026, 11, 23, 4, tzinfo=UTC))
    province.record("wifi", available=True)
    province.derive()
    told = [
        (
            province.actors["officer"].person_id,
            "Thôn Nà Mẫu: thiếu dữ liệu, 1/5 tiêu chí",
            "Tiêu chí 3, từ thiếu dữ liệu sang đạt: Nhà văn hóa thôn có Wi-Fi miễn phí.",
        )
    ]
    assert tell(province) == told
    assert tell(province) == told  # the reaction may run twice


def test_another_overall_answer_is_told_to_the_commune_too(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.derive()
    clock_at(datetime(2026, 11, 23, 4, tzinfo=UTC))
    province.record("wifi", available=False)
    province.derive()
    assert {person for person, _, _ in tell(province)} == {
        province.actors["officer"].person_id,
        province.actors["commune"].person_id,
    }


# --- whose answers an event concerns


def test_products_concern_their_holders_village_and_steps_only_villages_with_a_model(province: Province) -> None:
    product = province.product("Na dai")
    province.diary("Hộ 1", 1)
    with province.database.transaction(SYSTEM) as session:
        assert queries.villages_of_products(session, [product]) == {province.village}
        assert queries.villages_with_products(session) == {province.village}
        assert queries.villages_with_agriculture(session, [province.village]) == set()
    province.model("smart_agriculture")
    with province.database.transaction(SYSTEM) as session:
        assert queries.villages_with_agriculture(session, [province.village, province.sister]) == {province.village}


def test_roll_up_counts_every_village_once(province: Province) -> None:
    province.record("wifi", available=False)
    province.derive("village", "foreign")
    with province.database.transaction(province.actors["province"]) as session:
        tallies = queries.tallies(session, date(2026, 11, 23))
        clauses = queries.by_criterion(session, date(2026, 11, 23))
    commune, other = tallies[province.commune], tallies[province.other_commune]
    assert (commune.met, commune.unmet, commune.insufficient, commune.not_assessed, commune.total) == (0, 1, 0, 1, 2)
    assert (other.insufficient, other.total) == (1, 1)
    assert clauses["wifi-nha-van-hoa"] == {"unmet": 1, "insufficient": 1}
    assert clauses["ocop-tren-san"] == {"not_applicable": 2}


def test_pack_that_asks_for_the_communes_group_is_given_it(province: Province) -> None:
    """As it was on the day and as it was known; a village without a group is short of data."""
    province.add(
        PlaceAttribute(
            id=new_id(),
            place_id=province.commune,
            key="commune_group",
            value="2",
            valid_from=date(2026, 2, 1),
            basis="Quyết định mẫu",
            recorded_at=datetime(2026, 3, 1, tzinfo=UTC),
            person_id=None,
        )
    )
    province.premises(3)
    rule = {
        "kind": "threshold_by_attribute@1",
        "attribute": "commune_group",
        "attribute_label": {"vi": "nhóm xã", "en": "commune group"},
        "fact": "premises",
        "thresholds": {"1": 5, "2": 3},
    }
    letter = queries.pack()
    wifi = letter.criteria_by_id["wifi-nha-van-hoa"]
    shaped = type(wifi).model_validate(wifi.model_dump(by_alias=True) | {"rule": rule})
    asking = letter.model_copy(update={"criterion": (shaped,)})
    asking = type(letter).model_validate(asking.model_dump())

    def answer(village: str, as_of: date, known_at: datetime) -> tuple[str, dict[str, str]]:
        with province.database.transaction(SYSTEM) as session:
            found = assessments.assess(session, [province.ids[village]], asking, as_of=as_of, known_at=known_at)
        one = found[province.ids[village]]
        return one.results[0].answer.value.value, one.attributes

    now = datetime(2026, 11, 23, 3, tzinfo=UTC)
    assert answer("village", date(2026, 11, 23), now) == ("met", {"commune_group": "2"})
    assert answer("village", date(2026, 1, 31), now) == ("insufficient", {})
    assert answer("village", date(2026, 11, 23), datetime(2026, 2, 15, tzinfo=UTC)) == ("insufficient", {})
    assert answer("foreign", date(2026, 11, 23), now) == ("insufficient", {})


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
