"""The record behind a criterion, and the self-assessment on paper."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from app import clock
from app.accounts.models import Organisation
from app.actor import SYSTEM
from app.criteria import village_facts
from app.db import new_id
from app.marketplace_sync.models import DeclaredListing
from tests.app.criteria.answers import MET, UNMET
from tests.app.doors.official.conftest import SignIn, text_of
from tests.worlds.village import PROOF, Province


def test_record_behind_clause_five_goes_down_to_certificate_and_sighting(province: Province, sign_in: SignIn) -> None:
    province.product("Na dai")
    province.seen("Na dai", hours_ago=1)
    province.derive()
    page = text_of(sign_in("commune").get(f"/thon/{province.village}/tieu-chi/ocop-tren-san"))
    assert "Quyết định 45/QĐ-UBND ngày 01/07/2024, UBND tỉnh, hết hạn 30/06/2027" in page
    assert "Sàn nông sản sàn trả lời sàn được tính 23/11/2026 09:00 Đang bán" in page


def test_record_behind_clause_six_counts_the_diary(province: Province, sign_in: SignIn) -> None:
    province.model("smart_agriculture")
    province.diary("Hộ số 1", 4)
    page = text_of(sign_in("officer").get(f"/thon/{province.village}/tieu-chi/mo-hinh-chuyen-doi-so"))
    assert "Hộ số 1 4 15/11/2026 18/11/2026" in page


def test_dossier_has_a_row_for_each_criterion_and_the_provinces_choices(province: Province, sign_in: SignIn) -> None:
    province.group()
    province.derive()
    page = sign_in("officer").get(f"/thon/{province.village}/in")
    text = text_of(page)
    assert page.text.count('<th scope="row">') == 6
    assert "Quyết định 12/QĐ-UBND ngày 01/02/2026 của UBND xã, tổ 5 người" in text
    assert "Tiêu chí" not in page.text[: page.text.index("<body")]
    assert "Xử lý kịp thời là trong vòng 5 ngày" in text


def test_paper_counts_every_premises_and_only_what_stood_on_the_day(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    homes = province.premises(230)
    officer = province.actors["officer"]

    def send_codes(codes: dict[Any, str | None]) -> None:
        with province.database.transaction(officer) as session:
            village_facts.record_digital_addresses(
                session, officer, province.village, codes=codes, observed_on=clock.today(), evidence=(PROOF,)
            )

    send_codes({home: f"{number:010}" for number, home in enumerate(homes)})
    first = province.record("wifi", 2, available=True)
    clock_at(datetime(2026, 11, 25, 3, tzinfo=UTC))
    send_codes(dict.fromkeys(homes[:10]))
    province.record("wifi", 0, subject=first.subject, available=False)
    client = sign_in("officer")
    now, then = (text_of(client.get(f"/thon/{province.village}/in{dials}")) for dials in ("", "?ngay=2026-11-24"))
    assert "220 mã địa chỉ số đã ghi kèm minh chứng" in now
    assert "230 mã địa chỉ số đã ghi kèm minh chứng" in then
    assert "Nhà văn hóa chưa có Wi-Fi miễn phí (25/11/2026" in now
    assert "Nhà văn hóa có Wi-Fi miễn phí (21/11/2026" in then
    assert "Nhà văn hóa chưa có Wi-Fi miễn phí (25/11/2026" not in then
    history = text_of(client.get(f"/thon/{province.village}/tieu-chi/dia-chi-so"))
    assert "Mọi lần ghi: 240" in history
    past = text_of(client.get(f"/thon/{province.village}/tieu-chi/wifi-nha-van-hoa?biet_den=2026-11-24"))
    assert "chưa có Wi-Fi miễn phí" not in past
    assert "đã có lần ghi sau thay thế" not in past


def test_paper_of_another_day_says_what_had_left_by_then(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    clock_at(datetime(2026, 11, 24, 3, tzinfo=UTC))
    province.seen("Na dai", hours_ago=0)
    province.derive()
    client = sign_in("officer")
    clock_at(datetime(2026, 11, 26, 3, tzinfo=UTC))
    flag = "Đạt vì có mục không còn trong danh sách. Tiêu chí 5 chuyển sang “đạt” chỉ vì có mục không còn được tính."
    assert flag in text_of(client.get(f"/thon/{province.village}/in?ngay=2026-11-25"))
    assert flag not in text_of(client.get(f"/thon/{province.village}/in?ngay=2026-11-23"))


def test_every_kind_of_proof_that_the_pack_asks_for_has_words_on_its_form(province: Province, sign_in: SignIn) -> None:
    client = sign_in("officer")
    said = {k: text_of(client.get(f"/thon/{province.village}/ghi/{k}")) for k in ("wifi", "dia-chi-so", "mo-hinh")}
    assert "Minh chứng dùng được: ảnh, ảnh đo tốc độ mạng." in said["wifi"]
    assert "Minh chứng dùng được: danh sách có mã của từng nơi, ảnh." in said["dia-chi-so"]
    assert "Minh chứng dùng được: ảnh, tài liệu, nhật ký chăm sóc." in said["mo-hinh"]
    page = text_of(client.get(f"/thon/{province.village}/tieu-chi/ocop-tren-san"))
    assert "Minh chứng dùng được: giấy chứng nhận, đường dẫn, ảnh chụp màn hình." in page


def test_clause_met_by_a_declared_link_shows_who_looked_and_the_picture(province: Province, sign_in: SignIn) -> None:
    province.product("Na dai")
    province.looked_at("Na dai", PROOF)
    province.derive()
    address = f"/thon/{province.village}/tieu-chi/ocop-tren-san"
    shown = (
        f'<a href="/anh/{PROOF}"><img src="/anh/{PROOF}?nho=1" alt="Ảnh chụp trang bán ngày 21/11/2026"'
        ' width="120" height="90" loading="lazy"></a>'
    )
    for who in ("officer", "commune", "province"):
        page = sign_in(who).get(address)
        assert "Người Thử xem ngày 21/11/2026" in text_of(page)
        assert shown in page.text


def test_clause_is_not_met_by_a_colleagues_look_until_the_province_says_so(province: Province, sign_in: SignIn) -> None:
    province.product("Na dai")
    province.looked_at("Na dai", PROOF, by_colleague=True)
    province.derive()
    address = f"/thon/{province.village}/tieu-chi/ocop-tren-san"
    page = text_of(sign_in("commune").get(address))
    assert province.answer(5).value is UNMET
    assert "Chờ người ngoài đơn vị xác nhận" in page
    assert "Người cùng đơn vị xem ngày 21/11/2026, chưa tính." in page
    assert "Người Thử xem ngày 21/11/2026 (cùng đơn vị, chưa tính)" in page
    form = {"id": str(new_id()), "value": "colleagues_too", "valid_from": "2026-11-01", "decided_by": "Công văn 345"}
    assert sign_in("province").post("/tinh/lua-chon/declared_look_by", data=form).status_code == 303
    province.derive()
    page = text_of(sign_in("commune").get(address))
    assert province.answer(5).value is MET
    assert "có người cùng đơn vị xác nhận ngày 21/11/2026." in page
    assert "Người Thử xem ngày 21/11/2026 (cùng đơn vị, tỉnh chọn tính)" in page


def test_look_at_a_link_of_an_organisation_elsewhere_is_kept_from_the_villages_official(
    province: Province, sign_in: SignIn
) -> None:
    province.product("Na dai")
    province.made_in("Na dai", "village")
    province.looked_at("Na dai", PROOF)
    with province.database.transaction(SYSTEM) as session:
        seat = session.get_one(Organisation, province.cooperative)
        seat.village_id, seat.commune_id = province.foreign, province.ids["other_commune"]
    form = {"id": str(new_id()), "value": "producing_village", "valid_from": "2026-11-01", "decided_by": "Công văn 345"}
    assert sign_in("province").post("/tinh/lua-chon/village_of_product", data=form).status_code == 303
    province.derive()
    address = f"/thon/{province.village}/tieu-chi/ocop-tren-san"
    page = sign_in("officer").get(address)
    assert "Người xác nhận và ảnh: cán bộ phụ trách nơi có HTX Nà Mẫu xem được." in text_of(page)
    assert ("Người Thử xem" in page.text, PROOF in page.text) == (False, False)
    assert "Người Thử xem ngày 21/11/2026" in text_of(sign_in("province").get(address))


def test_link_nobody_looked_at_waits_and_is_not_said_to_be_off_sale(province: Province, sign_in: SignIn) -> None:
    product = province.product("Na dai")
    declared = DeclaredListing(
        id=new_id(), organisation_id=province.cooperative, product_id=product, floor_id=province.floor,
        url="https://san.example/na", declared_by=province.actors["officer"].person_id, declared_at=clock.now(),
    )  # fmt: skip
    province.add(declared)
    page = text_of(sign_in("commune").get(f"/thon/{province.village}/tieu-chi/ocop-tren-san"))
    assert "người bán khai sàn được tính chưa thấy Chờ người ngoài đơn vị xác nhận" in page
    assert "Không bán" not in page
