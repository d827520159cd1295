"""Who reaches, sees and looks after whom."""

import pytest
from sqlalchemy import select

from app.accounts import queries, rights
from app.accounts.models import Organisation, OrganisationKind, PersonalData
from app.accounts.named_rights import roles_giving
from app.actor import PUBLIC, SYSTEM, Actor, Right, Role, Scope
from app.db import new_id
from app.errors import NotFound
from tests.worlds.organisations import Province


def test_what_each_role_reaches(province: Province) -> None:
    minh, lanh, xa, admin = (province.actor(n) for n in ("minh", "lanh", "xa", "admin"))
    assert minh.organisations == {province["coop"], province["household"]}
    assert lanh.organisations == {province["household"]}
    assert xa.organisations == {province["office"]}
    assert xa.places == {province["commune"], province["village"]}
    assert admin.places == {province[n] for n in ("province", "commune", "village", "far_commune", "far_village")}


def test_a_manager_sees_own_households_and_no_others(province: Province) -> None:
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        assert {o.id for o in queries.organisations(session, minh).rows} == {province["coop"], province["household"]}
        assert queries.organisation(session, minh, province["household"]).name == "Hộ household"
        with pytest.raises(NotFound):
            queries.organisation(session, minh, province["other_household"])
        assert session.get(PersonalData, province["sau"]) is None
        found = session.get(PersonalData, province["lanh"])
        assert found is not None
        assert found.phone == "+84912000005"


def test_an_official_sees_households_of_the_place_and_nobodys_phone(province: Province) -> None:
    xa = province.actor("xa")
    with province.database.transaction(xa) as session:
        seen = {o.id for o in queries.organisations(session, xa).rows}
        assert seen == {province["coop"], province["office"], province["household"]}
        assert session.get(PersonalData, province["lanh"]) is None
        assert queries.members(session, xa, [province["household"]]) == []


def test_the_public_reads_labels_and_no_person(province: Province) -> None:
    with province.database.transaction(PUBLIC) as session:
        ids = [province["coop"], province["household"]]
        assert set(queries.organisation_names(session, ids).values()) == {"Đơn vị coop", "Hộ household"}
        for language, label in (("vi", "một người của hộ"), ("en", "a member of the household")):
            assert queries.public_person_labels(session, [province["lanh"]], language) == {province["lanh"]: label}
        assert session.query(PersonalData).count() == 0


def test_somebody_of_elsewhere_is_not_read_through_ones_own_organisation(province: Province) -> None:
    province.also("minh", "other", Role.PURCHASER)
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        wider = rights.look_after(session, minh, province["coop"])
        assert wider.organisations == {province["coop"], province["household"]}
        with pytest.raises(NotFound):
            queries.looked_after(session, wider, province["khac"])
        assert queries.looked_after(session, wider, province["lanh"]).phone == "+84912000005"


@pytest.mark.parametrize("kind", list(OrganisationKind))
def test_the_place_of_an_organisation_gives_its_diary_only_where_one_writes_for_others(kind: OrganisationKind) -> None:
    village, commune = new_id(), new_id()
    organisation = Organisation(id=new_id(), kind=kind, village_id=village, commune_id=commune)
    kept_for = kind in {OrganisationKind.HOUSEHOLD, OrganisationKind.COOPERATIVE_GROUP}
    for right in Right:
        own = Actor(kind="person", rights={right: Scope(frozenset({organisation.id}))})
        assert rights.may_in(own, right, organisation) is True
        diary = right in {Right.KEEP_DIARY, Right.VOUCH_AS_OFFICER, Right.VOUCH_AS_NEIGHBOUR}
        for place in (village, commune):
            placed = Actor(kind="person", rights={right: Scope(places=frozenset({place}))})
            assert rights.may_in(placed, right, organisation) is (kept_for or not diary)
        elsewhere = Actor(kind="person", rights={right: Scope(places=frozenset({new_id()}))})
        assert rights.may_in(elsewhere, right, organisation) is False


def test_a_list_asks_for_the_organisations_in_which_a_right_holds_as_each_is_asked(province: Province) -> None:
    village, commune = frozenset({province["village"]}), frozenset({province["commune"]})
    with province.database.transaction(SYSTEM) as session:
        everybody = session.scalars(select(Organisation)).all()
        for right in Right:
            for scope in (
                Scope(frozenset({province["other"]})),
                Scope(places=village),
                Scope(frozenset({province["other_household"]}), commune),
                Scope(everywhere=True),
            ):
                for actor in (Actor(kind="person", rights={right: scope}), SYSTEM, PUBLIC):
                    held = set(session.scalars(select(Organisation.id).where(rights.held_in(actor, right))))
                    assert held == {o.id for o in everybody if rights.may_in(actor, right, o)}
        officer = Actor(
            kind="person", rights={Right.KEEP_DIARY: Scope(places=commune), Right.SELL: Scope(places=commune)}
        )
        seen = {
            right: set(session.scalars(select(Organisation.id).where(rights.held_in(officer, right))))
            for right in (Right.KEEP_DIARY, Right.SELL, Right.FARM)
        }
    assert seen == {
        Right.KEEP_DIARY: {province["household"]},
        Right.SELL: {province["household"], province["coop"], province["office"]},
        Right.FARM: set(),
    }


def test_news_of_an_organisation_concerns_those_who_have_the_right_in_it() -> None:
    told = {
        Right.HANDLE_GOODS: {Role.FARMER, Role.COOPERATIVE_MANAGER, Role.PURCHASER},
        Right.SELL: {Role.COOPERATIVE_MANAGER, Role.PURCHASER},
        Right.OVERSEE: set(),
    }
    assert {right: roles_giving(right) for right in told} == told


def test_an_administrators_look_at_people_is_in_the_trail(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        wider = rights.look_after(session, admin, province["coop"])
    assert wider.where(Right.MANAGE_PEOPLE) == {province["coop"]}
    assert wider.reads(province["coop"])
    trail = province.rows(
        "SELECT person_id, organisation_id FROM audit_entries WHERE action = 'accounts:organisation:look'"
    )
    assert trail == [(province["admin"], province["coop"])]


def test_a_managers_look_at_their_own_people_leaves_no_line(province: Province) -> None:
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        assert rights.look_after(session, minh, province["coop"]) == minh.only(Right.MANAGE_PEOPLE)
    assert province.rows("SELECT id FROM audit_entries WHERE action = 'accounts:organisation:look'") == []


@pytest.mark.parametrize("actor", [Actor(kind=""), PUBLIC])
def test_who_is_nobody_reads_no_personal_table(province: Province, actor: Actor) -> None:
    with province.database.transaction(actor) as session:
        for table in ("personal_data", "credentials", "cards", "devices", "sign_ins", "sign_in_attempts", "consents",
                      "memberships", "card_requests", "data_requests", "notices"):  # fmt: skip
            assert session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0
