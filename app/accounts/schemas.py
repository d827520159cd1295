"""Schemas of people and organisations as pages send them, parsed once at the edge."""

import re
import unicodedata
from typing import Annotated, Literal
from uuid import UUID

import phonenumbers
from pydantic import AfterValidator, StringConstraints, field_validator
from stdnum.exceptions import ValidationError as NumberError
from stdnum.vn import mst

from app.accounts.models import AddressAs, OrganisationKind, Purpose, RequestKind
from app.actor import Role
from app.db import names_a_person, nfc, no_personal_numbers
from app.errors import Unreadable
from app.fields import ClientId, Counter, Day, Language, Ticked
from app.forms import Form, Search
from app.languages import SOURCE
from app.messages import N_

_PERSONAL_NUMBER = re.compile(
    r"0(0[1-9]|[1-8][0-9]|9[0-6])[0-9]{9}"
)  # three digits of the province of birth, then nine
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\".]+(\.[^@\s,;<>\".]+)+")


def phone(value: str) -> str:
    """A phone number as E.164; numbers without a country are Vietnamese. Raises Unreadable.

    Digits of any width are digits, invisible signs of a copied text are none. A letter is refused: the library would
    read the digit on its key (O is 6), and so somebody else's number.
    """
    plain = re.sub(r"^\s*tel:", "", unicodedata.normalize("NFKC", value), flags=re.IGNORECASE)
    letters = dict.fromkeys(f"“{c}”" for c in plain if c.isalpha())
    if letters:
        raise Unreadable(
            "phone",
            N_(
                "Số điện thoại có chữ %(letters)s. Hãy viết lại bằng chữ số; số không là 0, không phải chữ O.",
                letters=", ".join(letters),
            ),
        )
    try:
        parsed = phonenumbers.parse(plain, "VN")
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed is None or parsed.extension or not phonenumbers.is_valid_number(parsed):
        raise Unreadable("phone", N_("Số điện thoại chưa đúng. Số di động có 10 chữ số, ví dụ 0912 345 678."))
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def shown_phone(value: str | None) -> str:
    """A stored number as people write it: 0912 345 678."""
    if not value:
        return ""
    number = phonenumbers.parse(value, "VN")
    wanted = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(number, wanted.NATIONAL if number.country_code == 84 else wanted.INTERNATIONAL)  # noqa: PLR2004 - Vietnam


def tax_code(value: str) -> str:
    """Mã số thuế: 10 digits with check digit, 10-3 for a branch, or a household's 12 digits. Raises Unreadable.

    Circular 86/2024/TT-BTC: from 01/07/2025 a household's tax code is a personal number of 12 digits.
    """
    digits = re.sub(r"[\s.]", "", value)
    if re.fullmatch(_PERSONAL_NUMBER, digits):
        return digits
    try:
        return str(mst.format(mst.validate(digits)))
    except NumberError:
        raise Unreadable(
            "tax_code", N_("Mã số thuế chưa đúng. Cần 10 chữ số, 13 chữ số (0100000000-001), hoặc 12 chữ số của hộ.")
        ) from None


def email(value: str) -> str:
    if not re.fullmatch(_EMAIL, value) or len(value) > 254:  # noqa: PLR2004 - RFC 5321
        raise Unreadable("email", N_("Địa chỉ thư chưa đúng, ví dụ ten@vidu.vn."))
    return value


def readable(value: str) -> str:
    """A name without control characters, NFC, single blanks."""
    plain = nfc(value)
    if not plain or any(not c.isprintable() for c in plain):
        raise Unreadable("text", N_("Chỉ viết chữ và dấu câu thường."))
    return plain


def neutral_label(value: str) -> str:
    """A household's label, which anybody may read, so it names no person. Raises Unreadable."""
    if names_a_person(value):
        raise Unreadable(
            "names_a_person",
            N_("Tên hộ ai cũng đọc được nên không ghi tên người. Hãy đặt tên chung, ví dụ “Hộ số 07”."),
            field="name",
        )
    return value


Name = Annotated[str, StringConstraints(max_length=120), AfterValidator(readable)]
Label = Annotated[Name, AfterValidator(no_personal_numbers)]
HouseholdLabel = Annotated[Label, AfterValidator(neutral_label)]
Phone = Annotated[str, StringConstraints(max_length=40), AfterValidator(phone)]
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), AfterValidator(email)]
TaxCode = Annotated[str, StringConstraints(max_length=30), AfterValidator(tax_code)]
Password = Annotated[str, StringConstraints(max_length=200)]


class SignInForm(Form):
    """Any text is accepted as a phone: a number that cannot exist is refused with the same words as a wrong one."""

    phone: Annotated[str, StringConstraints(max_length=40)]
    password: Password
    kept: Annotated[str, StringConstraints(max_length=200_000)] = ""


class ChangePassword(Form):
    current: Password
    new: Password
    again: Password

    @field_validator("again")
    @classmethod
    def _the_same(cls, value: str, info: object) -> str:
        if value != getattr(info, "data", {}).get("new", value):
            raise Unreadable("again", N_("Hai lần viết chưa giống nhau."))
        return value


class Pin(Form):
    pin: Annotated[str, StringConstraints(strip_whitespace=True)]

    @field_validator("pin")
    @classmethod
    def _four_digits(cls, value: str) -> str:
        if re.fullmatch(r"[0-9]{4}", value) is None:
            raise Unreadable("pin", N_("Cần đủ bốn số."))
        return value


class TypedCode(Form):
    """The code under the square code of a card, or the whole address that it holds."""

    code: Annotated[str, StringConstraints(max_length=300)]


class AskCard(Form):
    id: ClientId


class PrintCard(Form):
    """`old_card`: whoever found a lost one may hold a phone it was bound to; a broken one is in its person's hands."""

    id: ClientId
    person_id: UUID
    old_card: Literal["lost", "broken"] = "lost"


class SignOutEverywhere(Form):
    unbind: Ticked = False


class OfferAnswer(Form):
    word: Literal["yes", "no"]


class Decision(Form):
    """The cooperative's word on a phone that waits."""

    word: Literal["right", "wrong"]


class JoinIn(Form):
    cooperative_id: UUID


class PersonIn(Form):
    """A person with one first role. `id` is the client's; a person known by this phone and name is taken instead."""

    id: ClientId
    full_name: Name
    address_as: AddressAs
    phone: Phone | None = None
    role: Role
    place_id: UUID | None = None


class PersonalChange(Form):
    """What a person, or the one who looks after them, may correct."""

    full_name: Name
    address_as: AddressAs
    phone: Phone | None = None
    email: Email | None = None
    language: Language = SOURCE


class HouseholdIn(Form):
    """A household that becomes thành viên. The label names no person: "Hộ số 12 Nà Mẫu". `even_so`: another has it too."""

    id: ClientId
    name: HouseholdLabel
    village_id: UUID
    tax_code: TaxCode | None = None
    joined_on: Day | None = None
    even_so: Ticked = False


class OrganisationIn(Form):
    id: ClientId
    kind: OrganisationKind
    name: Label
    tax_code: TaxCode | None = None
    village_id: UUID | None = None
    commune_id: UUID | None = None


class OrganisationChange(Form):
    name: Label
    tax_code: TaxCode | None = None
    version: Counter


class SeatChange(Form):
    """Where an organisation has its seat. A village alone is enough: its commune is known."""

    village_id: UUID | None = None
    commune_id: UUID | None = None
    version: Counter


class ConsentForm(Form):
    """The purposes that were ticked; those shown and left out are a no. `shown`: "diary 2026-11" each."""

    purposes: tuple[Purpose, ...] = ()
    language: Language
    shown: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40} [0-9-]{1,20}$")], ...]

    @property
    def versions(self) -> dict[Purpose, str]:
        """The version of each question on the page; a purpose that is asked no more has none of ours."""
        pairs = (pair.split(" ") for pair in self.shown)
        return {Purpose(p): v for p, v in pairs if p in set(Purpose)}


class DataRequestIn(Form):
    id: ClientId
    kind: RequestKind
    detail: Annotated[str, StringConstraints(max_length=2000), AfterValidator(nfc)] = ""


class AnswerIn(Form):
    answer: Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(nfc)]
    fulfilled: Ticked = False


class EraseForm(Form):
    """The word is typed, so that nobody erases themselves by a slip of the finger."""

    id: ClientId
    word: Annotated[str, StringConstraints(max_length=20)]

    @field_validator("word")
    @classmethod
    def _meant(cls, value: str) -> str:
        if nfc(value).casefold() not in {"xóa", "xoá", "xoa", "erase"}:
            raise Unreadable("word", N_("Hãy viết chữ XÓA vào ô này."))
        return value


class PageMark(Form):
    """Which page of a long list: the mark that a page before gave; empty for the first one."""

    trang: str = ""


class Organisations(PageMark):
    """A part of the name or the tax code, the kind, and the commune in which they lie."""

    q: Search = ""
    loai: OrganisationKind | None = None
    xa: UUID | None = None


class People(PageMark):
    """Which of an organisation's people, households and offers: `trang` is the page of the people, `trang_ho` of the
    households, `trang_moi` of the offers.
    """

    q: Search = ""
    trang_ho: str = ""
    trang_moi: str = ""


class Account(PageMark):
    """Pages of the lists of one's own account: `trang` of the roles, the others of sign-ins, phones and requests about data."""

    trang_phien: str = ""
    trang_may: str = ""
    trang_yeu_cau: str = ""


class Joining(Form):
    """The cooperatives of which commune a household may join, and a part of their names."""

    commune: UUID | None = None
    q: Search = ""
