"""A form that cannot be taken keeps what was typed, and names the one of three causes; siblings and strangers gain nothing."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import nodes
from werkzeug.test import TestResponse

from app.db import Database, new_id
from app.factory import create_app
from app.marketplace_sync.channels.registry import specs
from app.settings import ROOT, Settings
from app.web.kept import SECRETS
from tests.app.accounts.routes.conftest import Browser, csrf, send
from tests.worlds.organisations import ADMIN_PHONE, PASSWORD, Province

OURS = {"Sec-Fetch-Site": "same-origin"}
TYPED = "Hãy viết dài, có “dấu” & <ký hiệu>\nvà xuống dòng"
STORED = TYPED.replace("\n", " ")


def request(**more: str) -> dict[str, str]:
    return {"id": str(new_id()), "kind": "see", "detail": TYPED} | more


def ask(client: FlaskClient, token: str, **headers: str) -> TestResponse:
    """A request about one's own data: text, and nobody else's business."""
    return client.post("/du-lieu-cua-toi", data=request(csrf_token=token), headers=OURS | headers)


def enter(client: FlaskClient, phone: str = ADMIN_PHONE, **more: str) -> TestResponse:
    return client.post(
        "/dang-nhap",
        data={"csrf_token": csrf(client.get("/dang-nhap")), "phone": phone, "password": PASSWORD, **more},
        headers=OURS,
    )


def hidden(page: TestResponse, name: str) -> str:
    found = re.search(rf'name="{name}"(?: value="([^"]*)"| hidden>\n([^<]*)</textarea>)', page.text)
    assert found, name
    return unescape(found[1] if found[1] is not None else found[2])


def form_to(page: TestResponse, address: str) -> dict[str, str]:
    """The fields of the form that leads there, as a browser would send them."""
    part = page.text.partition(f'action="{address}"')[2].partition("</form>")[0]
    inputs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', part)
    areas = re.findall(r'<textarea name="([^"]+)" hidden>\n([^<]*)</textarea>', part)
    return {name: unescape(value) for name, value in inputs + areas}


def requests_made(province: Province) -> list[str]:
    return [r.detail for r in province.rows("SELECT detail FROM data_requests ORDER BY received_at")]


def test_signed_out_in_another_tab_the_text_comes_back_after_signing_in(browser: Browser, province: Province) -> None:
    client = browser("")
    assert enter(client).status_code == 303
    token = csrf(client.get("/du-lieu-cua-toi"))
    send(client, "/tai-khoan", "/dang-xuat")
    client.get("/dang-nhap")
    refused = ask(client, token)
    assert refused.status_code == 401
    assert "<title>Chưa gửi: đã ra khỏi máy này · Hồi</title>" in unescape(refused.text)
    assert requests_made(province) == []
    carried = form_to(refused, "/dang-nhap")
    wrong = client.post("/dang-nhap", data=carried | {"phone": ADMIN_PHONE, "password": "khong dung roi"}, headers=OURS)
    assert (wrong.status_code, hidden(wrong, "kept")) == (422, carried["kept"]), "a slip of the finger loses nothing"
    again = client.post("/dang-nhap", data=carried | {"phone": ADMIN_PHONE, "password": PASSWORD}, headers=OURS)
    assert (again.status_code, requests_made(province)) == (200, []), "nothing is sent by itself"
    assert "Đã vào lại. Hãy xem rồi gửi" in again.text
    assert form_to(again, "/du-lieu-cua-toi")["detail"] == TYPED
    sent = client.post("/du-lieu-cua-toi", data=form_to(again, "/du-lieu-cua-toi"), headers=OURS)
    assert (sent.status_code, requests_made(province)) == (303, [STORED])


def test_what_one_person_typed_is_never_sent_in_anothers_name(browser: Browser, province: Province) -> None:
    province.password("minh")
    client = browser("")
    enter(client)
    token = csrf(client.get("/du-lieu-cua-toi"))
    send(client, "/tai-khoan", "/dang-xuat")
    refused = ask(client, token)
    as_minh = {"phone": "0912000002", "password": PASSWORD}
    again = client.post("/dang-nhap", data=form_to(refused, "/dang-nhap") | as_minh, headers=OURS)
    assert "do người khác mở" in again.text
    assert "Hãy viết dài" not in again.text
    assert client.get("/tai-khoan").status_code == 200, "who signed in is in"
    for sent in (
        ask(client, token),
        client.post("/du-lieu-cua-toi", data=form_to(refused, "/du-lieu-cua-toi"), headers=OURS),
    ):
        assert sent.status_code == 403
        assert "<title>Chưa gửi: trang của người khác · Hồi</title>" in unescape(sent.text)
        assert "Hãy viết dài" not in sent.text
    assert requests_made(province) == []


def test_a_page_of_before_the_same_person_signed_in_anew_is_shown_again_filled(
    browser: Browser, province: Province
) -> None:
    client = browser("")
    enter(client)
    token = csrf(client.get("/du-lieu-cua-toi"))
    send(client, "/tai-khoan", "/dang-xuat")
    enter(client)
    shown = ask(client, token)
    assert (shown.status_code, "Trang này mở đã lâu" in shown.text) == (403, True)
    assert "Hãy viết dài, có “dấu” &amp; &lt;ký hiệu&gt;" in shown.text
    assert ask(client, csrf(shown)).status_code == 303
    assert requests_made(province) == [STORED]


@pytest.mark.parametrize("path", ["/dang-nhap", "/du-lieu-cua-toi"])
def test_a_browser_without_cookies_is_told_of_cookies(app: Flask, path: str) -> None:
    client = app.test_client(use_cookies=False)
    token = csrf(client.get("/dang-nhap"))
    sent = {"csrf_token": token, "password": PASSWORD, "phone" if path == "/dang-nhap" else "detail": ADMIN_PHONE}
    answer = client.post(path, data=sent, headers=OURS)
    assert answer.status_code == 403
    assert "Trình duyệt này không giữ cookie" in answer.text
    assert "Chrome" in answer.text
    assert PASSWORD not in answer.text
    assert "0912 000 001" in answer.text, "what was typed is still there"
    assert "Trang này dành cho người khác" not in answer.text


def test_machines_are_told_the_same_three_causes(browser: Browser, app: Flask) -> None:
    json = {"Accept": "application/problem+json"}
    nobody = app.test_client(use_cookies=False)
    client = browser("")
    enter(client)
    token = csrf(client.get("/du-lieu-cua-toi"))
    old = ask(client, "x", **json)
    send(client, "/tai-khoan", "/dang-xuat")
    client.get("/dang-nhap")
    answers = [ask(nobody, "x", **json), ask(client, token, **json), old]
    assert [(a.status_code, a.get_json()["code"]) for a in answers] == [
        (403, "cookies_off"),
        (401, "signed_out"),
        (403, "form_expired"),
    ]
    assert len({a.get_json()["detail_vi"] for a in answers}) == 3


def test_what_is_kept_is_bounded_and_only_ours_is_kept(browser: Browser) -> None:
    client = browser("")
    enter(client)
    token = csrf(client.get("/du-lieu-cua-toi"))
    send(client, "/tai-khoan", "/dang-xuat")
    long = client.post("/du-lieu-cua-toi", data={"csrf_token": token, "detail": "x y " * 20_000}, headers=OURS)
    assert (long.status_code, "x y x y" in long.text) == (401, False)
    unknown = client.post(
        "/du-lieu-cua-toi", data={"csrf_token": token, "detail": TYPED}
    )  # an old browser that does not say
    assert (unknown.status_code, "Hãy viết dài" in unknown.text) == (401, False)
    made_up = enter(client, kept="eyJub3Q.b3Vycw")
    assert (made_up.status_code, made_up.location) == (303, "/vao")


def test_every_form_of_the_product_keeps_what_was_typed_when_its_sender_is_out(app: Flask, browser: Browser) -> None:
    client = browser("")
    enter(client)
    token = csrf(client.get("/du-lieu-cua-toi"))
    send(client, "/tai-khoan", "/dang-xuat")
    client.get("/dang-nhap")
    values = {a: str(new_id()) for r in app.url_map.iter_rules() for a in r.arguments}
    lost, walked = [], 0
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or set()) or rule.rule.startswith("/api/"):
            continue
        options = {a: getattr(c, "items", None) for a, c in rule._converters.items()}
        filled = {a: min(options[a]) if options.get(a) else values[a] for a in rule.arguments}
        url = app.url_map.bind("localhost").build(rule.endpoint, filled, method="POST")
        sent = {"csrf_token": token, "note": "Chữ cần giữ", **dict.fromkeys(SECRETS, "bí mật lắm")}
        answer = client.post(url, data=sent, headers=OURS)
        walked += 1
        if (answer.status_code, "Chữ cần giữ" in answer.text, "bí mật lắm" in answer.text) != (401, True, False):
            lost.append(url)
    assert (walked > 60, lost) == (True, [])


SECRET_INPUTS = {
    "password",
    "current-password",
    "new-password",
    "one-time-code",
}  # a type, or what it may be filled with


def secret_fields(app: Flask) -> tuple[set[str], set[str]]:
    """Of all templates: the names of the fields whose text is a secret, and the templates that take them from a channel."""
    named, by_channel = set(), set()
    for path in sorted((ROOT / "app").rglob("*.html")):
        source = path.read_text()
        plain = re.findall(r"""<input[^>]*type=['"]?password[^>]*""", source)
        named |= {re.findall(r'name="([^"]*)"', tag)[0] for tag in plain}
        for call in app.jinja_env.parse(source).find_all(nodes.Call):
            if getattr(call.node, "attr", "") == "form_problem_box":
                continue
            kinds = [k.value for k in call.kwargs if k.key == "type"]
            if kinds and not isinstance(kinds[0], nodes.Const):
                assert [ast_name(call.args[0]), *map(ast_name, kinds)] == ["f.name", "f.type"], path
                by_channel.add(path.name)
            elif not SECRET_INPUTS.isdisjoint(words_given(call)):
                assert isinstance(call.args[0], nodes.Const), path
                named.add(call.args[0].value)
    return named, by_channel


def words_given(call: nodes.Call) -> set[str]:
    given = [*call.args, *(k.value for k in call.kwargs)]
    inside = [part for whole in given for part in [whole, *whole.find_all(nodes.Const)]]
    return {part.value for part in inside if isinstance(part, nodes.Const) and isinstance(part.value, str)}


def ast_name(node: nodes.Node) -> str:
    return f"{ast_name(node.node)}.{node.attr}" if isinstance(node, nodes.Getattr) else str(getattr(node, "name", ""))


def test_no_secret_that_a_form_asks_for_is_ever_carried_along(app: Flask) -> None:
    named, by_channel = secret_fields(app)
    asked = {f.name for spec in specs() for f in spec.fields if f.kind == "secret"}
    assert (named, by_channel) == ({"password", "current", "new", "again", "pin"}, {"parts.html"})
    assert asked == {"consumer_key", "consumer_secret"}
    assert named | asked == SECRETS


# --- origins and cookies -----------------------------------------------------------------------------------------

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://la.langson.gov.vn"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Referer": "http://la.langson.gov.vn/bay"},
    {"Origin": "http://[x"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_from_elsewhere_is_refused_even_with_a_valid_token(
    browser: Browser, province: Province, headers: dict[str, str]
) -> None:
    client = browser("minh")
    token = csrf(client.get("/du-lieu-cua-toi"))
    sent = client.post("/du-lieu-cua-toi", data=request(csrf_token=token), headers=headers)
    assert (sent.status_code, requests_made(province)) == (403, [])
    assert "không đến từ trang của Hồi" in sent.text
    assert "Hãy viết dài" not in sent.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "http://localhost"},
        {"Referer": "http://localhost/x"},
    ],
)
def test_a_form_of_ours_is_taken_from_old_browsers_too(
    browser: Browser, province: Province, headers: dict[str, str]
) -> None:
    client = browser("minh")
    token = csrf(client.get("/du-lieu-cua-toi"))
    sent = client.post("/du-lieu-cua-toi", data=request(csrf_token=token), headers=headers)
    assert (sent.status_code, requests_made(province)) == (303, [STORED])


def test_a_public_address_spelled_otherwise_is_the_browsers_origin(settings: Settings, province: Province) -> None:
    """Its proxy hands on another Host, so that only HOI_PUBLIC_URL tells which pages are ours."""
    spelled = Settings(public_url="http://Hồi.Lạngsơn.VN:80").public_url
    client = create_app(settings.model_copy(update={"public_url": spelled}), province.database).test_client()
    token = csrf(client.get("/dang-nhap"))
    answers = [
        client.post(
            "/dang-nhap",
            data={"csrf_token": token, "phone": ADMIN_PHONE, "password": "khong dung roi"},
            headers={"Origin": sent_from},
        ).status_code
        for sent_from in ("http://xn--hi-p9s.xn--lngsn-xob8703c.vn", "http://xn--hi-p9s.vn", "null", "")
    ]
    assert answers == [422, 403, 403, 403]


def test_every_route_that_changes_something_asks_where_it_comes_from(app: Flask) -> None:
    values = {a: str(new_id()) for r in app.url_map.iter_rules() for a in r.arguments}
    asked, let_through = 0, []
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}:
            options = {a: getattr(c, "items", None) for a, c in rule._converters.items()}
            filled = {a: min(options[a]) if options.get(a) else values[a] for a in rule.arguments}
            url = app.url_map.bind("localhost").build(rule.endpoint, filled, method=method)
            headers = {"Sec-Fetch-Site": "same-site", "Accept": "application/problem+json"}
            answer = client.open(url, method=method, headers=headers)
            asked += 1
            if (answer.status_code, (answer.get_json() or {}).get("code")) != (403, "foreign_page"):
                let_through.append((method, url))
    assert (asked > 60, let_through) == (True, [])


@pytest.fixture
def secure(settings: Settings, database: Database) -> FlaskClient:
    """The application behind HTTPS, as its proxy calls it."""
    public = settings.model_copy(update={"public_url": "https://hoi.langson.gov.vn", "trusted_proxies": 1})
    return create_app(public, database).test_client()


BEHIND: dict[str, Any] = {
    "base_url": "https://hoi.langson.gov.vn",
    "headers": {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "hoi.langson.gov.vn",
    },
}


def test_a_sibling_host_that_tosses_cookies_gains_nothing(secure: FlaskClient, province: Province) -> None:
    """…langson.gov.vn sets cookies for the whole domain; a browser lets nobody but us set a name with __Host-."""
    page = secure.get("/dang-nhap", **BEHIND)
    sent = {"csrf_token": csrf(page), "phone": ADMIN_PHONE, "password": PASSWORD}
    answer = secure.post("/dang-nhap", data=sent, **BEHIND)
    assert answer.status_code == 303
    set_now = answer.headers.getlist("Set-Cookie") + page.headers.getlist("Set-Cookie")
    kept = [c for c in set_now if "Max-Age=0" not in c]
    assert {c.partition("=")[0] for c in kept} == {"__Host-hoi_phien", "__Host-hoi_quen", "__Host-hoi_bieu_mau"}
    for cookie in kept:
        assert ("Secure" in cookie, "Path=/;" in f"{cookie};", "Domain" in cookie, "HttpOnly" in cookie) == (
            True,
            True,
            False,
            True,
        )
    tossed = secure.application.test_client()
    for name in ("hoi_phien", "hoi_bieu_mau", "hoi_quen", "hoi_may"):
        value = secure.get_cookie(f"__Host-{name}", domain="hoi.langson.gov.vn")
        tossed.set_cookie(name, value.value if value else "x", domain="langson.gov.vn", path="/")
    assert tossed.get("/tai-khoan", **BEHIND).status_code == 303, "the plain name is not looked at"
    forged = request(csrf_token=csrf(secure.get("/du-lieu-cua-toi", **BEHIND)))
    assert tossed.post("/du-lieu-cua-toi", data=forged, **BEHIND).status_code in {401, 403}
    assert requests_made(province) == []
