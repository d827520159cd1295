"""A step in four taps: what is stored, what is asked again, and what is refused."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.trace.models import ConflictingSubmission
from tests.app.boxes import named_in_box
from tests.app.doors.farmer.forms import answered, form, photo, text_of, with_photo
from tests.worlds.phone import PhoneOf, World, ago


def test_a_tapped_step_is_stored_as_tapped(world: World, phone_of: PhoneOf) -> None:
    today = clock.today()
    season = world.cycle("hill", "household", "na", started=today - timedelta(days=9), harvest=None)
    sent = form(world, material="NPK 16-16-8", amount="bag:2", note="Trời mưa phùn")
    answer = phone_of("lanh").post("/nong-dan/ghi/fertilising", data=sent)
    assert (answer.status_code, answer.location) == (303, f"/nong-dan/viec/{sent['id']}")
    [log] = world.logs()
    assert (str(log.id), log.kind, log.site_id, log.cycle_id) == (sent["id"], "fertilising", world["hill"], season)
    assert (log.quantity, log.unit, log.material, log.note) == (Decimal(2), "bag", "NPK 16-16-8", "Trời mưa phùn")
    assert (log.performed_by, log.written_by, log.witness) == (world["lanh"], world["lanh"], "farmer")
    assert (log.happened_at.isoformat(), log.time_doubtful) == (sent["opened_at"], False)


def test_a_double_tap_is_one_step_and_the_same_answer(world: World, phone_of: PhoneOf) -> None:
    phone, sent = phone_of("lanh"), form(world, amount="hour:2")
    answers = [phone.post("/nong-dan/ghi/irrigating", data=sent) for _ in range(3)]
    assert {(a.status_code, a.location) for a in answers} == {(303, f"/nong-dan/viec/{sent['id']}")}
    assert len(world.logs()) == 1


def test_the_same_form_with_other_content_is_refused_and_kept_for_comparing(
    world: World, phone_of: PhoneOf, database: Database
) -> None:
    phone, sent = phone_of("lanh"), form(world, amount="hour:2")
    phone.post("/nong-dan/ghi/irrigating", data=sent)
    answer = phone.post("/nong-dan/ghi/irrigating", data=sent | {"amount": "hour:4"})
    assert answer.status_code == 409
    assert "Việc này đã ghi rồi, nhưng nội dung khác lần này" in text_of(answer)
    assert [log.quantity for log in world.logs()] == [Decimal(2)]
    with database.transaction(SYSTEM) as session:
        [kept] = session.query(ConflictingSubmission).all()
        assert (str(kept.care_log_id), kept.body["quantity"]) == (sent["id"], "4")


def test_nothing_said_about_the_amount_is_missing_not_zero(world: World, phone_of: PhoneOf) -> None:
    sent = form(world, note="Mưa rồi, tưới ít")
    phone = phone_of("lanh")
    phone.post("/nong-dan/ghi/irrigating", data=sent)
    [log] = world.logs()
    assert (log.quantity, log.unit) == (None, None)
    assert "chưa ghi" in text_of(phone.get(f"/nong-dan/viec/{sent['id']}"))


def test_a_typed_number_with_a_comma_wins_over_a_tapped_one(world: World, phone_of: PhoneOf) -> None:
    phone_of("lanh").post("/nong-dan/ghi/harvesting", data=form(world, amount="kg:50", number="62,5", unit="kg"))
    assert [(log.quantity, log.unit) for log in world.logs()] == [(Decimal("62.5"), "kg")]


@pytest.mark.parametrize(
    "more", [{"amount": "hour:2"}, {"amount": "bag:-2"}, {"amount": "bag"}, {"number": "3", "unit": "hour"}]
)
def test_an_amount_in_a_foreign_unit_is_refused_and_nothing_is_stored(
    world: World, phone_of: PhoneOf, more: dict[str, str]
) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/fertilising", data=form(world, **more))
    assert answer.status_code == 422
    assert "Hãy bấm lại vào một ô số" in text_of(answer)
    assert world.logs() == []


def test_yesterday_is_noon_of_yesterday_however_often_it_is_sent(world: World, phone_of: PhoneOf) -> None:
    yesterday = clock.today() - timedelta(days=1)
    phone_of("lanh").post("/nong-dan/ghi/weeding", data=form(world, day=yesterday.isoformat(), amount="hour:1"))
    assert [clock.local(log.happened_at).isoformat() for log in world.logs()] == [f"{yesterday}T12:00:00+07:00"]


def test_another_day_needs_a_day_and_keeps_what_was_chosen(world: World, phone_of: PhoneOf) -> None:
    phone, sent = phone_of("lanh"), form(world, day="other", material="NPK", amount="bag:3")
    answer = phone.post("/nong-dan/ghi/fertilising", data=sent)
    assert answer.status_code == 422
    assert "Hãy chọn Hôm nay, Hôm qua hoặc một ngày trên lịch" in text_of(answer)
    assert 'value="bag:3" checked' in answer.text
    assert f'name="id" value="{sent["id"]}"' in answer.text
    assert world.logs() == []
    assert phone.post("/nong-dan/ghi/fertilising", data=sent | {"on": "20/11/2026"}).status_code == 303


def test_a_day_to_come_is_refused_with_the_way_out(world: World, phone_of: PhoneOf) -> None:
    tomorrow = (clock.today() + timedelta(days=1)).isoformat()
    answer = phone_of("lanh").post("/nong-dan/ghi/weeding", data=form(world, day="other", on=tomorrow, amount="hour:1"))
    assert answer.status_code == 422
    assert "chưa tới. Hãy chọn lại ngày đã làm" in text_of(answer)
    assert world.logs() == []


def test_materials_used_before_are_offered_with_their_waiting_days(world: World, phone_of: PhoneOf) -> None:
    world.log("spraying", ago(days=60), material="Chế phẩm Bt", pre_harvest_days=7)
    world.log("spraying", ago(days=40), material="Thuốc A", pre_harvest_days=21)
    shown = phone_of("lanh").get("/nong-dan/ghi/spraying")
    assert re.findall(r'name="material" value="([^"]+)"', shown.text) == ["Chế phẩm Bt", "Thuốc A", "+"]
    assert 'name="material" value="Thuốc A" checked data-days="21"' in shown.text
    assert 'name="pre_harvest_days" value="21" checked' in shown.text
    assert "Thuốc A lần trước · cách ly 21 ngày" in text_of(shown)
    world.log("spraying", ago(days=1), material="Chế phẩm Bt", pre_harvest_days=7)
    shown = phone_of("lanh").get("/nong-dan/ghi/spraying")
    assert re.findall(r'name="material" value="([^"]+)"', shown.text) == ["Chế phẩm Bt", "Thuốc A", "+"]
    assert 'name="material" value="Chế phẩm Bt" checked data-days="7"' in shown.text


def test_somebody_without_a_name_here_may_have_done_it(world: World, phone_of: PhoneOf) -> None:
    phone, sent = phone_of("lanh"), form(world, performed_by="other", amount="hour:1")
    phone.post("/nong-dan/ghi/weeding", data=sent)
    [log] = world.logs()
    assert (log.performed_by, log.written_by) == (None, world["lanh"])
    assert "Người làm người khác bác Lành ghi hộ" in text_of(phone.get(f"/nong-dan/viec/{sent['id']}"))


def test_a_stranger_cannot_be_named_as_the_one_who_did_it(world: World, phone_of: PhoneOf) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/weeding", data=form(world, performed_by=str(world["xa"])))
    assert answer.status_code == 422
    assert "Người này không còn trong hộ" in text_of(answer)
    assert world.logs() == []


def test_an_untouched_form_is_asked_once_and_the_way_back_keeps_what_was_chosen(
    world: World, phone_of: PhoneOf
) -> None:
    yesterday = (clock.today() - timedelta(days=1)).isoformat()
    phone, sent = phone_of("lanh"), form(world, material="NPK 16-16-8", day=yesterday)
    asked = phone.post("/nong-dan/ghi/fertilising", data=sent)
    assert "Chưa chọn lượng. Ghi “Bón phân NPK 16-16-8” không có lượng?" in text_of(asked)
    assert 'class="flash wait" role="status"' in asked.text
    assert "unmet" not in asked.text
    assert "btn danger" not in asked.text
    again = phone.post("/nong-dan/ghi/fertilising", data=answered(asked, choose_again="1"))
    assert f'name="day" value="{yesterday}" checked' in again.text
    assert f'name="id" value="{sent["id"]}"' in again.text
    assert world.logs() == []
    assert phone.post("/nong-dan/ghi/fertilising", data=answered(asked, anyway="1")).status_code == 303
    assert [(str(log.id), log.material, log.quantity) for log in world.logs()] == [(sent["id"], "NPK 16-16-8", None)]


@pytest.mark.parametrize("kind", ["weeding", "pruning", "irrigating"])
def test_hours_of_work_may_stay_unsaid(world: World, phone_of: PhoneOf, kind: str) -> None:
    assert phone_of("lanh").post(f"/nong-dan/ghi/{kind}", data=form(world)).status_code == 303
    assert [(log.kind, log.quantity) for log in world.logs()] == [(kind, None)]


@pytest.mark.parametrize("material", ["+", ""])
@pytest.mark.parametrize("kind", ["spraying", "treating", "vaccinating"])
def test_a_medicine_needs_its_name_or_a_photo_of_its_label(
    world: World, phone_of: PhoneOf, kind: str, material: str
) -> None:
    phone, sent = phone_of("lanh"), form(world, material=material, amount="ml:20", note="Sâu nhiều")
    answer = phone.post(f"/nong-dan/ghi/{kind}", data=sent)
    assert answer.status_code == 422
    assert "viết tên vào ô “Loại khác”, hoặc chụp ảnh nhãn" in text_of(answer)
    assert 'id="material_other-error"' in answer.text
    assert world.logs() == []
    assert phone.post(f"/nong-dan/ghi/{kind}", data=with_photo(sent, photo())).status_code == 303
    assert [(log.material, len(log.photos)) for log in world.logs()] == [(None, 1)]


def test_a_number_that_is_no_amount_names_its_field(world: World, phone_of: PhoneOf) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/harvesting", data=form(world, number="0", unit="kg"))
    assert answer.status_code == 422
    assert "Lượng ở ô “Số khác” phải lớn hơn 0." in text_of(answer)
    assert world.logs() == []


@pytest.mark.parametrize(
    ("kind", "more", "named"),
    [
        ("fertilising", {"day": "other", "material": "NPK"}, [("day", "Hôm nào?")]),
        ("fertilising", {"amount": "hour:2"}, [("amount", "Bao nhiêu?")]),
        ("harvesting", {"number": "0", "unit": "kg"}, [("amount", "Được bao nhiêu?")]),
        ("spraying", {"material": "+"}, [("material", "Thuốc gì?")]),
        ("spraying", {"pre_harvest_days": "400", "number": "x"},
         [("amount", "Bao nhiêu?"), ("pre_harvest_days", "Nhãn ghi cách ly mấy ngày?")]),
    ],
)  # fmt: skip
def test_a_refused_step_names_each_question_and_leads_to_it(
    world: World, phone_of: PhoneOf, kind: str, more: dict[str, str], named: list[tuple[str, str]]
) -> None:
    answer = phone_of("lanh").post(f"/nong-dan/ghi/{kind}", data=form(world, **more))
    assert sorted(named_in_box(answer)) == named
    assert world.logs() == []


def test_a_refused_photo_and_a_refused_place_of_work_are_named_with_a_link(world: World, phone_of: PhoneOf) -> None:
    phone = phone_of("lanh")
    answer = phone.post("/nong-dan/ghi/observing", data=with_photo(form(world), b"<svg></svg>"))
    assert named_in_box(answer) == [("photo", "Chụp ảnh")]
    answer = phone.post("/nong-dan/cho-lam/them", data={"id": str(new_id()), "kind": "x", "name": "a" * 500})
    assert named_in_box(answer) == [("kind", "Nơi này là gì?"), ("name", "Gọi là gì?")]


@pytest.mark.parametrize(
    ("typed", "stored"), [("1.500", "1500"), ("1.500,5", "1500.5"), ("1 500", "1500"), ("1,5", "1.5")]
)
def test_another_number_is_read_as_the_page_writes_it(world: World, phone_of: PhoneOf, typed: str, stored: str) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/harvesting", data=form(world, number=typed, unit="kg"))
    assert answer.status_code == 303
    assert [log.quantity for log in world.logs()] == [Decimal(stored)]


def test_a_number_that_may_be_two_is_asked_again(world: World, phone_of: PhoneOf) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/harvesting", data=form(world, number="1.5", unit="kg"))
    assert answer.status_code == 422
    assert "Con số này viết chưa rõ. Viết 1,5." in text_of(answer)
    assert world.logs() == []
