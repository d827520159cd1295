"""A card is bound once, by the PIN or the cooperative's word, never by being looked at."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from app.accounts import card_scans, cards
from app.accounts.card_scans import CardState
from app.accounts.models import Card
from app.accounts.signin import Granted
from app.actor import SYSTEM
from app.db import Database
from app.errors import Conflict, Forbidden, Invalid, NotFound
from tests.worlds.organisations import KEY, OTHER_PHONE, Desk, Province, make_province


@pytest.mark.parametrize("secret", ["", "0" * 25, "0" * 26, "U" * 26, "../../etc/passwd", "0" * 5000])
def test_a_card_that_does_not_exist(desk: Desk, secret: str) -> None:
    with pytest.raises(NotFound), desk.province.database.transaction(SYSTEM) as session:
        card_scans.scan(session, secret, device_token="")


def test_looking_at_a_card_binds_nothing(desk: Desk) -> None:
    for _ in range(10):
        seen = desk.scan()
    assert seen.state == CardState.FRESH
    assert (seen.person, seen.organisation, seen.pin_left) == ("bác Hoàng Thị Lành", "Đơn vị coop", 5)
    assert desk.devices() == 0
    assert desk.province.one("SELECT count(*) FROM card_requests") == 0
    assert desk.province.one("SELECT bound_at FROM cards") is None


def test_the_pin_binds_once_and_signs_in(desk: Desk) -> None:
    granted = desk.by_pin(desk.pin)
    assert isinstance(granted, Granted)
    assert desk.who(granted).organisations == {desk.province["household"]}
    assert desk.scan().state == CardState.BOUND_HERE
    assert desk.devices() == 1
    assert desk.who(desk.enter()).person_id == desk.province["lanh"]
    assert desk.devices() == 1
    refused = desk.by_pin(desk.pin, OTHER_PHONE)
    assert isinstance(refused, Forbidden)
    assert desk.scan(OTHER_PHONE).state == CardState.BOUND_ELSEWHERE
    assert desk.devices() == 1


def test_five_wrong_pins_leave_only_the_cooperative(desk: Desk) -> None:
    answers = [desk.by_pin(desk.wrong_pin) for _ in range(5)]
    assert [type(a) for a in answers] == [Invalid] * 4 + [Forbidden]
    assert isinstance(desk.by_pin(desk.pin), Forbidden)
    assert desk.scan().pin_left == 0
    assert desk.devices() == 0
    desk.decide(desk.ask(), right=True)
    assert desk.scan().state == CardState.BOUND_HERE


def test_a_photographed_card_costs_its_owner_nothing_once_a_phone_is_bound(desk: Desk) -> None:
    assert isinstance(desk.by_pin(desk.pin), Granted)
    answers = [desk.by_pin(pin, OTHER_PHONE) for pin in (desk.wrong_pin, desk.pin) for _ in range(5)]
    assert {type(a) for a in answers} == {Forbidden}
    assert desk.province.one("SELECT pin_tries FROM cards") == 1
    assert desk.who(desk.enter()).person_id == desk.province["lanh"]
    assert desk.devices() == 1


def test_twenty_pins_at_once_are_five_tries(fresh_database: Database) -> None:
    desk = Desk(make_province(fresh_database))
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(desk.by_pin(desk.wrong_pin))) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 20
    assert desk.province.one("SELECT pin_tries FROM cards") == 5


def test_the_same_pin_on_ten_phones_at_once_binds_one(fresh_database: Database) -> None:
    desk = Desk(make_province(fresh_database))
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(desk.by_pin(desk.pin, f"phone {n}"))) for n in range(10)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(isinstance(a, Granted) for a in answers) == 1
    assert desk.devices() == 1


def test_a_card_never_used_is_worth_nothing_after_seven_days(desk: Desk) -> None:
    request = desk.ask()
    desk.age(Card, timedelta(days=7))
    assert desk.scan(OTHER_PHONE).state == CardState.EXPIRED
    assert isinstance(desk.by_pin(desk.pin), Forbidden)
    with pytest.raises(Forbidden):
        desk.ask(OTHER_PHONE)
    with pytest.raises(Conflict):
        desk.decide(request, right=True)
    with pytest.raises(Conflict), desk.province.database.transaction(desk.province.actor("minh")) as session:
        cards.printed(session, desk.province.actor("minh"), desk.id, key=KEY)
    assert desk.devices() == 0


def test_a_bound_card_outlives_the_seven_days(desk: Desk) -> None:
    desk.by_pin(desk.pin)
    desk.age(Card, timedelta(days=70))
    assert desk.scan().state == CardState.BOUND_HERE
    assert desk.scan(OTHER_PHONE).state == CardState.BOUND_ELSEWHERE


def test_one_phone_may_hold_the_cards_of_a_whole_family(province: Province) -> None:
    mother, neighbour = Desk(province), Desk(province, by="khac", at="other", whose="sau")
    assert isinstance(mother.by_pin(mother.pin), Granted)
    assert isinstance(neighbour.by_pin(neighbour.pin), Granted)
    assert mother.who(mother.enter()).person_id == province["lanh"]
    assert neighbour.who(neighbour.enter()).person_id == province["sau"]
