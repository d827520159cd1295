"""Adding a household and who farms in it."""

from html import unescape

from app.db import new_id
from tests.app.accounts.conftest import Province
from tests.app.accounts.routes.conftest import Browser, send


def test_adding_a_household_and_its_farmer(browser: Browser, province: Province) -> None:
    client, at = browser("minh"), f"/don-vi/{province['coop']}/them-ho"
    values = {"id": str(new_id()), "name": "Hộ số 9 Nà Mẫu", "village_id": str(province["village"])}
    answer = send(client, at, **values)
    assert answer.location == f"/don-vi/{values['id']}/them-nguoi"
    farmer = {"id": str(new_id()), "full_name": "Lường Văn Pảo", "address_as": "anh", "role": "farmer"}
    assert send(client, answer.location, **farmer).location == f"/don-vi/{values['id']}/nguoi/{farmer['id']}"
    assert "In thẻ" in client.get(f"/don-vi/{values['id']}/nguoi/{farmer['id']}").text


def test_a_second_household_of_one_label_is_made_only_when_meant(browser: Browser, province: Province) -> None:
    client, at = browser("minh"), f"/don-vi/{province['coop']}/them-ho"
    values = {"id": str(new_id()), "name": "hộ  Household", "village_id": str(province["village"])}
    before = province.one("SELECT count(*) FROM organisations")
    for _ in range(2):  # said again, not taken for a yes
        warned = send(client, at, **values)
        assert warned.status_code == 409
        assert "Đã có hộ tên “hộ Household”" in unescape(warned.text)
        assert 'name="even_so" value="1"' in warned.text
        assert f'name="id" value="{values["id"]}"' in warned.text
    assert "even_so" not in client.get(at).text
    assert province.one("SELECT count(*) FROM organisations") == before
    for _ in range(2):
        made = send(client, at, **values, even_so="1")
        assert made.location == f"/don-vi/{values['id']}/them-nguoi"
    assert province.one("SELECT count(*) FROM organisations") == before + 1


def test_the_label_of_another_cooperatives_household_is_free(browser: Browser, province: Province) -> None:
    client, at = browser("minh"), f"/don-vi/{province['coop']}/them-ho"
    values = {"id": str(new_id()), "name": "Hộ other_household", "village_id": str(province["far_village"])}
    assert send(client, at, **values).status_code == 303


def test_a_household_leaves_only_after_a_question(browser: Browser, province: Province) -> None:
    desk, at = browser("minh"), f"/don-vi/{province['coop']}"
    leaving = f"{at}/ho/{province['household']}/roi"
    members = "SELECT count(*) FROM household_memberships WHERE household_id = :h AND valid_to IS NULL"
    shown = desk.get(at).text
    assert f'href="{leaving}"' in shown
    assert f'action="{leaving}"' not in shown
    assert "nhờ người quản trị" in unescape(desk.get(leaving).text)
    assert province.one(members, h=province["household"]) == 1
    assert browser("khac").get(leaving).status_code in {403, 404}
    assert browser("lanh").get(leaving).status_code == 403
    assert send(desk, leaving).location == at
    assert "Hộ này thôi là thành viên từ hôm nay." in unescape(desk.get(at).text)
    assert province.one(members, h=province["household"]) == 0
