"""Organisations: what their names and tax codes may not be, and who changed them first."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.accounts import organisations
from app.accounts.models import Organisation, OrganisationKind
from app.accounts.schemas import HouseholdIn, OrganisationChange, OrganisationIn, SeatChange
from app.actor import SYSTEM
from app.db import new_id
from app.errors import Conflict, Forbidden, Invalid, NotFound
from tests.worlds.organisations import Province, counts


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
        organisations.create_organisation(session, admin, form)
    assert (refused.value.code, refused.value.field) == ("personal_tax_code", "tax_code")
    assert counts(province) == before


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
        assert "Hộ số 07" in error.text("vi")
    before = counts(province)
    minh = province.actor("minh")
    if error.code == "names_a_person":  # renaming, and an administrator's form, come to the same rule
        with pytest.raises(Invalid) as again, province.database.transaction(minh) as session:
            form = OrganisationChange(name=name, version=1)
            organisations.change_organisation(session, minh, province["household"], form)
        assert (again.value.code, again.value.field) == ("names_a_person", "name")
        admin = province.actor("admin")
        with pytest.raises(Invalid), province.database.transaction(admin) as session:
            made = OrganisationIn(
                id=new_id(), kind=OrganisationKind.HOUSEHOLD, name=name, village_id=province["village"]
            )
            organisations.create_organisation(session, admin, made)
    assert counts(province) == before


def test_somebody_changed_it_meanwhile(province: Province) -> None:
    minh = province.actor("minh")
    form = OrganisationChange(name="HTX mới", version=1)
    with province.database.transaction(minh) as session:
        organisations.change_organisation(session, minh, province["coop"], form)
    with pytest.raises(Conflict), province.database.transaction(minh) as session:
        organisations.change_organisation(session, minh, province["coop"], form.model_copy(update={"name": "Khác nữa"}))
    assert province.one("SELECT name FROM organisations WHERE id = :id", id=province["coop"]) == "HTX mới"


def seat(province: Province, name: str = "coop") -> tuple[Any, ...]:
    return tuple(province.rows("SELECT village_id, commune_id, version FROM organisations WHERE id = :o", o=province[name])[0])  # fmt: skip


def move(province: Province, by: str, name: str = "coop", version: int = 1, **to: Any) -> None:
    actor = province.actor(by)
    with province.database.transaction(actor) as session:
        organisations.move_organisation(session, actor, province[name], SeatChange(version=version, **to))


MOVED = "SELECT count(*) FROM audit_entries WHERE action = 'accounts:organisation:move'"
CHANGED = "SELECT count(*) FROM outbox_events WHERE name = 'accounts.organisation_changed'"


def test_nothing_is_told_of_an_organisation_that_was_just_made(province: Province) -> None:
    told, admin = province.one(CHANGED), province.actor("admin")
    form = OrganisationIn(
        id=new_id(), kind=OrganisationKind.COOPERATIVE, name="HTX Mới", commune_id=province["far_commune"]
    )
    with province.database.transaction(admin) as session:
        organisations.create_organisation(session, admin, form)
    assert province.one(CHANGED) == told


@pytest.mark.parametrize("by", ["minh", "admin"])
def test_a_missing_seat_is_set_by_who_may_edit(province: Province, by: str) -> None:
    told = province.one(CHANGED)
    move(province, by, village_id=province["village"])
    assert seat(province) == (province["village"], province["commune"], 2)
    move(province, by, version=2, village_id=province["village"], commune_id=province["commune"])  # nothing new
    assert seat(province) == (province["village"], province["commune"], 2)
    assert (province.one(MOVED), province.one(CHANGED)) == (1, told + 1)


def test_a_missing_commune_is_set_before_its_village(province: Province) -> None:
    province.organisation("roaming", OrganisationKind.AUTHORITY, None)
    move(province, "admin", "roaming", commune_id=province["far_commune"])
    assert seat(province, "roaming") == (None, province["far_commune"], 2)
    with pytest.raises(Conflict) as refused:
        move(province, "admin", "roaming", 2, village_id=province["village"])
    assert refused.value.code == "seat_known"
    move(province, "admin", "roaming", 2, village_id=province["far_village"])
    assert seat(province, "roaming") == (province["far_village"], province["far_commune"], 3)


def test_a_seat_that_is_known_is_not_changed(province: Province) -> None:
    move(province, "minh", village_id=province["village"])
    before, told = (seat(province), seat(province, "household"), seat(province, "other")), province.one(CHANGED)
    for by, name, version, to in (
        ("minh", "coop", 2, {"village_id": province["far_village"]}),
        ("admin", "coop", 2, {"village_id": province["far_village"]}),
        ("admin", "coop", 2, {"commune_id": province["commune"]}),
        ("minh", "household", 1, {"village_id": province["far_village"]}),
        ("khac", "other", 1, {"village_id": province["village"]}),
        ("khac", "other", 1, {"commune_id": province["commune"]}),
    ):
        with pytest.raises(Conflict) as refused:
            move(province, by, name, version, **to)
        assert refused.value.code == "seat_known"
    assert (seat(province), seat(province, "household"), seat(province, "other")) == before
    assert (province.one(MOVED), province.one(CHANGED)) == (1, told)


def test_a_seat_that_cannot_be_changes_nothing(province: Province) -> None:
    with province.database.transaction(SYSTEM) as session:
        session.get_one(Organisation, province["other_household"]).village_id = None
    before, told = (seat(province), seat(province, "other_household")), province.one(CHANGED)
    for name, to, code in (
        ("coop", {"village_id": province["far_village"], "commune_id": province["commune"]}, "village_elsewhere"),
        ("coop", {}, "commune_missing"),
        ("coop", {"village_id": province["commune"]}, "place"),
        ("other_household", {"commune_id": province["far_commune"]}, "village_missing"),
    ):
        with pytest.raises(Invalid) as refused:
            move(province, "admin", name, 1 if name == "coop" else 2, **to)
        assert refused.value.code == code
    with pytest.raises(Conflict):
        move(province, "minh", version=7, village_id=province["village"])
    for by in ("lanh", "khac", "xa"):
        with pytest.raises((Forbidden, NotFound)):
            move(province, by, "coop", village_id=province["village"])
    assert (seat(province), seat(province, "other_household")) == before
    assert (province.one(MOVED), province.one(CHANGED)) == (0, told)
