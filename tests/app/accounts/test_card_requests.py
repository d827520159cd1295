"""A phone that waits for the cooperative's word."""

from datetime import timedelta

import pytest

from app import clock
from app.accounts import households
from app.accounts.card_scans import CardState
from app.accounts.models import CardRequest
from app.actor import Role
from app.errors import Conflict, Forbidden, NotFound, TooMany
from tests.worlds.organisations import OTHER_PHONE, Desk


def test_the_cooperatives_word_binds_the_waiting_phone(desk: Desk) -> None:
    request = desk.ask()
    assert desk.ask().id == request.id
    assert desk.scan().state == CardState.WAITING
    assert desk.scan().number == request.number
    assert desk.scan(OTHER_PHONE).state == CardState.FRESH
    with pytest.raises(Forbidden):
        desk.enter()
    desk.decide(request, right=True)
    desk.decide(request, right=True)
    assert desk.devices() == 1
    assert desk.who(desk.enter()).person_id == desk.province["lanh"]
    with pytest.raises(Forbidden):
        desk.enter(OTHER_PHONE)
    actions = {r.action for r in desk.province.rows("SELECT action FROM audit_entries")}
    assert {"accounts:card:print", "accounts:card:ask", "accounts:card:bind", "accounts:sign_in:start"} <= actions


def test_a_refused_phone_stays_out(desk: Desk) -> None:
    request = desk.ask()
    desk.decide(request, right=False)
    assert desk.scan().state == CardState.REFUSED
    with pytest.raises(Forbidden):
        desk.enter()
    with pytest.raises(Conflict):
        desk.decide(request, right=True)
    assert desk.devices() == 0


def test_a_request_runs_out_after_a_quarter_of_an_hour(desk: Desk) -> None:
    request = desk.ask()
    desk.age(CardRequest, timedelta(minutes=15))
    assert desk.scan().state == CardState.FRESH
    with pytest.raises(Conflict) as refused:
        desk.decide(request, right=True)
    assert refused.value.code == "request_over"
    assert desk.devices() == 0


def test_another_cooperatives_manager_has_no_say(desk: Desk) -> None:
    request = desk.ask()
    with pytest.raises(NotFound):
        desk.decide(request, right=True, by="khac")
    with pytest.raises(NotFound):
        desk.decide(request, right=True, by="lanh")
    assert desk.devices() == 0


def test_a_manager_of_a_household_that_left_has_no_say(desk: Desk) -> None:
    request, minh = desk.ask(), desk.province.actor("minh")
    yesterday = clock.today() - timedelta(days=1)
    with desk.province.database.transaction(minh) as session:
        households.end_household(session, minh, desk.province["household"], desk.province["coop"], on=yesterday)
    with pytest.raises(Forbidden):
        desk.decide(request, right=True)
    assert desk.devices() == 0


def test_another_phone_asks_after_the_first_is_bound(desk: Desk) -> None:
    desk.by_pin(desk.pin)
    request = desk.ask(OTHER_PHONE)
    with pytest.raises(Forbidden):
        desk.enter(OTHER_PHONE)
    desk.decide(request, right=True)
    assert desk.who(desk.enter(OTHER_PHONE)).person_id == desk.province["lanh"]
    assert desk.devices() == 2


def test_a_card_is_not_asked_about_without_end(desk: Desk) -> None:
    for n in range(5):
        desk.ask(f"phone {n}")
    with pytest.raises(TooMany):
        desk.ask("phone 6")
    assert desk.province.one("SELECT count(*) FROM card_requests") == 5


def test_a_phone_that_waits_is_not_let_in_once_its_person_is_an_official(desk: Desk) -> None:
    request = desk.ask()
    desk.province.also("lanh", "office", Role.COMMUNE_OFFICIAL)
    with pytest.raises(Forbidden) as refused:
        desk.decide(request, right=True)
    assert refused.value.code == "roles_elsewhere"
    assert desk.devices() == 0
    assert desk.province.one("SELECT state FROM card_requests") == "waiting"
