"""What HTTP and GS1 ask of the address of a scan: right statuses for people and programs alike."""

from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

GTIN = "09520123456788"
LOT = f"/01/{GTIN}/10/CL-0826-07"
JSON = {"Accept": "application/json"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def other_gtin() -> str:
    """A right number that nobody has told us of."""
    return "09520123456795"


@pytest.fixture
def lot(client: FlaskClient, world: Any) -> FlaskClient:
    world.gs1_code()
    return client


WRONG = [
    f"{LOT}?10=X",
    f"{LOT}?99=a&99=b",
    f"{LOT}?89=A",
    f"{LOT}?17=269999",
    f"{LOT}?37=5",
    f"/01/{GTIN}?10=A",
    f"/01/{GTIN}/10/NA%zzRAI",
    f"/01/{GTIN}/10/NA%2",
    f"/01/{GTIN}/10/A%00",
    f"/01/{GTIN}/21/S/10/A",
    f"/01/{GTIN[1:]}/10/A",
    f"/01/{GTIN}/10/A B",
    f"/01/{GTIN}/17/261231",
    "/t/K7M2",
    "/t?code=K7M2",
    "/T/K7M2",
]


def test_a_wrong_address_is_400_for_people_and_programs(lot: FlaskClient) -> None:
    for address in WRONG:
        page, problem = lot.get(address), lot.get(address, headers=JSON)
        assert (page.status_code, page.content_type) == (400, "text/html; charset=utf-8")
        assert (problem.status_code, problem.content_type) == (400, "application/problem+json")
        assert problem.get_json()["status"] == 400
        assert page.vary.find("Accept") >= 0 <= problem.vary.find("Accept")


RIGHT = [
    f"{LOT}?17=261231&fbclid=x%zz",
    f"{LOT}?utm_source=zalo&zarsrc=30",
    f"{LOT}?lang=vi",
    f"{LOT}/?x;10=A",
    f"/01/{GTIN}/22/V1/10/CL-0826-07",
    f"/01/{GTIN}/22/V1/10/CL-0826-07/21/S1",
    f"/01/{GTIN}/10/CL%2D0826%2D07",
]


def test_what_walks_up_to_the_lot_or_is_hung_on_by_others_gets_its_page(lot: FlaskClient) -> None:
    for address in RIGHT:
        answer = lot.get(address)
        assert (answer.status_code, "Lô này có trong sổ" in answer.text) == (200, True)
        assert answer.headers["Link"].startswith(f'<https://hoi.example.vn{LOT}>; rel="canonical"')


def test_the_way_to_the_right_address_keeps_the_query(lot: FlaskClient, world: Any) -> None:
    moved = lot.get(f"{LOT.lower()}?17=261231&foo=bar&lang=en")
    assert (moved.status_code, moved.location) == (301, f"{LOT}?17=261231&foo=bar&lang=en")
    moved = lot.get(f"/t/{world.code.lower()}?utm_source=zalo")
    assert (moved.status_code, moved.location) == (301, f"/t/{world.code}?utm_source=zalo")
    moved = lot.get(f"/t?lang=en&code={world.code.lower()}&x=1")
    assert (moved.status_code, moved.location) == (301, f"/t/{world.code}?lang=en&x=1")


def test_a_capital_t_and_what_was_copied_along_are_forgiven(lot: FlaskClient, world: Any) -> None:
    for path in (f"/T/{world.code}", f"/T/{world.code.lower()}", *(f"/t/{world.code}{quote(end)}" for end in ')".,”»')):
        answer = lot.get(path)
        assert (path, answer.status_code, answer.location) == (path, 301, f"/t/{world.code}")
    for end in (")", '"', ").", "."):
        answer = lot.get(LOT + quote(end))
        assert (end, answer.status_code, answer.location) == (end, 301, LOT)
    assert lot.get("/T").status_code == 200


def test_the_number_from_under_a_bar_code_leads_to_its_goods_and_is_no_forged_code(lot: FlaskClient) -> None:
    """8934567890120 also passes the check of a short code, which is never digits alone."""
    for path in ("/t/8934567890120", "/t?code=8934567890120", "/t?code=0893%204567%208901%2020", "/T/08934567890120/"):
        answer = lot.get(path)
        assert (path, answer.status_code, answer.location) == (path, 301, "/01/08934567890120")
    pasted = lot.get(f"/t?code=https://hoi.vn/01/{GTIN}")
    assert (pasted.status_code, pasted.location) == (301, f"/01/{GTIN}")


def test_the_number_alone_tells_the_goods_and_how_to_go_on(lot: FlaskClient) -> None:
    for path in ("", "/21/S1", "/22/V1", "/235/T1", "/22/V1/21/S1"):
        answer = lot.get(f"/01/{GTIN}{path}?utm_source=zalo")
        assert answer.status_code == 200
        for said in (
            "chưa nói lô nào",
            "Na dai Chi Lăng",
            "hộp 2 kg",
            "HTX nông sản Nà Mẫu",
            "thôn Nà Mẫu",
            f'value="{GTIN}/"',
        ):
            assert said in answer.text, said
        english = lot.get(f"/01/{GTIN}{path}?lang=en").text
        assert "Chi Lang custard apple" in english
        assert '<html lang="en"' in english
        assert lot.get(f"/01/{GTIN}{path}", headers=JSON).status_code == 406


def test_the_number_alone_leads_to_where_it_is_sold_while_it_is_made(
    lot: FlaskClient, world: Any, clock_at: Any
) -> None:
    seen = world.session.scalar(text("SELECT now()"))
    clock_at(seen)
    world.on_sale("https://gianhang.example/na", seen, sold_out=False)
    assert 'href="https://gianhang.example/na"' in lot.get(f"/01/{GTIN}").text
    world.session.execute(text("SET ROLE NONE"))
    world.session.execute(text("UPDATE variants SET retired_on = '2026-01-01'"))
    world.session.execute(text("SET ROLE hoi_app"))
    world.session.expire_all()
    retired = lot.get(f"/01/{GTIN}")
    assert (retired.status_code, "gianhang.example" in retired.text) == (200, False)


def test_a_number_that_nobody_told_us_of_is_no_forgery(lot: FlaskClient) -> None:
    answer = lot.get(f"/01/{other_gtin()}")
    assert (answer.status_code, "không có nghĩa là hàng giả" in answer.text) == (404, True)
    assert "đừng tin tem này" not in answer.text
    problem = lot.get(f"/01/{other_gtin()}", headers=JSON)
    assert (problem.status_code, problem.get_json()["code"]) == (404, "gtin_unknown")


def test_other_methods_are_told_which_there_are(lot: FlaskClient, world: Any) -> None:
    paths = (f"/t/{world.code}", LOT, f"/01/{GTIN}", "/t", f"{LOT}/bao-van-de")
    for path, method in product(paths, ("POST", "PUT", "PATCH", "DELETE")):
        answer = lot.open(path, method=method)
        assert (path, answer.status_code) == (path, 405)
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert world.session.scalar(text("SELECT count(*) FROM trace_codes")) == 2


def test_every_address_of_the_program_tells_its_methods(app: Flask, client: FlaskClient) -> None:
    """Not of scans only: a wrong method is never said to be a wrong address."""
    for rule in app.url_map.iter_rules():
        if not rule.arguments and "TRACE" not in (rule.methods or ()):
            answer = client.open(rule.rule, method="TRACE")
            assert (rule.rule, answer.status_code) == (rule.rule, 405)
            assert "OPTIONS" in answer.headers["Allow"]


def test_options_and_head_answer(lot: FlaskClient) -> None:
    assert {*lot.options(LOT).headers["Allow"].split(", ")} == {"GET", "HEAD", "OPTIONS"}
    head = lot.head(LOT)
    assert (head.status_code, head.data) == (200, b"")


ACCEPTS = [
    (None, 200),
    ("", 200),
    (BROWSER, 200),
    ("*/*", 200),
    ("text/*;q=0.1", 200),
    ("application/json, text/html;q=0.5", 200),
    ("application/json", 406),
    ("application/ld+json", 406),
    ("image/png", 406),
    ("text/html;q=0, image/png", 406),
]


def test_a_page_is_given_to_whoever_reads_pages(lot: FlaskClient, world: Any) -> None:
    paths = (f"/t/{world.code}", LOT, f"/01/{GTIN}", "/t", f"{LOT}/bao-van-de")
    for path, (accept, status) in product(paths, ACCEPTS):
        headers = {} if accept is None else {"Accept": accept}
        answer = lot.get(path, headers=headers)
        assert (path, answer.status_code) == (path, status)
        assert "Accept" in answer.headers["Vary"]
        if status == 406:
            assert answer.content_type == "application/problem+json"
            assert answer.get_json()["code"] == "not_acceptable"


NASTY = ("%", "%00", "%5B", "[", "]", "%zz", "%25", "\\", "%0A", "%F0%9F%98%80", "%ED%A0%80", "%C0%80", "'", "%2F", "//", "?%00=%00", "?[=]",
         "?10=%00", "?lang=%00", "?lang=[", "?code=%00", "?code=[", "?17=%zz")  # fmt: skip


def test_no_address_of_a_scan_is_an_error_of_ours(lot: FlaskClient, world: Any) -> None:
    starts = ("/t", "/t/", "/T/", f"/t/{world.code}", "/01/", f"/01/{GTIN}/10/", LOT, f"{LOT}/21/S")
    addresses = {start + nasty for start, nasty in product(starts, NASTY)}
    addresses |= {f"{start}{nasty}/bao-van-de" for start, nasty in product(("/t/", f"/01/{GTIN}/10/"), NASTY)}
    for address in sorted(addresses):
        answer = lot.get(address, headers={"Accept": "text/html, application/json;q=0.5"})
        assert answer.status_code in {200, 301, 308, 400, 404}, (address, answer.status_code)
