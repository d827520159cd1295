"""The page on which a missing seat is recorded, and what it says once the seat is known."""

from app.accounts.models import OrganisationKind
from app.db import new_id
from tests.app.accounts.routes.conftest import Browser, csrf, send
from tests.worlds.organisations import Province

KNOWN = "Trụ sở đã có rồi."


def test_the_seat_is_recorded_once_and_then_the_page_says_so(browser: Browser, province: Province) -> None:
    client, at = browser("minh"), f"/don-vi/{province['coop']}"
    assert "Thêm trụ sở" in client.get(at).text
    sent = {"version": "1", "commune_id": str(province["commune"]), "village_id": str(province["village"])}
    for _ in range(2):  # sent twice, the answer to the first was lost
        assert client.post(f"{at}/tru-so", data=sent | {"csrf_token": csrf(client.get(at))}).location == at
    shown = client.get(at).text
    assert "Đã lưu trụ sở." in shown
    assert "Thêm trụ sở" not in shown
    form = client.get(f"{at}/tru-so").text
    assert KNOWN in form
    assert "thôn Mẫu village" in form
    assert 'name="village_id"' not in form
    other = sent | {"commune_id": str(province["far_commune"]), "village_id": str(province["far_village"])}
    refused = client.post(f"{at}/tru-so", data=other | {"csrf_token": csrf(client.get(at))})
    assert refused.status_code == 409
    assert KNOWN in refused.text


def test_a_commune_is_chosen_before_anything_can_be_recorded(browser: Browser, province: Province) -> None:
    province.organisation("roaming", OrganisationKind.AUTHORITY, None)
    client, at = browser("admin"), f"/don-vi/{province['roaming']}/tru-so"
    first = client.get(at).text
    assert 'name="commune"' in first
    assert 'name="version"' not in first
    assert client.get(f"{at}?commune={new_id()}").status_code == 200
    at += f"?commune={province['far_commune']}"
    second = client.get(at).text
    assert 'name="commune"' not in second
    assert "xã Mẫu far_commune" in second
    assert "thôn Mẫu far_village" in second
    values = {"version": "1", "commune_id": str(province["far_commune"]), "village_id": ""}
    shown = client.get(send(client, at, **values).location).text
    assert "Đã lưu xã, phường của trụ sở; chưa chọn thôn." in shown
    assert "Thêm trụ sở" in shown
