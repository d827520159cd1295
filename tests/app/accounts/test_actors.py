"""Who a cookie is, and until when."""

from datetime import timedelta

from sqlalchemy import update

from app import clock
from app.accounts import people, schemas, signin
from app.accounts.models import SignIn, SignInMethod
from app.actor import PUBLIC, SYSTEM, Role
from app.db import new_id
from tests.worlds.organisations import Province


def test_a_sign_in_is_its_person_until_it_ends(province: Province) -> None:
    found = province.granted("minh")
    actor = province.who(found.token)
    assert (actor.person_id, actor.sign_in_id) == (province["minh"], found.sign_in_id)
    assert actor.roles == {Role.COOPERATIVE_MANAGER}
    assert actor.organisations == {province["coop"], province["household"]}
    with province.database.transaction(province.actor("minh")) as session:
        signin.end(session, province.actor("minh"), found.sign_in_id)
    assert province.who(found.token) == PUBLIC
    assert province.who("made up") == PUBLIC


def test_a_sign_in_expires(province: Province) -> None:
    found = province.granted("minh")
    with province.database.transaction(SYSTEM) as session:
        session.execute(update(SignIn).values(expires_at=clock.machine_now() - timedelta(seconds=1)))
    assert province.who(found.token) == PUBLIC


def test_a_sign_in_by_card_is_a_farmer_and_nothing_else(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        form = schemas.PersonIn(
            id=new_id(), full_name="Hoàng Thị Lành", address_as="bác", phone="0912000005", role=Role.COOPERATIVE_MANAGER
        )
        people.add_person(session, admin, province["coop"], form)
    by_password, by_card = province.granted("lanh"), province.granted("lanh", SignInMethod.CARD)
    assert province.who(by_password.token).roles == {Role.FARMER, Role.COOPERATIVE_MANAGER}
    actor = province.who(by_card.token)
    assert (actor.roles, actor.organisations) == ({Role.FARMER}, {province["household"]})
    assert by_card.max_age_seconds == 365 * 86400


def test_being_seen_is_written_every_five_minutes_at_most(province: Province) -> None:
    found = province.granted("minh")
    first = province.one("SELECT last_seen_at FROM sign_ins WHERE id = :id", id=found.sign_in_id)
    province.who(found.token)
    assert province.one("SELECT last_seen_at FROM sign_ins WHERE id = :id", id=found.sign_in_id) == first
    with province.database.transaction(SYSTEM) as session:
        session.execute(update(SignIn).values(last_seen_at=clock.machine_now() - timedelta(minutes=6)))
    province.who(found.token)
    assert province.one("SELECT last_seen_at FROM sign_ins WHERE id = :id", id=found.sign_in_id) >= first


def test_the_erased_sign_in_nowhere(province: Province) -> None:
    found = province.granted("lanh")
    with province.database.transaction(SYSTEM) as session:
        session.connection().exec_driver_sql("UPDATE people SET erased_at = now()")
    assert province.who(found.token) == PUBLIC
