"""Adding a household and who farms in it; one that left, and how it comes back."""

from html import unescape

import pytest

from app.db import new_id
from tests.app.accounts.routes.conftest import Browser, send
from tests.worlds.organisations import Province


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


def test_a_household_that_left_comes_back_by_the_administrator(browser: Browser, province: Province) -> None:
    manager, at, home = browser("minh"), f"/don-vi/{province['coop']}", f"/don-vi/{province['household']}"
    assert "Vào lại phải do hộ nhờ người quản trị của tỉnh ghi." in manager.get(at).text
    assert "Hộ chưa là thành viên" not in browser("lanh").get(home).text
    assert send(manager, at, f"{at}/ho/{province['household']}/roi").location == at
    assert manager.get(home).status_code == 404
    assert "Hộ đã có trong hệ thống, kể cả hộ vừa rời hợp tác xã" in manager.get(f"{at}/them-ho").text
    assert "Hộ chưa là thành viên của hợp tác xã nào." in browser("lanh").get(home).text
    admin = browser("admin")
    assert f'href="{home}/vao-hop-tac-xa"' in admin.get(home).text
    form = admin.get(f"{home}/vao-hop-tac-xa").text
    assert f'<option value="{province["coop"]}">Đơn vị coop</option>' in form
    assert "Đơn vị other" not in form  # it sits in another commune
    far = admin.get(f"{home}/vao-hop-tac-xa?commune={province['far_commune']}").text
    assert f'<option value="{province["other"]}">Đơn vị other</option>' in far
    wanted = {"cooperative_id": str(province["coop"])}
    assert send(admin, f"{home}/vao-hop-tac-xa", **wanted).location == home
    assert "Thành viên của Đơn vị coop" in admin.get(home).text
    assert f'value="{province["coop"]}"' not in admin.get(f"{home}/vao-hop-tac-xa").text
    assert f'href="{home}"' in manager.get(at).text
    kept = province.rows(
        "SELECT valid_to IS NULL AS open FROM household_memberships WHERE household_id = :h ORDER BY recorded_at",
        h=province["household"],
    )
    assert [r.open for r in kept] == [False, True]


@pytest.mark.parametrize("name", ["minh", "khac", "lanh", "xa"])
def test_nobody_but_the_administrator_writes_a_household_into_a_cooperative(
    browser: Browser, province: Province, name: str
) -> None:
    client, at = browser(name), f"/don-vi/{province['household']}/vao-hop-tac-xa"
    assert client.get(at).status_code == 403
    refused = send(client, "/tai-khoan/sua", at, cooperative_id=str(province["other"]))
    assert refused.status_code == 403
    assert province.one("SELECT count(*) FROM household_memberships") == 2


def test_only_a_household_joins_and_only_where_households_are_taken_in(browser: Browser, province: Province) -> None:
    admin = browser("admin")
    assert admin.get(f"/don-vi/{province['coop']}/vao-hop-tac-xa").status_code == 404
    at = f"/don-vi/{province['household']}/vao-hop-tac-xa"
    for cooperative, status in (("office", 422), ("coop", 409)):
        assert send(admin, at, cooperative_id=str(province[cooperative])).status_code == status
    assert province.one("SELECT count(*) FROM household_memberships") == 2


def test_a_household_leaves_by_itself(browser: Browser, province: Province) -> None:
    client, home = browser("lanh"), f"/don-vi/{province['household']}"
    assert f'href="{home}"' in client.get("/tai-khoan").text
    page = client.get(home).text
    leave = f"/don-vi/{province['coop']}/ho/{province['household']}/roi?next={home}"
    assert f'action="{leave}"' in page
    assert send(client, home, leave).location == home
    after = client.get(home).text
    assert "Hộ này không còn là thành viên từ hôm nay." in after
    assert "Hộ chưa là thành viên của hợp tác xã nào." in after
    assert browser("minh").get(home).status_code == 404
    assert send(client, "/tai-khoan/sua", leave).status_code == 404


def test_no_other_household_is_taken_out(browser: Browser, province: Province) -> None:
    leave = f"/don-vi/{province['other']}/ho/{province['other_household']}/roi"
    for name in ("lanh", "minh", "xa"):
        assert send(browser(name), "/tai-khoan/sua", leave).status_code in {403, 404}
    assert province.one("SELECT count(*) FROM household_memberships WHERE valid_to IS NULL") == 2


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
    assert "Hộ này không còn là thành viên từ hôm nay." in unescape(desk.get(at).text)
    assert province.one(members, h=province["household"]) == 0


def test_labels_that_differ_by_a_tone_are_two_households(browser: Browser, province: Province) -> None:
    client, at = browser("minh"), f"/don-vi/{province['coop']}/them-ho"
    for name, status in (("Hộ Pá Lâu", 303), ("Hộ Pá Lầu", 303), ("Hộ Pá Hoà", 303), ("hộ pá hòa", 409)):
        values = {"id": str(new_id()), "name": name, "village_id": str(province["village"])}
        assert send(client, at, **values).status_code == status, name
