"""A step corrected or taken back, and its history."""

from datetime import timedelta
from decimal import Decimal

from app import clock
from app.db import Database, new_id
from tests.app.doors.farmer.forms import answered, form, text_of
from tests.worlds.phone import PhoneOf, World, ago, kilos


def test_a_correction_is_a_new_row_and_the_page_says_so(world: World, phone_of: PhoneOf) -> None:
    first = world.log("fertilising", ago(hours=2), material="NPK", quantity=Decimal(2), unit="bag")
    phone = phone_of("pao")
    sent = form(world, amount="bag:3", material="NPK", performed_by=str(world["lanh"]))
    assert phone.post(f"/nong-dan/viec/{first}/sua", data=sent).location == f"/nong-dan/viec/{first}"
    old, new = world.logs()
    assert (old.id, old.quantity, new.quantity, new.corrects_id) == (first, Decimal(2), Decimal(3), first)
    assert (new.written_by, new.performed_by) == (world["pao"], world["lanh"])
    shown = text_of(phone.get(f"/nong-dan/viec/{first}"))
    assert "Đã sửa" in shown
    assert "3 bao" in shown


def test_the_history_says_what_was_changed_and_invents_no_reason(world: World, phone_of: PhoneOf) -> None:
    first = world.log("spraying", ago(hours=2), material="Bt", quantity=Decimal(1), unit="tank16", pre_harvest_days=0)
    phone = phone_of("lanh")
    sprayed_on = clock.local(ago(hours=2)).date()  # which is yesterday, soon after midnight
    day_before = sprayed_on - timedelta(days=1)
    sent = form(world, amount="tank16:2", material="Bt", pre_harvest_days="3", day=day_before.isoformat())
    assert phone.post(f"/nong-dan/viec/{first}/sua", data=sent).status_code == 303
    assert world.logs()[-1].reason == "Không ghi lý do"
    shown = text_of(phone.get(f"/nong-dan/viec/{first}"))
    days = f"{sprayed_on:%d/%m/%Y} → {day_before:%d/%m/%Y}"
    assert f"Lượng: 1 bình → 2 bình; Ngày: {days}; Cách ly: 0 ngày → 3 ngày" in shown.replace("bình 16 lít", "bình")
    assert "Không ghi lý do" not in shown
    assert "Nhớ lại" not in shown


def test_the_page_of_a_correction_starts_from_how_the_step_stands(world: World, phone_of: PhoneOf) -> None:
    first = world.log("fertilising", ago(hours=2), material="Phân lân", quantity=Decimal("2.5"), unit="bag", by="pao")
    shown = phone_of("lanh").get(f"/nong-dan/viec/{first}/sua")
    assert 'value="Phân lân" checked' in shown.text
    assert 'name="amount" value="bag:2.5" checked' in shown.text
    assert f'name="performed_by" value="{world["pao"]}" checked' in shown.text


def test_a_step_written_by_mistake_is_taken_back_once_and_stays_visible(world: World, phone_of: PhoneOf) -> None:
    first = world.log("weeding", ago(hours=2))
    phone, sent = phone_of("lanh"), {"id": str(new_id())}
    for _ in range(2):
        assert phone.post(f"/nong-dan/viec/{first}/bo", data=sent).status_code == 303
    assert [(log.withdrawn, log.reason) for log in world.logs()] == [(False, None), (True, "Ghi nhầm")]
    assert "Đã bỏ việc này" in text_of(phone.get(f"/nong-dan/viec/{first}"))
    assert "Đã bỏ, ghi nhầm" in text_of(phone.get("/nong-dan/nhat-ky"))


def test_a_harvest_that_is_in_a_lot_is_taken_back_only_after_a_question(
    world: World, phone_of: PhoneOf, database: Database
) -> None:
    harvest = world.log("harvesting", ago(hours=2), **kilos("50"))
    world.lot("NA-1126-01", harvest, "50")
    phone, sent = phone_of("lanh"), {"id": str(new_id())}
    asked = phone.post(f"/nong-dan/viec/{harvest}/bo", data=sent)
    assert "Bỏ đi thì lô NA-1126-01 sẽ bị tạm giữ." in text_of(asked)
    assert len(world.logs()) == 1
    assert phone.post(f"/nong-dan/viec/{harvest}/bo", data=answered(asked, anyway="1")).status_code == 303
    assert [(str(log.id), log.withdrawn) for log in world.logs()][1:] == [(sent["id"], True)]


def test_a_certifiers_finding_offers_no_correcting_and_refuses_it(world: World, phone_of: PhoneOf) -> None:
    finding = world.log("observing", ago(hours=2), witness="certifier", by="xa", note="Có vỏ thuốc ở bờ vườn.")
    own = world.log("weeding", ago(hours=3))
    for person in ("lanh", "mui", "vy"):
        phone = phone_of(person)
        assert f"/nong-dan/viec/{own}/bo" in phone.get(f"/nong-dan/viec/{own}").text
        shown = phone.get(f"/nong-dan/viec/{finding}")
        assert "Người chứng nhận ghi, nên chỉ họ sửa được" in text_of(shown)
        assert f"/nong-dan/viec/{finding}/sua" not in shown.text
        assert f"/nong-dan/viec/{finding}/bo" not in shown.text
        assert phone.get(f"/nong-dan/viec/{finding}/sua").status_code == 403
        taken_back = phone.post(f"/nong-dan/viec/{finding}/bo", data={"id": str(new_id())})
        assert (taken_back.status_code, "chỉ họ sửa hoặc bỏ được" in text_of(taken_back)) == (403, True)
        assert phone.post(f"/nong-dan/viec/{finding}/sua", data=form(world)).status_code == 403
    assert [log.id for log in world.logs()] == [finding, own]
