"""Recording, choosing and deriving: who may, what is kept, what is told, and what a wrong request leaves behind."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from app.actor import SYSTEM, Role
from app.criteria import queries, service
from app.criteria.events import AssessmentChanged
from app.criteria.models import ParameterChoice, VillageAssessment, VillageFact
from app.criteria.schemas import NewParameterChoice, NewVillageFact, Wifi
from app.db import new_id
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.notices.models import Notice
from app.outbox import OutboxEvent
from tests.app.criteria.world import Province


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
        return service.record_village_fact(
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

    def send_codes(codes: dict[UUID, str | None]) -> int:
        with province.database.transaction(officer) as session:
            return service.record_digital_addresses(
                session, officer, province.village, codes=codes, observed_on=date(2026, 11, 20)
            )

    assert send_codes({first: "0123456789", second: None}) == 1
    assert send_codes({first: "0123456789", second: "0123456780"}) == 1
    assert send_codes({first: "0123456789", second: "0123456780"}) == 0
    assert events(province, "criteria.village_fact_recorded") == 2
    assert province.answer(4).value == "met"
    assert send_codes({second: None}) == 1
    assert [i.label for i in province.answer(4).missing] == ["Hộ số 2"]


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
        service.choose_parameter(session, province.actors[who], new)


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
        assert service.derive_due(session, SYSTEM) == 1
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


def test_old_sighting_is_found_by_the_quarter_hour_round(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.seen("Na dai", hours_ago=47)
    province.derive()
    assert current(province).values["ocop-tren-san"] == "met"
    clock_at(datetime(2026, 11, 23, 4, 5, tzinfo=UTC))
    assert service.rebuild_selling(province.database) == 1
    assert current(province).values["ocop-tren-san"] == "insufficient"


def test_rebuild_gives_every_village_of_today_its_answer(province: Province) -> None:
    assert service.rebuild(province.database, batch=2) == 3
    assert service.rebuild(province.database, batch=2) == 0
    assert rows(province, VillageAssessment) == 3


# --- telling


def tell(province: Province, village: str = "village") -> list[tuple[Any, str, str]]:
    with province.database.transaction(SYSTEM) as session:
        event = AssessmentChanged(village_id=province.ids[village], assessment_id=current(province, village).id)
        service.tell_of_change(session, SYSTEM, event)
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
