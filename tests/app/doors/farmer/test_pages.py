"""A step in four taps: what is stored, what is asked again, what is refused, and for whom one may write."""

import io
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.media import MediaBlob
from app.trace.models import ConflictingSubmission, Site, SiteVillage
from tests.app.boxes import named_in_box
from tests.app.doors.farmer.world import World, ago, kilos

PhoneOf = Callable[[str], FlaskClient]
EXIF_GPS = 0x8825


def text_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))).split())


def form(world: World, **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": str(new_id()),
        "opened_at": clock.now().isoformat(),
        "site_id": str(world["hill"]),
        "day": clock.today().isoformat(),
        "performed_by": str(world["lanh"]),
    }
    return values | more


def answered(asked: TestResponse, **button: str) -> dict[str, Any]:
    """What the page of a question sends by one of its buttons."""
    assert asked.status_code == 200
    return {k: unescape(v) for k, v in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked.text)} | button


def photo(colour: str = "green") -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[EXIF_GPS] = {1: "N", 2: (21.0, 50.0, 0.0)}
    Image.new("RGB", (900, 600), colour).save(out, "JPEG", exif=exif)
    return out.getvalue()


# --- home --------------------------------------------------------------------------------------------------------


def test_home_greets_by_name_and_offers_the_tiles_of_the_plot_worked_on_last(world: World, phone_of: PhoneOf) -> None:
    world.site("pond", "household", "Ao sau nhà", "pond")
    world.log("feeding", ago(hours=30), site="pond", material="Cám", **kilos("5"))
    world.log("weeding", ago(hours=40))
    shown = phone_of("lanh").get("/nong-dan")
    words = text_of(shown)
    assert shown.status_code == 200
    assert "Chào bác Lành" in words
    assert "Cho ăn · 5 kg Cám" in words
    assert re.findall(r'class="tile \w+" href="/nong-dan/ghi/(\w+)', shown.text) == [
        "feeding", "treating", "cleaning", "harvesting", "observing",
    ]  # fmt: skip
    assert f"vuon={world['pond']}" in shown.text
    assert "ear()" not in shown.text


def test_home_says_until_when_nothing_may_be_harvested(world: World, phone_of: PhoneOf) -> None:
    world.log("spraying", ago(days=5), material="Bt", pre_harvest_days=21)
    until = (clock.local(ago(days=5)).date() + timedelta(days=21)).strftime("%d/%m")
    assert f"Chưa hái được. Cách ly Bt, từ {until} mới hái" in text_of(phone_of("lanh").get("/nong-dan"))


def test_home_names_the_harvest_of_this_week_and_leads_to_it(world: World, phone_of: PhoneOf) -> None:
    today = clock.today()
    world.cycle("hill", "household", "na dai", started=today - timedelta(days=100), harvest=today + timedelta(days=3))
    shown = phone_of("lanh").get("/nong-dan")
    assert "Tuần này: thu hoạch na dai" in text_of(shown)
    assert "/nong-dan/ghi/harvesting?" in shown.text


def test_a_new_place_of_work_is_named_after_its_picture_and_lies_in_the_households_village(
    world: World, phone_of: PhoneOf, database: Database
) -> None:
    phone, sent = phone_of("lanh"), {"id": str(new_id()), "kind": "apiary"}
    answers = [phone.post("/nong-dan/cho-lam/them", data=sent) for _ in range(2)]
    assert {a.status_code for a in answers} == {303}
    assert "Đàn ong" in text_of(phone.get(answers[0].location))
    with database.transaction(SYSTEM) as session:
        made = session.query(Site).filter_by(kind="apiary").one()
        assert (str(made.id), made.name, made.organisation_id) == (sent["id"], "Đàn ong", world["household"])
        [stay] = session.query(SiteVillage).filter_by(site_id=made.id).all()
        assert (stay.village_id, stay.valid_to) == (world["village"], None)


@pytest.mark.parametrize("path", ["", "/ho", "/nhat-ky", "/ghi/weeding", "/viec-khac", "/muc-khac", "/cho-lam/them"])
def test_nobody_sees_the_phone_pages_without_signing_in(world: World, phone_of: PhoneOf, path: str) -> None:
    stranger = phone_of("lanh")
    stranger.delete_cookie("hoi_phien")
    answer = stranger.get(f"/nong-dan{path}")
    assert (answer.status_code, answer.location.split("?")[0]) == (303, "/dang-nhap")


def test_every_page_of_the_phone_opens(world: World, phone_of: PhoneOf) -> None:
    log = world.log("spraying", ago(days=2), material="Bt", pre_harvest_days=7, quantity=Decimal(2), unit="tank16")
    phone = phone_of("lanh")
    for path in ("/ho", "/nhat-ky", "/viec-khac", "/muc-khac", "/cho-lam/them", f"/viec/{log}", f"/viec/{log}/sua"):
        assert phone.get(f"/nong-dan{path}").status_code == 200, path
        assert phone.get(f"/nong-dan{path}?lang=en").status_code == 200, path
    assert phone.get("/nong-dan/ghi/flying").status_code == 404


# --- one step ----------------------------------------------------------------------------------------------------


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
    assert "Bác bấm lại vào một ô số" in text_of(answer)
    assert world.logs() == []


def test_yesterday_is_noon_of_yesterday_however_often_it_is_sent(world: World, phone_of: PhoneOf) -> None:
    yesterday = clock.today() - timedelta(days=1)
    phone_of("lanh").post("/nong-dan/ghi/weeding", data=form(world, day=yesterday.isoformat(), amount="hour:1"))
    assert [clock.local(log.happened_at).isoformat() for log in world.logs()] == [f"{yesterday}T12:00:00+07:00"]


def test_another_day_needs_a_day_and_keeps_what_was_chosen(world: World, phone_of: PhoneOf) -> None:
    phone, sent = phone_of("lanh"), form(world, day="other", material="NPK", amount="bag:3")
    answer = phone.post("/nong-dan/ghi/fertilising", data=sent)
    assert answer.status_code == 422
    assert "Bác chọn Hôm nay, Hôm qua hoặc một ngày trên lịch" in text_of(answer)
    assert 'value="bag:3" checked' in answer.text
    assert f'name="id" value="{sent["id"]}"' in answer.text
    assert world.logs() == []
    assert phone.post("/nong-dan/ghi/fertilising", data=sent | {"on": "20/11/2026"}).status_code == 303


def test_a_day_to_come_is_refused_with_the_way_out(world: World, phone_of: PhoneOf) -> None:
    tomorrow = (clock.today() + timedelta(days=1)).isoformat()
    answer = phone_of("lanh").post("/nong-dan/ghi/weeding", data=form(world, day="other", on=tomorrow, amount="hour:1"))
    assert answer.status_code == 422
    assert "chưa tới. Bác chọn lại ngày đã làm" in text_of(answer)
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


# --- the days to wait --------------------------------------------------------------------------------------------


def spray(world: World, **more: Any) -> dict[str, Any]:
    """As the page without a script sends it, with 7 days shown for Dầu khoáng and left as they are."""
    shown = {"days_for": "Dầu khoáng", "days_shown": "7", "pre_harvest_days": "7", "amount": "tank16:1"}
    return form(world, **shown | more)


@pytest.fixture
def two_sprays(world: World) -> World:
    world.log("spraying", ago(days=40), material="Bacillus", pre_harvest_days=3)
    world.log("spraying", ago(days=30), material="Dầu khoáng", pre_harvest_days=7)
    return world


@pytest.mark.parametrize(
    ("more", "stored"),
    [
        ({"material": "Bacillus"}, ("Bacillus", 3)),
        ({"material": "+", "material_other": "bacillus"}, ("bacillus", 3)),
        ({"material": "Dầu khoáng"}, ("Dầu khoáng", 7)),
        ({"material": "Bacillus", "pre_harvest_days": "14"}, ("Bacillus", 14)),
        ({"material": "+", "material_other": "Thuốc mới"}, ("Thuốc mới", None)),
        ({"material": "Bacillus", "days_for": ""}, ("Bacillus", 7)),
    ],
    ids=["own", "own-typed", "the-same", "chosen-by-hand", "not-known", "chosen-with-script"],
)
def test_days_shown_for_another_material_are_never_taken_over(
    two_sprays: World, phone_of: PhoneOf, more: dict[str, str], stored: tuple[str, int | None]
) -> None:
    page = phone_of("lanh").get("/nong-dan/ghi/spraying").text
    assert (
        '<input type="hidden" name="days_for" value="Dầu khoáng"><input type="hidden" name="days_shown" value="7">'
        in page
    )
    assert phone_of("lanh").post("/nong-dan/ghi/spraying", data=spray(two_sprays, **more)).status_code == 303
    log = two_sprays.logs()[-1]
    assert (log.material, log.pre_harvest_days) == stored


@pytest.mark.parametrize(("days", "said"), [("3", "lần này chỉ 3 ngày"), ("", "lần này chưa rõ")])
def test_fewer_days_than_ever_are_asked_once_and_never_become_the_usual_ones(
    two_sprays: World, phone_of: PhoneOf, days: str, said: str
) -> None:
    phone, there = phone_of("lanh"), "/nong-dan/ghi/spraying"
    asked = phone.post(there, data=spray(two_sprays, material="Dầu khoáng", pre_harvest_days=days))
    assert f"Dầu khoáng: trước đây ghi cách ly 7 ngày, {said}." in text_of(asked)
    assert len(two_sprays.logs()) == 2
    assert phone.post(there, data=answered(asked, anyway="1")).status_code == 303
    assert two_sprays.logs()[-1].pre_harvest_days == (int(days) if days else None)
    shown = phone.get(there).text
    assert 'value="Dầu khoáng" checked data-days="7"' in shown
    assert 'name="pre_harvest_days" value="7" checked' in shown


def test_days_that_are_no_usual_number_can_be_chosen_again(world: World, phone_of: PhoneOf) -> None:
    world.log("spraying", ago(days=40), material="Thuốc A", pre_harvest_days=5)
    assert 'name="pre_harvest_days" value="5" checked' in phone_of("lanh").get("/nong-dan/ghi/spraying").text


# --- what nobody chose -------------------------------------------------------------------------------------------


def test_an_untouched_form_is_asked_once_and_the_way_back_keeps_what_was_chosen(
    world: World, phone_of: PhoneOf
) -> None:
    yesterday = (clock.today() - timedelta(days=1)).isoformat()
    phone, sent = phone_of("lanh"), form(world, material="NPK 16-16-8", day=yesterday)
    asked = phone.post("/nong-dan/ghi/fertilising", data=sent)
    assert "Bác chưa chọn lượng. Ghi “Bón phân NPK 16-16-8” không có lượng?" in text_of(asked)
    again = phone.post("/nong-dan/ghi/fertilising", data=answered(asked, choose_again="1"))
    assert f'name="day" value="{yesterday}" checked' in again.text
    assert f'name="id" value="{sent["id"]}"' in again.text
    assert world.logs() == []
    assert phone.post("/nong-dan/ghi/fertilising", data=answered(asked, anyway="1")).status_code == 303
    assert [(str(log.id), log.material, log.quantity) for log in world.logs()] == [(sent["id"], "NPK 16-16-8", None)]


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


# --- photos ------------------------------------------------------------------------------------------------------


def with_photo(sent: dict[str, Any], raw: bytes) -> dict[str, Any]:
    return sent | {"photo": (io.BytesIO(raw), "anh.jpg")}


def test_a_photo_is_kept_without_its_position_and_shown_to_the_household_only(world: World, phone_of: PhoneOf) -> None:
    phone, sent = phone_of("lanh"), form(world)
    assert phone.post("/nong-dan/ghi/observing", data=with_photo(sent, photo())).status_code == 303
    [log] = world.logs()
    [digest] = log.photos
    seen = phone.get(f"/anh/{digest}")
    assert seen.status_code == 200
    with Image.open(io.BytesIO(seen.data)) as stored:
        assert (stored.size, dict(stored.getexif())) == ((900, 600), {})
    assert phone_of("xa").get(f"/anh/{digest}").status_code == 404


def test_a_photo_survives_a_mistake_elsewhere_in_the_form(world: World, phone_of: PhoneOf) -> None:
    phone, sent = phone_of("lanh"), form(world, day="other")
    answer = phone.post("/nong-dan/ghi/observing", data=with_photo(sent, photo("red")))
    assert answer.status_code == 422
    assert "Đã giữ 1 ảnh" in text_of(answer)
    kept = re.findall(r'name="photos" value="([0-9a-f]{64})"', answer.text)
    phone.post("/nong-dan/ghi/observing", data=form(world, photos=kept))
    assert [log.photos for log in world.logs()] == [kept]


def test_what_is_no_photo_is_refused_and_nothing_is_stored(world: World, phone_of: PhoneOf, database: Database) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/observing", data=with_photo(form(world), b"<svg></svg>"))
    assert answer.status_code == 422
    assert "Tệp này không phải ảnh chụp" in text_of(answer)
    assert world.logs() == []
    with database.transaction(SYSTEM) as session:
        assert session.query(MediaBlob).count() == 0


# --- harvest inside the waiting days -----------------------------------------------------------------------------


def test_a_harvest_inside_the_waiting_days_is_asked_once_more_in_words(world: World, phone_of: PhoneOf) -> None:
    world.log("spraying", ago(days=5), material="Bt", pre_harvest_days=21)
    sprayed = clock.local(ago(days=5)).date()
    phone, sent = phone_of("lanh"), form(world, amount="kg:50")
    asked = phone.post("/nong-dan/ghi/harvesting", data=sent)
    assert asked.status_code == 200
    until = sprayed + timedelta(days=21)
    assert f"{sprayed:%d/%m/%Y} dùng Bt, cách ly 21 ngày: từ {until:%d/%m/%Y} mới được hái." in text_of(asked)
    assert len(world.logs()) == 1
    again = answered(asked, anyway="1")
    assert phone.post("/nong-dan/ghi/harvesting", data=again).location == f"/nong-dan/viec/{sent['id']}"
    assert [(log.kind, log.quantity) for log in world.logs()][1:] == [("harvesting", Decimal(50))]


@pytest.mark.parametrize(("days_ago", "asked"), [(30, True), (31, False)])
def test_a_harvest_after_a_treatment_of_unknown_days_to_wait_is_warned_of_and_asked_once_more(
    world: World,
    phone_of: PhoneOf,
    days_ago: int,
    asked: bool,  # noqa: FBT001 - a case
) -> None:
    world.log("spraying", ago(days=days_ago), material="Bt", pre_harvest_days=None)
    phone, day = phone_of("lanh"), clock.local(ago(days=days_ago)).date()
    until = day + timedelta(days=31)
    home = f"Lần dùng thuốc ngày {day:%d/%m} chưa rõ cách ly. Bác xem nhãn thuốc trước khi hái"
    words = f"Lần dùng thuốc ngày {day:%d/%m/%Y} chưa rõ cách ly. Bác xem nhãn thuốc; chưa rõ thì từ {until:%d/%m/%Y} mới hái."
    assert (home in text_of(phone.get("/nong-dan"))) is asked
    assert (words in text_of(phone.get("/nong-dan/ghi/harvesting"))) is asked
    answer = phone.post("/nong-dan/ghi/harvesting", data=form(world, amount="kg:50"))
    assert (words in text_of(answer)) is asked
    assert len(world.logs()) == (1 if asked else 2)


@pytest.mark.parametrize(("days_ago", "asked"), [(6, True), (7, False)])
def test_the_first_allowed_day_is_the_day_of_spraying_plus_the_days_on_the_label(
    world: World,
    phone_of: PhoneOf,
    days_ago: int,
    asked: bool,  # noqa: FBT001 - a case
) -> None:
    world.log("spraying", ago(days=days_ago), material="Bt", pre_harvest_days=7)
    answer = phone_of("lanh").post("/nong-dan/ghi/harvesting", data=form(world, amount="kg:50"))
    assert (answer.status_code == 200) is asked
    assert len(world.logs()) == (1 if asked else 2)


# --- corrections -------------------------------------------------------------------------------------------------


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


def test_the_list_of_households_counts_what_stands(world: World, phone_of: PhoneOf) -> None:
    world.log("weeding", ago(seconds=3))
    first = world.log("weeding", ago(seconds=2))
    phone = phone_of("lanh")
    assert "hôm nay đã ghi 2 việc" in text_of(phone.get("/nong-dan/ho"))
    phone.post(f"/nong-dan/viec/{first}/bo", data={"id": str(new_id())})
    assert "hôm nay đã ghi 1 việc" in text_of(phone.get("/nong-dan/ho"))


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


# --- on behalf ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("person", "witness"), [("mui", "cooperative"), ("vy", "officer")])
def test_who_writes_on_behalf_is_not_who_did_it(world: World, phone_of: PhoneOf, person: str, witness: str) -> None:
    phone = phone_of(person)
    assert phone.get("/nong-dan").location == "/nong-dan/ho"
    shown = text_of(phone.get("/nong-dan/ho"))
    assert ("Hộ số 12 Nà Mẫu" in shown, "Nà Xa" in shown) == (True, False)
    there = f"/nong-dan/ghi/weeding?ho={world['household']}&vuon={world['hill']}"
    shown = phone.get(there)
    assert "Bác biết việc này bằng cách nào?" in text_of(shown)
    for seen in ("told", "saw"):
        sent = form(world, performed_by=str(world["pao"]), seen=seen, amount="hour:1")
        assert phone.post(there, data=sent).status_code == 303
    told, saw = world.logs()
    assert {(log.performed_by, log.written_by) for log in (told, saw)} == {(world["pao"], world[person])}
    assert (told.witness, told.witnessed_by) == ("farmer", None)
    assert (saw.witness, saw.witnessed_by) == (witness, world[person])


def test_a_cooperatives_own_workshop_is_written_by_itself_not_on_behalf(world: World, phone_of: PhoneOf) -> None:
    world.site("shed", "cooperative", "Nhà đóng gói", "workshop")
    there = f"/nong-dan/ghi/packing?ho={world['cooperative']}&vuon={world['shed']}"
    phone = phone_of("mui")
    assert "HTX Nà Mẫu" in text_of(phone.get("/nong-dan/ho"))
    assert "bằng cách nào?" not in text_of(phone.get(there))
    sent = form(world, site_id=str(world["shed"]), performed_by=str(world["mui"]), amount="box:20", material="Hộp")
    assert phone.post(there, data=sent).status_code == 303
    [log] = world.logs()
    assert (log.organisation_id, log.witness, log.witnessed_by, log.quantity) == (
        world["cooperative"], "cooperative", None, Decimal(20),
    )  # fmt: skip


def test_on_behalf_somebody_must_be_named_as_the_one_who_did_it(world: World, phone_of: PhoneOf) -> None:
    sent = form(world)
    del sent["performed_by"]
    answer = phone_of("vy").post(f"/nong-dan/ghi/weeding?ho={world['household']}", data=sent)
    assert answer.status_code == 422
    assert world.logs() == []


@pytest.mark.parametrize("person", ["mui", "vy", "lanh"])
def test_a_foreign_household_is_not_found_and_nothing_is_stored(world: World, phone_of: PhoneOf, person: str) -> None:
    phone = phone_of(person)
    there = f"?ho={world['far_household']}&vuon={world['far_hill']}"
    sent = form(world, site_id=str(world["far_hill"]), performed_by="other")
    assert phone.get(f"/nong-dan{there}").status_code == 404
    assert phone.get(f"/nong-dan/ghi/weeding{there}").status_code == 404
    assert phone.post(f"/nong-dan/ghi/weeding{there}", data=sent).status_code == 404
    assert world.logs() == []


def test_a_site_of_another_household_cannot_be_slipped_into_the_form(world: World, phone_of: PhoneOf) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/weeding", data=form(world, site_id=str(world["far_hill"])))
    assert answer.status_code == 404
    assert world.logs() == []


def test_a_strangers_step_can_be_neither_seen_nor_changed(world: World, phone_of: PhoneOf) -> None:
    log = world.log("weeding", ago(hours=2))
    phone = phone_of("xa")
    assert phone.get(f"/nong-dan/viec/{log}").status_code == 404
    assert phone.get(f"/nong-dan/viec/{log}/sua").status_code == 404
    assert phone.post(f"/nong-dan/viec/{log}/sua", data=form(world)).status_code == 404
    assert phone.post(f"/nong-dan/viec/{log}/bo", data={"id": str(new_id())}).status_code == 404
    assert len(world.logs()) == 1


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
    assert named_in_box(answer) == [("kind", "Đây là chỗ nào?"), ("name", "Gọi là gì?")]
