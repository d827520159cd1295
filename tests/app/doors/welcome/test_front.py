"""The first page: four doors for everybody, one's own door after signing in, and no shortcut of the demo."""

import re

import pytest
from flask.testing import FlaskClient

from app.actor import Membership, Role
from app.db import Database, new_id
from app.doors.welcome.routes import address_of
from app.factory import create_app
from app.settings import Settings
from app.trace import codes
from tests.actors import acting
from tests.app.browsers import browser_of


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


@pytest.mark.parametrize(
    ("role", "leads_to"),
    [
        (Role.FARMER, "/nong-dan"),
        (Role.EXTENSION_OFFICER, "/nong-dan"),
        (Role.COOPERATIVE_MANAGER, "/hop-tac-xa"),
        (Role.CERTIFIER, "/chung-nhan"),
        (Role.COMMUNE_OFFICIAL, "/thon-thong-minh"),
    ],
)
def test_whoever_is_signed_in_goes_to_their_own_door(client: FlaskClient, role: Role, leads_to: str) -> None:
    answer = browser_of(client.application, acting(Membership(new_id(), role))).get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, leads_to)
