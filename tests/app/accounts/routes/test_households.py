"""Adding a household and who farms in it."""

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
