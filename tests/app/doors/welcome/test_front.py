"""The first page: four doors for everybody, one's own door after signing in, and the demo's shortcuts only in the demo."""

import re

import pytest
from flask.testing import FlaskClient

from app.db import Database
from app.doors.demo import cast
from app.doors.welcome.routes import address_of
from app.factory import create_app
from app.settings import Settings
from app.trace import codes
from tests.app.doors.conftest import Demo


@pytest.fixture
def client(settings: Settings, database: Database) -> FlaskClient:
    return create_app(settings, database).test_client()


def test_a_stranger_sees_four_doors_and_the_field_for_codes(client: FlaskClient) -> None:
    page = client.get("/")
    html = page.get_data(as_text=True)
    assert page.status_code == 200
    assert html.count('class="card door"') == 4
    assert 'action="/tra-cuu"' in html


@pytest.mark.parametrize("path", ["/_style", "/_vao-thu/tinh"])
def test_shortcuts_of_the_demo_do_not_exist_elsewhere(client: FlaskClient, path: str) -> None:
    client.application.config["WTF_CSRF_ENABLED"] = False
    answer = client.post(path) if "vao-thu" in path else client.get(path)
    assert answer.status_code == 404
    assert "vao-thu" not in client.get("/").get_data(as_text=True)


def test_the_about_page_is_open(client: FlaskClient) -> None:
    answer = client.get("/gioi-thieu")
    assert answer.status_code == 200
    assert "chỉ hiện tên gọi khi chính người đó đồng ý" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("typed", "leads_to"),
    [
        ("k7m2-9qxd-3htpk", "/t?code=k7m2-9qxd-3htpk"),
        ("https://hoi.langson.vn/t/K7M29QXD3HTPC", "/t/K7M29QXD3HTPC"),
        ("hoi.langson.vn/t/K7M29QXD3HTPC?lang=en", "/t/K7M29QXD3HTPC"),
        ("https://vidu.vn/01/09520123456788/10/NA-01", "/01/09520123456788/10/NA-01"),
        ("https://evil.example//t/x", "/t?code=https://evil.example//t/x"),
        ("", "/t"),
        ("   ", "/t"),
    ],
)
def test_a_typed_code_leads_to_an_address_of_ours(client: FlaskClient, typed: str, leads_to: str) -> None:
    answer = client.get("/tra-cuu", query_string={"ma": typed})
    assert (answer.status_code, answer.headers["Location"]) == (303, leads_to)


def test_the_example_beside_the_field_is_a_right_code(client: FlaskClient) -> None:
    [example] = re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}", client.get("/").text)
    assert codes.is_canonical(codes.normalise(example))


def test_a_code_of_any_length_or_letters_never_breaks_the_way(client: FlaskClient) -> None:
    with client.application.test_request_context():
        for typed in ("//[", "\u202e" * 50, "x" * 100_000, "http://[::1", "%zz"):
            assert address_of(typed[:300]).startswith("/")


DOORS = {
    "farmer": "/nong-dan",
    "cooperative_manager": "/hop-tac-xa",
    "purchaser": "/hop-tac-xa",
    "certifier": "/chung-nhan",
    "extension_officer": "/nong-dan",
}


@pytest.mark.slow
@pytest.mark.parametrize("player", cast.PLAYERS, ids=lambda p: p.key)
def test_whoever_is_signed_in_goes_to_their_own_door(demo_province: Demo, player: cast.Player) -> None:
    client = demo_province.enter(player.key)
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, DOORS.get(player.role, "/thon-thong-minh"))
    arrived = client.get("/", follow_redirects=True)
    assert arrived.status_code == 200


@pytest.mark.slow
def test_every_item_of_the_desks_menu_opens(demo_province: Demo) -> None:
    broken: list[tuple[str, str, int]] = []
    for player in cast.PLAYERS:
        client = demo_province.enter(player.key)
        html = client.get("/du-lieu-cua-toi").get_data(as_text=True)
        if 'class="nav-box"' not in html:
            continue
        menu = html[html.index('class="nav-box"') : html.index('class="who"')]
        for address in [part.split('"')[0] for part in menu.split('href="')[1:]]:
            status = client.get(address, follow_redirects=True).status_code
            if status != 200:
                broken.append((player.key, address, status))
    assert broken == []


@pytest.mark.slow
def test_the_demo_shows_all_its_people_and_the_page_of_all_parts(demo_province: Demo) -> None:
    client = demo_province.app.test_client()
    html = client.get("/").get_data(as_text=True)
    assert [p.key for p in cast.PLAYERS if f"/_vao-thu/{p.key}" not in html] == []
    style = client.get("/_style")
    assert (style.status_code, style.headers["X-Robots-Tag"]) == (200, "noindex")


@pytest.mark.slow
def test_nobody_enters_as_somebody_who_is_not_in_the_demo(demo_province: Demo) -> None:
    assert demo_province.app.test_client().post("/_vao-thu/khong-co").status_code == 404
