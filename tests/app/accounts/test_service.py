"""Who may add whom, and what a refusal leaves behind: nothing."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError

from app import clock
from app.accounts import queries, schemas, service
from app.accounts.models import AddressAs, OrganisationKind, PersonalData
from app.accounts.schemas import HouseholdIn, OrganisationChange, OrganisationIn, PersonalChange, PersonIn, RoleIn
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.db import new_id
from app.errors import Conflict, Forbidden, Invalid, NotFound
from tests.app.accounts.conftest import Province


def person(name: str = "Lò Thị Mới", phone: str | None = "0987 654 321", role: Role = Role.FARMER) -> PersonIn:
    return PersonIn(id=new_id(), full_name=name, address_as=AddressAs.CHI, phone=phone, role=role)


def counts(province: Province) -> list[int]:
    tables = ("people", "personal_data", "organisations", "memberships", "household_memberships", "outbox_events")
    return [province.one(f"SELECT count(*) FROM {t}") for t in tables]


def test_a_phone_is_stored_in_one_spelling() -> None:
    assert schemas.phone("0912 345 678") == "+84912345678"
    assert schemas.phone("84912345678") == "+84912345678"
    assert schemas.phone("0205 3812 345") == "+842053812345"
    assert schemas.shown_phone("+84912345678") == "0912 345 678"


@pytest.mark.parametrize("typed", ["091234567", "abc", "", "0912345678 ext 4", "1"])
def test_what_is_no_phone_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        schemas.phone(typed)
    assert refused.value.code == "phone"


def test_a_tax_code_has_ten_thirteen_or_a_households_twelve_digits() -> None:
    assert schemas.tax_code("0100233488") == "0100233488"
    assert schemas.tax_code("0314409058002") == "0314409058-002"
    assert schemas.tax_code("020 188 001 234") == "020188001234"


@pytest.mark.parametrize("typed", ["0100233489", "999188001234", "12345", "0314409058-000"])
def test_a_wrong_tax_code_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        schemas.tax_code(typed)
    assert refused.value.code == "tax_code"


def test_only_a_household_has_a_personal_number_for_a_tax_code(province: Province) -> None:
    admin, before = province.actor("admin"), counts(province)
    form = OrganisationIn(
        id=new_id(),
        kind=OrganisationKind.COOPERATIVE,
        name="HTX thử",
        tax_code="020188001234",
        commune_id=province["commune"],
    )
    with pytest.raises(Invalid) as refused, province.database.transaction(admin) as session:
        service.create_organisation(session, admin, form)
    assert (refused.value.code, refused.value.field) == ("personal_tax_code", "tax_code")
    assert counts(province) == before


def test_there_is_one_first_administrator(province: Province) -> None:
    before = counts(province)
    with pytest.raises(Conflict) as refused, province.database.transaction(SYSTEM) as session:
        service.create_first_administrator(session, "0912 999 999", "mot mat khau dai", "Kẻ Khác")
    assert refused.value.code == "administrator_exists"
    assert counts(province) == before


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
        assert {o.id for o in queries.organisations(session, minh)} == {province["coop"], province["household"]}
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
        seen = {o.id for o in queries.organisations(session, xa)}
        assert seen == {province["coop"], province["office"], province["household"]}
        assert session.get(PersonalData, province["lanh"]) is None
        assert queries.members(session, xa, [province["household"]]) == []


def test_the_public_reads_labels_and_no_person(province: Province) -> None:
    with province.database.transaction(PUBLIC) as session:
        ids = [province["coop"], province["household"]]
        assert set(queries.organisation_names(session, ids).values()) == {"Đơn vị coop", "Hộ household"}
        assert queries.public_person_label(session, province["lanh"]) == "một người của hộ"
        assert queries.public_person_label(session, province["lanh"], "en") == "a member of the household"
        assert session.query(PersonalData).count() == 0


def test_a_household_is_added_once(province: Province) -> None:
    minh = province.actor("minh")
    form = HouseholdIn(id=new_id(), name="Hộ số 7", village_id=province["village"])
    for _ in range(2):
        with province.database.transaction(minh) as session:
            assert service.add_household(session, minh, province["coop"], form).id == form.id
    joined = province.one("SELECT count(*) FROM household_memberships WHERE household_id = :id", id=form.id)
    assert joined == 1
    other = form.model_copy(update={"name": "Hộ số 8"})
    with pytest.raises(Conflict), province.database.transaction(province.actor("minh")) as session:
        service.add_household(session, province.actor("minh"), province["coop"], other)
    assert province.one("SELECT name FROM organisations WHERE id = :id", id=form.id) == "Hộ số 7"


def test_naming_the_id_of_a_foreign_household_does_not_adopt_it(province: Province) -> None:
    minh, before = province.actor("minh"), counts(province)
    form = HouseholdIn(id=province["other_household"], name="Hộ other_household", village_id=province["far_village"])
    with pytest.raises(Conflict), province.database.transaction(minh) as session:
        service.add_household(session, minh, province["coop"], form)
    assert counts(province) == before


@pytest.mark.parametrize(("by", "at"), [("minh", "other_household"), ("lanh", "household"), ("xa", "household")])
def test_nobody_adds_people_where_they_manage_nothing(province: Province, by: str, at: str) -> None:
    actor, before = province.actor(by), counts(province)
    with pytest.raises((Forbidden, NotFound)), province.database.transaction(actor) as session:
        service.add_person(session, actor, province[at], person())
    assert counts(province) == before


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.PROVINCE_OFFICIAL, Role.CERTIFIER])
def test_a_manager_grants_no_role_of_the_state(province: Province, role: Role) -> None:
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        service.add_person(session, minh, province["coop"], person(role=role))
    assert counts(province) == before


def test_somebody_known_by_phone_and_name_is_taken(province: Province) -> None:
    minh = province.actor("minh")
    form = person("lý thị khác", "0912000003", Role.PURCHASER)
    with province.database.transaction(minh) as session:
        assert service.add_person(session, minh, province["coop"], form) == province["khac"]
    roles = province.rows("SELECT role FROM memberships WHERE person_id = :p ORDER BY role", p=province["khac"])
    assert [r.role for r in roles] == ["cooperative_manager", "purchaser"]


def test_a_phone_with_another_name_tells_nothing(province: Province) -> None:
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Conflict) as refused, province.database.transaction(minh) as session:
        service.add_person(session, minh, province["coop"], person("Ai Đó Khác", "0912000003", Role.PURCHASER))
    assert refused.value.code == "phone_taken"
    assert "Khác" not in refused.value.vi.replace("tên khác", "")
    assert counts(province) == before


def test_somebody_without_a_phone_can_only_be_of_a_household(province: Province) -> None:
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Invalid) as refused, province.database.transaction(minh) as session:
        service.add_person(session, minh, province["coop"], person(phone=None, role=Role.PURCHASER))
    assert refused.value.field == "phone"
    assert counts(province) == before


def test_a_role_ends_at_once_and_stays_in_the_history(province: Province) -> None:
    minh = province.actor("minh")
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["lanh"])
    with province.database.transaction(minh) as session:
        service.end_role(session, minh, membership)
    assert province.actor("lanh").memberships == ()
    row = province.rows("SELECT valid_to, ended_by FROM memberships WHERE id = :id", id=membership)[0]
    assert row == (clock.today() - timedelta(days=1), province["minh"])


def test_the_last_manager_stays(province: Province) -> None:
    minh = province.actor("minh")
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["minh"])
    with pytest.raises(Conflict) as refused, province.database.transaction(minh) as session:
        service.end_role(session, minh, membership)
    assert refused.value.code == "last_manager"
    assert province.one("SELECT valid_to FROM memberships WHERE id = :id", id=membership) is None


def test_a_household_that_left_is_out_of_reach_the_day_after(province: Province) -> None:
    minh = province.actor("minh")
    yesterday = clock.today() - timedelta(days=1)
    with province.database.transaction(minh) as session:
        service.end_household(session, minh, province["household"], province["coop"], on=yesterday)
    after = province.actor("minh")
    assert after.organisations == {province["coop"]}
    with province.database.transaction(after) as session:
        assert session.get(PersonalData, province["lanh"]) is None
    with province.database.transaction(SYSTEM) as session:
        assert queries.member_households(session, SYSTEM, province["coop"]) == []
        known_before = clock.now() - timedelta(hours=1)
        assert queries.member_households(session, SYSTEM, province["coop"], clock.today(), known_before) == []


def test_what_was_known_then_is_still_answered(province: Province) -> None:
    with province.database.transaction(SYSTEM) as session:
        then = clock.now()
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        service.end_household(
            session, minh, province["household"], province["coop"], on=clock.today() - timedelta(days=1)
        )
    with province.database.transaction(SYSTEM) as session:
        known = queries.member_households(session, SYSTEM, province["coop"], clock.today(), then)
        assert [h.id for h in known] == [province["household"]]


def test_no_cooperative_pulls_in_a_foreign_household(province: Province) -> None:
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        service.join_household(session, minh, province["other_household"], province["coop"], on=clock.today())
    assert counts(province) == before
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        service.join_household(session, admin, province["other_household"], province["coop"], on=clock.today())
    assert province["other_household"] in province.actor("minh").organisations


def test_a_manager_cannot_take_over_somebody_with_roles_elsewhere(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        service.grant_role(session, admin, province["coop"], province["minh"], RoleIn(role=Role.PURCHASER))
    with province.database.transaction(admin) as session:
        form = person("Lý Thị Khác", "0912000003", Role.PURCHASER)
        service.add_person(session, admin, province["coop"], form)
    minh = province.actor("minh")
    for attempt in (
        lambda s: service.first_password(s, minh, province["coop"], province["khac"]),
        lambda s: service.end_sign_ins(s, minh, province["coop"], province["khac"]),
        lambda s: service.change_personal_data(
            s,
            minh,
            province["khac"],
            PersonalChange(full_name="Lý Thị Khác", address_as=AddressAs.BAC, phone="0911111111"),
            organisation_id=province["coop"],
        ),
    ):
        with pytest.raises(Forbidden) as refused, province.database.transaction(minh) as session:
            attempt(session)
        assert refused.value.code == "roles_elsewhere"
    assert province.phone("khac") == "+84912000003"
    assert province.one("SELECT count(*) FROM credentials WHERE person_id = :p", p=province["khac"]) == 0


@pytest.mark.parametrize(
    ("at", "role"),
    [("other", Role.PURCHASER), ("other_household", Role.FARMER)],
)
def test_buying_or_farming_beside_somebody_gives_no_hold_over_them(province: Province, at: str, role: Role) -> None:
    province.also("minh", at, role)
    province.also("lanh", at, role)
    minh, before = province.actor("minh"), counts(province)
    assert province[at] in minh.organisations
    change = PersonalChange(full_name="Hoàng Thị Lành", address_as=AddressAs.BAC, phone="0911111111")
    for code, organisation in (("roles_elsewhere", "household"), ("forbidden", at)):
        for attempt in (
            lambda s, o: service.first_password(s, minh, o, province["lanh"]),
            lambda s, o: service.end_sign_ins(s, minh, o, province["lanh"]),
            lambda s, o: service.change_personal_data(s, minh, province["lanh"], change, organisation_id=o),
        ):
            with pytest.raises(Forbidden) as refused, province.database.transaction(minh) as session:
                attempt(session, province[organisation])
            assert refused.value.code == code
    assert province.phone("lanh") == "+84912000005"
    assert province.one("SELECT count(*) FROM credentials WHERE person_id = :p", p=province["lanh"]) == 0
    assert counts(province) == before


def test_a_manager_who_farms_elsewhere_gives_no_roles_there(province: Province) -> None:
    province.also("minh", "other_household", Role.FARMER)
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        service.add_person(session, minh, province["other_household"], person())
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        form = OrganisationChange(name="Hộ khác", version=1)
        service.change_organisation(session, minh, province["other_household"], form)
    with province.database.transaction(minh) as session:
        row = queries.organisation(session, minh, province["other_household"])
        assert service.grantable(session, minh, row) == []
        assert not service.may_look_after(session, minh, row)
    assert counts(province) == before
    assert province.one("SELECT name FROM organisations WHERE id = :o", o=row.id) == "Hộ other_household"


def test_somebody_of_elsewhere_is_not_read_through_ones_own_organisation(province: Province) -> None:
    province.also("minh", "other", Role.PURCHASER)
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        wider = service.look_after(session, minh, province["coop"])
        assert wider.organisations == {province["coop"], province["household"]}
        with pytest.raises(NotFound):
            queries.looked_after(session, wider, province["khac"])
        assert queries.looked_after(session, wider, province["lanh"]).phone == "+84912000005"


def test_an_administrators_look_at_people_is_in_the_trail(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        service.look_after(session, admin, province["coop"])
    trail = province.rows(
        "SELECT person_id, organisation_id FROM audit_entries WHERE action = 'accounts:organisation:look'"
    )
    assert trail == [(province["admin"], province["coop"])]


def test_somebody_changed_it_meanwhile(province: Province) -> None:
    minh = province.actor("minh")
    form = OrganisationChange(name="HTX mới", version=1)
    with province.database.transaction(minh) as session:
        service.change_organisation(session, minh, province["coop"], form)
    with pytest.raises(Conflict), province.database.transaction(minh) as session:
        service.change_organisation(session, minh, province["coop"], form.model_copy(update={"name": "Khác nữa"}))
    assert province.one("SELECT name FROM organisations WHERE id = :id", id=province["coop"]) == "HTX mới"


@pytest.mark.parametrize("actor", [Actor(kind=""), PUBLIC])
def test_who_is_nobody_reads_no_personal_table(province: Province, actor: Actor) -> None:
    with province.database.transaction(actor) as session:
        for table in ("personal_data", "credentials", "cards", "devices", "sign_ins", "sign_in_attempts", "consents",
                      "memberships", "card_requests", "data_requests", "notices"):  # fmt: skip
            assert session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0


def test_a_form_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        HouseholdIn.model_validate({"id": new_id(), "name": "x", "village_id": UUID(int=1), "owner": "me"})
    assert (
        HouseholdIn(id=new_id(), name=" Hộ  số\u0302 7 ", village_id=new_id(), joined_on=date(2026, 1, 1)).name
        == "Hộ số̂ 7"
    )
