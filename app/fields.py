"""The types of single fields that forms, addresses and JSON bodies share: numbers, ticks, days, moments, languages, clients' ids.

A form is read in the language in which it was shown: `parse_data` gives it as the validation context `{"language": …}`.
Without one (JSON, addresses, our own calls) a number has a decimal dot and no groups.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ValidationInfo

from app import numbers
from app.errors import Unreadable
from app.languages import LANGUAGES
from app.messages import N_, Sentence

FIRST_DAY = date(1990, 1, 1)
FIRST_OLD_DAY = date(1900, 1, 1)
LAST_DAY = date(2100, 12, 31)
FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(2100, 12, 31, tzinfo=UTC)


# --- numbers ---------------------------------------------------------------------------------------------------------


_CURRENCY = re.compile(r"\s*(?:đồng|đ|₫|vnđ|vnd)\s*$", re.IGNORECASE)


def _language(info: ValidationInfo) -> str | None:
    found = (info.context or {}).get("language")
    return found if isinstance(found, str) else None


def _number(value: object, info: ValidationInfo) -> object:
    if isinstance(value, bool):
        raise _no_number(())
    if not isinstance(value, str):
        return value
    language = _language(info)
    try:
        return numbers.read_machine(value) if language is None else numbers.read(value, language)
    except numbers.Misread as error:
        raise _no_number(error.nearest) from None


def _whole(value: object, info: ValidationInfo) -> object:
    if isinstance(value, bool):
        raise _no_whole(())
    if not isinstance(value, str):
        return value
    language = _language(info)
    try:
        return numbers.read_machine_whole(value) if language is None else numbers.read_whole(value, language)
    except numbers.Misread as error:
        raise _no_whole(error.nearest) from None


def _dong(value: object, info: ValidationInfo) -> object:
    """The sign of the currency may stand behind, or its name."""
    plain = _CURRENCY.sub("", value) if isinstance(value, str) and _language(info) else value
    return _whole(plain, info)


def _written_by_us(value: object) -> object:
    """What a page of ours put into a hidden field or an address: digits, the same in every language."""
    if isinstance(value, bool):
        raise _no_whole(())
    if not isinstance(value, str):
        return value
    try:
        return numbers.read_machine_whole(value)
    except numbers.Misread:
        raise _no_whole(()) from None


def _year(value: object) -> object:
    """A year is a name, not a quantity: 2026 in every language, never 2.026."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{4}\s*", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Unreadable("year", N_("Năm viết bằng bốn chữ số, ví dụ 2026."))


def _degrees(value: object) -> object:
    """Degrees stand on maps with a dot, in Vietnamese books with a comma; they have no thousands, so both are plain."""
    if isinstance(value, str):
        plain = value.strip().replace(",", ".")
        if re.fullmatch(r"-?[0-9]{1,3}(?:\.[0-9]{1,20})?", plain) is None:
            raise Unreadable("degrees", N_("Vị trí viết bằng độ, ví dụ 21.853711."))
        return Decimal(plain)
    if isinstance(value, bool):
        raise _no_number(())
    return value


def _no_number(nearest: tuple[str, ...]) -> Unreadable:
    if not nearest:
        return Unreadable("decimal_parsing", N_("Cần một con số, ví dụ 2,5."))
    return Unreadable("decimal_parsing", N_("Con số này viết chưa rõ. Viết %(nearest)s.", nearest=_either(nearest)))


def _no_whole(nearest: tuple[str, ...]) -> Unreadable:
    if not nearest:
        return Unreadable("int_parsing", N_("Cần một số nguyên, ví dụ 12."))
    return Unreadable("int_parsing", N_("Cần một số nguyên. Viết %(nearest)s.", nearest=_either(nearest)))


def _either(nearest: tuple[str, ...]) -> Sentence | str:
    first, *others = nearest
    return N_("%(first)s hoặc %(second)s", first=first, second=others[0]) if others else first


Number = Annotated[Decimal, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Dong = Annotated[int, BeforeValidator(_dong)]
Year = Annotated[int, BeforeValidator(_year)]
Degrees = Annotated[Decimal, BeforeValidator(_degrees)]
Counter = Annotated[int, BeforeValidator(_written_by_us)]  # a row's version, the number of a page


_TICKS = (True, "1", "on", "true")  # compared and not looked up: what is sent may be a list
Ticked = Annotated[bool, BeforeValidator(lambda value: value in _TICKS)]


# --- days and moments ------------------------------------------------------------------------------------------------


def _day(value: object) -> object:
    """24/11/2026 as people write it, 24112026 on keys without signs, 2026-11-24 as browsers send it."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    plain = value.strip() if isinstance(value, str) else ""
    people = re.fullmatch(r"([0-9]{1,2})[/., \-]([0-9]{1,2})[/., \-]([0-9]{4})|([0-9]{2})([0-9]{2})([0-9]{4})", plain)
    browsers = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", plain)
    parts: tuple[str, ...] = browsers.groups() if browsers else ()
    if people:
        parts = tuple(part for part in people.groups() if part)[::-1]
    try:
        year, month, day = (int(part) for part in parts)
        return date(year, month, day)
    except ValueError:
        raise Unreadable("date_parsing", N_("Ngày viết chưa đúng, ví dụ 24/11/2026.")) from None


def _within(first: date) -> AfterValidator:
    def check(value: date) -> date:
        if value < first:
            raise Unreadable("too_early", N_("Ngày này xa quá, hãy xem lại năm."))
        if value > LAST_DAY:
            raise Unreadable("too_late", N_("Ngày này còn xa quá, hãy xem lại năm."))
        return value

    return AfterValidator(check)


def _nearest_day(value: date) -> date:
    return min(max(value, FIRST_OLD_DAY), LAST_DAY)


def _moment_within(value: datetime) -> datetime:
    if value.year < FIRST_MOMENT.year:
        raise Unreadable(
            "too_long_ago",
            N_("Ngày giờ này xa quá, có thể đồng hồ máy bị sai. Hãy chỉnh lại đồng hồ rồi chọn lại ngày."),
        )
    if value.year > LAST_MOMENT.year:
        raise Unreadable(
            "in_future",
            N_(
                "Ngày giờ này chưa tới (năm %(year)s), có thể đồng hồ máy bị sai. Hãy chỉnh lại đồng hồ rồi chọn "
                "lại ngày.",
                year=value.year,
            ),
        )
    return value


def _nearest_moment(value: datetime) -> datetime:
    if value.year < FIRST_MOMENT.year:
        return FIRST_MOMENT
    return LAST_MOMENT if value.year > LAST_MOMENT.year else value


Day = Annotated[date, BeforeValidator(_day), _within(FIRST_DAY)]  # 1990 to 2100: what people do, promise and certify
OldDay = Annotated[date, BeforeValidator(_day), _within(FIRST_OLD_DAY)]  # 1900 to 2100: the history of places
# A day that a page is asked about and judges itself, in its own words; it only must not overflow.
AskedDay = Annotated[date, BeforeValidator(_day), AfterValidator(_nearest_day)]
Moment = Annotated[AwareDatetime, AfterValidator(_moment_within)]  # 2000 to 2100, with its offset
# What a phone takes for now: only compared, so a clock at year 9999 must not keep the phone's work from us.
PhoneNow = Annotated[AwareDatetime, AfterValidator(_nearest_moment)]


# --- languages -------------------------------------------------------------------------------------------------------


def _with_a_catalogue(value: str) -> str:
    if value not in LANGUAGES:
        raise Unreadable("literal_error", N_("Chọn một mục trong danh sách."))
    return value


Language = Annotated[str, AfterValidator(_with_a_catalogue)]


# --- ids -------------------------------------------------------------------------------------------------------------


def _somebodys(value: UUID) -> UUID:
    if value.int in {0, 2**128 - 1}:
        raise Unreadable("uuid_empty", N_("Mã này để trống nên trùng với máy khác. Hãy mở lại trang rồi gửi lại."))
    return value


# Made by a client, any version of UUID but the nil and max ones of RFC 9562, which every faulty client shares.
ClientId = Annotated[UUID, AfterValidator(_somebodys)]
