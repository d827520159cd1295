"""The people of an organisation, their roles, and offers to those of elsewhere."""

from html import unescape

import pytest

from app.accounts import attempts
from app.actor import Role
from app.db import new_id
from tests.app.accounts.routes.conftest import Browser, send
from tests.worlds.organisations import Province


def test_a_purchaser_opens_the_cooperative_without_its_people(browser: Browser, province: Province) -> None:
    province.also("khac", "coop", Role.PURCHASER)
    client = browser("khac")
    seen = client.get(f"/don-vi/{province['coop']}")
    assert seen.status_code == 200
    assert "Đơn vị coop" in seen.text
    assert "0912 000 002" not in seen.text
    assert client.get(f"/don-vi/{province['coop']}/nguoi/{province['minh']}").status_code == 403


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
    assert "Lời mời chờ trả lời" in mine
    assert "Có lời mời chờ trả lời" in unescape(khac.get("/tai-khoan").text)
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


def test_an_offer_is_taken_back_on_the_page_that_lists_it(browser: Browser, province: Province) -> None:
    desk, khac, at = browser("minh"), browser("khac"), f"/don-vi/{province['coop']}"
    send(desk, f"{at}/them-nguoi", id=str(new_id()), full_name="Lý Thị Khác", address_as="bác", phone="0912 000 003", role="purchaser")  # fmt: skip
    offer = province.one("SELECT id FROM role_offers")
    form = f'action="{at}/loi-moi/{offer}/rut"'
    assert form in desk.get(at).text
    for _ in range(2):
        answer = send(desk, at, f"{at}/loi-moi/{offer}/rut")
        assert (answer.status_code, answer.location) == (303, at)
    seen = unescape(desk.get(at).text)
    assert "Đã rút lời mời." in seen
    assert "Lời mời chờ trả lời" not in seen
    assert "Lời mời chờ trả lời" not in unescape(khac.get("/du-lieu-cua-toi").text)
    assert "Có lời mời chờ trả lời" not in unescape(khac.get("/tai-khoan").text)


def test_one_tap_does_not_end_ones_own_role(browser: Browser, province: Province) -> None:
    client = browser("lanh")
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["lanh"])
    at = f"/tai-khoan/vai-tro/{membership}/thoi"
    account = client.get("/tai-khoan").text
    assert f'href="{at}"' in account
    assert f'action="{at}"' not in account
    asked = unescape(client.get(at).text)
    assert "không ghi được việc và không mở được nhật ký của Hộ household nữa" in asked
    assert "chỉ người quản lý Đơn vị coop hoặc người quản trị giao lại" in asked
    assert province.one("SELECT count(*) FROM memberships WHERE id = :m AND valid_to IS NULL", m=membership) == 1
    assert send(client, at).location == "/tai-khoan"
    assert "Đã kết thúc vai trò này." in unescape(client.get("/tai-khoan").text)
    assert province.one("SELECT count(*) FROM memberships WHERE id = :m AND valid_to IS NULL", m=membership) == 0


def test_nobody_is_asked_about_somebody_elses_role(browser: Browser, province: Province) -> None:
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["lanh"])
    assert browser("minh").get(f"/tai-khoan/vai-tro/{membership}/thoi").status_code == 404


def test_ending_somebodys_role_is_asked_first(browser: Browser, province: Province) -> None:
    desk, at = browser("minh"), f"/don-vi/{province['household']}"
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["lanh"])
    ending = f"{at}/vai-tro/{membership}/thoi"
    shown = desk.get(at).text
    assert f'href="{ending}"' in shown
    assert f'action="{ending}"' not in shown
    assert "Người này hết quyền ngay" in unescape(desk.get(ending).text)
    assert province.one("SELECT count(*) FROM memberships WHERE id = :m AND valid_to IS NULL", m=membership) == 1
    assert browser("khac").get(ending).status_code == 404
    assert send(desk, ending).location == at
    assert "Người này không còn vai trò đó." in unescape(desk.get(at).text)
    assert province.one("SELECT count(*) FROM memberships WHERE id = :m AND valid_to IS NULL", m=membership) == 0


def test_a_managers_own_role_ends_on_the_page_that_says_what_is_lost(browser: Browser, province: Province) -> None:
    own = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["minh"])
    at = f"/don-vi/{province['coop']}"
    shown = browser("minh").get(at).text
    assert f'href="/tai-khoan/vai-tro/{own}/thoi"' in shown
    assert f"{at}/vai-tro/{own}/thoi" not in shown


def test_who_asks_whose_numbers_these_are_is_stopped_for_the_day(
    browser: Browser, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "LOOKUPS_A_DAY", 3)
    desk, at = browser("minh"), f"/don-vi/{province['coop']}/them-nguoi"

    def add(phone: str) -> int:
        form = {"full_name": "Ma Thị Dò", "address_as": "bác", "phone": phone, "role": "purchaser"}
        return send(desk, at, id=str(new_id()), **form).status_code

    assert [add("0912 000 003") for _ in range(4)] == [409, 409, 409, 429]
    before = province.one("SELECT count(*) FROM people")
    told = send(
        desk, at, id=str(new_id()), full_name="Ma Thị Dò", address_as="bác", phone="0912 000 004", role="purchaser"
    )
    assert "Hôm nay đơn vị đã thử 3 số điện thoại có người dùng rồi" in told.text
    assert province.one("SELECT count(*) FROM people") == before
    assert add("0912 000 099") == 303, "numbers that nobody has are no news, and people go on being added"
    assert [add("0912 000 003")] == [429]
    lanh = f"/don-vi/{province['household']}/nguoi/{province['lanh']}/sua"
    change = {"full_name": "Hoàng Thị Lành", "address_as": "bác", "language": "vi"}
    assert send(desk, lanh, phone="0912 000 003", **change).status_code == 429, "the same question at another door"
    assert send(desk, lanh, phone="0912 000 005", **change).status_code == 303, "their own number is no news"
