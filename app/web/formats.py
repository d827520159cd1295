"""Days, numbers, money, quantities and texts as a page writes them."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from flask_babel import get_locale, gettext, ngettext

from app import clock, numbers
from app.db.keyset import Count
from app.messages import N_, Said
from app.web.languages import form_language

_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def vn_date(value: date | datetime | None) -> str:
    """dd/mm/yyyy in Vietnam."""
    if value is None:
        return ""
    day = clock.local(value).date() if isinstance(value, datetime) else value
    return day.strftime("%d/%m/%Y")


def form_day(value: date | str | None) -> str:
    """A day as the value of a form's field, dd/mm/yyyy whatever the browser's language; what was typed stays as it was typed."""
    if isinstance(value, str):
        as_browsers_send = _ISO_DAY.fullmatch(value)
        return "/".join(as_browsers_send.group(3, 2, 1)) if as_browsers_send else value
    return vn_date(value)


def vn_datetime(value: datetime | None) -> str:
    """dd/mm/yyyy hh:mm in Vietnam."""
    return "" if value is None else clock.local(value).strftime("%d/%m/%Y %H:%M")


def number(value: Decimal | float | None, places: int | None = None) -> str:
    """1.234.567,8 in Vietnamese, 1,234,567.8 in English."""
    return "" if value is None else numbers.shown(value, str(get_locale()), places)


def how_many(count: Count) -> str:
    """The number of lines of a long list: exact, or "hơn 1.000"."""
    shown = number(count.number)
    return str(gettext("hơn %(n)s", n=shown)) if count.more else shown


def form_number(value: Decimal | float | None) -> str:
    """A number as the value of a form's field: every digit, in the language in which the form will be read."""
    return "" if value is None else numbers.shown(value, form_language())


def counting(text: str, *, n: int, **values: object) -> str:
    """A sentence that counts: `text` with %(n)s. Vietnamese has one form for all numbers; English looks up one of its two."""
    return str(ngettext(text, text, n, **values, n=number(n)))


def vnd(value: int | None) -> str:
    """Money in đồng."""
    return "" if value is None else f"{number(Decimal(value))} đ"


UNITS = {
    "kg": N_("kg"),
    "g": N_("g"),
    "tan": N_("tấn"),
    "l": N_("lít"),
    "ml": N_("ml"),
    "m3": N_("m³"),
    "piece": N_("cái"),
    "plant": N_("cây"),
    "animal": N_("con"),
    "bag": N_("bao"),
    "basket": N_("gùi"),
    "tank16": N_("bình 16 lít"),
    "box": N_("hộp"),
    "bottle": N_("chai"),
    "hour": N_("giờ"),
    "m2": N_("m²"),
    "ha": N_("ha"),
    "sao": N_("sào"),
}


def quantity(value: Decimal | None, unit: str | None) -> str:
    """A number with its unit's word."""
    if value is None or unit is None:
        return ""
    return f"{number(value)} {words(UNITS.get(unit)) or unit}"


def unit_options(units: Iterable[str]) -> list[tuple[str, str]]:
    """Units with their words, to choose from in a form."""
    return [(unit, words(UNITS[unit])) for unit in units]


def words(value: Said | None) -> str:
    """The text in the visitor's language."""
    return "" if value is None else value.text(str(get_locale()))
