"""The days to wait: whose they are, and the harvest inside them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app import clock
from tests.app.doors.farmer.forms import answered, form, text_of
from tests.worlds.phone import PhoneOf, World, ago


def spray(world: World, **more: Any) -> dict[str, Any]:
    """As the page without a script sends it, with 7 days shown for Dầu khoáng and left as they are."""
    shown = {"days_for": "Dầu khoáng", "days_shown": "7", "pre_harvest_days": "7", "amount": "tank16:1"}
    return form(world, **shown | more)


@pytest.fixture
def two_sprays(world: World) -> World:
    world.log("spraying", ago(days=40), material="Bacillus", pre_harvest_days=3)
    world.log("spraying", ago(days=30), material="Dầu khoáng", pre_harvest_days=7)
    return world


@pytest.mark.parametrize(
    ("more", "stored"),
    [
        ({"material": "Bacillus"}, ("Bacillus", 3)),
        ({"material": "+", "material_other": "bacillus"}, ("bacillus", 3)),
        ({"material": "Dầu khoáng"}, ("Dầu khoáng", 7)),
        ({"material": "Bacillus", "pre_harvest_days": "14"}, ("Bacillus", 14)),
        ({"material": "+", "material_other": "Thuốc mới"}, ("Thuốc mới", None)),
        ({"material": "Bacillus", "days_for": ""}, ("Bacillus", 7)),
    ],
    ids=["own", "own-typed", "the-same", "chosen-by-hand", "not-known", "chosen-with-script"],
)
def test_days_shown_for_another_material_are_never_taken_over(
    two_sprays: World, phone_of: PhoneOf, more: dict[str, str], stored: tuple[str, int | None]
) -> None:
    page = phone_of("lanh").get("/nong-dan/ghi/spraying").text
    assert (
        '<input type="hidden" name="days_for" value="Dầu khoáng"><input type="hidden" name="days_shown" value="7">'
        in page
    )
    assert phone_of("lanh").post("/nong-dan/ghi/spraying", data=spray(two_sprays, **more)).status_code == 303
    log = two_sprays.logs()[-1]
    assert (log.material, log.pre_harvest_days) == stored


@pytest.mark.parametrize(("days", "said"), [("3", "lần này chỉ 3 ngày"), ("", "lần này chưa rõ")])
def test_fewer_days_than_ever_are_asked_once_and_never_become_the_usual_ones(
    two_sprays: World, phone_of: PhoneOf, days: str, said: str
) -> None:
    phone, there = phone_of("lanh"), "/nong-dan/ghi/spraying"
    asked = phone.post(there, data=spray(two_sprays, material="Dầu khoáng", pre_harvest_days=days))
    assert f"Dầu khoáng: trước đây ghi cách ly 7 ngày, {said}." in text_of(asked)
    assert len(two_sprays.logs()) == 2
    assert phone.post(there, data=answered(asked, anyway="1")).status_code == 303
    assert two_sprays.logs()[-1].pre_harvest_days == (int(days) if days else None)
    shown = phone.get(there).text
    assert 'value="Dầu khoáng" checked data-days="7"' in shown
    assert 'name="pre_harvest_days" value="7" checked' in shown


def test_days_that_are_no_usual_number_can_be_chosen_again(world: World, phone_of: PhoneOf) -> None:
    world.log("spraying", ago(days=40), material="Thuốc A", pre_harvest_days=5)
    assert 'name="pre_harvest_days" value="5" checked' in phone_of("lanh").get("/nong-dan/ghi/spraying").text


def test_a_harvest_inside_the_waiting_days_is_asked_once_more_in_words(world: World, phone_of: PhoneOf) -> None:
    world.log("spraying", ago(days=5), material="Bt", pre_harvest_days=21)
    sprayed = clock.local(ago(days=5)).date()
    phone, sent = phone_of("lanh"), form(world, amount="kg:50")
    asked = phone.post("/nong-dan/ghi/harvesting", data=sent)
    assert asked.status_code == 200
    until = sprayed + timedelta(days=21)
    assert f"{sprayed:%d/%m/%Y} dùng Bt, cách ly 21 ngày: từ {until:%d/%m/%Y} mới được hái." in text_of(asked)
    assert len(world.logs()) == 1
    again = answered(asked, anyway="1")
    assert phone.post("/nong-dan/ghi/harvesting", data=again).location == f"/nong-dan/viec/{sent['id']}"
    assert [(log.kind, log.quantity) for log in world.logs()][1:] == [("harvesting", Decimal(50))]


@pytest.mark.parametrize(("days_ago", "asked"), [(30, True), (31, False)])
def test_a_harvest_after_a_treatment_of_unknown_days_to_wait_is_warned_of_and_asked_once_more(
    world: World,
    phone_of: PhoneOf,
    days_ago: int,
    asked: bool,  # noqa: FBT001 - a case
) -> None:
    world.log("spraying", ago(days=days_ago), material="Bt", pre_harvest_days=None)
    phone, day = phone_of("lanh"), clock.local(ago(days=days_ago)).date()
    until = day + timedelta(days=31)
    home = f"Lần dùng thuốc ngày {day:%d/%m} chưa rõ cách ly. Hãy xem nhãn thuốc trước khi hái"
    words = f"Lần dùng thuốc ngày {day:%d/%m/%Y} chưa rõ cách ly. Hãy xem nhãn thuốc; chưa rõ thì từ {until:%d/%m/%Y} mới hái."
    assert (home in text_of(phone.get("/nong-dan"))) is asked
    assert (words in text_of(phone.get("/nong-dan/ghi/harvesting"))) is asked
    answer = phone.post("/nong-dan/ghi/harvesting", data=form(world, amount="kg:50"))
    assert (words in text_of(answer)) is asked
    assert len(world.logs()) == (1 if asked else 2)


@pytest.mark.parametrize(("days_ago", "asked"), [(6, True), (7, False)])
def test_the_first_allowed_day_is_the_day_of_spraying_plus_the_days_on_the_label(
    world: World,
    phone_of: PhoneOf,
    days_ago: int,
    asked: bool,  # noqa: FBT001 - a case
) -> None:
    world.log("spraying", ago(days=days_ago), material="Bt", pre_harvest_days=7)
    answer = phone_of("lanh").post("/nong-dan/ghi/harvesting", data=form(world, amount="kg:50"))
    assert (answer.status_code == 200) is asked
    assert len(world.logs()) == (1 if asked else 2)
