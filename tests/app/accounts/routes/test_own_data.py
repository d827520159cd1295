"""The questions of consent, and one's own data: seen, taken away, erased."""

import re
from html import unescape

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.db import new_id
from tests.app.accounts.routes.conftest import Browser, csrf, send
from tests.worlds.organisations import ADMIN_PHONE, PASSWORD, Province


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
