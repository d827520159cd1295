"""Phones that hold a card: signed out, lost, found again."""

import pytest

from app.accounts import cards, devices
from app.accounts.card_scans import CardState
from app.accounts.signin import Granted
from app.actor import PUBLIC
from app.errors import Forbidden, NotFound
from tests.worlds.organisations import KEY, Desk


@pytest.mark.parametrize(("unbind", "still_bound"), [(False, 1), (True, 0)])
def test_signing_out_everywhere_unbinds_the_phones_when_asked(desk: Desk, *, unbind: bool, still_bound: int) -> None:
    granted = desk.by_pin(desk.pin)
    assert isinstance(granted, Granted)
    lanh = desk.province.actor("lanh")
    with desk.province.database.transaction(lanh) as session:
        assert devices.sign_out_everywhere(session, lanh, unbind=unbind) == 1
    assert desk.who(granted) == PUBLIC
    assert desk.devices() == still_bound
    assert desk.scan().state == (CardState.PHONE_GONE if unbind else CardState.BOUND_HERE)


@pytest.mark.parametrize("by", ["minh", "lanh"])
def test_a_lost_phone_is_out_at_once(desk: Desk, by: str) -> None:
    granted = desk.by_pin(desk.pin)
    assert isinstance(granted, Granted)
    device = desk.province.one("SELECT id FROM devices")
    actor = desk.province.actor(by)
    with desk.province.database.transaction(actor) as session:
        devices.revoke_device(session, actor, device)
    assert desk.who(granted) == PUBLIC
    with pytest.raises(Forbidden):
        desk.enter()
    assert desk.scan().state == CardState.PHONE_GONE


def test_a_found_phone_comes_back_by_the_cooperatives_word(desk: Desk) -> None:
    desk.by_pin(desk.pin)
    minh = desk.province.actor("minh")
    with desk.province.database.transaction(minh) as session:
        devices.revoke_device(session, minh, desk.province.one("SELECT id FROM devices"))
    desk.decide(desk.ask(), right=True)
    assert desk.who(desk.enter()).person_id == desk.province["lanh"]


@pytest.mark.parametrize("by", ["khac", "xa", "sau"])
def test_strangers_revoke_nothing(desk: Desk, by: str) -> None:
    desk.by_pin(desk.pin)
    device, actor = desk.province.one("SELECT id FROM devices"), desk.province.actor(by)
    with pytest.raises(NotFound), desk.province.database.transaction(actor) as session:
        devices.revoke_device(session, actor, device)
    with pytest.raises(NotFound), desk.province.database.transaction(actor) as session:
        cards.revoke_card(session, actor, desk.id)
    with pytest.raises(NotFound), desk.province.database.transaction(actor) as session:
        cards.printed(session, actor, desk.id, key=KEY)
    assert desk.devices() == 1
    assert desk.province.one("SELECT revoked_at FROM cards") is None
