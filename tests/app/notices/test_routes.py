"""The bell's page."""

import re

import pytest
from flask import Flask

from app.accounts import offers, people, signin
from app.accounts.events import RoleOffered
from app.accounts.models import AddressAs, SignInMethod
from app.accounts.schemas import PersonIn
from app.actor import SYSTEM, Role
from app.db import Database, new_id
from app.factory import create_app
from app.notices import service
from app.settings import Settings
from app.web import SIGN_IN_COOKIE
from tests.worlds.organisations import Province, make_province


@pytest.fixture
def province(database: Database) -> Province:
    return make_province(database)


@pytest.fixture
def app(settings: Settings, province: Province) -> Flask:
    made = create_app(settings, province.database)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


def test_the_notice_of_an_offer_taken_back_says_so_and_leads_nowhere(app: Flask, province: Province) -> None:
    minh = province.actor("minh")
    form = PersonIn(
        id=new_id(), full_name="Lý Thị Khác", address_as=AddressAs.BAC, phone="0912 000 003", role=Role.PURCHASER
    )
    with province.database.transaction(minh) as session:
        people.add_person(session, minh, province["coop"], form)
    offer_id = province.one("SELECT id FROM role_offers")
    with province.database.transaction(SYSTEM) as session:
        service.role_offered(session, SYSTEM, RoleOffered(role_offer_id=offer_id))
        token = signin.start(session, SYSTEM, province["khac"], method=SignInMethod.PASSWORD, agent="Firefox").token
    client = app.test_client()
    client.set_cookie(SIGN_IN_COOKIE, token)
    at = f"/tin-bao/{province.one('SELECT id FROM notices')}/xem"

    def shown() -> str:
        page = client.get("/tin-bao")
        assert page.status_code == 200
        return " ".join(page.text.partition("<main")[2].partition("</main>")[0].split())

    before = shown()
    assert "Chưa nhận lời thì họ chưa thấy gì về người được mời." in before
    assert at in before
    with province.database.transaction(minh) as session:
        offers.withdraw_offer(session, minh, offer_id, province["coop"])
    after = shown()
    assert "Đã rút" in re.sub(r"<[^>]+>", " ", after)
    assert "Đơn vị đã rút lời mời này, không phải trả lời nữa." in after
    assert "Chưa nhận lời" not in after
    assert "<form" not in after
    assert client.post(at).location == "/tin-bao", "a page opened before leads to what became of it"
