"""The official's pages: what they say, for whom they are, and what a refused form leaves behind."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import event, func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from app import clock
from app.actor import SYSTEM
from app.criteria import village_facts
from app.criteria.models import ParameterChoice, VillageFact
from app.db import Words, new_id
from app.marketplace_sync.models import DeclaredListing
from app.products.models import Product
from tests.app.boxes import named_in_box
from tests.app.criteria.world import PROOF, Province

SignIn = Callable[[str], FlaskClient]


def text_of(page: Any) -> str:
    """What a person reads: no tags, one blank where there were many."""
    assert page.status_code == 200, page.status_code
    plain = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return " ".join(plain.replace("&#34;", '"').split())


def facts(province: Province) -> int:
    with province.database.transaction(SYSTEM) as session:
        return int(session.scalar(select(func.count()).select_from(VillageFact)) or 0)


def send(client: FlaskClient, url: str, form: dict[str, Any]) -> Any:
    boundary, body = encode_multipart(form)
    return client.post(url, data=body, content_type=f'multipart/form-data; boundary="{boundary}"')


def photo() -> FileStorage:
    raw = io.BytesIO()
    Image.new("RGB", (640, 480), "#557755").save(raw, "JPEG")
    raw.seek(0)
    return FileStorage(raw, "wifi.jpg")


# --- whose page


@pytest.mark.parametrize(
    ("who", "place"), [("officer", "/thon/village"), ("commune", "/xa/commune"), ("province", "/tinh")]
)
def test_home_leads_each_official_to_their_own_place(province: Province, sign_in: SignIn, who: str, place: str) -> None:
    answer = sign_in(who).get("/thon-thong-minh")
    kind, _, name = place[1:].partition("/")
    assert (answer.status_code, answer.location) == (303, f"/{kind}/{province.ids[name]}" if name else "/tinh")


@pytest.mark.parametrize(
    "address",
    [
        "/tinh",
        "/tinh/thon.csv",
        "/xa/{commune}",
        "/xa/{commune}/thon.csv",
        "/thon/{village}",
        "/thon/{village}/in",
        "/thon/{village}/tieu-chi/ocop-tren-san",
        "/thon/{village}/ghi",
        "/thon/{village}/ghi/wifi",
    ],
)
def test_official_of_another_commune_cannot_find_any_page(province: Province, sign_in: SignIn, address: str) -> None:
    client = sign_in("foreigner")
    there = address.format(commune=province.commune, village=province.village)
    nowhere = address.format(commune=new_id(), village=new_id())
    assert client.get(there).status_code == client.get(nowhere).status_code == 404


def test_official_of_another_commune_writes_nothing(province: Province, sign_in: SignIn) -> None:
    form = {"id": str(new_id()), "available": "1", "observed_on": "2026-11-20"}
    assert send(sign_in("foreigner"), f"/thon/{province.village}/ghi/wifi", form).status_code == 404
    assert facts(province) == 0


def test_visitor_is_asked_to_sign_in(app: Any, province: Province) -> None:
    answer = app.test_client().get(f"/thon/{province.village}")
    assert answer.status_code == 303
    assert answer.location.startswith("/dang-nhap")


# --- what the pages say


def test_village_page_gives_the_answer_the_reason_and_who_can_mend(province: Province, sign_in: SignIn) -> None:
    province.product("Na dai")
    province.product("Mật ong")
    province.seen("Na dai")
    province.seen("Mật ong", "own_shop")
    province.record("wifi", available=True)
    province.derive()
    page = text_of(sign_in("officer").get(f"/thon/{province.village}"))
    assert "Thôn Nà Mẫu Chưa đạt thôn thông minh" in page
    assert "1/6" in page
    assert "1/2 sản phẩm OCOP đang bán trên sàn được tính; còn thiếu 1: Mật ong." in page
    assert "trang riêng không phải là sàn nên không được tính." in page
    assert "Người xử lý: HTX Nà Mẫu" in page
    assert "“Nhà văn hóa thôn được trang bị mạng WiFi miễn phí.”" in page
    assert "Ngoài văn bản: 17 giá trị có sẵn, tỉnh chưa chọn" in page
    assert "chưa ai ghi" in page


def test_lapse_leaves_the_count_and_the_page_says_which_when_and_why(province: Province, sign_in: SignIn) -> None:
    province.product("Mật ong", until=date(2026, 10, 14))
    province.derive()
    page = text_of(sign_in("officer").get(f"/thon/{province.village}"))
    assert "Thôi được tính: Mật ong (Chứng nhận OCOP hết hạn từ 15/10/2026)." in page


def test_pass_by_departure_is_flagged_on_the_page(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    clock_at(datetime(2026, 11, 23, 17, 30, tzinfo=UTC))
    province.derive()
    page = text_of(sign_in("officer").get(f"/thon/{province.village}"))
    assert "Đạt vì có mục rời danh sách" in page
    assert "Thôi tính 1: Mật ong (Chứng nhận OCOP hết hạn từ 24/11/2026)." in page


def test_flags_are_counted_in_commune_province_and_table_and_titled_by_outcome(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive("village", "sister")
    clock_at(datetime(2026, 11, 23, 17, 30, tzinfo=UTC))
    province.derive()
    client = sign_in("province")
    page = text_of(client.get(f"/thon/{province.village}"))
    assert "Không còn áp dụng vì có mục rời danh sách Tiêu chí 5 chuyển sang “không áp dụng” chỉ vì" in page
    assert "Đạt vì có mục rời danh sách" not in page
    assert "1 tiêu chí có mục rời danh sách" in text_of(client.get(f"/xa/{province.commune}"))
    whole = text_of(client.get("/tinh"))
    assert "1 thôn có tiêu chí đạt hoặc không còn áp dụng vì có mục rời danh sách" in whole
    assert "Xã Đồng Mẫu 1 thôn có mục rời danh sách 2" in whole
    table = client.get("/tinh/thon.csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table), delimiter=";"))
    assert {r["Thôn"]: r["Số tiêu chí có mục thôi tính"] for r in rows} == {
        "Thôn Nà Mẫu": "1",
        "Thôn Bản Thử": "0",
        "Thôn Xa": "",
    }


def test_retired_product_says_so_where_it_was_counted(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Trà", until=None)
    province.retire("Na dai", date(2026, 11, 23))
    province.retire("Trà", date(2026, 11, 23))
    province.derive()
    client = sign_in("officer")
    page = text_of(client.get(f"/thon/{province.village}"))
    assert "Thôi được tính: Na dai (Chủ thể thôi làm sản phẩm này từ 23/11/2026)." in page
    proof = text_of(client.get(f"/thon/{province.village}/tieu-chi/ocop-tren-san"))
    assert "Chủ thể thôi làm sản phẩm này từ 23/11/2026." in proof
    assert "Trà" not in proof  # it never had a certificate: nobody misses it


@pytest.mark.parametrize(
    ("clause", "line"),
    [
        (1, "Ngoài văn bản: 2 giá trị có sẵn, tỉnh chưa chọn"),
        (2, "1 lựa chọn của tỉnh, không có trong văn bản; 4 giá trị có sẵn, tỉnh chưa chọn"),
        (3, "1 lựa chọn của tỉnh, không có trong văn bản"),
        (4, None),
        (5, "Ngoài văn bản: 5 giá trị có sẵn, tỉnh chưa chọn"),
        (6, "Ngoài văn bản: 4 giá trị có sẵn, tỉnh chưa chọn"),
    ],
)
def test_each_clause_says_what_of_its_answer_is_not_in_the_letter(
    province: Province, sign_in: SignIn, clause: int, line: str | None
) -> None:
    client = sign_in("province")
    for name, value in (("feedback_days", "7"), ("wifi_max_age_days", "200")):
        form = {"id": str(new_id()), "value": value, "valid_from": "2026-11-01", "decided_by": "Công văn 345/SNNMT"}
        assert client.post(f"/tinh/lua-chon/{name}", data=form).status_code == 303
    shown = re.findall(
        r'<li class="crit\b.*?</li>\s*(?=<li class="crit\b|</ol>)',
        client.get(f"/thon/{province.village}").text,
        re.DOTALL,
    )
    assert len(shown) == 6
    said = " ".join(re.sub(r"<[^>]+>", " ", shown[clause - 1]).split())
    assert (line in said) if line else ("không có trong văn bản" not in said.lower())
    if clause == 3:
        assert "200 ngày lựa chọn của tỉnh, không có trong văn bản" in said
    if clause == 1:
        assert "90 ngày giá trị có sẵn, tỉnh chưa chọn, không có trong văn bản" in said


def test_page_of_choices_names_the_decision_in_force(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    client = sign_in("province")
    for hour, value, decided_by in ((4, "7", "Công văn 100"), (5, "9", "Công văn 200")):
        clock_at(datetime(2026, 11, 23, hour, tzinfo=UTC))
        form = {"id": str(new_id()), "value": value, "valid_from": "2026-11-01", "decided_by": decided_by}
        assert client.post("/tinh/lua-chon/feedback_days", data=form).status_code == 303
    page = text_of(client.get("/tinh/lua-chon"))
    assert "Xử lý kịp thời là trong vòng 9 ngày Công văn 200 từ 01/11/2026" in page
    assert "Công văn 100" not in page


def test_letter_is_marked_as_vietnamese_and_names_are_in_the_readers_language(
    province: Province, sign_in: SignIn
) -> None:
    product = province.product("Na dai")
    with province.database.transaction(SYSTEM) as session:
        session.get_one(Product, product).name = Words(vi="Na dai", en="Custard apple")
    province.derive()
    client = sign_in("officer")
    village = f"/thon/{province.village}"
    for address, mark in (
        (village, '<blockquote class="clause" lang="vi">“100%'),
        (f"{village}/tieu-chi/ocop-tren-san", '<blockquote class="clause" lang="vi">“100%'),
        (f"{village}/in", '<small lang="vi">100%'),
        (f"{village}/ghi/wifi", '<blockquote class="clause" lang="vi">“'),
    ):
        page = client.get(f"{address}?lang=en").text
        assert '<html lang="en"' in page
        assert mark in page
    path = client.get(f"{village}?lang=en").text.partition('<ol class="path">')[2].partition("</ol>")[0]
    assert "Custard apple" in path
    assert "Na dai" not in path


def test_dials_show_another_day_as_it_was_known_and_offer_no_writing(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.record("wifi", 30, available=True)
    clock_at(datetime(2026, 11, 25, 3, tzinfo=UTC))
    province.derive()
    client = sign_in("officer")
    address = f"/thon/{province.village}"
    assert "Đạt “Nhà văn hóa thôn được trang bị" in text_of(client.get(address))
    past = text_of(client.get(f"{address}?ngay=2026-11-20&biet_den=2026-11-22"))
    assert "Bác đang xem kết quả như vào ngày 20/11/2026, chỉ theo những gì đã ghi đến 22/11/2026 23:59." in past
    assert "Wi-Fi miễn phí ở nhà văn hóa thôn: chưa ai ghi." in past
    assert "Ghi việc của thôn" not in past


PAGES_WITH_DIALS = ("", "/tieu-chi/wifi-nha-van-hoa", "/in")


@pytest.mark.parametrize("page", PAGES_WITH_DIALS)
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("biet_den=9999-12-31", ["Ô “Theo điều đã ghi đến hết ngày”"]),
        ("ngay=0001-01-01", ["Ô “Tính đến ngày”"]),
        ("ngay=9999-12-31", ["Ô “Tính đến ngày”"]),
        ("ngay=2026-11-24", ["Ô “Tính đến ngày”"]),
        ("ngay=2022-09-30&biet_den=2026-11-24", ["Ô “Tính đến ngày”", "Ô “Theo điều đã ghi đến hết ngày”"]),
    ],
)
def test_day_that_cannot_be_asked_about_is_refused_with_the_days_that_can(
    province: Province, sign_in: SignIn, page: str, asked: str, said: list[str]
) -> None:
    answer = sign_in("officer").get(f"/thon/{province.village}{page}?{asked}")
    assert answer.status_code == 422
    for label in said:
        assert f"{label}: chọn một ngày từ 01/10/2022 đến hôm nay, 23/11/2026." in answer.text


@pytest.mark.parametrize("page", PAGES_WITH_DIALS)
@pytest.mark.parametrize("day", ["2022-10-01", "2026-11-23"])
def test_first_and_last_day_of_the_dials_can_be_asked_about(
    province: Province, sign_in: SignIn, page: str, day: str
) -> None:
    assert sign_in("officer").get(f"/thon/{province.village}{page}?ngay={day}&biet_den={day}").status_code == 200


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
    assert "Chỉ hiện 200 lần ghi mới nhất." in history
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
    flag = "Đạt vì có mục rời danh sách. Tiêu chí 5 chuyển sang “đạt” chỉ vì có mục thôi được tính."
    assert flag in text_of(client.get(f"/thon/{province.village}/in?ngay=2026-11-25"))
    assert flag not in text_of(client.get(f"/thon/{province.village}/in?ngay=2026-11-23"))


def test_paper_names_as_evidence_only_what_is_evidence(province: Province, sign_in: SignIn) -> None:
    for name, until in (
        ("Na dai", date(2027, 6, 30)), ("Mật ong", date(2026, 11, 20)), ("Trà", None), ("Hồi", date(2027, 6, 30)),
    ):  # fmt: skip
        province.product(name, until)
    province.seen("Na dai")
    province.seen("Hồi", live=False)
    province.record("wifi", available=True, evidence=())
    province.record("channel", exists=False, evidence=())
    province.record("feedback", topic="Rác", received_on="2026-11-10", answered_on="2026-11-11")
    province.record("feedback", topic="Đèn", received_on="2026-11-10", answered_on="2026-11-11", evidence=())
    cells = paper_proofs(sign_in("officer").get(f"/thon/{province.village}/in").text)
    apart = "Ghi rồi nhưng chưa có minh chứng, không tính:"
    assert cells[1] == (
        "“Rác”, nhận 10/11/2026, trả lời 11/11/2026 (13/11/2026; cán bộ thôn ghi; 1 minh chứng) "
        f"{apart} “Đèn”, nhận 10/11/2026, trả lời 11/11/2026 Ghi là chưa có, không cần minh chứng: Thôn chưa có kênh số"
    )
    assert cells[2] == f"Chưa có {apart} Nhà văn hóa có Wi-Fi miễn phí"
    assert cells[4] == (
        "Hồi: QĐ 45/QĐ-UBND ngày 01/07/2024; chưa thấy bán trên sàn được tính "
        "Na dai: QĐ 45/QĐ-UBND ngày 01/07/2024; https://san.example/Na dai@on_floor "
        f"{apart} Mật ong; Trà"
    )


def paper_proofs(html: str) -> list[str]:
    """What stands in the last column of the form that is signed, criterion by criterion."""
    rows = html.split("<tbody>")[1].split("</tbody>", maxsplit=1)[0].split("</tr>")
    return [" ".join(re.sub(r"<[^>]+>", " ", r.rsplit("<td>", 1)[1]).split()) for r in rows if "<td>" in r]


def test_page_says_that_it_waits_while_a_newer_record_is_not_yet_in_the_answer(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.derive()
    clock_at(datetime(2026, 11, 23, 4, tzinfo=UTC))
    province.record("wifi", available=True)
    client = sign_in("officer")
    waiting = client.get(f"/thon/{province.village}")
    assert waiting.headers["Refresh"] == "2"
    assert "Có ghi chép mới. Kết quả đang tự tính lại" in text_of(waiting)
    province.derive()
    assert "Refresh" not in client.get(f"/thon/{province.village}").headers


def test_record_behind_clause_five_goes_down_to_certificate_and_sighting(province: Province, sign_in: SignIn) -> None:
    province.product("Na dai")
    province.seen("Na dai", hours_ago=1)
    province.derive()
    page = text_of(sign_in("commune").get(f"/thon/{province.village}/tieu-chi/ocop-tren-san"))
    assert "Quyết định 45/QĐ-UBND ngày 01/07/2024, UBND tỉnh, hết hạn 30/06/2027" in page
    assert "Sàn nông sản sàn trả lời sàn được tính 23/11/2026 09:00 Đang bán" in page


def test_link_nobody_looked_at_waits_and_is_not_said_to_be_off_sale(province: Province, sign_in: SignIn) -> None:
    product = province.product("Na dai")
    declared = DeclaredListing(
        id=new_id(), organisation_id=province.cooperative, product_id=product, floor_id=province.floor,
        url="https://san.example/na", declared_by=province.actors["officer"].person_id, declared_at=clock.now(),
    )  # fmt: skip
    province.add(declared)
    page = text_of(sign_in("commune").get(f"/thon/{province.village}/tieu-chi/ocop-tren-san"))
    assert "người bán khai sàn được tính chưa thấy Chờ người thứ hai xác nhận" in page
    assert "Không bán" not in page


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


def test_province_page_counts_villages_and_finds_them_without_accents(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=False)
    province.derive("village", "sister", "foreign")
    client = sign_in("province")
    page = text_of(client.get("/tinh"))
    assert "Tỉnh Thử: 0 trên 3 thôn đạt" in page
    assert "Xã Đồng Mẫu 2 0 1 1" in page
    assert "Xã Khác 1 0 0 1" in page
    found = text_of(client.get("/tinh?q=na+mau"))
    assert "Thôn Nà Mẫu" in found
    assert "Bản Thử" not in found
    only = text_of(client.get("/tinh?loc=chua-dat&xep=thon"))
    assert "Xã Đồng Mẫu" in only
    assert "Xã Khác" not in only


def test_clauses_count_the_villages_without_any_answer_too(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=True)
    province.derive("village")
    page = text_of(sign_in("province").get("/tinh"))
    assert "Tỉnh Thử: 0 trên 3 thôn đạt" in page
    assert "3. Wi-Fi miễn phí ở nhà văn hóa 1 0 2 0" in page
    assert "Thiếu dữ liệu gồm cả 2 thôn chưa tính lần nào." in page
    assert 'aria-label="1 trên 3 thôn đạt"' in sign_in("province").get("/tinh").text


def test_province_of_1700_villages_takes_as_many_statements_as_one_of_three(
    province: Province, sign_in: SignIn
) -> None:
    pages = ("/tinh", "/tinh?q=na+mau", "/tinh/thon.csv")
    province.derive("village", "sister", "foreign")

    def statements(client: FlaskClient, address: str) -> int:
        seen: list[str] = []
        with province.database.transaction(SYSTEM) as session:
            engine = session.get_bind().engine

        def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", count)
        try:
            assert client.get(address).status_code == 200
        finally:
            event.remove(engine, "before_cursor_execute", count)
        return len(seen)

    few = [statements(sign_in("province"), p) for p in pages]
    ids = province.many_villages(1697)
    province.actors["province"] = replace(
        province.actors["province"], places=province.actors["province"].places | frozenset(ids)
    )
    client = sign_in("province")
    assert [statements(client, p) for p in pages] == few
    assert max(few) < 40
    page = text_of(client.get("/tinh"))
    assert "Tỉnh Thử: 849 trên 1.700 thôn đạt" in page
    assert "3. Wi-Fi miễn phí ở nhà văn hóa 849 0 851 0" in page
    assert len(client.get("/tinh/thon.csv").data.splitlines()) == 1701


def test_commune_page_lists_its_villages_with_six_answers_each(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=True)
    province.derive("village")
    page = text_of(sign_in("commune").get(f"/xa/{province.commune}"))
    assert "Xã Đồng Mẫu: 0 trên 2 thôn đạt" in page
    assert "Thôn Nà Mẫu Thiếu dữ liệu 1/5 1 Thiếu dữ liệu 2 Thiếu dữ liệu 3 Đạt" in page
    assert "Thôn Bản Thử Chưa tính" in page


def test_table_of_villages_opens_in_a_spreadsheet(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=True)
    province.derive("village")
    answer = sign_in("commune").get(f"/xa/{province.commune}/thon.csv")
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))
    assert rows[2] == [
        "T9901", "Xã Đồng Mẫu", "T990101", "Thôn Nà Mẫu", "Thiếu dữ liệu", "1", "5",
        "Thiếu dữ liệu", "Thiếu dữ liệu", "Đạt", "Thiếu dữ liệu", "Không áp dụng", "Thiếu dữ liệu", "0", "23/11/2026 10:00",
    ]  # fmt: skip
    assert rows[1][:5] == ["T9901", "Xã Đồng Mẫu", "T990102", "Thôn Bản Thử", "Chưa tính"]


@pytest.mark.parametrize("kind", ["to-cong-nghe-so", "hoat-dong", "kenh", "phan-anh", "wifi", "dia-chi-so", "mo-hinh"])
def test_every_form_opens_empty_and_with_what_stands(province: Province, sign_in: SignIn, kind: str) -> None:
    client = sign_in("officer")
    assert client.get(f"/thon/{province.village}/ghi/{kind}").status_code == 200
    province.group()
    province.record("channel", exists=True, platform="zalo")
    province.record("feedback", topic="Rác", received_on="2026-11-10")
    province.record("wifi", available=True)
    first = province.premises(2)[0]
    province.record("digital_address", premises_id=first, code="0123456789")
    province.model("public_order")
    assert client.get(f"/thon/{province.village}/ghi/{kind}").status_code == 200
    assert client.get(f"/thon/{province.village}/ghi").status_code == 200


# --- writing through the forms


def test_wifi_with_a_photo_is_recorded_and_its_picture_is_the_villages_own(province: Province, sign_in: SignIn) -> None:
    client = sign_in("officer")
    form = {
        "id": str(new_id()), "available": "1", "network": "NhaVanHoa", "observed_on": "2026-11-20", "proof": photo(),
    }  # fmt: skip
    answer = send(client, f"/thon/{province.village}/ghi/wifi", form)
    assert (answer.status_code, answer.location) == (303, f"/thon/{province.village}")
    with province.database.transaction(SYSTEM) as session:
        row = session.scalars(select(VillageFact)).one()
    assert (row.value, row.witness) == ({"available": True, "network": "NhaVanHoa"}, "village")
    (digest,) = row.evidence
    assert client.get(f"/anh/{digest}").status_code == 200
    assert sign_in("foreigner").get(f"/anh/{digest}").status_code == 404


UNPROVEN = "Đã ghi, nhưng chưa có ảnh hay giấy nên chưa tính. Bác thêm minh chứng ngay ở trang này."


def test_record_without_proof_says_that_it_does_not_count_and_leads_to_where_proof_is_added(
    province: Province, sign_in: SignIn
) -> None:
    client = sign_in("officer")
    address = f"/thon/{province.village}/ghi/wifi"
    form = {"id": str(new_id()), "available": "1", "observed_on": "2026-11-20"}
    answer = send(client, address, form)
    assert (answer.status_code, answer.location) == (303, address)
    page = client.get(address)
    assert '<div class="flash wait"' in page.text
    assert UNPROVEN in text_of(page)
    assert "Nhà văn hóa có Wi-Fi miễn phí Chưa có minh chứng ngày 20/11/2026" in text_of(page)
    proven = form | {"id": str(new_id()), "proof": photo()}
    assert send(client, address, proven).location == f"/thon/{province.village}"
    after = text_of(client.get(address))
    assert "Nhà văn hóa có Wi-Fi miễn phí Chưa có minh chứng" not in after
    none = {"id": str(new_id()), "observed_on": "2026-11-21"}  # that there is none needs no proof
    assert send(client, address, none).location == f"/thon/{province.village}"
    assert "Nhà văn hóa chưa có Wi-Fi miễn phí Chưa có" not in text_of(client.get(address))


def test_one_of_many_without_proof_opens_again_to_be_proven(province: Province, sign_in: SignIn) -> None:
    new = str(new_id())
    form = {"id": new, "topic": "Thanh toán bằng mã QR", "people": "9", "observed_on": "2026-11-20"}
    answer = send(sign_in("officer"), f"/thon/{province.village}/ghi/hoat-dong", form)
    assert (answer.status_code, answer.location) == (303, f"/thon/{province.village}/ghi/hoat-dong?muc={new}")


def test_list_of_codes_without_proof_stays_where_proof_is_added(province: Province, sign_in: SignIn) -> None:
    province.premises(2)
    client = sign_in("officer")
    address = f"/thon/{province.village}/ghi/dia-chi-so"
    form = {"observed_on": "2026-11-20", "list": "Hộ số 2;0123456780"}
    assert send(client, address, form).location == address
    assert UNPROVEN in text_of(client.get(address))
    assert send(client, address, form | {"link": "https://tep.example/ma"}).location == f"/thon/{province.village}"


def test_evidence_of_another_thing_cannot_be_claimed(province: Province, sign_in: SignIn) -> None:
    form = {"id": str(new_id()), "available": "1", "observed_on": "2026-11-20", "keep": "cd" * 32}
    assert send(sign_in("officer"), f"/thon/{province.village}/ghi/wifi", form).status_code == 303
    with province.database.transaction(SYSTEM) as session:
        assert session.scalars(select(VillageFact.evidence)).one() == []


def test_answer_to_feedback_corrects_the_row_and_keeps_the_first(province: Province, sign_in: SignIn) -> None:
    asked = province.record("feedback", 5, topic="Rác", received_on="2026-11-18")
    form = {
        "id": str(new_id()), "subject": str(asked.subject), "topic": "Rác", "received_on": "2026-11-18",
        "answered_on": "2026-11-20",
    }  # fmt: skip
    assert send(sign_in("officer"), f"/thon/{province.village}/ghi/phan-anh", form).status_code == 303
    with province.database.transaction(SYSTEM) as session:
        rows = session.scalars(select(VillageFact).order_by(VillageFact.recorded_at, VillageFact.id)).all()
    assert sorted((r.value["answered_on"] or "", r.supersedes_id) for r in rows) == [
        ("", None),
        ("2026-11-20", asked.id),
    ]


def test_refused_form_shows_what_was_typed_and_what_is_wrong(province: Province, sign_in: SignIn) -> None:
    form = {
        "id": str(new_id()), "decision_number": "12/QĐ-UBND", "decided_on": "2027-01-01", "issuer": "UBND xã",
        "members": "5", "observed_on": "2026-11-20",
    }  # fmt: skip
    answer = send(sign_in("officer"), f"/thon/{province.village}/ghi/to-cong-nghe-so", form)
    assert answer.status_code == 422
    assert 'value="12/QĐ-UBND"' in answer.text
    assert "Ngày 01/01/2027 chưa tới." in answer.text
    assert facts(province) == 0


def test_pasted_list_of_codes_matches_labels_without_accents_and_keeps_leading_zeros(
    province: Province, sign_in: SignIn
) -> None:
    province.premises(2, 1)
    client = sign_in("officer")
    address = f"/thon/{province.village}/ghi/dia-chi-so"
    form = {"observed_on": "2026-11-20", "list": "Nơi;Mã\nho so 1;0123456789\nTrụ sở số 1;00 0000 0001\n"}
    assert client.post(address, data=form).status_code == 303
    answer = province.answer(4)
    assert (answer.have, answer.of, len(answer.missing)) == (0, 3, 3)  # nothing proves the list yet
    assert send(client, address, form | {"proof": photo()}).status_code == 303
    answer = province.answer(4)
    assert (answer.have, answer.of, [i.label for i in answer.missing]) == (2, 3, ["Hộ số 2"])


def test_codes_given_twice_in_a_list_are_refused_at_once_with_their_lines(province: Province, sign_in: SignIn) -> None:
    province.premises(3)
    form = {
        "observed_on": "2026-11-20",
        "list": "Nơi;Mã\nHộ số 1;0123456789\nHộ số 2;0123456780\nHộ số 3;01234 56789\n",
    }
    answer = sign_in("officer").post(f"/thon/{province.village}/ghi/dia-chi-so", data=form)
    assert answer.status_code == 422
    assert "Dòng 2: Hộ số 1 có mã 0123456789 trùng với Hộ số 3." in answer.text
    assert "Dòng 4: Hộ số 3 có mã 0123456789 trùng với Hộ số 1." in answer.text
    assert "Hộ số 2 có mã" not in answer.text
    assert facts(province) == 0


def test_record_written_by_mistake_is_taken_back_where_it_stands(province: Province, sign_in: SignIn) -> None:
    for kind, record in (
        ("wifi", province.record("wifi", available=True)),
        ("phan-anh", province.record("feedback", topic="Rác", received_on="2026-11-10")),
        ("mo-hinh", province.record("no_model", field="public_order")),
    ):
        client = sign_in("officer")
        address = f"/thon/{province.village}/ghi/{kind}"
        before = client.get(address).text
        assert f'action="{address}/rut-lai"' in before
        assert f'name="fact" value="{record.id}"' in before
        assert "Rút lại, ghi nhầm" in before
        form = {"id": str(new_id()), "fact": str(record.id)}
        assert sign_in("foreigner").post(f"{address}/rut-lai", data=form).status_code == 404
        client = sign_in("officer")
        for _ in range(2):  # a double tap
            answer = client.post(f"{address}/rut-lai", data=form)
            assert (answer.status_code, answer.location) == (303, address)
        after = client.get(address).text
        assert f'value="{record.id}"' not in after
        assert "Rút lại: " in after
    assert facts(province) == 6
    assert province.answer(3).reason.vi == "Wi-Fi miễn phí ở nhà văn hóa thôn: chưa ai ghi."


def test_every_kind_of_proof_that_the_pack_asks_for_has_words_on_its_form(province: Province, sign_in: SignIn) -> None:
    client = sign_in("officer")
    said = {k: text_of(client.get(f"/thon/{province.village}/ghi/{k}")) for k in ("wifi", "dia-chi-so", "mo-hinh")}
    assert "Minh chứng dùng được: ảnh, ảnh đo tốc độ mạng." in said["wifi"]
    assert "Minh chứng dùng được: danh sách có mã của từng nơi, ảnh." in said["dia-chi-so"]
    assert "Minh chứng dùng được: ảnh, tài liệu, nhật ký chăm sóc." in said["mo-hinh"]
    page = text_of(client.get(f"/thon/{province.village}/tieu-chi/ocop-tren-san"))
    assert "Minh chứng dùng được: giấy chứng nhận, đường dẫn, ảnh chụp màn hình." in page


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Hộ số 1;12345", "Hộ số 1: mã địa chỉ số có đúng 10 chữ số, đang là “12345”."),
        ("Hộ số 9;0123456789", "Dòng 1: thôn không có nơi nào tên “Hộ số 9” trong danh sách."),
    ],
)
def test_list_with_a_wrong_line_is_refused_as_a_whole(
    province: Province, sign_in: SignIn, line: str, said: str
) -> None:
    province.premises(2)
    form = {"observed_on": "2026-11-20", "list": f"{line}\nHộ số 2;0123456780"}
    answer = sign_in("officer").post(f"/thon/{province.village}/ghi/dia-chi-so", data=form)
    assert answer.status_code == 422
    assert said in answer.text
    assert facts(province) == 0


def test_village_declares_the_fields_in_which_it_has_no_model(province: Province, sign_in: SignIn) -> None:
    form = {
        "declare_none": "1",
        "observed_on": "2026-11-23",
        "none": ["production_business", "public_order", "smart_lighting", "smart_agriculture"],
    }
    answer = sign_in("officer").post(f"/thon/{province.village}/ghi/mo-hinh", data=form)
    assert answer.status_code == 303
    assert province.answer(6).value == "unmet"


def test_province_writes_its_choice_with_its_basis_and_every_village_page_shows_it(
    province: Province, sign_in: SignIn
) -> None:
    client = sign_in("province")
    form = {"id": str(new_id()), "value": "10", "valid_from": "2026-11-01", "decided_by": "Công văn 345/SNNMT"}
    assert client.post("/tinh/lua-chon/feedback_days", data=form).status_code == 303
    page = text_of(client.get("/tinh/lua-chon"))
    assert "Xử lý kịp thời là trong vòng 10 ngày Công văn 345/SNNMT từ 01/11/2026" in page
    assert "Xử lý kịp thời là trong vòng 10 ngày" in text_of(client.get(f"/thon/{province.village}"))


def test_choice_outside_its_bounds_is_refused_and_a_commune_may_not_choose(province: Province, sign_in: SignIn) -> None:
    form = {"id": str(new_id()), "value": "99", "valid_from": "2026-11-01", "decided_by": "Công văn 345/SNNMT"}
    assert sign_in("province").post("/tinh/lua-chon/feedback_days", data=form).status_code == 422
    assert sign_in("commune").post("/tinh/lua-chon/feedback_days", data=form | {"value": "9"}).status_code == 403
    with province.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(ParameterChoice)) == 0


# --- what must not mislead


def test_every_number_of_the_province_leads_to_the_list_that_makes_it_up(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=False)
    province.derive()
    client = sign_in("province")
    page = client.get("/tinh").text
    address = f"/xa/{province.commune}?loc=chua-dat"
    number = re.search(rf'<a href="{re.escape(address)}">(\d+)</a>', page)
    assert number is not None
    listed = client.get(address).text.split("<tbody>")[1].split("</tbody>")[0]
    assert int(number[1]) == len(set(re.findall(r'href="/thon/([^"/]+)"', listed))) == 1
    whole = re.search(r'href="(/tinh\?[^"]*loc=chua-dat[^"]*)">1</a> <small>', page)
    assert whole is not None
    assert address in client.get(whole[1].replace("&amp;", "&")).text


def test_path_asks_for_wifi_where_there_is_none_and_for_a_picture_where_it_is_only_unproven(
    province: Province, sign_in: SignIn
) -> None:
    def path() -> str:
        province.derive()
        return sign_in("officer").get(f"/thon/{province.village}").text.split('<ol class="path">')[1].split("</ol>")[0]

    first = province.record("wifi", available=True, evidence=())
    assert "Chụp một ảnh mới tại nhà văn hóa" in path()
    province.record("wifi", 0, subject=first.subject, available=False)
    shown = path()
    assert "Lắp Wi-Fi miễn phí ở nhà văn hóa." in shown
    assert "Chụp một ảnh mới" not in shown


def test_months_before_any_criterion_had_data_enough_are_not_drawn_as_zero(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    clock_at(datetime(2026, 9, 10, 3, tzinfo=UTC))
    province.derive()
    clock_at(datetime(2026, 11, 23, 3, tzinfo=UTC))
    client = sign_in("officer")
    address = f"/thon/{province.village}"
    assert "Chưa có số liệu: chưa tiêu chí nào đủ dữ liệu." in text_of(client.get(address))
    province.record("wifi", available=True)
    province.derive()
    assert "Mới có số liệu từ tháng này." in text_of(client.get(address))
    clock_at(datetime(2026, 12, 2, 3, tzinfo=UTC))
    page = text_of(client.get(address))
    assert "Số tiêu chí đạt cuối mỗi tháng, từ 11/2026. Trước đó chưa đủ dữ liệu, chúng tôi không điền thay." in page


def test_list_of_addresses_with_mistakes_tells_every_line_and_keeps_what_was_typed(
    province: Province, sign_in: SignIn
) -> None:
    province.premises(3)
    client = sign_in("officer")
    address = f"/thon/{province.village}/ghi/dia-chi-so"
    labels = re.findall(r'<label for="code_[^"]+">([^<]+)</label>', client.get(address).text)
    typed = f"\n{labels[0]};123\nHộ không có;0123456789\n{labels[1]};0123456789\n{labels[1]};0123456780\n"
    answer = send(client, address, {"list": typed, "observed_on": "2026-11-20"})
    assert answer.status_code == 422
    for said in (
        f"Dòng 2: {labels[0]}: mã địa chỉ số có đúng 10 chữ số, đang là “123”.",
        "Dòng 3: thôn không có nơi nào tên “Hộ không có” trong danh sách.",
        f"Dòng 5: {labels[1]} đã có ở dòng 4. Mỗi nơi để một dòng.",
    ):
        assert f'<li><a href="#list">{said}</a></li>' in answer.text
    assert f"{labels[1]};0123456780" in answer.text
    assert facts(province) == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"valid_from": "2022-09-30"}, "Văn bản có từ 01/10/2022, lựa chọn không áp dụng trước đó được."),
        ({"valid_from": "2027-11-25"}, "Ngày áp dụng muộn nhất là 24/11/2027."),
        ({"value": "61"}, 'id="value-error"'),
        ({"value": "²"}, 'id="value-error"'),
        ({"value": "9" * 5000}, 'id="value-error"'),
    ],
)
def test_choice_that_cannot_be_is_refused_beside_its_field(
    province: Province, sign_in: SignIn, changed: dict[str, str], said: str
) -> None:
    form = {"id": str(new_id()), "value": "10", "valid_from": "2026-11-01", "decided_by": "Công văn 345/SNNMT"}
    answer = sign_in("province").post("/tinh/lua-chon/feedback_days", data=form | changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert f'id="{next(iter(changed))}-error"' in answer.text
    assert 'value="Công văn 345/SNNMT"' in answer.text
    with province.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(ParameterChoice)) == 0


def test_choice_to_come_is_listed_as_not_yet_in_force(province: Province, sign_in: SignIn) -> None:
    form = {"id": str(new_id()), "value": "10", "valid_from": "2027-01-01", "decided_by": "Công văn 345/SNNMT"}
    client = sign_in("province")
    assert client.post("/tinh/lua-chon/feedback_days", data=form).status_code == 303
    assert (
        client.post("/tinh/lua-chon/feedback_days", data=form | {"id": str(new_id()), "value": "12"}).status_code == 303
    )
    shown = text_of(client.get("/tinh/lua-chon"))
    assert "Chưa áp dụng: 12 ngày, từ 01/01/2027" in shown
    assert "10 ngày, từ 01/01/2027" not in shown, "another decision for the same day has taken its place"
    assert "Chưa áp dụng" in text_of(client.get("/tinh/lua-chon/feedback_days"))


@pytest.mark.parametrize(
    ("kind", "sent", "named"),
    [
        ("to-cong-nghe-so", {"decision_number": "12/QĐ-UBND", "decided_on": "2026-11-01", "members": "0"},
         [("issuer", "Nơi ra quyết định"), ("members", "Số thành viên")]),
        ("to-cong-nghe-so", {"observed_on": "x", "link": "http://vidu.vn"},
         [("link", "Hoặc đường dẫn"), ("observed_on", "Ngày thấy như vậy")]),
        ("hoat-dong", {}, [("topic", "Tổ đã làm gì"), ("people", "Bao nhiêu người dự")]),
        ("hoat-dong", {"observed_on": "x"}, [("observed_on", "Ngày làm")]),
        ("kenh", {"platform": "x", "households": "-1"}, [("platform", "Loại kênh"), ("households", "Số hộ tham gia")]),
        ("phan-anh", {}, [("topic", "Về việc gì"), ("received_on", "Ngày nhận")]),
        ("wifi", {"available": "1", "network": "W" * 65}, [("network", "Tên mạng Wi-Fi")]),
        ("wifi", {"available": "1", "note": "x" * 1001}, [("note", "Ghi chú")]),
        ("dia-chi-so", {"link": "x"}, [("link", "Hoặc đường dẫn"), ("observed_on", "Ngày có các mã này")]),
        ("mo-hinh", {"title": "Đèn", "tool": "Đèn", "started_on": "2026-11-01"},
         [("field", "Lĩnh vực"), ("participants", "Số người tham gia")]),
        ("mo-hinh", {"declare_none": "1", "observed_on": "2026-11-20"}, [("none", "Lĩnh vực nào thôn không có?")]),
    ],
)  # fmt: skip
def test_refused_record_names_each_wrong_field_and_leads_to_it(
    province: Province, sign_in: SignIn, kind: str, sent: dict[str, str], named: list[tuple[str, str]]
) -> None:
    province.premises(2)
    answer = send(sign_in("officer"), f"/thon/{province.village}/ghi/{kind}", {"id": str(new_id())} | sent)
    assert sorted(named_in_box(answer)) == sorted(named)
    assert facts(province) == 0


def test_refused_proof_is_named_with_a_link(province: Province, sign_in: SignIn) -> None:
    address = f"/thon/{province.village}/ghi/"
    no_photo = {"id": str(new_id()), "available": "1", "proof": FileStorage(io.BytesIO(b"<svg></svg>"), "wifi.jpg")}
    assert named_in_box(send(sign_in("officer"), address + "wifi", no_photo)) == [
        ("proof", "Ảnh hoặc PDF làm minh chứng")
    ]
    assert facts(province) == 0


def test_refused_choice_names_each_wrong_field_and_leads_to_it(province: Province, sign_in: SignIn) -> None:
    answer = sign_in("province").post("/tinh/lua-chon/feedback_days", data={"id": str(new_id()), "valid_from": "x"})
    assert named_in_box(answer) == [("value", "Chọn"), ("valid_from", "Áp dụng từ ngày"), ("decided_by", "Căn cứ")]
