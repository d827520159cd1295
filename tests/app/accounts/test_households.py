"""Households that join and leave, and what was known of it then."""

from datetime import timedelta

import pytest

from app import clock
from app.accounts import households, queries
from app.accounts.models import PersonalData
from app.accounts.schemas import HouseholdIn
from app.actor import SYSTEM
from app.db import new_id
from app.errors import Conflict, Forbidden
from tests.worlds.organisations import Province, counts


def test_a_household_is_added_once(province: Province) -> None:
    minh = province.actor("minh")
    form = HouseholdIn(id=new_id(), name="Hộ số 7", village_id=province["village"])
    for _ in range(2):
        with province.database.transaction(minh) as session:
            assert households.add_household(session, minh, province["coop"], form).id == form.id
    joined = province.one("SELECT count(*) FROM household_memberships WHERE household_id = :id", id=form.id)
    assert joined == 1
    other = form.model_copy(update={"name": "Hộ số 8"})
    with pytest.raises(Conflict), province.database.transaction(province.actor("minh")) as session:
        households.add_household(session, province.actor("minh"), province["coop"], other)
    assert province.one("SELECT name FROM organisations WHERE id = :id", id=form.id) == "Hộ số 7"


def test_naming_the_id_of_a_foreign_household_does_not_adopt_it(province: Province) -> None:
    minh, before = province.actor("minh"), counts(province)
    form = HouseholdIn(id=province["other_household"], name="Hộ other_household", village_id=province["far_village"])
    with pytest.raises(Conflict), province.database.transaction(minh) as session:
        households.add_household(session, minh, province["coop"], form)
    assert counts(province) == before


def test_a_household_that_left_is_out_of_reach_the_day_after(province: Province) -> None:
    minh = province.actor("minh")
    yesterday = clock.today() - timedelta(days=1)
    with province.database.transaction(minh) as session:
        households.end_household(session, minh, province["household"], province["coop"], on=yesterday)
    after = province.actor("minh")
    assert after.organisations == {province["coop"]}
    with province.database.transaction(after) as session:
        assert session.get(PersonalData, province["lanh"]) is None
    with province.database.transaction(SYSTEM) as session:
        assert queries.member_household_page(session, SYSTEM, province["coop"]).rows == []


def test_no_cooperative_pulls_in_a_foreign_household(province: Province) -> None:
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        households.join_household(session, minh, province["other_household"], province["coop"], on=clock.today())
    assert counts(province) == before
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        households.join_household(session, admin, province["other_household"], province["coop"], on=clock.today())
    assert province["other_household"] in province.actor("minh").organisations
