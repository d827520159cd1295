"""The demo's own pages: its people on the first page, one tap into their doors, and the page of all parts."""

import pytest

from demo import cast
from tests.demo.province import Demo

pytestmark = pytest.mark.slow

DOORS = {
    "farmer": "/nong-dan",
    "cooperative_manager": "/hop-tac-xa",
    "purchaser": "/hop-tac-xa",
    "certifier": "/chung-nhan",
    "extension_officer": "/nong-dan",
}


@pytest.mark.parametrize("player", cast.PLAYERS, ids=lambda p: p.key)
def test_whoever_is_signed_in_goes_to_their_own_door(demo_province: Demo, player: cast.Player) -> None:
    client = demo_province.enter(player.key)
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, DOORS.get(player.role, "/thon-thong-minh"))
    arrived = client.get("/", follow_redirects=True)
    assert arrived.status_code == 200


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


def test_the_demo_shows_all_its_people_and_the_page_of_all_parts(demo_province: Demo) -> None:
    client = demo_province.app.test_client()
    html = client.get("/").get_data(as_text=True)
    assert [p.key for p in cast.PLAYERS if f"/_vao-thu/{p.key}" not in html] == []
    style = client.get("/_style")
    assert (style.status_code, style.headers["X-Robots-Tag"]) == (200, "noindex")


def test_nobody_enters_as_somebody_who_is_not_in_the_demo(demo_province: Demo) -> None:
    assert demo_province.app.test_client().post("/_vao-thu/khong-co").status_code == 404
