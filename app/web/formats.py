"""Days, numbers, money, quantities and texts as a page writes them."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from flask_babel import get_locale, gettext, ngettext

from app import clock, numbers
from app.db.keyset import Count
from app.web.languages import form_language, language

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


UNITS: dict[str, tuple[str, str]] = {
    "kg": ("kg", "kg"),
    "g": ("g", "g"),
    "tan": ("tấn", "t"),
    "l": ("lít", "L"),
    "ml": ("ml", "ml"),
    "m3": ("m³", "m³"),
    "piece": ("cái", "pcs"),
    "plant": ("cây", "plants"),
    "animal": ("con", "head"),
    "bag": ("bao", "bags"),
    "basket": ("gùi", "baskets"),
    "tank16": ("bình 16 lít", "16 L tanks"),
    "box": ("hộp", "boxes"),
    "bottle": ("chai", "bottles"),
    "hour": ("giờ", "h"),
    "m2": ("m²", "m²"),
    "ha": ("ha", "ha"),
    "sao": ("sào", "sào (360 m²)"),
}


def quantity(value: Decimal | None, unit: str | None) -> str:
    """A number with its unit's word."""
    if value is None or unit is None:
        return ""
    vi, en = UNITS.get(unit, (unit, unit))
    return f"{number(value)} {en if str(get_locale()) == 'en' else vi}"


def unit_options(units: Iterable[str]) -> list[tuple[str, str]]:
    """Units with their words, to choose from in a form."""
    return [(unit, UNITS[unit][1 if language() == "en" else 0]) for unit in units]


class InLanguages(Protocol):
    """What can say itself in a language: people's `Words`, and our own things with names."""

    def text(self, language: str) -> str: ...


def words(value: InLanguages | None) -> str:
    """The text in the visitor's language."""
    return "" if value is None else value.text(str(get_locale()))
