"""What pages send: one spelling of a phone, a tax code that checks, labels that name nobody."""

from datetime import date
from uuid import UUID

import pytest
from pydantic import ValidationError

from app.accounts import schemas
from app.accounts.models import OrganisationKind
from app.accounts.schemas import HouseholdIn, OrganisationChange, OrganisationIn
from app.db import new_id
from app.errors import Invalid


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


@pytest.mark.parametrize(
    "typed",
    [
        "912345678",
        "0084912345678",
        "+84(0)912345678",
        "0912.345.678,",
        "０９１２３４５６７８",
        "tel:0912345678",
        "\u202a0912345678\u202c",
    ],
)
def test_every_plain_spelling_of_a_number_is_the_same_number(typed: str) -> None:
    assert schemas.phone(typed) == "+84912345678"


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("0900 OOO 191", "“O”"),
        ("+849OOOOO194", "“O”"),
        ("0900 000 HOI", "“H”, “O”, “I”"),
        ("09OO 000 192", "“O”"),
        ("0912 345 67l", "“l”"),
        ("zalo 0912345678", "“z”, “a”, “l”, “o”"),
        ("O912345678", "“O”"),
        ("0912345Ь78", "“Ь”"),
    ],
)
def test_a_letter_in_a_phone_number_is_no_digit_of_a_keypad(typed: str, named: str) -> None:
    for form in (schemas.PersonIn, schemas.PersonalChange):
        with pytest.raises(ValidationError) as refused:
            form.model_validate(
                {"id": new_id(), "full_name": "Vi Thị Hoa", "address_as": "bác", "role": "farmer", "phone": typed}
            )
        (told,) = [d["ctx"]["error"] for d in refused.value.errors() if d["loc"] == ("phone",)]
        assert (
            told.text("vi")
            == f"Số điện thoại có chữ {named}. Hãy viết lại bằng chữ số; số không là 0, không phải chữ O."
        )


def test_a_tax_code_has_ten_thirteen_or_a_households_twelve_digits() -> None:
    assert schemas.tax_code("0100233488") == "0100233488"
    assert schemas.tax_code("0314409058002") == "0314409058-002"
    assert schemas.tax_code("020 188 001 234") == "020188001234"


@pytest.mark.parametrize("typed", ["0100233489", "999188001234", "12345", "0314409058-000"])
def test_a_wrong_tax_code_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        schemas.tax_code(typed)
    assert refused.value.code == "tax_code"


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


def test_a_form_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        HouseholdIn.model_validate({"id": new_id(), "name": "x", "village_id": UUID(int=1), "owner": "me"})
    assert (
        HouseholdIn(id=new_id(), name=" Hộ  số\u0302 7 ", village_id=new_id(), joined_on=date(2026, 1, 1)).name
        == "Hộ số̂ 7"
    )
