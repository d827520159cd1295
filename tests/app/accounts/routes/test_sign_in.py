"""Signing in and out in a browser, and passwords."""

import html
import re
from typing import Any

import pytest
from flask import Flask

from app import audit
from app.accounts import passwords
from app.actor import SYSTEM
from app.db import Database, new_id
from app.factory import create_app
from app.settings import Settings
from app.web import SIGN_IN_COOKIE
from tests.app.accounts.routes.conftest import Browser, csrf, send
from tests.worlds.organisations import ADMIN_PHONE, PASSWORD, Province, make_province


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
        passwords.set_password(session, SYSTEM, province["admin"], PASSWORD, must_change=True)
    told, nobody = browser("admin"), browser("")
    before = held_by_people(province)
    values = {a: str(new_id()) for r in app.url_map.iter_rules() for a in r.arguments}
    values |= {"organisation_id": str(province["coop"]), "person_id": str(province["admin"]), "secret": "0" * 26}
    values |= {"purpose": "diary", "language": "vi"}
    form = {"id": str(new_id()), "word": "XÓA", "purposes": "account", "language": "vi", "shown": "account 2026-12",
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


def test_a_browser_that_signed_in_is_known_and_the_cookie_signs_nobody_in(browser: Browser, province: Province) -> None:
    client = browser("")
    answer = send(client, "/dang-nhap", phone=ADMIN_PHONE, password=PASSWORD)
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("hoi_quen="))
    assert ("HttpOnly" in cookie, "Max-Age=34560000" in cookie, "Path=/" in cookie) == (True, True, True)
    send(client, "/tai-khoan", "/dang-xuat")
    assert client.get("/tai-khoan").status_code == 303
    for _ in range(6):
        stranger = send(browser(""), "/dang-nhap", phone=ADMIN_PHONE, password="khong dung roi")
    assert (stranger.status_code, stranger.headers["Retry-After"].isdigit()) == (429, True)
    assert send(client, "/dang-nhap", phone=ADMIN_PHONE, password=PASSWORD).status_code == 303


def test_a_stranger_behind_the_owners_proxy_closes_no_other_number(app: Flask, browser: Browser) -> None:
    """HOI_TRUSTED_PROXIES=0 with a proxy: everybody seems to come from it."""
    hidden = {"X-Forwarded-For": "198.51.100.1"}
    client = app.test_client()
    page = client.get("/dang-nhap")
    for n in range(70):
        values = {"csrf_token": csrf(page), "phone": f"09871112{n:02d}", "password": "khong dung roi"}
        assert client.post("/dang-nhap", data=values, headers=hidden).status_code == 422
    values = {"csrf_token": csrf(page), "phone": ADMIN_PHONE, "password": PASSWORD}
    assert client.post("/dang-nhap", data=values, headers=hidden).status_code == 303
    assert "HOI_TRUSTED_PROXIES=0" in client.get("/readyz", headers=hidden).text
    assert client.get("/readyz").text == "ready\n"


def test_a_stranger_at_a_public_address_who_speaks_as_a_proxy_is_counted_there(app: Flask, browser: Browser) -> None:
    client = app.test_client()
    page = client.get("/dang-nhap")
    answers = []
    for n in range(61):
        values = {"csrf_token": csrf(page), "phone": f"09871112{n:02d}", "password": "khong dung roi"}
        spoofed = {"X-Forwarded-For": f"198.51.100.{n}"}
        sent = client.post("/dang-nhap", data=values, headers=spoofed, environ_base={"REMOTE_ADDR": "8.8.4.4"})
        answers.append(sent.status_code)
    assert answers == [422] * 60 + [429]


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("172.17.0.1", True), ("192.168.1.9", True),
        ("::ffff:10.1.2.3", True), ("fd00::7", True), ("", True), ("8.8.4.4", False), ("::ffff:8.8.4.4", False),
        ("2a00:1450:4001::1", False),
    ],
)  # fmt: skip
def test_only_a_near_address_is_taken_for_an_unknown_proxy(app: Flask, address: str, proxy: object) -> None:
    told = app.test_client().get(
        "/readyz", headers={"X-Forwarded-For": "198.51.100.1"}, environ_base={"REMOTE_ADDR": address}
    )
    assert ("HOI_TRUSTED_PROXIES=0" in told.text) is proxy


def test_no_lock_and_no_transaction_is_held_while_a_password_is_compared(
    settings: Settings, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sign-ins from one carrier's address do not wait for each other's tenth of a second."""
    make_province(fresh_database)
    open_ones: list[Any] = []
    held = (
        "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())), count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%%'"
    )

    def compare(_hashed: str, _password: str) -> bool:
        with fresh_database.engine.connect() as other:
            open_ones.append(tuple(other.exec_driver_sql(held).one()))
        return True

    monkeypatch.setattr(passwords, "_verify", compare)
    client = create_app(settings, fresh_database).test_client()
    assert send(client, "/dang-nhap", phone=ADMIN_PHONE, password=PASSWORD).status_code == 303
    changed = {"current": PASSWORD, "new": "cua rieng toi nhe", "again": "cua rieng toi nhe"}
    assert send(client, "/doi-mat-khau", **changed).status_code == 303
    assert open_ones == [(0, 0), (0, 0)]


def test_everybody_sees_their_own_sign_ins_refused_ones_too(browser: Browser, province: Province) -> None:
    client = browser("")
    send(client, "/dang-nhap", phone=ADMIN_PHONE, password="khong dung roi")
    send(client, "/dang-nhap", phone=ADMIN_PHONE, password=PASSWORD)
    assert 'href="/tai-khoan/dang-nhap"' in client.get("/tai-khoan").text
    seen = client.get("/tai-khoan/dang-nhap").text
    assert (seen.count("Sai mật khẩu"), seen.count("Vào bằng mật khẩu"), seen.count("127.0.0.0/24")) == (1, 1, 2)
    assert 'rel="next"' not in seen
    assert "Sai mật khẩu" not in browser("minh").get("/tai-khoan/dang-nhap").text, "nobody sees another's"
    with province.database.transaction(SYSTEM) as session:
        for _ in range(50):
            audit.record(session, SYSTEM, "accounts:sign_in:fail", subject_id=province["admin"], device="Firefox")
    first = client.get("/tai-khoan/dang-nhap").text
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = client.get(html.unescape(following)).text
    assert ('rel="next"' in second, 'rel="prev"' in second) == (False, True)
    assert first.count('class="row"><span class="grow"') + first.count('<span class="chip') >= 50
    assert second.count('<span class="chip') == 2
    assert client.get("/tai-khoan/dang-nhap?trang=0").status_code == 400
