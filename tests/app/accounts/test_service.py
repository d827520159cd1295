"""Who may add whom, and what a refusal leaves behind: nothing."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy.exc import ProgrammingError

from app import clock
from app.accounts import privacy, queries, schemas, service
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


def roles_of(province: Province, name: str) -> list[str]:
    sql = "SELECT role FROM memberships WHERE person_id = :p AND valid_to IS NULL ORDER BY role"
    return [r.role for r in province.rows(sql, p=province[name])]


def offer_to_khac(province: Province) -> UUID:
    """Minh names Khác, of another cooperative, by number and name, twice."""
    minh = province.actor("minh")
    for _ in range(2):
        with province.database.transaction(minh) as session:
            form = person("lý thị khác", "0912000003", Role.PURCHASER)
            assert service.add_person(session, minh, province["coop"], form) == province["khac"]
    found = province.one("SELECT id FROM role_offers")
    assert isinstance(found, UUID)
    return found


def test_an_administrator_takes_somebody_known_by_phone_and_name(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        form = person("lý thị khác", "0912000003", Role.PURCHASER)
        assert service.add_person(session, admin, province["coop"], form) == province["khac"]
    assert roles_of(province, "khac") == ["cooperative_manager", "purchaser"]


def test_a_manager_gives_their_own_people_a_role_at_once(province: Province) -> None:
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        service.add_person(session, minh, province["coop"], person("Hoàng Thị Lành", "0912000005", Role.PURCHASER))
    assert roles_of(province, "lanh") == ["farmer", "purchaser"]
    assert province.one("SELECT count(*) FROM role_offers") == 0


def test_somebody_of_elsewhere_is_asked_and_nothing_of_them_is_seen_before_they_accept(province: Province) -> None:
    offer_to_khac(province)
    assert roles_of(province, "khac") == ["cooperative_manager"]
    assert province.one("SELECT count(*) FROM outbox_events WHERE name = 'accounts.role_offered'") == 1
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        assert session.get(PersonalData, province["khac"]) is None
        assert [(o.role, o.answered_at) for o in queries.offers_of(session, province["coop"])] == [("purchaser", None)]
        with pytest.raises(NotFound):
            queries.looked_after(session, service.look_after(session, minh, province["coop"]), province["khac"])
    assert province["coop"] not in province.actor("khac").organisations


def test_an_offer_from_elsewhere_takes_nobody_from_those_who_look_after_them(province: Province) -> None:
    khac, minh = province.actor("khac"), province.actor("minh")
    with province.database.transaction(khac) as session:
        form = person("Hoàng Thị Lành", "0912000005", Role.FARMER)
        service.add_person(session, khac, province["other_household"], form)
    with province.database.transaction(minh) as session:
        assert service.first_password(session, minh, province["household"], province["lanh"])


def test_who_accepts_has_the_role_and_who_declines_has_not(province: Province) -> None:
    offer, khac = offer_to_khac(province), province.actor("khac")
    for _ in range(2):  # the same word twice is no error
        with province.database.transaction(khac) as session:
            service.answer_offer(session, khac, offer, accepted=False)
    assert roles_of(province, "khac") == ["cooperative_manager"]
    with pytest.raises(Conflict), province.database.transaction(khac) as session:
        service.answer_offer(session, khac, offer, accepted=True)
    assert roles_of(province, "khac") == ["cooperative_manager"]
    with province.database.transaction(province.actor("minh")) as session:
        form = person("Lý Thị Khác", "0912000003", Role.PURCHASER)
        service.add_person(session, province.actor("minh"), province["coop"], form)
    again = province.one("SELECT id FROM role_offers WHERE answered_at IS NULL")
    with province.database.transaction(khac) as session:
        service.answer_offer(session, khac, again, accepted=True)
    held = province.rows("SELECT organisation_id, role, granted_by FROM memberships WHERE person_id = :p AND role = 'purchaser'",
                         p=province["khac"])  # fmt: skip
    assert held == [(province["coop"], "purchaser", province["minh"])]


@pytest.mark.parametrize("over", ["old", "maker left"])
def test_an_offer_that_is_old_or_whose_maker_left_gives_nothing(
    province: Province, clock_at: Callable[[datetime], None], over: str
) -> None:
    offer, khac = offer_to_khac(province), province.actor("khac")
    if over == "old":
        clock_at(clock.now() + timedelta(days=31))
    else:
        admin = province.actor("admin")
        membership = province.one(
            "SELECT id FROM memberships WHERE person_id = :p AND valid_to IS NULL", p=province["minh"]
        )
        province.person("admin", "coop", "nua", "Lý Văn Nữa", Role.COOPERATIVE_MANAGER, "0912 000 066")
        with province.database.transaction(admin) as session:
            service.end_role(session, admin, membership, province["coop"])
    with pytest.raises(Conflict) as refused, province.database.transaction(khac) as session:
        service.answer_offer(session, khac, offer, accepted=True)
    assert refused.value.code == "offer_over"
    assert roles_of(province, "khac") == ["cooperative_manager"]
    assert province.one("SELECT answered_at FROM role_offers WHERE id = :id", id=offer) is None


@pytest.mark.parametrize("by", ["minh", "lanh", "admin"])
def test_nobody_else_answers_an_offer(province: Province, by: str) -> None:
    offer, actor = offer_to_khac(province), province.actor(by)
    with pytest.raises(NotFound), province.database.transaction(actor) as session:
        service.answer_offer(session, actor, offer, accepted=True)
    assert province.one("SELECT answered_at FROM role_offers") is None
    assert roles_of(province, "khac") == ["cooperative_manager"]


def test_an_offer_is_never_rewritten(province: Province) -> None:
    offer, khac = offer_to_khac(province), province.actor("khac")
    for change in ("role = 'cooperative_manager'", "person_id = NULL"):
        with pytest.raises(ProgrammingError, match="permission denied"), province.database.transaction(khac) as session:
            session.connection().exec_driver_sql(f"UPDATE role_offers SET {change} WHERE id = '{offer}'")
    assert province.rows("SELECT role, person_id FROM role_offers") == [("purchaser", province["khac"])]


def test_an_offer_is_declined_by_erasing(province: Province) -> None:
    province.person("admin", "other", "nua", "Lý Văn Nữa", Role.COOPERATIVE_MANAGER, "0912 000 066")
    offer_to_khac(province)
    khac = province.actor("khac")
    with province.database.transaction(khac) as session:
        privacy.erase(session, khac, new_id())
    assert province.rows("SELECT accepted, answered_at IS NOT NULL FROM role_offers") == [(False, True)]


def test_one_ends_ones_own_role(province: Province) -> None:
    lanh = province.actor("lanh")
    membership = province.one("SELECT id FROM memberships WHERE person_id = :p", p=province["lanh"])
    with province.database.transaction(lanh) as session:
        service.end_role(session, lanh, membership)
    assert province.actor("lanh").memberships == ()
    assert province.one("SELECT ended_by FROM memberships WHERE id = :id", id=membership) == province["lanh"]


@pytest.mark.parametrize("name", ["minh", "admin"])
def test_nobody_sets_their_own_password_without_the_present_one(province: Province, name: str) -> None:
    actor = province.actor(name)
    if name == "admin":
        at = province.one("SELECT organisation_id FROM memberships WHERE role = 'administrator'")
    else:
        at = province["coop"]
        province.password("minh")
    before = province.rows("SELECT * FROM credentials ORDER BY person_id")
    with pytest.raises(Forbidden) as refused, province.database.transaction(actor) as session:
        service.first_password(session, actor, at, province[name])
    assert refused.value.code == "own_password"
    assert "Đổi mật khẩu" in refused.value.vi
    assert province.rows("SELECT * FROM credentials ORDER BY person_id") == before


@pytest.mark.parametrize(
    "name",
    [
        "Hộ bà Lý Thị Mai 0912 345 678 CCCD 020190001234",
        "Hộ 0912345678",
        "Hộ 0912,345,678",
        "Hộ (0205) 3-812.345",
        "Hộ 020190001234",
        "Hộ ở 21.85371, 106.76112",
        "Hộ ở 21°51'",
        "Hộ bà Mai",
        "Hộ Ông Tạ",
        "hộ chị Na",
        "Hộ Lý Thị Mai",
    ],
)
def test_a_households_label_names_nobody(province: Province, name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        HouseholdIn(id=new_id(), name=name, village_id=province["village"])
    error = refused.value.errors()[0]["ctx"]["error"]
    assert error.code in {"personal_number", "names_a_person"}
    if error.code == "names_a_person":
        assert "Hộ số 07" in error.vi
    before = counts(province)
    minh = province.actor("minh")
    if error.code == "names_a_person":  # renaming, and an administrator's form, come to the same rule
        with pytest.raises(Invalid) as again, province.database.transaction(minh) as session:
            form = OrganisationChange(name=name, version=1)
            service.change_organisation(session, minh, province["household"], form)
        assert (again.value.code, again.value.field) == ("names_a_person", "name")
        admin = province.actor("admin")
        with pytest.raises(Invalid), province.database.transaction(admin) as session:
            made = OrganisationIn(
                id=new_id(), kind=OrganisationKind.HOUSEHOLD, name=name, village_id=province["village"]
            )
            service.create_organisation(session, admin, made)
    assert counts(province) == before


@pytest.mark.parametrize(
    "name", ["Hộ số 07", "Hộ số 12 thôn Chi Lăng", "Hộ số 3 Ba Bể", "Hộ số 5 Văn Quan", "Hộ 12, 13, 14, 15, 16"]
)
def test_a_plain_label_is_taken(name: str) -> None:
    assert HouseholdIn(id=new_id(), name=name, village_id=new_id()).name == name


def test_an_organisations_name_holds_no_number_of_a_person_and_may_hold_a_date() -> None:
    assert OrganisationChange(name="HTX Bà Triệu 12/05/2026", version=1).name == "HTX Bà Triệu 12/05/2026"
    for name in ("HTX Nà Mẫu 0912 345 678", "HTX +84 912 345 678"):
        with pytest.raises(ValidationError):
            OrganisationChange(name=name, version=1)
        with pytest.raises(ValidationError):
            OrganisationIn(id=new_id(), kind=OrganisationKind.COOPERATIVE, name=name, commune_id=new_id())


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
