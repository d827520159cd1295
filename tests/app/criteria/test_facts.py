"""Each clause over real rows: met, not met, not enough data, not applicable, and the words that say why."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app import clock
from app.actor import SYSTEM
from app.criteria import assessments, choices, queries
from app.criteria.models import VillageFact
from app.criteria.rules import Value
from app.criteria.schemas import DigitalAddress, NewParameterChoice
from app.db import new_id
from tests.app.criteria.world import Province

MET, UNMET, UNKNOWN, NONE = Value.MET, Value.UNMET, Value.INSUFFICIENT, Value.NOT_APPLICABLE


def choose(province: Province, name: str, value: int | str) -> None:
    actor = province.actors["province"]
    with province.database.transaction(actor) as session:
        choices.choose_parameter(
            session,
            actor,
            NewParameterChoice(
                id=new_id(),
                pack_id=queries.SMART_VILLAGE,
                name=name,
                value=value,
                valid_from=date(2026, 11, 1),
                decided_by="Công văn 345 ngày 20/11/2026",
            ),
        )


def test_village_without_any_record_is_short_of_data_and_never_met_or_zero(province: Province) -> None:
    answer = province.assess()
    assert {r.clause: r.answer.value for r in answer.results} == {
        1: UNKNOWN,
        2: UNKNOWN,
        3: UNKNOWN,
        4: UNKNOWN,
        5: NONE,
        6: UNKNOWN,
    }
    assert answer.overall.value is UNKNOWN
    assert "chưa ai ghi" in answer.results[2].answer.reason.vi


# --- clause 1


def test_group_with_a_decision_and_three_sessions_is_met(province: Province) -> None:
    province.group(3)
    assert province.answer(1).value is MET


def test_group_with_two_sessions_lacks_one(province: Province) -> None:
    province.group(2)
    answer = province.answer(1)
    assert answer.value is UNMET
    assert [(i.label, i.reason_vi) for i in answer.missing] == [
        ("Hoạt động của tổ công nghệ số cộng đồng", "Cần thêm 1.")
    ]


def test_session_leaves_the_window_on_the_ninety_first_day(province: Province) -> None:
    province.group(2)
    province.record("group_activity", 89, topic="Tập huấn", people=20)
    assert province.answer(1).value is MET
    assert province.answer(1).next_change_on == date(2026, 11, 24)
    province.stop_clock(datetime(2026, 11, 23, 17, tzinfo=UTC))  # the first moment of the 24th in Vietnam
    assert province.answer(1).value is UNMET


def test_group_without_a_register_of_sessions_is_short_of_data(province: Province) -> None:
    province.group(0)
    assert province.answer(1).value is UNKNOWN


def test_group_without_its_decision_or_proof_of_a_session_is_short_of_data(province: Province) -> None:
    value = {"decision_number": "12/QĐ-UBND", "decided_on": "2026-02-01", "issuer": "UBND xã", "members": 5}
    first = province.record("digital_group", 100, evidence=(), **value)
    for number in range(3):
        province.record("group_activity", 5 + number, topic="Tập huấn", people=9)
    established, operating = province.answer(1).children
    assert (province.answer(1).value, established.value, operating.value) == (UNKNOWN, UNKNOWN, MET)
    assert established.reason.vi == ("Quyết định thành lập tổ công nghệ số cộng đồng: đã ghi nhưng chưa có minh chứng.")
    province.record("digital_group", 100, subject=first.subject, **value)
    assert province.answer(1).value is MET
    third = province.record("group_activity", 80, topic="Cài VNeID", people=9, evidence=())
    choose(province, "group_min_activities", 4)
    operating = province.answer(1).children[1]
    assert (operating.value, operating.have) == (UNKNOWN, 3)
    assert [(i.id, i.label, i.reason_vi) for i in operating.missing] == [
        (str(third.subject), "“Cài VNeID” (04/09/2026)", "Chưa có minh chứng.")
    ]


# --- clause 2


def test_channel_and_feedback_answered_in_time_are_met(province: Province) -> None:
    province.record("channel", exists=True, platform="zalo", link="https://zalo.me/g/abc", households=90)
    province.record("feedback", 20, topic="Đèn hỏng", received_on="2026-11-03", answered_on="2026-11-08")
    assert province.answer(2).value is MET


def test_feedback_answered_a_day_late_is_named_with_its_days(province: Province) -> None:
    province.record("channel", exists=True, platform="zalo")
    province.record("feedback", 14, topic="Đèn hỏng", received_on="2026-11-03", answered_on="2026-11-09")
    answer = province.answer(2)
    assert answer.value is UNMET
    assert [(i.label, i.reason_vi) for i in answer.missing] == [
        ("“Đèn hỏng” (03/11/2026)", "Trả lời sau 6 ngày, muộn hơn 5 ngày.")
    ]


def test_open_feedback_waits_inside_its_five_days_and_is_overdue_after(province: Province) -> None:
    province.record("channel", exists=True, platform="zalo")
    province.record("feedback", 30, topic="Rác", received_on="2026-10-24", answered_on="2026-10-24")
    province.record("feedback", 5, topic="Đường", received_on="2026-11-18")
    assert province.answer(2).value is MET
    assert province.answer(2).next_change_on == date(2026, 11, 24)
    province.stop_clock(datetime(2026, 11, 24, 3, tzinfo=UTC))
    assert [i.reason_vi for i in province.answer(2).missing] == ["Chưa trả lời, đã quá 5 ngày."]


def test_village_that_looked_and_has_no_channel_is_not_met(province: Province) -> None:
    province.record("channel", exists=False)
    province.record("feedback", 30, topic="Rác", received_on="2026-10-24", answered_on="2026-10-24")
    assert province.answer(2).value is UNMET


def test_channel_that_nothing_shows_is_short_of_data_though_its_absence_needs_no_proof(province: Province) -> None:
    province.record("feedback", 20, topic="Đèn hỏng", received_on="2026-11-03", answered_on="2026-11-05")
    first = province.record("channel", exists=True, platform="zalo", evidence=())
    channel = province.answer(2).children[0]
    assert (province.answer(2).value, channel.value) == (UNKNOWN, UNKNOWN)
    assert channel.reason.vi.endswith("đã ghi nhưng chưa có minh chứng.")
    assert [i.kind for i in channel.missing] == ["evidence"]
    province.record("channel", subject=first.subject, exists=False, evidence=())
    assert province.answer(2).value is UNMET


def test_answer_to_feedback_without_proof_is_neither_in_time_nor_late(province: Province) -> None:
    province.record("channel", exists=True, platform="zalo")
    said = {"topic": "Đèn hỏng", "received_on": "2026-11-03", "answered_on": "2026-11-05"}
    first = province.record("feedback", 18, evidence=(), **said)
    answer = province.answer(2)
    assert answer.value is UNKNOWN
    assert [(i.label, i.reason_vi) for i in answer.missing] == [("“Đèn hỏng” (03/11/2026)", "Chưa có minh chứng.")]
    province.record("feedback", 18, subject=first.subject, **said)
    assert province.answer(2).value is MET


# --- clause 3


@pytest.mark.parametrize(("available", "ago", "value"), [(True, 365, MET), (True, 366, UNKNOWN), (False, 3, UNMET)])
def test_wifi_counts_while_its_picture_is_a_year_old_at_most(
    province: Province,
    *,
    available: bool,
    ago: int,
    value: Value,
) -> None:
    province.record("wifi", ago, available=available)
    assert province.answer(3).value is value


def test_wifi_without_a_picture_is_short_of_data(province: Province) -> None:
    province.record("wifi", available=True, evidence=())
    answer = province.answer(3)
    assert answer.value is UNKNOWN
    assert answer.reason.vi == "Wi-Fi miễn phí ở nhà văn hóa thôn: đã ghi nhưng chưa có minh chứng."


# --- clause 4


def test_code_that_nothing_shows_or_that_two_places_have_is_uncertain(province: Province) -> None:
    first, second, third = province.premises(3)
    province.record("digital_address", subject=first, premises_id=first, code="0123456789", evidence=())
    province.record("digital_address", subject=second, premises_id=second, code="0123456780")
    shared = DigitalAddress(premises_id=third, code="0123456780")
    actor = province.actors["officer"]
    row = VillageFact(
        id=new_id(), village_id=province.village, kind="digital_address", subject=third,
        value=shared.model_dump(mode="json"), observed_on=date(2026, 11, 1), recorded_at=datetime(2026, 11, 1, tzinfo=UTC),
        person_id=actor.person_id, witness="village", evidence=["ab" * 32], note="", withdrawn=False,
    )  # fmt: skip
    province.add(row)  # as it may stand from before codes were compared
    answer = province.answer(4)
    assert (answer.value, answer.have, answer.of) == (UNKNOWN, 0, 3)
    assert [(i.label, i.reason_vi) for i in answer.missing] == [
        ("Hộ số 1", "Chưa có minh chứng."),
        ("Hộ số 2", "Mã trùng với một nơi khác."),
        ("Hộ số 3", "Mã trùng với một nơi khác."),
    ]


def test_fact_of_many_rows_is_worth_its_weakest_witness_and_shows_all_evidence(province: Province) -> None:
    first, second = province.premises(2)
    province.record(
        "digital_address", 30, who="commune", subject=first, premises_id=first, code="0123456789", evidence=("cd" * 32,)
    )

    def fact() -> tuple[str, str | None, tuple[str, ...], date | None]:
        found = province.assess().facts["premises_with_digital_address"]
        return found.source.value, found.witness, found.evidence, found.observed_on

    assert fact() == ("verified", "commune", ("cd" * 32,), date(2026, 10, 24))
    province.record("digital_address", 3, subject=second, premises_id=second, code="0123456780")
    assert fact() == ("self_declared", "village", ("cd" * 32, "ab" * 32), date(2026, 10, 24))


def test_every_premises_with_a_code_is_met_and_the_one_without_is_named(province: Province) -> None:
    first, second, office = province.premises(2, 1)
    province.record("digital_address", subject=first, premises_id=first, code="0123456789")
    province.record("digital_address", subject=office, premises_id=office, code="0000000001")
    answer = province.answer(4)
    assert (answer.value, answer.have, answer.of) == (UNMET, 2, 3)
    assert [(i.label, i.reason_vi) for i in answer.missing] == [("Hộ số 2", "Chưa có mã địa chỉ số Vpostcode.")]
    province.record("digital_address", subject=second, premises_id=second, code="0123456780")
    assert province.answer(4).value is MET


def test_village_without_a_list_of_premises_is_short_of_data(province: Province) -> None:
    assert province.answer(4).value is UNKNOWN
    province.premises(2)
    assert province.answer(4).value is UNKNOWN  # a list, and nobody has said a word of codes


# --- clause 5


def test_every_product_seen_on_a_counted_floor_is_met(province: Province) -> None:
    province.product("Na dai")
    province.seen("Na dai")
    answer = province.answer(5)
    assert (answer.value, answer.have, answer.of) == (MET, 1, 1)


def test_village_without_ocop_products_does_not_apply_and_the_province_may_say_otherwise(province: Province) -> None:
    province.product("Trà", until=None)
    assert province.answer(5).value is NONE
    choose(province, "village_without_products", "unmet")
    assert province.answer(5).value is UNMET
    chosen = {c.name: c.note.vi for c in province.assess().parameters if c.name == "village_without_products"}
    assert chosen == {"village_without_products": "lựa chọn của tỉnh, không có trong văn bản"}


def test_product_that_is_listed_nowhere_is_named(province: Province) -> None:
    province.product("Na dai")
    province.product("Mật ong")
    province.seen("Na dai")
    answer = province.answer(5)
    assert (answer.value, answer.have, answer.of) == (UNMET, 1, 2)
    assert [(i.label, i.reason_vi) for i in answer.missing] == [("Mật ong", "Chưa đăng bán trên sàn nào.")]


def test_own_shop_does_not_count_and_the_page_says_why(province: Province) -> None:
    province.product("Mật ong")
    province.seen("Mật ong", "own_shop")
    answer = province.answer(5)
    assert answer.value is UNMET
    assert [i.reason_vi for i in answer.missing] == [
        "Đang bán ở trang bán hàng riêng (Cửa hàng HTX); trang riêng không phải là sàn nên không được tính."
    ]


def test_floor_outside_the_provinces_list_does_not_count(province: Province) -> None:
    province.product("Mật ong")
    province.seen("Mật ong", "on_small_floor")
    assert [i.reason_vi for i in province.answer(5).missing] == [
        "Đang bán trên Chợ lẻ, sàn này không có trong danh sách được tính của tỉnh."
    ]


def test_ban_makes_the_clause_unmet_with_the_floors_own_reason(province: Province) -> None:
    province.product("Mật ong")
    province.seen("Mật ong", hours_ago=30)
    assert province.answer(5).value is MET
    province.seen("Mật ong", hours_ago=1, live=False, reasons=[{"vi": "Thiếu ảnh nhãn.", "en": "No label."}])
    answer = province.answer(5)
    assert answer.value is UNMET
    assert [(i.label, i.reason_vi) for i in answer.missing] == [
        ("Mật ong", "Sàn nông sản không cho bán: Thiếu ảnh nhãn.")
    ]


def test_sighting_is_good_for_forty_eight_hours_and_then_unknown(province: Province) -> None:
    province.product("Na dai")
    province.seen("Na dai", hours_ago=47.9)
    assert province.answer(5).value is MET
    province.stop_clock(datetime(2026, 11, 23, 3, 7, tzinfo=UTC))
    answer = province.answer(5)
    assert answer.value is UNKNOWN
    assert [i.reason_vi for i in answer.missing] == [
        "Lần cuối thấy đang bán trên Sàn nông sản là ngày 21/11/2026, đã lâu quá nên không dùng được."
    ]


def test_lapsed_certificate_leaves_the_count_and_says_when(province: Province) -> None:
    province.product("Na dai")
    province.seen("Na dai")
    province.product("Mật ong", until=date(2026, 10, 14))
    answer = province.answer(5)
    assert (answer.value, answer.of) == (MET, 1)
    assert [(i.label, i.reason_vi) for i in answer.not_counted] == [
        ("Mật ong", "Chứng nhận OCOP hết hạn từ 15/10/2026.")
    ]
    choose(province, "lapsed_certificate", "counts_as_unmet")
    counted = province.answer(5)
    assert (counted.value, counted.have, counted.of) == (UNMET, 1, 2)
    assert [i.label for i in counted.missing] == ["Mật ong"]


def test_certificate_written_by_mistake_leaves_the_count_from_when_that_was_known(province: Province) -> None:
    province.product("Na dai")
    province.seen("Na dai")
    province.product("Mật ong")
    province.product("Trà", until=None)
    before = province.answer(5)
    asked = clock.now()
    province.stop_clock(asked + timedelta(minutes=1))
    province.certified_by_mistake("Mật ong")
    answer = province.answer(5)
    assert (before.value, answer.value, answer.of) == (UNMET, MET, 1)
    assert [(i.label, i.reason_vi) for i in answer.not_counted] == [
        ("Mật ong", f"Chứng nhận OCOP ghi nhầm, đã sửa ngày {clock.today():%d/%m/%Y}.")
    ]
    assert province.answer(5, known_at=asked) == before


def test_certificate_counts_on_its_last_day_and_no_longer_on_the_next(province: Province) -> None:
    province.product("Na dai", until=date(2026, 11, 23))
    province.seen("Na dai")
    assert province.answer(5).value is MET
    assert province.answer(5).next_change_on == date(2026, 11, 24)
    province.stop_clock(datetime(2026, 11, 23, 17, tzinfo=UTC))
    assert province.answer(5).value is NONE


# --- clause 6


@pytest.mark.parametrize("name", ["production_business", "public_order", "smart_lighting"])
def test_one_running_model_with_proof_is_enough(province: Province, name: str) -> None:
    province.model(name)
    assert province.answer(6).value is MET


def test_model_without_proof_does_not_count_and_says_so(province: Province) -> None:
    province.model("public_order", evidence=(), title="Camera ngõ 3")
    reasons = {a.id: a.reason.vi for a in province.answer(6).children}
    assert province.answer(6).value is UNKNOWN
    assert "Camera ngõ 3" in reasons["trat-tu-an-toan"]


def test_fields_that_nobody_spoke_of_keep_the_answer_open_until_they_are_declared(province: Province) -> None:
    for name in ("production_business", "public_order", "smart_lighting"):
        province.record("no_model", field=name)
        assert province.answer(6).value is UNKNOWN
    province.record("no_model", field="smart_agriculture")
    assert province.answer(6).value is UNMET


def test_model_speaks_louder_than_a_declaration_that_there_is_none(province: Province) -> None:
    province.model("smart_lighting")
    province.record("no_model", 1, field="smart_lighting")
    assert province.answer(6).value is MET


def test_smart_agriculture_needs_five_households_with_three_steps_each(province: Province) -> None:
    province.model("smart_agriculture")
    for number in range(1, 5):
        province.diary(f"Hộ {number}", 3)
    province.diary("Hộ 5", 2)
    for name in ("production_business", "public_order", "smart_lighting"):
        province.record("no_model", field=name)
    answer = province.answer(6)
    assert answer.value is UNMET
    agriculture = next(a for a in answer.children if a.id == "nong-nghiep")
    assert [(i.label, i.reason_vi) for i in agriculture.missing] == [("Hộ 5", "Mới ghi 2 bước trong 90 ngày, cần 3.")]
    province.diary("Hộ 6", 3)
    assert province.answer(6).value is MET


def test_diary_of_chosen_participants_alone_counts_when_some_are_named(province: Province) -> None:
    named: list[UUID] = [province.diary(f"Hộ {n}", 3) for n in range(1, 6)]
    province.diary("Hộ ngoài", 9)
    province.model("smart_agriculture", household_ids=[str(h) for h in named[:4]])
    household = next(a for a in province.answer(6).children if a.id == "nong-nghiep").children[1]
    assert (household.value, household.have) == (UNMET, 4)


def test_ended_model_does_not_lend_its_fresh_proof_to_a_running_one(province: Province) -> None:
    for name in ("production_business", "public_order", "smart_agriculture"):
        province.record("no_model", field=name)
    province.model("smart_lighting", 366, title="Đèn ngõ 3")
    province.model("smart_lighting", 5, title="Đèn ngõ 5", ended_on="2026-11-20")
    assert province.answer(6).value is UNKNOWN
    assert province.assess().facts["models_smart_lighting"].observed_on == date(2025, 11, 22)
    province.model("smart_lighting", 365, title="Đèn ngõ 7")
    assert province.answer(6).value is MET


def test_participant_without_a_single_step_is_named(province: Province) -> None:
    quiet = province.diary("Hộ Nông Văn Mẫu", 0)
    province.model("smart_agriculture", household_ids=[str(quiet)])
    agriculture = next(a for a in province.answer(6).children if a.id == "nong-nghiep")
    assert [(i.label, i.reason_vi) for i in agriculture.missing] == [
        ("Hộ Nông Văn Mẫu", "Mới ghi 0 bước trong 90 ngày, cần 3.")
    ]


def test_model_for_everybody_counts_beside_one_that_names_its_households(province: Province) -> None:
    named = province.diary("Hộ 1", 3)
    for number in range(2, 6):
        province.diary(f"Hộ {number}", 3)
    province.model("smart_agriculture", household_ids=[str(named)])
    household = next(a for a in province.answer(6).children if a.id == "nong-nghiep").children[1]
    assert household.have == 1
    province.model("smart_agriculture", title="Nhật ký chung")
    household = next(a for a in province.answer(6).children if a.id == "nong-nghiep").children[1]
    assert (household.value, household.have) == (MET, 5)


# --- the two dials


def test_day_asked_about_and_state_of_knowledge_are_two_questions(province: Province) -> None:
    morning = datetime(2026, 11, 20, 3, tzinfo=UTC)
    province.record("wifi", 30, available=True)  # seen on 24/10, written today
    assert province.answer(3).value is MET
    assert province.answer(3, as_of=date(2026, 10, 24)).value is MET
    assert province.answer(3, as_of=date(2026, 10, 23)).value is UNKNOWN
    assert province.answer(3, known_at=morning).value is UNKNOWN


def test_correction_stands_from_when_it_was_known_and_the_old_word_before(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    first = province.record("wifi", 30, available=True)
    noon = datetime(2026, 11, 23, 5, tzinfo=UTC)
    clock_at(noon)
    province.record("wifi", 30, available=False, subject=first.subject)
    assert province.answer(3).value is UNMET
    assert province.answer(3, known_at=noon - timedelta(minutes=1)).value is MET


def test_answer_of_many_villages_takes_the_same_number_of_statements(province: Province) -> None:
    province.group()
    province.product("Na dai")
    province.seen("Na dai")

    def statements(*villages: str) -> int:
        with province.database.transaction(SYSTEM) as session:
            seen: list[str] = []
            execute = session.connection().dialect.do_execute

            def count(cursor: Any, statement: str, *rest: Any, **more: Any) -> Any:
                seen.append(statement)
                return execute(cursor, statement, *rest, **more)

            session.connection().dialect.do_execute = count  # type: ignore[method-assign]  # put back below
            try:
                assessments.assess(
                    session,
                    [province.ids[v] for v in villages],
                    queries.pack(),
                    as_of=date(2026, 11, 23),
                    known_at=datetime(2026, 11, 23, 3, tzinfo=UTC),
                )
            finally:
                session.connection().dialect.do_execute = execute  # type: ignore[method-assign]
        return len(seen)

    assert statements("village") == statements("village", "sister", "foreign")
