"""The first page of a phone, and who opens the others."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from app import clock
from app.actor import SYSTEM
from app.db import Words, new_id
from app.notices import service as notices
from app.notices.models import Urgency
from tests.app.doors.farmer.forms import text_of
from tests.worlds.phone import PhoneOf, World, ago, kilos


def test_home_greets_by_name_and_offers_the_tiles_of_the_plot_worked_on_last(world: World, phone_of: PhoneOf) -> None:
    world.site("pond", "household", "Ao sau nhà", "pond")
    world.log("feeding", ago(hours=30), site="pond", material="Cám", **kilos("5"))
    world.log("weeding", ago(hours=40))
    shown = phone_of("lanh").get("/nong-dan")
    words = text_of(shown)
    assert shown.status_code == 200
    assert "Chào bác Lành" in words
    assert "Cho ăn · 5 kg Cám" in words
    assert re.findall(r'class="tile \w+" href="/nong-dan/ghi/(\w+)', shown.text) == [
        "feeding", "treating", "cleaning", "harvesting", "observing",
    ]  # fmt: skip
    assert f"vuon={world['pond']}" in shown.text
    assert "ear()" not in shown.text


def test_home_says_until_when_nothing_may_be_harvested(world: World, phone_of: PhoneOf) -> None:
    world.log("spraying", ago(days=5), material="Bt", pre_harvest_days=21)
    until = (clock.local(ago(days=5)).date() + timedelta(days=21)).strftime("%d/%m")
    assert f"Chưa hái được. Cách ly Bt, từ {until} mới hái" in text_of(phone_of("lanh").get("/nong-dan"))


def test_home_names_the_harvest_of_this_week_and_leads_to_it(world: World, phone_of: PhoneOf) -> None:
    today = clock.today()
    world.cycle("hill", "household", "na dai", started=today - timedelta(days=100), harvest=today + timedelta(days=3))
    shown = phone_of("lanh").get("/nong-dan")
    assert "Tuần này: thu hoạch na dai" in text_of(shown)
    assert "/nong-dan/ghi/harvesting?" in shown.text


@pytest.mark.parametrize("path", ["", "/ho", "/nhat-ky", "/ghi/weeding", "/viec-khac", "/muc-khac", "/cho-lam/them"])
def test_nobody_sees_the_phone_pages_without_signing_in(world: World, phone_of: PhoneOf, path: str) -> None:
    stranger = phone_of("lanh")
    stranger.delete_cookie("hoi_phien")
    answer = stranger.get(f"/nong-dan{path}")
    assert (answer.status_code, answer.location.split("?")[0]) == (303, "/dang-nhap")


def test_every_page_of_the_phone_opens(world: World, phone_of: PhoneOf) -> None:
    log = world.log("spraying", ago(days=2), material="Bt", pre_harvest_days=7, quantity=Decimal(2), unit="tank16")
    phone = phone_of("lanh")
    for path in (
        "",
        "/ghi/spraying",
        "/ho",
        "/nhat-ky",
        "/viec-khac",
        "/muc-khac",
        "/cho-lam/them",
        f"/viec/{log}",
        f"/viec/{log}/sua",
    ):
        shown = phone.get(f"/nong-dan{path}")
        assert shown.status_code == 200, path
        assert shown.text.count('data-speak="#main"') == 1, path
        assert phone.get(f"/nong-dan{path}?lang=en").status_code == 200, path
    assert phone.get("/nong-dan/ghi/flying").status_code == 404


def test_the_list_of_households_counts_what_stands(world: World, phone_of: PhoneOf) -> None:
    world.log("weeding", ago(seconds=3))
    first = world.log("weeding", ago(seconds=2))
    phone = phone_of("lanh")
    assert "hôm nay đã ghi 2 việc" in text_of(phone.get("/nong-dan/ho"))
    phone.post(f"/nong-dan/viec/{first}/bo", data={"id": str(new_id())})
    assert "hôm nay đã ghi 1 việc" in text_of(phone.get("/nong-dan/ho"))


def told(world: World, urgency: Urgency, title: str) -> None:
    with world.database.transaction(SYSTEM) as session:
        notices.tell(
            session,
            SYSTEM,
            person_ids=[world["lanh"]],
            reason="test",
            urgency=urgency,
            title=Words(vi=title),
            body=Words(vi="Hãy xem."),
            link=None,
            key=title,
        )


def test_the_farmer_finds_her_notices_and_an_urgent_one_stands_on_the_first_page(
    world: World, phone_of: PhoneOf
) -> None:
    phone = phone_of("lanh")
    assert "chưa xem" not in text_of(phone.get("/nong-dan"))
    assert 'role="alert"' not in phone.get("/nong-dan").text
    first = re.search(r'<a class="link-row inset" href="([^"]+)">', phone.get("/nong-dan/muc-khac").text)
    assert first is not None
    assert first[1] == "/tin-bao"
    told(world, Urgency.NORMAL, "Có lời mời")
    home = phone.get("/nong-dan")
    assert "Tin báo: 1 chưa xem" in text_of(home)
    assert 'role="alert"' not in home.text
    told(world, Urgency.HIGH, "Lô NA-1 bị thu hồi")
    home = phone.get("/nong-dan")
    assert "Tin báo: 2 chưa xem" in text_of(home)
    assert "Lô NA-1 bị thu hồi" in text_of(home)
    assert 'class="btn wide" href="/tin-bao"' in home.text
    assert "2 chưa xem" in text_of(phone.get("/nong-dan/muc-khac"))
    assert "chưa xem" not in text_of(phone_of("pao").get("/nong-dan"))
    assert phone.get("/tin-bao").status_code == 200
    phone.post("/tin-bao/da-xem")
    assert "chưa xem" not in text_of(phone.get("/nong-dan"))
    assert "thu hồi" not in text_of(phone.get("/nong-dan"))
