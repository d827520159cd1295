"""A printed card: its secrets, whose may be printed, printed anew and revoked."""

import pytest

from app.accounts import card_scans, cards, queries, tokens
from app.accounts.card_scans import CardState
from app.accounts.schemas import PrintCard
from app.accounts.signin import Granted
from app.actor import PUBLIC, SYSTEM, Role
from app.db import new_id
from app.errors import Conflict, Forbidden, HoiError
from tests.worlds.organisations import KEY, PHONE, Desk, Province, held_about


def test_a_secret_has_130_bits_and_is_stored_nowhere(desk: Desk) -> None:
    assert len(desk.secret) == 26
    assert set(desk.secret) <= set(tokens.ALPHABET)
    assert len(desk.pin) == 4
    stored = desk.province.rows("SELECT * FROM cards")[0]
    assert bytes(stored.secret_sha256) == tokens.digest(desk.secret)
    assert desk.secret not in str(stored)


def test_every_card_has_secrets_of_its_own() -> None:
    ids = [new_id() for _ in range(200)]
    assert len({tokens.card_secret(KEY, i) for i in ids}) == 200
    assert len({tokens.card_pin(KEY, i) for i in ids}) > 150
    assert tokens.card_secret(KEY, ids[0]) != tokens.card_secret(b"x" * 32, ids[0])


def test_a_secret_is_read_however_it_was_typed(desk: Desk) -> None:
    spelled = "-".join(desk.secret[i : i + 5] for i in range(0, 26, 5)).lower().replace("0", "o").replace("1", "l")
    assert tokens.read_secret(f"  {spelled} ") == desk.secret


def test_printing_anew_revokes_the_old_card_and_a_lost_ones_phones(desk: Desk) -> None:
    granted, old = desk.by_pin(desk.pin), desk.secret
    assert isinstance(granted, Granted)
    desk.print(old_card="broken")
    assert desk.who(granted).person_id == desk.province["lanh"]
    with desk.province.database.transaction(SYSTEM) as session:
        assert card_scans.scan(session, old, device_token=PHONE).state == CardState.REVOKED
    desk.print()
    assert desk.who(granted) == PUBLIC
    assert desk.province.one("SELECT count(*) FROM cards WHERE revoked_at IS NULL") == 1
    assert desk.devices() == 0


def test_the_same_print_twice_is_one_card(desk: Desk) -> None:
    minh = desk.province.actor("minh")
    form = PrintCard(id=desk.id, person_id=desk.province["lanh"])
    with desk.province.database.transaction(minh) as session:
        assert cards.print_card(session, minh, desk.province["coop"], form, key=KEY).id == desk.id
    assert desk.province.one("SELECT count(*) FROM cards") == 1


def test_nobody_prints_a_card_to_other_peoples_fields(province: Province) -> None:
    minh = province.actor("minh")
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        cards.print_card(session, minh, province["coop"], PrintCard(id=new_id(), person_id=province["sau"]), key=KEY)
    with pytest.raises(Conflict), province.database.transaction(minh) as session:
        cards.print_card(session, minh, province["coop"], PrintCard(id=new_id(), person_id=province["minh"]), key=KEY)
    assert province.one("SELECT count(*) FROM cards") == 0


@pytest.mark.parametrize(
    ("at", "role"),
    [("other", Role.PURCHASER), ("other", Role.COOPERATIVE_MANAGER), ("office", Role.COMMUNE_OFFICIAL)],
)
def test_no_card_for_who_has_another_role_elsewhere(province: Province, at: str, role: Role) -> None:
    province.also("lanh", at, role)
    minh, before = province.actor("minh"), held_about(province)
    form = PrintCard(id=new_id(), person_id=province["lanh"])
    with pytest.raises(Forbidden) as refused, province.database.transaction(minh) as session:
        cards.print_card(session, minh, province["coop"], form, key=KEY)
    assert refused.value.code == "roles_elsewhere"
    assert held_about(province) == before


def test_a_purchaser_of_ones_own_cooperative_gets_a_card(province: Province) -> None:
    province.also("lanh", "coop", Role.PURCHASER)
    assert Desk(province).scan().state == CardState.FRESH


@pytest.mark.parametrize(("at", "role"), [("other", Role.PURCHASER), ("other_household", Role.FARMER)])
def test_buying_or_farming_elsewhere_prints_no_card_there(province: Province, at: str, role: Role) -> None:
    """Minh's own role at the other cooperative, or in its household, opens nobody else's role there."""
    province.also("minh", at, role)
    province.also("lanh", at, role)
    minh, before = province.actor("minh"), held_about(province)
    assert province[at] in minh.organisations
    form = PrintCard(id=new_id(), person_id=province["lanh"])
    with pytest.raises(Forbidden) as refused, province.database.transaction(minh) as session:
        cards.print_card(session, minh, province["coop"], form, key=KEY)
    assert refused.value.code == ("farmer_elsewhere" if role == Role.FARMER else "roles_elsewhere")
    assert held_about(province) == before


def test_printing_needs_a_manager_before_anything_else(province: Province) -> None:
    lanh = province.actor("lanh")
    with pytest.raises(HoiError), province.database.transaction(lanh) as session:
        cards.print_card(session, lanh, province["coop"], PrintCard(id=new_id(), person_id=province["lanh"]), key=KEY)
    with province.database.transaction(SYSTEM) as session:
        assert queries.open_card(session, province["lanh"], province["coop"]) is None
