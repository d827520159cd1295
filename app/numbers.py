"""Numbers as people write and read them: 1.200,5 in Vietnamese is 1,200.5 in English. Reading is the exact inverse of showing.

The signs and the check of the grouping are Babel's (Unicode CLDR). Nothing is guessed: what is not written as we would
show it, or plainly without groups, is refused with the nearest right spellings.
"""

import re
import unicodedata
from decimal import Decimal

from babel.numbers import NumberFormatError, get_decimal_symbol, get_group_symbol, parse_decimal

from app.languages import LANGUAGES, SOURCE

_OTHER = {language: "en" if language == SOURCE else SOURCE for language in LANGUAGES}  # whose reading may be meant
_LONGEST = 40
_GROUP = 3  # digits of one group
_BLANKS = " \u00a0\u2009\u202f"
_SIGNS = {language: (get_group_symbol(language), get_decimal_symbol(language)) for language in LANGUAGES}


def _shape(group: str, decimal: str) -> re.Pattern[str]:
    groups = rf"[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+"
    return re.compile(rf"-?(?:[0-9]+|{groups})(?:{re.escape(decimal)}[0-9]+)?")


_SHAPES = {language: _shape(*signs) for language, signs in _SIGNS.items()}
_SPACED = {
    language: re.compile(rf"-?[0-9]{{1,3}}(?:([{_BLANKS}])[0-9]{{3}})(?:\1[0-9]{{3}})*(?:{re.escape(signs[1])}[0-9]+)?")
    for language, signs in _SIGNS.items()
}
# 1,200 in Vietnamese is 1,2 as we show it; whoever writes it so may well mean the English thousand.
_OTHER_THOUSANDS = {
    language: re.compile(rf"-?[1-9][0-9]{{0,2}}{re.escape(signs[1])}[0-9]{{2}}0") for language, signs in _SIGNS.items()
}
_MACHINE = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_MACHINE_WHOLE = re.compile(r"-?[0-9]{1,40}")


class Misread(ValueError):
    """What was typed is no number of this language; `nearest` are the right spellings that may be meant, at most two."""

    def __init__(self, nearest: tuple[str, ...] = ()) -> None:
        super().__init__("not a number")
        self.nearest = nearest


def shown(value: Decimal | float, language: str, places: int | None = None) -> str:
    """1.234.567,8 in Vietnamese, 1,234,567.8 in English; every digit that there is, unless `places` rounds."""
    exact = Decimal(str(value))
    plain = f"{exact:,.{places}f}" if places is not None else f"{exact.normalize():,f}"
    return plain.translate(str.maketrans(",.", "".join(_SIGNS[language])))


def read(text: str, language: str) -> Decimal:
    """What `shown` wrote, or the same without groups, or with blanks between them. Raises Misread."""
    plain = text.strip()
    if _SPACED[language].fullmatch(plain):
        plain = re.sub(f"[{_BLANKS}]", _SIGNS[language][0], plain)
    well = len(plain) <= _LONGEST and _SHAPES[language].fullmatch(plain) is not None
    if not well or _OTHER_THOUSANDS[language].fullmatch(plain):
        raise Misread(_nearest(text, language))
    try:
        return parse_decimal(plain, locale=language, strict=True)
    except NumberFormatError:
        raise Misread(_nearest(text, language)) from None


def read_whole(text: str, language: str) -> int:
    """A number without a decimal sign. Raises Misread: 185,0 and 185.00 are no whole numbers, 185 is."""
    decimal = _SIGNS[language][1]
    try:
        if decimal not in text:
            return int(read(text, language))
        nearest = _nearest(text, language)
    except Misread as error:
        nearest = error.nearest
    if nearest and decimal in nearest[0]:  # a fraction was meant: no whole number is near
        nearest = ()
    raise Misread(tuple(n for n in nearest if decimal not in n))


def read_machine(text: str) -> Decimal:
    """A number as programs write it, in JSON and in addresses: 1200.5, no groups. Raises Misread."""
    if _MACHINE.fullmatch(text.strip()) is None:
        raise Misread
    return Decimal(text.strip())


def read_machine_whole(text: str) -> int:
    """A whole number as programs write it. Raises Misread."""
    if _MACHINE_WHOLE.fullmatch(text.strip()) is None:
        raise Misread
    return int(text.strip())


def _nearest(text: str, language: str) -> tuple[str, ...]:
    """The right spellings of what this is in the other language, and with its groups mended; digits of any width.

    A spelling that would be ten times another reading is none: 1.200.5 is near 1.200,5 and not near 12.005.
    """
    plain = re.sub(rf"[{_BLANKS}]", "", unicodedata.normalize("NFKC", text.strip()))
    if len(plain) > _LONGEST:
        return ()
    group, decimal = _SIGNS[language]
    if plain.startswith((group, decimal)):
        plain = f"0{plain}"
    foreign = plain.replace(decimal, "").replace(group, ".") if _SHAPES[_OTHER[language]].fullmatch(plain) else ""
    found = [n for n in (foreign, _regrouped(plain, group, decimal)) if _MACHINE.fullmatch(n)]
    return tuple(dict.fromkeys(shown(Decimal(n), language) for n in found))


def _regrouped(plain: str, group: str, decimal: str) -> str:
    """As a machine reads it, where what stands between the group signs may be groups; else nothing."""
    whole, _, fraction = plain.partition(decimal)
    first, *groups = whole.split(group)
    if group in fraction or plain.endswith(decimal):
        return ""
    if len(groups) > 1 and not fraction and len(groups[-1]) < _GROUP:  # the last sign was meant as the decimal one
        *groups, fraction = groups
    if any(len(g) < _GROUP for g in groups) or (groups and first.lstrip("-") in {"", "0"}):
        return ""
    return first + "".join(groups) + (f".{fraction}" if fraction else "")
