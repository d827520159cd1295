"""A lent or lost card writes down work and decides nothing over who is more than a farmer."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import consents, devices, households, people, privacy, roles, signin
from app.accounts.models import AddressAs, Membership, Purpose, SignInMethod
from app.accounts.schemas import PersonalChange
from app.accounts.signin import Granted
from app.actor import SYSTEM, Actor, Role
from app.db import new_id
from app.errors import Forbidden
from tests.worlds.organisations import Desk, Province, held_about

NEW_PHONE = PersonalChange(full_name="Hoàng Thị Lành", address_as=AddressAs.BAC, phone="0911 111 111")


def farming(session: Session, province: Province) -> UUID:
    """Lành's role in her household."""
    at_home = (Membership.person_id == province["lanh"], Membership.organisation_id == province["household"])
    return session.scalars(select(Membership.id).where(*at_home)).one()


DEEDS: dict[str, Callable[[Session, Actor, Province], object]] = {
    "erase": lambda s, a, _: privacy.erase(s, a, new_id()),
    "change": lambda s, a, p: people.change_personal_data(s, a, p["lanh"], NEW_PHONE),
    "everything": lambda s, a, _: privacy.everything_about(s, a),
    "consent": lambda s, a, _: consents.answer_consents(s, a, {Purpose.ACCOUNT}),
    "withdraw": lambda s, a, _: consents.withdraw(s, a, Purpose.PUBLIC_NAME),
    "leave": lambda s, a, p: roles.end_role(s, a, farming(s, p)),
    "household_leaves": lambda s, a, p: households.end_household(s, a, p["household"], p["coop"], on=clock.today()),
    "sign_out": lambda s, a, _: devices.sign_out_everywhere(s, a),
}


def by_card(desk: Desk) -> Actor:
    granted = desk.by_pin(desk.pin)
    assert isinstance(granted, Granted)
    actor = desk.who(granted)
    assert actor.device_id is not None
    return actor


OWN_HOUSEHOLD: dict[str, Callable[[Session, Actor, Province], object]] = {
    "password": lambda s, a, p: people.first_password(s, a, p["household"], p["lanh"]),
    "end": lambda s, a, p: people.end_sign_ins(s, a, p["household"], p["lanh"]),
}


@pytest.mark.parametrize("deed", DEEDS | OWN_HOUSEHOLD)
@pytest.mark.parametrize(
    ("at", "role"),
    [("coop", Role.PURCHASER), ("other", Role.COOPERATIVE_MANAGER), ("office", Role.COMMUNE_OFFICIAL)],
)
def test_a_card_decides_nothing_over_who_is_more_than_a_farmer(desk: Desk, deed: str, at: str, role: Role) -> None:
    actor = by_card(desk)
    desk.province.also("lanh", at, role)
    before = held_about(desk.province)
    with pytest.raises(Forbidden) as refused, desk.province.database.transaction(actor) as session:
        (DEEDS | OWN_HOUSEHOLD)[deed](session, actor, desk.province)
    if deed in DEEDS:
        assert refused.value.code == "card_only_writes"
        assert refused.value.text("vi") == "Máy vào bằng thẻ chỉ để ghi việc. Đăng nhập bằng mật khẩu để làm việc này."
        assert refused.value.text("en")
    assert held_about(desk.province) == before


@pytest.mark.parametrize("deed", DEEDS)
def test_a_farmers_card_decides_over_the_farmer_as_before(desk: Desk, deed: str) -> None:
    actor = by_card(desk)
    with desk.province.database.transaction(actor) as session:
        DEEDS[deed](session, actor, desk.province)


def test_a_password_decides_over_who_is_more_than_a_farmer(province: Province) -> None:
    province.also("lanh", "coop", Role.PURCHASER)
    lanh = province.actor("lanh")
    for deed in ("change", "everything", "consent", "withdraw", "sign_out", "erase"):
        with province.database.transaction(lanh) as session:
            DEEDS[deed](session, lanh, province)
    assert province.one("SELECT count(*) FROM personal_data WHERE person_id = :p", p=province["lanh"]) == 0


def test_a_card_ends_its_own_sign_in_and_no_other_of_a_manager(desk: Desk) -> None:
    actor = by_card(desk)
    desk.province.also("lanh", "coop", Role.COOPERATIVE_MANAGER)
    with desk.province.database.transaction(SYSTEM) as session:
        other = signin.start(session, SYSTEM, desk.province["lanh"], method=SignInMethod.PASSWORD, agent="Firefox")
    before = held_about(desk.province)
    with pytest.raises(Forbidden) as refused, desk.province.database.transaction(actor) as session:
        signin.end(session, actor, other.sign_in_id)
    assert refused.value.code == "card_only_writes"
    assert held_about(desk.province) == before
    assert actor.sign_in_id is not None
    with desk.province.database.transaction(actor) as session:
        signin.end(session, actor, actor.sign_in_id)
    still = desk.province.rows("SELECT id FROM sign_ins WHERE ended_at IS NULL")
    assert still == [(other.sign_in_id,)]
