"""The digital group, the channel with its feedback and the Wi-Fi of the culture house, over real rows."""

from datetime import UTC, date, datetime

import pytest

from app.criteria.rules import Value
from tests.app.criteria.answers import INSUFFICIENT, MET, UNMET
from tests.app.criteria.records import choice, choose
from tests.worlds.village import Province


def test_group_with_a_decision_and_three_sessions_is_met(province: Province) -> None:
    province.group(3)
    assert province.answer(1).value is MET


def test_group_with_two_sessions_lacks_one(province: Province) -> None:
    province.group(2)
    answer = province.answer(1)
    assert answer.value is UNMET
    assert [(i.label, i.reason.vi) for i in answer.missing] == [
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
    assert province.answer(1).value is INSUFFICIENT


def test_group_without_its_decision_or_proof_of_a_session_is_short_of_data(province: Province) -> None:
    value = {"decision_number": "12/QĐ-UBND", "decided_on": "2026-02-01", "issuer": "UBND xã", "members": 5}
    first = province.record("digital_group", 100, evidence=(), **value)
    for number in range(3):
        province.record("group_activity", 5 + number, topic="Tập huấn", people=9)
    established, operating = province.answer(1).children
    assert (province.answer(1).value, established.value, operating.value) == (INSUFFICIENT, INSUFFICIENT, MET)
    assert established.reason.vi == ("Quyết định thành lập tổ công nghệ số cộng đồng: đã ghi nhưng chưa có minh chứng.")
    province.record("digital_group", 100, subject=first.subject, **value)
    assert province.answer(1).value is MET
    third = province.record("group_activity", 80, topic="Cài VNeID", people=9, evidence=())
    choose(province, "province", choice(4, "group_min_activities"))
    operating = province.answer(1).children[1]
    assert (operating.value, operating.have) == (INSUFFICIENT, 3)
    assert [(i.id, i.label, i.reason.vi) for i in operating.missing] == [
        (str(third.subject), "“Cài VNeID” (04/09/2026)", "Chưa có minh chứng.")
    ]


def test_channel_and_feedback_answered_in_time_are_met(province: Province) -> None:
    province.record("channel", exists=True, platform="zalo", link="https://zalo.me/g/abc", households=90)
    province.record("feedback", 20, topic="Đèn hỏng", received_on="2026-11-03", answered_on="2026-11-08")
    assert province.answer(2).value is MET


def test_feedback_answered_a_day_late_is_named_with_its_days(province: Province) -> None:
    province.record("channel", exists=True, platform="zalo")
    province.record("feedback", 14, topic="Đèn hỏng", received_on="2026-11-03", answered_on="2026-11-09")
    answer = province.answer(2)
    assert answer.value is UNMET
    assert [(i.label, i.reason.vi) for i in answer.missing] == [
        ("“Đèn hỏng” (03/11/2026)", "Trả lời sau 6 ngày, muộn hơn 5 ngày.")
    ]


def test_open_feedback_waits_inside_its_five_days_and_is_overdue_after(province: Province) -> None:
    province.record("channel", exists=True, platform="zalo")
    province.record("feedback", 30, topic="Rác", received_on="2026-10-24", answered_on="2026-10-24")
    province.record("feedback", 5, topic="Đường", received_on="2026-11-18")
    assert province.answer(2).value is MET
    assert province.answer(2).next_change_on == date(2026, 11, 24)
    province.stop_clock(datetime(2026, 11, 24, 3, tzinfo=UTC))
    assert [i.reason.vi for i in province.answer(2).missing] == ["Chưa trả lời, đã quá 5 ngày."]


def test_village_that_looked_and_has_no_channel_is_not_met(province: Province) -> None:
    province.record("channel", exists=False)
    province.record("feedback", 30, topic="Rác", received_on="2026-10-24", answered_on="2026-10-24")
    assert province.answer(2).value is UNMET


def test_channel_that_nothing_shows_is_short_of_data_though_its_absence_needs_no_proof(province: Province) -> None:
    province.record("feedback", 20, topic="Đèn hỏng", received_on="2026-11-03", answered_on="2026-11-05")
    first = province.record("channel", exists=True, platform="zalo", evidence=())
    channel = province.answer(2).children[0]
    assert (province.answer(2).value, channel.value) == (INSUFFICIENT, INSUFFICIENT)
    assert channel.reason.vi.endswith("đã ghi nhưng chưa có minh chứng.")
    assert [i.kind for i in channel.missing] == ["evidence"]
    province.record("channel", subject=first.subject, exists=False, evidence=())
    assert province.answer(2).value is UNMET


def test_answer_to_feedback_without_proof_is_neither_in_time_nor_late(province: Province) -> None:
    province.record("channel", exists=True, platform="zalo")
    said = {"topic": "Đèn hỏng", "received_on": "2026-11-03", "answered_on": "2026-11-05"}
    first = province.record("feedback", 18, evidence=(), **said)
    answer = province.answer(2)
    assert answer.value is INSUFFICIENT
    assert [(i.label, i.reason.vi) for i in answer.missing] == [("“Đèn hỏng” (03/11/2026)", "Chưa có minh chứng.")]
    province.record("feedback", 18, subject=first.subject, **said)
    assert province.answer(2).value is MET


@pytest.mark.parametrize(
    ("available", "ago", "value"), [(True, 365, MET), (True, 366, INSUFFICIENT), (False, 3, UNMET)]
)
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
    assert answer.value is INSUFFICIENT
    assert answer.reason.vi == "Wi-Fi miễn phí ở nhà văn hóa thôn: đã ghi nhưng chưa có minh chứng."
