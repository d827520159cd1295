"""Which official sees which place: home leads to their own, and a place elsewhere cannot be found."""

from typing import Any

import pytest

from app.db import new_id
from tests.app.doors.official.conftest import SignIn, facts, send
from tests.worlds.village import Province


@pytest.mark.parametrize(
    ("who", "place"), [("officer", "/thon/village"), ("commune", "/xa/commune"), ("province", "/tinh")]
)
def test_home_leads_each_official_to_their_own_place(province: Province, sign_in: SignIn, who: str, place: str) -> None:
    answer = sign_in(who).get("/thon-thong-minh")
    kind, _, name = place[1:].partition("/")
    assert (answer.status_code, answer.location) == (303, f"/{kind}/{province.ids[name]}" if name else "/tinh")


@pytest.mark.parametrize(
    "address",
    [
        "/tinh",
        "/tinh/thon.csv",
        "/tinh/tieu-chi/wifi-nha-van-hoa",
        "/xa/{commune}",
        "/xa/{commune}/thon.csv",
        "/xa/{commune}/tieu-chi/wifi-nha-van-hoa",
        "/thon/{village}",
        "/thon/{village}/in",
        "/thon/{village}/tieu-chi/ocop-tren-san",
        "/thon/{village}/ghi",
        "/thon/{village}/ghi/wifi",
    ],
)
def test_official_of_another_commune_cannot_find_any_page(province: Province, sign_in: SignIn, address: str) -> None:
    client = sign_in("foreigner")
    there = address.format(commune=province.commune, village=province.village)
    nowhere = address.format(commune=new_id(), village=new_id())
    assert client.get(there).status_code == client.get(nowhere).status_code == 404


def test_official_of_another_commune_writes_nothing(province: Province, sign_in: SignIn) -> None:
    form = {"id": str(new_id()), "available": "1", "observed_on": "2026-11-20"}
    assert send(sign_in("foreigner"), f"/thon/{province.village}/ghi/wifi", form).status_code == 404
    assert facts(province) == 0


def test_visitor_is_asked_to_sign_in(app: Any, province: Province) -> None:
    answer = app.test_client().get(f"/thon/{province.village}")
    assert answer.status_code == 303
    assert answer.location.startswith("/dang-nhap")
