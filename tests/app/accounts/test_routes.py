"""The pages: signing in and out in a browser, a card from paper to phone, and what no form may do."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts import signin
from app.accounts.models import SignInMethod
from app.actor import SYSTEM, Role
from app.db import new_id
from app.web import SIGN_IN_COOKIE
from tests.app.accounts.conftest import ADMIN_PHONE, PASSWORD, Province

Browser = Callable[[str], FlaskClient]


@pytest.fixture
def browser(app: Flask, province: Province) -> Browser:
    """`browser("minh")`: signed in by password; `browser("")`: nobody."""

    def make(name: str) -> FlaskClient:
        client = app.test_client()
        if name:
            with province.database.transaction(SYSTEM) as session:
                granted = signin.start(session, SYSTEM, province[name], method=SignInMethod.PASSWORD, agent="Firefox")
            client.set_cookie(SIGN_IN_COOKIE, granted.token)
        return client

    return make


def csrf(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found
    return found.group(1)


def send(client: FlaskClient, form_at: str, to: str | None = None, **values: str) -> TestResponse:
    """Fill the form of a page as a browser does, its token included."""
    return client.post(to or form_at, data={"csrf_token": csrf(client.get(form_at)), **values})


def test_signing_in_and_out(browser: Browser, province: Province) -> None:
    client = browser("")
    answer = send(client, "/dang-nhap?next=/tai-khoan", phone=ADMIN_PHONE, password=PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/vao?next=/tai-khoan")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith(SIGN_IN_COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    token = client.get_cookie(SIGN_IN_COOKIE)
    assert "Hoàng Quản Trị" in client.get("/tai-khoan").text
    assert send(client, "/tai-khoan", "/dang-xuat").status_code == 303
    assert client.get("/tai-khoan").location.startswith("/dang-nhap")
    assert token is not None
    client.set_cookie(SIGN_IN_COOKIE, token.value)
    assert client.get("/tai-khoan").status_code == 303  # a kept token is worth nothing after signing out


def test_a_token_fixed_beforehand_is_never_taken_over(browser: Browser) -> None:
    client = browser("")
    client.set_cookie(SIGN_IN_COOKIE, "chosen-by-somebody-else")
    send(client, "/dang-nhap", phone=ADMIN_PHONE, password=PASSWORD)
    cookie = client.get_cookie(SIGN_IN_COOKIE)
    assert cookie is not None
    assert cookie.value != "chosen-by-somebody-else"


def test_a_new_sign_in_ends_the_one_this_browser_had(browser: Browser, province: Province) -> None:
    client = browser("minh")
    send(client, "/dang-nhap", phone=ADMIN_PHONE, password=PASSWORD)
    open_ones = province.rows("SELECT person_id FROM sign_ins WHERE ended_at IS NULL")
    assert [r.person_id for r in open_ones] == [province["admin"]]


def test_a_wrong_password_shows_the_form_again_without_the_password(browser: Browser) -> None:
    answer = send(browser(""), "/dang-nhap", phone="0912 000 001", password="khong dung roi")
    assert answer.status_code == 422
    assert "Số điện thoại hoặc mật khẩu chưa đúng" in answer.text
    assert "0912 000 001" in answer.text
    assert "khong dung roi" not in answer.text
    assert answer.text.count("Số điện thoại hoặc mật khẩu chưa đúng") == 1
    assert ("Chưa vào được" in answer.text, "Chưa ghi được" in answer.text) == (True, False)


@pytest.mark.parametrize("evil", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(browser: Browser, evil: str) -> None:
    client = browser("")
    token = csrf(client.get("/dang-nhap"))
    values = {"csrf_token": token, "phone": ADMIN_PHONE, "password": PASSWORD}
    answer = client.post("/dang-nhap", query_string={"next": evil}, data=values)
    assert (answer.status_code, answer.location) == (303, "/vao")
    assert client.get("/vao", query_string={"next": evil}).location == "/dong-y?next=/"


def answer_consents(client: FlaskClient, *purposes: str, **more: str) -> TestResponse:
    """Send the page of consent as it is shown, with these boxes ticked."""
    seen = client.get("/dong-y")
    shown = re.findall(r'name="shown" value="([^"]+)"', seen.text)
    shown_in = re.search(r'name="language" value="([^"]+)"', seen.text)
    assert shown_in
    form = {"csrf_token": csrf(seen), "shown": shown, "language": shown_in.group(1), "purposes": list(purposes), **more}
    return client.post("/dong-y", data=form)


def test_whoever_signs_in_is_asked_for_consent_once(browser: Browser, province: Province) -> None:
    client = browser("")
    send(client, "/dang-nhap?next=/tai-khoan", phone=ADMIN_PHONE, password=PASSWORD)
    assert client.get("/vao?next=/tai-khoan").location == "/dong-y?next=/tai-khoan"
    assert answer_consents(client, "account", "diary").status_code == 303
    assert client.get("/vao?next=/tai-khoan").location == "/tai-khoan"
    rows = province.rows("SELECT purpose, given, language FROM consents ORDER BY purpose")
    assert rows == [("account", True, "vi"), ("diary", True, "vi"), ("notices_email", False, "vi"), ("public_name", False, "vi")]  # fmt: skip


def test_the_page_says_which_language_was_read(browser: Browser, province: Province) -> None:
    client = browser("lanh")
    client.set_cookie("hoi_lang", "en")
    assert answer_consents(client, "account").status_code == 303
    assert province.rows("SELECT DISTINCT language FROM consents") == [("en",)]


def test_an_account_without_its_consent_is_refused_and_the_ticks_stay(browser: Browser, province: Province) -> None:
    client = browser("lanh")
    answer = answer_consents(client, "diary")
    assert answer.status_code == 409
    assert "Không giữ tài khoản nữa" in unescape(answer.text)
    assert re.findall(r'name="purposes" value="(\w+)" checked', answer.text) == ["diary"]
    assert province.one("SELECT count(*) FROM consents") == 0


def test_a_page_with_an_older_text_is_not_an_answer(browser: Browser, province: Province) -> None:
    client = browser("lanh")
    answer = answer_consents(client, "account", shown="account 2025-01")
    assert answer.status_code == 409
    assert "bản mới" in unescape(answer.text)
    assert province.one("SELECT count(*) FROM consents") == 0


def test_no_unsafe_route_acts_without_the_forms_token(app: Flask, browser: Browser, province: Province) -> None:
    client = browser("minh")
    values = {a: str(new_id()) for r in app.url_map.iter_rules() for a in r.arguments}
    values |= {"organisation_id": str(province["coop"]), "secret": "0" * 26, "purpose": "diary"}
    walked = 0
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or ()) or rule.endpoint.split(".")[0] not in {"accounts", "notices"}:
            continue
        url = app.url_map.bind("localhost").build(rule.endpoint, {a: values[a] for a in rule.arguments}, method="POST")
        answer = client.post(url, data={"word": "XÓA", "id": str(new_id())})
        assert answer.status_code == 403, rule
        walked += 1
    assert walked > 25
    assert province.one("SELECT count(*) FROM sign_ins WHERE ended_at IS NULL") == 1


PAGES_OF = {
    "minh": ["/tai-khoan", "/tai-khoan/sua", "/doi-mat-khau", "/dong-y", "/du-lieu-cua-toi", "/du-lieu-cua-toi/xoa",
             "/don-vi", "/don-vi/{coop}", "/don-vi/{coop}/sua", "/don-vi/{coop}/them-nguoi", "/don-vi/{coop}/them-ho",
             "/don-vi/{household}", "/don-vi/{household}/nguoi/{lanh}", "/don-vi/{household}/nguoi/{lanh}/sua",
             "/xac-nhan-may", "/tin-bao", "/the", "/dang-nhap"],
    "admin": ["/don-vi", "/don-vi?q=don+vi", "/don-vi/moi", "/don-vi/{coop}", "/don-vi/{office}/them-nguoi",
              "/don-vi/{coop}/nguoi/{minh}", "/quan-tri/yeu-cau-du-lieu", "/tin-bao"],
    "xa": ["/don-vi", "/don-vi/{coop}", "/don-vi/{household}", "/du-lieu-cua-toi"],
    "lanh": ["/tai-khoan", "/dong-y", "/du-lieu-cua-toi", "/don-vi/{household}"],
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES_OF)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_page_opens_for_who_may(browser: Browser, province: Province, name: str, language: str) -> None:
    client = browser(name)
    for path in PAGES_OF[name]:
        answer = client.get(path.format(**province.ids), query_string={"lang": language} if "?" not in path else None)
        assert answer.status_code == 200, path
        assert "<h1" in answer.text, path
        assert "style=" not in answer.text, path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("khac", "/don-vi/{coop}/sua"),
        ("khac", "/don-vi/{household}"),
        ("khac", "/don-vi/{household}/nguoi/{lanh}"),
        ("khac", "/don-vi/{coop}/them-nguoi"),
        ("xa", "/don-vi/{household}/nguoi/{lanh}"),
        ("xa", "/don-vi/{other_household}"),
        ("lanh", "/don-vi/moi"),
        ("lanh", "/xac-nhan-may"),
        ("minh", "/quan-tri/yeu-cau-du-lieu"),
        ("minh", "/don-vi/moi"),
    ],
)
def test_nobody_opens_what_is_not_theirs(browser: Browser, province: Province, name: str, path: str) -> None:
    answer = browser(name).get(path.format(**province.ids))
    assert answer.status_code in {403, 404}
    for secret in ("Hoàng Thị Lành", "0912 000 005", "Hộ household", "Hộ other_household"):
        assert secret not in answer.text


def test_a_card_from_paper_to_phone(browser: Browser, province: Province) -> None:
    desk, phone = browser("minh"), browser("")
    person = f"/don-vi/{province['household']}/nguoi/{province['lanh']}"
    values = {"id": str(new_id()), "person_id": str(province["lanh"])}
    printed = send(desk, person, f"/don-vi/{province['coop']}/in-the", **values)
    assert printed.status_code == 303
    sheet = desk.get(printed.location)
    assert "THỬ NGHIỆM" in sheet.text
    assert "0912" not in sheet.text
    assert "data:image/svg+xml;base64," in sheet.text
    code = re.search(r"<small>([0-9A-Z-]{32})</small>", sheet.text)
    assert code
    typed = send(phone, "/the", code=code.group(1).lower())
    card = typed.location
    seen = phone.get(card)
    assert "Thẻ của bác Hoàng Thị Lành" in unescape(seen.text)
    assert "0912" not in seen.text
    assert "Set-Cookie: hoi_may" not in str(seen.headers)
    asked = send(phone, card, f"{card}/hoi", id=str(new_id()))
    assert asked.status_code == 303
    waiting = phone.get(card)
    assert waiting.headers["Refresh"] == "4"
    number = province.one("SELECT number FROM card_requests")
    assert f"<big>{number}</big>" in waiting.text
    assert "Đúng người" in desk.get("/xac-nhan-may").text
    request = province.one("SELECT id FROM card_requests")
    assert send(desk, "/xac-nhan-may", f"/xac-nhan-may/{request}", word="right").status_code == 303
    entered = send(phone, card, f"{card}/vao")
    assert entered.location == "/vao"
    assert phone.get("/vao").location == "/dong-y?next=/"
    consent = phone.get("/dong-y")
    assert 'name="purposes"' in consent.text
    assert " checked" not in consent.text
    lost = province.one("SELECT id FROM devices")
    assert send(desk, person, f"/may/{lost}/mat").status_code == 303
    assert phone.get("/tai-khoan").location.startswith("/dang-nhap")


def test_the_pin_on_the_cards_page(browser: Browser, province: Province) -> None:
    desk, phone = browser("minh"), browser("")
    person = f"/don-vi/{province['household']}/nguoi/{province['lanh']}"
    values = {"id": str(new_id()), "person_id": str(province["lanh"])}
    sheet = desk.get(send(desk, person, f"/don-vi/{province['coop']}/in-the", **values).location).text
    pin = re.search(r'<b class="num">(\d{4})</b>', sheet)
    code = re.search(r"<small>([0-9A-Z-]{32})</small>", sheet)
    assert pin
    assert code
    card = f"/the/{code.group(1).replace('-', '')}"
    wrong = send(phone, card, pin=f"{(int(pin.group(1)) + 1) % 10000:04d}")
    assert wrong.status_code == 422
    assert "Còn 4 lần" in wrong.text
    assert province.one("SELECT pin_tries FROM cards") == 1
    assert send(phone, card, pin=pin.group(1)).status_code == 303
    assert "Hoàng Thị Lành" in phone.get("/tai-khoan").text


def test_the_card_of_who_is_more_than_a_farmer_opens_the_work_and_not_the_account(
    browser: Browser, province: Province
) -> None:
    desk, client = browser("minh"), browser("")
    person = f"/don-vi/{province['household']}/nguoi/{province['lanh']}"
    form = {"id": str(new_id()), "person_id": str(province["lanh"])}
    sheet = desk.get(send(desk, person, f"/don-vi/{province['coop']}/in-the", **form).location).text
    pin = re.search(r'<b class="num">(\d{4})</b>', sheet)
    code = re.search(r"<small>([0-9A-Z-]{32})</small>", sheet)
    assert pin
    assert code
    province.also("lanh", "office", Role.COMMUNE_OFFICIAL)
    assert send(client, f"/the/{code.group(1).replace('-', '')}", pin=pin.group(1)).location == "/vao"
    assert client.get("/vao").location == "/"  # not the questions of consent, which a card may not answer
    before = province.rows("SELECT id, ended_at FROM sign_ins ORDER BY id")
    filled: dict[str, dict[str, str]] = {
        "/dang-xuat-moi-noi": {},
        "/dong-y": {"purposes": "account", "language": "vi", "shown": "account 2026-11"},
        "/dong-y/diary/rut-lai": {},
        "/du-lieu-cua-toi/xoa": {"word": "XÓA", "id": str(new_id())},
        "/tai-khoan/sua": {"full_name": "Kẻ Khác", "address_as": "bác", "phone": "0911 111 111"},
    }
    for to, values in filled.items():
        answer = send(client, "/tai-khoan/sua", to, **values)
        assert answer.status_code == 403, answer.text
        assert "Máy vào bằng thẻ chỉ để ghi việc" in unescape(answer.text), to
    assert client.get("/du-lieu-cua-toi/tai-ve").status_code == 403
    assert province.rows("SELECT id, ended_at FROM sign_ins ORDER BY id") == before
    assert province.one("SELECT count(*) FROM consents") == 0
    assert province.phone("lanh") == "+84912000005"


def test_a_purchaser_opens_the_cooperative_without_its_people(browser: Browser, province: Province) -> None:
    province.also("khac", "coop", Role.PURCHASER)
    client = browser("khac")
    seen = client.get(f"/don-vi/{province['coop']}")
    assert seen.status_code == 200
    assert "Đơn vị coop" in seen.text
    assert "0912 000 002" not in seen.text
    assert client.get(f"/don-vi/{province['coop']}/nguoi/{province['minh']}").status_code == 403


def test_an_unknown_card_is_a_plain_page(browser: Browser) -> None:
    answer = browser("").get("/the/" + "0" * 26)
    assert answer.status_code == 404
    assert "Không tìm thấy thẻ này" in answer.text


def printed_code(browser: Browser, province: Province) -> str:
    """The 26 characters of a new card for bác Lành."""
    desk = browser("minh")
    at = f"/don-vi/{province['household']}/nguoi/{province['lanh']}"
    values = {"id": str(new_id()), "person_id": str(province["lanh"])}
    sheet = desk.get(send(desk, at, f"/don-vi/{province['coop']}/in-the", **values).location)
    code = re.search(r"<small>([0-9A-Z-]{32})</small>", sheet.text)
    assert code
    return code.group(1).replace("-", "")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda code: code[:-1], "Mã trên thẻ có 26 chữ và số, bác viết 25."),
        (lambda code: code[:-1] + "U", "Mã trên thẻ không có ký tự “U”."),
        (lambda code: code[:-1] + ("A" if code[-1] != "A" else "B"), "Không có thẻ nào mang mã này"),
    ],
)
def test_a_mistyped_card_code_stays_in_the_form_with_what_is_wrong(
    browser: Browser, province: Province, spoil: Callable[[str], str], said: str
) -> None:
    typed = spoil(printed_code(browser, province))
    answer = send(browser(""), "/the", code=typed)
    assert answer.status_code == 422
    assert unescape(answer.text).count(said) == 1
    assert f'value="{typed}"' in answer.text


def test_the_whole_address_of_a_card_is_understood(browser: Browser, province: Province) -> None:
    code = printed_code(browser, province)
    for typed in (f"https://hoi.vidu.vn/the/{code}", f" hoi.vidu.vn/the/{code.lower()}?x=1 "):
        assert send(browser(""), "/the", code=typed).location == f"/the/{code}"


def test_a_pin_too_short_says_so_once(browser: Browser, province: Province) -> None:
    card = f"/the/{printed_code(browser, province)}"
    answer = send(browser(""), card, pin="12")
    assert answer.status_code == 422
    assert answer.text.count("Cần đủ bốn số.") == 1
    assert "Chưa ghi được" not in answer.text
    assert province.one("SELECT pin_tries FROM cards") == 0


def test_a_password_for_somebody_is_shown_once(browser: Browser, province: Province) -> None:
    admin = browser("admin")
    page = f"/don-vi/{province['coop']}/nguoi/{province['minh']}"
    shown = send(admin, page, f"{page}/mat-khau")
    password = re.search(r'<b class="num">([a-z]{4}-\d{4}-[a-z]{4})</b>', shown.text)
    assert password
    assert shown.headers["Cache-Control"] == "no-store"
    assert password.group(1) not in admin.get(page).text
    client = browser("")
    answer = send(client, "/dang-nhap", phone="0912000002", password=password.group(1))
    assert answer.location == "/doi-mat-khau"
    changed = send(
        client, "/doi-mat-khau", current=password.group(1), new="cua rieng toi nhe", again="cua rieng toi nhe"
    )
    assert (changed.status_code, changed.location) == (303, "/vao")
    assert client.get(f"/don-vi/{province['coop']}").status_code == 200


def test_a_told_password_opens_nothing_but_its_change(app: Flask, browser: Browser, province: Province) -> None:
    """Every route, as somebody whose password was told to them: it answers as to nobody, or leads to the change."""
    app.config["WTF_CSRF_ENABLED"] = False
    with province.database.transaction(SYSTEM) as session:
        signin.set_password(session, SYSTEM, province["admin"], PASSWORD, must_change=True)
    told, nobody = browser("admin"), browser("")
    before = held_by_people(province)
    values = {a: str(new_id()) for r in app.url_map.iter_rules() for a in r.arguments}
    values |= {"organisation_id": str(province["coop"]), "person_id": str(province["admin"]), "secret": "0" * 26}
    values |= {"purpose": "diary", "language": "vi"}
    form = {"id": str(new_id()), "word": "XÓA", "purposes": "account", "language": "vi", "shown": "account 2026-11",
            "full_name": "Kẻ Khác", "address_as": "bác", "phone": "0911 111 111"}  # fmt: skip
    led, wrong = 0, []
    for rule in app.url_map.iter_rules():
        if rule.endpoint in {
            "static",
            "accounts.change_password",
            "accounts.change_password_send",
            "accounts.sign_out",
        }:
            continue
        for method in (rule.methods or set()) & {"GET", "POST"}:
            with app.test_request_context():
                adapter = app.url_map.bind("localhost")
                options = {a: getattr(c, "items", None) for a, c in rule._converters.items()}
                filled = {a: min(options[a]) if options.get(a) else values[a] for a in rule.arguments}
                url = adapter.build(rule.endpoint, filled, method=method)
            answers = [c.open(url, method=method, data=form if method == "POST" else None) for c in (told, nobody)]
            to = answers[0].headers.get("Location", "")
            if to.startswith("/doi-mat-khau") or (answers[0].status_code == 403 and "password_told" in answers[0].text):
                led += 1
            elif answers[0].status_code != answers[1].status_code or to != answers[1].headers.get("Location", ""):
                wrong.append((method, url, answers[0].status_code, answers[1].status_code))
    assert wrong == []
    assert led > 100
    assert held_by_people(province) == before
    app.config["WTF_CSRF_ENABLED"] = True
    assert "Đăng xuất" in told.get("/doi-mat-khau").text
    assert send(told, "/doi-mat-khau", "/dang-xuat").status_code == 303


def held_by_people(province: Province) -> dict[str, list[Any]]:
    tables = (
        "people",
        "personal_data",
        "credentials",
        "memberships",
        "consents",
        "data_requests",
        "organisations",
        "devices",
    )
    return {t: province.rows(f"SELECT x::text FROM {t} x ORDER BY 1") for t in tables}


def test_an_offer_is_answered_on_the_page_of_ones_own_data(browser: Browser, province: Province) -> None:
    desk, khac = browser("minh"), browser("khac")
    at = f"/don-vi/{province['coop']}"
    form = {
        "id": str(new_id()),
        "full_name": "Lý Thị Khác",
        "address_as": "bác",
        "phone": "0912 000 003",
        "role": "purchaser",
    }
    assert send(desk, f"{at}/them-nguoi", **form).location == at
    seen = unescape(desk.get(at).text)
    assert "Lời mời chờ trả lời" in seen
    assert "Khác" not in seen
    assert "0912 000 003" not in seen
    mine = unescape(khac.get("/du-lieu-cua-toi").text)
    assert "Đơn vị coop" in mine
    assert "Lời mời chờ bác trả lời" in mine
    assert "Có lời mời chờ bác trả lời" in unescape(khac.get("/tai-khoan").text)
    offer = province.one("SELECT id FROM role_offers")
    assert send(khac, "/du-lieu-cua-toi", f"/du-lieu-cua-toi/loi-moi/{offer}", word="yes").status_code == 303
    assert "Lý Thị Khác" in desk.get(at).text
    membership = province.one(
        "SELECT id FROM memberships WHERE person_id = :p AND role = 'purchaser'", p=province["khac"]
    )
    assert send(khac, "/tai-khoan", f"/tai-khoan/vai-tro/{membership}/thoi").location == "/tai-khoan"
    assert "Lý Thị Khác" not in desk.get(at).text


def test_ones_own_page_offers_no_new_password(browser: Browser, province: Province) -> None:
    client = browser("minh")
    page = f"/don-vi/{province['coop']}/nguoi/{province['minh']}"
    assert f"{page}/mat-khau" not in client.get(page).text
    assert send(client, page, f"{page}/mat-khau").status_code == 403


def test_a_manager_is_not_shown_the_form_they_may_not_send(browser: Browser, province: Province) -> None:
    province.also("lanh", "office", Role.COMMUNE_OFFICIAL)
    assert browser("minh").get(f"/don-vi/{province['household']}/nguoi/{province['lanh']}/sua").status_code == 403


def test_the_proxy_writes_down_no_address_of_a_card() -> None:
    example = (Path(__file__).parents[3] / "deploy" / "nginx.conf.example").read_text()
    block = re.search(r"location \^~ /the/ \{(.*?)\}", example, re.DOTALL)
    assert block
    assert "access_log off;" in block.group(1)
    assert "proxy_pass" in block.group(1)


def test_adding_a_household_and_its_farmer(browser: Browser, province: Province) -> None:
    client, at = browser("minh"), f"/don-vi/{province['coop']}/them-ho"
    values = {"id": str(new_id()), "name": "Hộ số 9 Nà Mẫu", "village_id": str(province["village"])}
    answer = send(client, at, **values)
    assert answer.location == f"/don-vi/{values['id']}/them-nguoi"
    farmer = {"id": str(new_id()), "full_name": "Lường Văn Pảo", "address_as": "anh", "role": "farmer"}
    assert send(client, answer.location, **farmer).location == f"/don-vi/{values['id']}/nguoi/{farmer['id']}"
    assert "In thẻ" in client.get(f"/don-vi/{values['id']}/nguoi/{farmer['id']}").text


def test_my_data_as_a_file(browser: Browser) -> None:
    answer = browser("lanh").get("/du-lieu-cua-toi/tai-ve")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="du-lieu-cua-toi.json"'
    assert answer.json is not None
    assert answer.json["personal_data"]["full_name"] == "Hoàng Thị Lành"


def test_erasing_needs_the_word(browser: Browser, province: Province) -> None:
    client = browser("lanh")
    assert send(client, "/du-lieu-cua-toi/xoa", id=str(new_id()), word="ừ").status_code == 422
    assert province.one("SELECT count(*) FROM personal_data WHERE person_id = :p", p=province["lanh"]) == 1
    assert send(client, "/du-lieu-cua-toi/xoa", id=str(new_id()), word="xóa").status_code == 200
    assert client.get("/tai-khoan").location.startswith("/dang-nhap")
    assert province.one("SELECT count(*) FROM personal_data WHERE person_id = :p", p=province["lanh"]) == 0
