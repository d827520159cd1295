"""Who may give a role and end one, and what a refusal leaves behind: nothing."""

from datetime import timedelta

import pytest

from app import clock
from app.accounts import organisations, people, queries, roles
from app.accounts.schemas import OrganisationChange
from app.actor import Right, Role
from app.errors import Conflict, Forbidden
from tests.worlds.organisations import Province, counts, somebody


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.PROVINCE_OFFICIAL, Role.CERTIFIER])
def test_a_manager_grants_no_role_of_the_state(province: Province, role: Role) -> None:
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        people.add_person(session, minh, province["coop"], somebody(role=role))
    assert counts(province) == before


def test_one_ends_ones_own_role(province: Province) -> None:
    lanh = province.actor("lanh")
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["lanh"])
    with province.database.transaction(lanh) as session:
        roles.end_role(session, lanh, membership)
    assert province.actor("lanh").memberships == ()
    assert province.one("SELECT ended_by FROM memberships WHERE id = :id", id=membership) == province["lanh"]


def test_a_role_ends_at_once_and_stays_in_the_history(province: Province) -> None:
    minh = province.actor("minh")
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["lanh"])
    with province.database.transaction(minh) as session:
        roles.end_role(session, minh, membership)
    assert province.actor("lanh").memberships == ()
    row = province.rows("SELECT valid_to, ended_by FROM memberships WHERE id = :id", id=membership)[0]
    assert row == (clock.today() - timedelta(days=1), province["minh"])


def test_the_last_manager_stays(province: Province) -> None:
    minh = province.actor("minh")
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["minh"])
    with pytest.raises(Conflict) as refused, province.database.transaction(minh) as session:
        roles.end_role(session, minh, membership)
    assert refused.value.code == "last_manager"
    assert province.one("SELECT valid_to FROM memberships WHERE id = :id", id=membership) is None


def test_one_of_two_managers_leaves_and_the_second_stays(province: Province) -> None:
    province.also("lanh", "coop", Role.COOPERATIVE_MANAGER)
    for name, leaves in (("minh", True), ("lanh", False)):
        actor = province.actor(name)
        membership = province.one(
            "SELECT id FROM memberships WHERE person_id = :p AND role = 'cooperative_manager'", p=province[name]
        )
        if leaves:
            with province.database.transaction(actor) as session:
                roles.end_role(session, actor, membership)
        else:
            with pytest.raises(Conflict, match="last_manager"), province.database.transaction(actor) as session:
                roles.end_role(session, actor, membership)
        assert (Role.COOPERATIVE_MANAGER in province.actor(name).roles) is not leaves


def test_a_manager_who_farms_elsewhere_gives_no_roles_there(province: Province) -> None:
    province.also("minh", "other_household", Role.FARMER)
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        people.add_person(session, minh, province["other_household"], somebody())
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        form = OrganisationChange(name="Hộ khác", version=1)
        organisations.change_organisation(session, minh, province["other_household"], form)
    with province.database.transaction(minh) as session:
        row = queries.organisation(session, minh, province["other_household"])
        assert roles.grantable(minh, row) == []
        assert not minh.may(Right.MANAGE_PEOPLE, row.id)
    assert counts(province) == before
    assert province.one("SELECT name FROM organisations WHERE id = :o", o=row.id) == "Hộ other_household"
