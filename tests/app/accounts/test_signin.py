"""Sign-ins that end when they should, and by whom they may be ended."""

import pytest

from app.accounts import signin
from app.actor import PUBLIC
from app.errors import HoiError
from tests.worlds.organisations import Province


def test_nobody_ends_the_sign_in_of_another(province: Province) -> None:
    found, khac = province.granted("minh"), province.actor("khac")
    with pytest.raises(HoiError), province.database.transaction(khac) as session:
        signin.end(session, khac, found.sign_in_id)
    assert province.who(found.token) != PUBLIC


def test_everywhere_is_everywhere(province: Province) -> None:
    found = [province.granted("minh") for _ in range(3)]
    other = province.granted("khac")
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        assert signin.end_all(session, minh, province["minh"]) == 3
    assert [province.who(f.token) for f in found] == [PUBLIC] * 3
    assert province.who(other.token) != PUBLIC


def test_a_browser_is_described_in_words_people_know() -> None:
    android = "Mozilla/5.0 (Linux; Android 13; SM-A127F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36"
    assert signin.describe(android) == "Chrome trên Android (SM-A127F)"
    assert signin.describe("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) AppleWebKit Safari/604.1") == "Safari trên iPhone"
    assert signin.describe("") == "Trình duyệt"
