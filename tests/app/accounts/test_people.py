"""Who may add and correct people, and what a refusal leaves behind: nothing."""

from datetime import timedelta

import pytest

from app import clock
from app.accounts import people, queries
from app.accounts.models import AddressAs, Membership
from app.accounts.schemas import PersonalChange
from app.actor import SYSTEM, Role
from app.errors import Conflict, Forbidden, Invalid, NotFound
from tests.worlds.organisations import Province, counts, roles_of, somebody


def test_there_is_one_first_administrator(province: Province) -> None:
    before = counts(province)
    with pytest.raises(Conflict) as refused, province.database.transaction(SYSTEM) as session:
        people.create_first_administrator(session, "0912 999 999", "mot mat khau dai", "Kẻ Khác")
    assert refused.value.code == "administrator_exists"
    assert counts(province) == before


@pytest.mark.parametrize(("by", "at"), [("minh", "other_household"), ("lanh", "household"), ("xa", "household")])
def test_nobody_adds_people_where_they_manage_nothing(province: Province, by: str, at: str) -> None:
    actor, before = province.actor(by), counts(province)
    with pytest.raises((Forbidden, NotFound)), province.database.transaction(actor) as session:
        people.add_person(session, actor, province[at], somebody())
    assert counts(province) == before


def test_an_administrator_takes_somebody_known_by_phone_and_name(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        form = somebody("lý thị khác", "0912000003", Role.PURCHASER)
        assert people.add_person(session, admin, province["coop"], form) == province["khac"]
    assert roles_of(province, "khac") == ["cooperative_manager", "purchaser"]


def test_a_manager_gives_their_own_people_a_role_at_once(province: Province) -> None:
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        people.add_person(session, minh, province["coop"], somebody("Hoàng Thị Lành", "0912000005", Role.PURCHASER))
    assert roles_of(province, "lanh") == ["farmer", "purchaser"]
    assert province.one("SELECT count(*) FROM role_offers") == 0


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
        people.first_password(session, actor, at, province[name])
    assert refused.value.code == "own_password"
    assert "Đổi mật khẩu" in refused.value.text("vi")
    assert province.rows("SELECT * FROM credentials ORDER BY person_id") == before


def test_a_phone_with_another_name_tells_nothing(province: Province) -> None:
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Conflict) as refused, province.database.transaction(minh) as session:
        people.add_person(session, minh, province["coop"], somebody("Ai Đó Khác", "0912000003", Role.PURCHASER))
    assert refused.value.code == "phone_taken"
    assert "Khác" not in refused.value.text("vi").replace("tên khác", "")
    assert counts(province) == before


def test_somebody_without_a_phone_can_only_be_of_a_household(province: Province) -> None:
    minh, before = province.actor("minh"), counts(province)
    with pytest.raises(Invalid) as refused, province.database.transaction(minh) as session:
        people.add_person(session, minh, province["coop"], somebody(phone=None, role=Role.PURCHASER))
    assert refused.value.field == "phone"
    assert counts(province) == before


def test_a_manager_cannot_take_over_somebody_with_roles_elsewhere(province: Province) -> None:
    province.also("minh", "coop", Role.PURCHASER)
    province.also("khac", "coop", Role.PURCHASER)
    minh = province.actor("minh")
    for attempt in (
        lambda s: people.first_password(s, minh, province["coop"], province["khac"]),
        lambda s: people.end_sign_ins(s, minh, province["coop"], province["khac"]),
        lambda s: people.change_personal_data(
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
            lambda s, o: people.first_password(s, minh, o, province["lanh"]),
            lambda s, o: people.end_sign_ins(s, minh, o, province["lanh"]),
            lambda s, o: people.change_personal_data(s, minh, province["lanh"], change, organisation_id=o),
        ):
            with pytest.raises(Forbidden) as refused, province.database.transaction(minh) as session:
                attempt(session, province[organisation])
            assert refused.value.code == code
    assert province.phone("lanh") == "+84912000005"
    assert province.one("SELECT count(*) FROM credentials WHERE person_id = :p", p=province["lanh"]) == 0
    assert counts(province) == before


@pytest.mark.parametrize(("begins", "ends", "seen"), [(-30, -1, 0), (1, None, 0), (-30, 0, 1), (0, None, 1)])
def test_a_role_opens_somebodys_data_on_its_days_only(
    province: Province, begins: int, ends: int | None, seen: int
) -> None:
    """Sáu had a role with minh's cooperative until yesterday, or has one from tomorrow on: their number is none of minh's."""
    today = clock.today()
    with province.database.transaction(SYSTEM) as session:
        session.add(
            Membership(
                person_id=province["sau"], organisation_id=province["coop"], role=Role.PURCHASER, place_id=None,
                valid_from=today + timedelta(days=begins),
                valid_to=None if ends is None else today + timedelta(days=ends),
                recorded_at=clock.now(), ended_at=None if ends is None else clock.now(),
            )
        )  # fmt: skip
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        listed = [m for m in queries.members(session, minh, [province["coop"]]) if m.person_id == province["sau"]]
        if seen:
            assert queries.looked_after(session, minh, province["sau"]).full_name == "Triệu Văn Sáu"
        else:
            with pytest.raises(NotFound):
                queries.looked_after(session, minh, province["sau"])
    assert len(listed) == seen


@pytest.mark.parametrize(
    ("typed", "theirs"),
    [
        ("Hoàng Thị Lành", True),
        ("hoàng thị LÀNH", True),
        ("Hoang Thi Lanh", True),
        ("Hoàng Thị Lanh", False),
        ("Hoàng Thị Lãnh", False),
    ],
)
def test_a_name_beside_a_phone_is_the_same_with_its_tones_or_typed_without_any(
    province: Province,
    typed: str,
    theirs: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    with province.database.transaction(SYSTEM) as session:
        taken = queries.person_by_phone(session, "+84912000005", typed)
    assert taken == (True, province["lanh"] if theirs else None)
