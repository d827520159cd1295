"""Addresses that a scan, a typing thumb or a stranger's label may bring."""

import gzip
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import pytest
import zxingcpp
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import text

from app.db import Database
from app.factory import create_app
from app.settings import Settings
from app.trace import codes, labels, pages

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
GTIN = "09520123456788"


@pytest.fixture(autouse=True)
def _today(clock_at: Callable[[datetime], None]) -> None:
    clock_at(NOW)


def test_the_page_says_verdict_product_people_place_harvest_and_certificate_in_this_order(
    client: FlaskClient, world: Any
) -> None:
    world.certificate("12/QĐ-UBND", valid_to=date(2027, 6, 1))
    body = client.get(f"/t/{world.code}").text
    places = [
        body.index(said)
        for said in (
            "Mã thật của lô này",
            "<h2>Na dai Chi Lăng, hộp 2 kg",
            "HTX nông sản Nà Mẫu</dd>".removesuffix("</dd>"),
            "thôn Nà Mẫu, xã Chi Lăng Thử",
            "12/08/2026",
            "OCOP 4 sao",
            "UBND tỉnh Lạng Sơn cấp, số 12/QĐ-UBND, đến 01/06/2027",
            "Từ vườn đến hộp",
            "Sau lần dùng thuốc cuối 21 ngày.",
            "122 ngày không có bước nào",
            "Bón phân: Phân hữu cơ hoai, 12 bao",
            "Mua ở đâu",
            "10. Tiêu chuẩn áp dụng",
            "Báo vấn đề",
        )
    ]
    # The head repeats product, maker and day for previews: order is asked of the body.
    assert all(place > 0 for place in places)
    main = body[body.index("<body") :]
    order = [main.index(said) for said in ("Mã thật", "<h2>Na dai", "<dd>HTX", "thôn Nà Mẫu", "OCOP 4 sao", "Từ vườn")]
    assert order == sorted(order)


def test_every_visitor_gets_the_same_bytes_whatever_the_cookies_say(client: FlaskClient, world: Any) -> None:
    plain = client.get(f"/t/{world.code}").data
    client.set_cookie("hoi_lang", "en")
    client.set_cookie("hoi_theme", "dark")
    client.set_cookie("hoi_phien", "somebody")
    world.session.execute(text("UPDATE public_pages SET wanted_version = wanted_version + 1"))
    world.session.flush()
    answer = client.get(f"/t/{world.code}", headers={"User-Agent": "another", "X-Request-Id": "another-request"})
    assert answer.data == plain
    assert "Set-Cookie" not in answer.headers


def test_english_is_an_address_of_its_own(client: FlaskClient, world: Any) -> None:
    answer = client.get(f"/t/{world.code}?lang=en")
    assert "Chi Lang custard apple" in answer.text
    assert "Nà Mẫu Village, " in answer.text
    assert '<html lang="en"' in answer.text
    assert answer.headers["Content-Language"] == "en"
    assert f'<https://hoi.example.vn/t/{world.code}>; rel="canonical"' in answer.headers["Link"]


def test_the_page_is_small_and_needs_no_script(client: FlaskClient, world: Any, app: Flask) -> None:
    answer = client.get(f"/t/{world.code}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    html = gzip.decompress(answer.data).decode()
    sheets = re.findall(r'<link rel="stylesheet" href="([^"?]+)', html)
    with client.get(sheets[0]) as static:
        sheet = static.data
    assert len(answer.data) + len(gzip.compress(sheet, 9)) <= 14 * 1024
    assert len(sheets) == 1
    assert "<script" not in html
    assert " style=" not in html
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


def test_no_telephone_position_or_long_number_reaches_the_page(client: FlaskClient, world: Any) -> None:
    for language in ("", "?lang=en"):
        body = client.get(f"/t/{world.code}{language}").text
        visible = re.sub(r"<svg.*?</svg>|<[^>]*>", " ", body)
        assert not re.search(r"(?<!\d)(?:\+?84|0)\d{9}(?!\d)", body)
        assert not re.search(r"(?<!\d)\d{12}(?!\d)", body)
        assert "21.65" not in visible
        assert "106.56" not in visible


@pytest.mark.parametrize("packed", [True, False])
def test_the_same_page_is_not_sent_twice(client: FlaskClient, world: Any, packed: bool) -> None:  # noqa: FBT001
    headers = {"Accept-Encoding": "gzip"} if packed else {}
    first = client.get(f"/t/{world.code}", headers=headers)
    again = client.get(f"/t/{world.code}", headers={**headers, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_a_change_of_the_records_changes_the_page_at_once(client: FlaskClient, world: Any) -> None:
    assert "Mã thật" in client.get(f"/t/{world.code}").text
    world.event("recalled", "Dư lượng vượt mức")
    pages.forget(world.session, [world.ids["batch"]])
    world.session.flush()
    body = client.get(f"/t/{world.code}").text
    assert "Lô này đang thu hồi, đừng dùng" in body
    assert "Dư lượng vượt mức" in body
    assert "Mã thật" not in body


@pytest.mark.parametrize(("kind", "since"), [("recalled", "thu hồi từ 20/08/2026"), ("held", "tạm giữ từ 20/08/2026")])
def test_a_stopped_batch_offers_no_way_to_buy_it_and_says_since_when(
    client: FlaskClient, world: Any, kind: str, since: str
) -> None:
    assert 'href="#mua"' in client.get(f"/t/{world.code}").text
    world.event(kind, "Dư lượng <vượt> mức")
    pages.forget(world.session, [world.ids["batch"]])
    world.session.flush()
    body = client.get(f"/t/{world.code}").text
    assert since in body
    assert "Mua ở đâu" not in body
    assert f'<a class="btn main" href="/t/{world.code}/bao-van-de">' in body
    assert "<p>Dư lượng &lt;vượt&gt; mức</p>" in body
    english = client.get(f"/t/{world.code}?lang=en").text
    assert ' <span lang="vi">Dư lượng &lt;vượt&gt; mức</span></p>' in english


def test_a_listing_that_is_sold_out_says_so_in_words_beside_it_and_another_does_not(
    client: FlaskClient, world: Any
) -> None:
    world.on_sale("https://gianhang.example/het", NOW, sold_out=True)
    world.on_sale("https://gianhang.example/con", NOW, sold_out=False)

    def beside(address: str) -> str:
        row = re.search(rf'<li><a href="{address}".*?</li>', client.get(f"/t/{world.code}").text, re.DOTALL)
        assert row is not None
        return " ".join(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", row[0]).split())

    seen = "trang bán hàng riêng 90.000 đ {}thấy lúc 23/11/2026 10:00"
    assert beside("https://gianhang.example/het") == seen.format("Đang hết hàng ")
    assert beside("https://gianhang.example/con") == seen.format("")


def test_the_page_says_unknown_days_to_wait_and_no_number(client: FlaskClient, world: Any) -> None:
    world.log("spraying", datetime(2026, 8, 12, 1, tzinfo=UTC), material="x")
    world.session.flush()
    body = client.get(f"/t/{world.code}").text
    assert "Cách ly chưa rõ; lần dùng thuốc cuối ngày 12/08/2026." in body
    assert "Cách ly chưa rõ." in body
    assert "Sau lần dùng thuốc cuối" not in body


def test_the_ten_items_say_how_many_are_missing_and_the_first_facts_how_long_it_keeps(
    client: FlaskClient, world: Any
) -> None:
    world.certificate("12/QĐ-UBND", valid_to=date(2027, 6, 1))
    body = client.get(f"/t/{world.code}").text
    assert "Mười mục theo Thông tư 02/2024/TT-BKHCN; còn thiếu 3 mục" in body
    assert body.count("12/QĐ-UBND") == 1
    assert "<dt>Hạn dùng</dt>" not in body
    world.session.execute(text("SET ROLE NONE"))
    world.session.execute(text("UPDATE batches SET expires_on = '2026-12-31'"))
    world.session.execute(text("SET ROLE hoi_app"))
    world.session.expire_all()
    world.certificate("9/VG", valid_to=date(2027, 6, 1), scheme="vietgap", stars=None)
    pages.forget(world.session, [world.ids["batch"]])
    world.session.flush()
    body = client.get(f"/t/{world.code}").text
    assert "còn thiếu 1 mục" in body
    assert "<dd>VietGAP, 9/VG</dd>" in body
    assert body.index("<dt>Hạn dùng</dt><dd>31/12/2026</dd>") < body.index("Từ vườn đến hộp")


def test_time_alone_changes_the_page(client: FlaskClient, world: Any, clock_at: Callable[[datetime], None]) -> None:
    world.certificate("12/QĐ-UBND", valid_to=date(2026, 12, 31))
    assert "đến 31/12/2026" in client.get(f"/t/{world.code}").text
    clock_at(datetime(2026, 12, 31, 16, 59, tzinfo=UTC))
    assert "đến 31/12/2026" in client.get(f"/t/{world.code}").text
    clock_at(datetime(2026, 12, 31, 17, 0, tzinfo=UTC))
    body = client.get(f"/t/{world.code}").text
    assert "hết hạn 31/12/2026" in body
    assert "Không có chứng nhận còn hạn" in body


def test_a_code_typed_by_hand_leads_to_its_page(client: FlaskClient, world: Any) -> None:
    for typed in (codes.grouped(world.code).lower(), f" {world.code[:6]} {world.code[6:]} "):
        answer = client.get("/t", query_string={"code": typed})
        assert (answer.status_code, answer.location) == (301, f"/t/{world.code}")
        answer = client.get(f"/t/{typed.strip().replace(' ', '%20')}?lang=en")
        assert (answer.status_code, answer.location) == (301, f"/t/{world.code}?lang=en")


def test_the_line_under_a_gs1_code_may_be_typed_too(client: FlaskClient, world: Any) -> None:
    page = f"/01/{GTIN}/10/CL-0826-07"
    world.gs1_code()
    for typed in (f"{GTIN}/CL-0826-07", f"{GTIN[1:]} / cl-0826-07"):
        answer = client.get("/t", query_string={"code": typed, "lang": "en"})
        assert (answer.status_code, answer.location) == (301, f"{page}?lang=en")
    for typed_address in (page.lower(), f"/t/{GTIN}/CL-0826-07"):
        answer = client.get(typed_address)
        assert (answer.status_code, answer.location) == (301, page)
    answer = client.get(page.replace("-", "%2D"))
    assert (answer.status_code, "Lô này có trong sổ" in answer.text) == (200, True)
    wrong = client.get("/t", query_string={"code": f"{GTIN[:-1]}5/CL-0826-07"})
    assert (wrong.status_code, "sai chữ số kiểm tra" in wrong.text) == (400, True)


def test_a_stroke_after_the_code_and_a_question_for_the_head_only_are_answered(client: FlaskClient, world: Any) -> None:
    answer = client.get(f"/t/{world.code}/")
    assert (answer.status_code, answer.location) == (301, f"/t/{world.code}")
    whole = client.get(f"/t/{world.code}")
    head = client.head(f"/t/{world.code}")
    assert (head.status_code, head.data) == (200, b"")
    assert (head.headers["ETag"], head.headers["Content-Length"]) == (whole.headers["ETag"], str(len(whole.data)))


def test_a_certificate_without_an_end_that_was_withdrawn_is_said_to_be(client: FlaskClient, world: Any) -> None:
    more = {"scheme": "vietgap", "stars": None}
    first = world.certificate("12/VG", valid_to=None, **more)
    world.certificate("12/VG", valid_to=None, supersedes_id=first, withdrawn_on=date(2026, 11, 1), **more)
    assert "số 12/VG, đã bị thu hồi" in client.get(f"/t/{world.code}").text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/t", 200, "Nhập mã trên tem"),
        ("/t/ABCDEFGH00002", 404, "không có trong sổ"),
        ("/t/0000000000001", 400, "so từng ký tự"),
        ("/t/K7M2", 400, "có 13 ký tự, đã nhập 4"),
        ("/t/UUUUUUUUUUUUU", 400, "không bao giờ có ký tự “U”"),
        ("/t/" + "A" * 5000, 400, "dài quá"),
        ("/t/%3Cscript%3E", 400, "&lt;"),
        ("/t/a/b/c", 400, "ký tự"),
        (f"/01/{GTIN}/10/NOTHING", 404, "không có trong sổ"),
        (f"/01/{GTIN[:-1]}5/10/A", 400, "không khớp chữ số kiểm tra"),
        (f"/01/{GTIN}/10/{'A' * 21}", 400, "dài quá"),
        ("/01/123", 400, "viết chưa đúng dạng"),
        ("/01/09520123456795", 404, "không có nghĩa là hàng giả"),
        ("/01/09520123456795/21/K7M2", 404, "không có nghĩa là hàng giả"),
        (f"/01/{GTIN}/10/%C4%90", 400, "ký tự lạ"),
    ],
)
def test_a_wrong_code_gets_a_page_that_says_how_to_type_it(
    client: FlaskClient, path: str, status: int, said: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert said in answer.text
    assert 'name="code"' in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize("address", ["https://h.vn/t/{}?x=1", "localhost:5000/t/{}", " HTTPS://H.VN/t/{}/ "])
def test_a_pasted_address_leads_to_the_code_in_it(client: FlaskClient, world: Any, address: str) -> None:
    answer = client.get("/t", query_string={"code": address.format(world.code)})
    assert (answer.status_code, answer.location) == (301, f"/t/{world.code}")
    gs1 = client.get("/t", query_string={"code": f"https://h.vn/01/{GTIN}/10/CL-0826-07"})
    assert (gs1.status_code, gs1.location) == (301, f"/01/{GTIN}/10/CL-0826-07")


def test_a_machine_gets_the_problem_as_json(client: FlaskClient) -> None:
    answer = client.get("/t/K7M2", headers={"Accept": "application/json"})
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["code"] == "code_length"


def test_a_gs1_address_shows_the_lot_and_says_what_a_lot_code_proves(client: FlaskClient, world: Any) -> None:
    world.gs1_code()
    world.session.flush()
    for path in (f"/01/{GTIN}/10/CL-0826-07", f"/01/{GTIN}/10/CL-0826-07/21/K7M2"):
        body = client.get(path).text
        assert "Lô này có trong sổ" in body
        assert "không chứng tỏ riêng từng hộp" in body


def test_reporting_says_what_to_do_and_whom_to_tell(client: FlaskClient, world: Any) -> None:
    body = client.get(f"/t/{world.code}/bao-van-de").text
    assert "HTX nông sản Nà Mẫu, thôn Nà Mẫu" in body
    assert codes.grouped(world.code) in body


def test_labels_of_the_own_batch_decode_to_its_address(
    app: Flask, client: FlaskClient, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, world.manager)
    answer = client.get(f"/tem/{world.ids['batch']}.png")
    with Image.open(BytesIO(answer.data)) as image:
        assert [found.text for found in zxingcpp.read_barcodes(image.convert("L"))] == [
            f"https://hoi.example.vn/t/{world.code}"
        ]
    drawing = client.get(f"/tem/{world.ids['batch']}.svg")
    assert drawing.content_type.startswith("image/svg+xml")
    assert labels.TEST_MARK not in drawing.text
    sheet = client.get(f"/tem/{world.ids['batch']}/to-in?so=30")
    assert sheet.text.count('width="70mm"') == 30
    assert sheet.text.count('class="sheet labels"') == 2
    assert (sheet.text.count('<g id="tem">'), sheet.text.count('<use href="#tem"/>')) == (1, 29)
    assert sheet.text.index('<g id="tem">') < sheet.text.index('<use href="#tem"/>')


def test_without_a_public_address_labels_are_marked_as_trials(
    settings: Settings, database: Database, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.session.flush()
    sign_in(monkeypatch, world.manager)
    client = create_app(settings, database).test_client()
    assert labels.TEST_MARK in client.get(f"/tem/{world.ids['batch']}.svg").text
    assert "Hãy nhờ người quản trị đặt địa chỉ ấy." in client.get(f"/tem/{world.ids['batch']}/to-in").text


@pytest.mark.parametrize(
    ("decided", "status", "told"),
    [
        ("held", 200, "Lô đang tạm giữ: tem in ra thì để riêng"),
        ("recalled", 409, "đang thu hồi nên không in thêm tem."),
    ],
)
def test_labels_of_a_lot_that_may_not_be_sold_are_warned_of_or_refused(
    client: FlaskClient, world: Any, monkeypatch: pytest.MonkeyPatch, decided: str, status: int, told: str
) -> None:
    sign_in(monkeypatch, world.manager)
    before = client.get(f"/tem/{world.ids['batch']}/to-in").text
    world.event(decided, "Dư lượng vượt mức")
    sheet = client.get(f"/tem/{world.ids['batch']}/to-in")
    assert (sheet.status_code, told in sheet.text, told in before) == (status, True, False)


def test_labels_are_for_the_own_organisation_only(
    client: FlaskClient, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (".png", ".svg", "/to-in"):
        assert client.get(f"/tem/{world.ids['batch']}{path}").status_code in {303, 401}
    stranger = world.manager.__class__(kind="person", person_id=world.ids["person"])
    sign_in(monkeypatch, stranger)
    for path, status in ((".png", 404), (".svg", 404), ("/to-in", 403)):
        assert client.get(f"/tem/{world.ids['batch']}{path}").status_code == status


def sign_in(monkeypatch: pytest.MonkeyPatch, actor: Any) -> None:
    for name in ("current_actor", "signed_in"):
        monkeypatch.setattr(f"app.doors.consumer.routes.labels.{name}", lambda: actor)
    monkeypatch.setattr("app.web.visitor.actor", lambda: actor)
