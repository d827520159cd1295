"""The check of one value of a GS1 identifier against its rule.

The checks are those of GS1's Barcode Syntax Tests, under names of our own. Two are left out (`UNCHECKED`): codes of packages
(UN/ECE Recommendation 21, some 400 that change every year) and North American coupons, neither of which a buyer's phone meets on our
goods. Whether a company prefix was ever given to anybody is not checked either: that is GS1's own register.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from stdnum.iso7064 import mod_97_10

from app.messages import N_
from app.products.gtins import check_digit
from app.trace.gs1_identifiers import Part, Rule, refuse

_CODES = Path(__file__).parent / "data" / "gs1_codes.toml"
UNCHECKED = frozenset({"package", "coupon"})
CHARACTERS = {
    "digits": re.compile(r"[0-9]*"),
    "text": re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]*"),
    "capitals": re.compile(r"[#\-/0-9A-Z]*"),
    "base64": re.compile(r"[\-0-9A-Z_a-z]*={0,2}"),
}
BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
PREFIX_DIGITS = 4  # the shortest company prefix


@lru_cache(maxsize=1)
def _codes() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(text.split()) for name, text in tomllib.loads(_CODES.read_text(encoding="utf-8")).items()}


def _days(year: int, month: int) -> int:
    if month == 2:  # noqa: PLR2004 - February
        return 29 if year % 4 == 0 else 28
    return 30 if month in {4, 6, 9, 11} else 31


def _date(value: str, *, day_zero: bool) -> bool:
    """YYMMDD or YYYYMMDD; both centuries that YY may mean have the same leap years but 1900 and 2100, out of range here."""
    year, month, day = int(value[:-4]), int(value[-4:-2]), int(value[-2:])
    return 1 <= month <= 12 and (0 if day_zero else 1) <= day <= _days(year, month)  # noqa: PLR2004 - a year's months


_GMN_WEIGHTS = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)
_GMN_CHECK = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CSET82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def _model_number(value: str) -> bool:
    """The check pair of a Global Model Number: weighted primes from the right, modulo 1021, in 32 characters."""
    first, pair = value[:-2], value[-2:]
    if not first or len(first) > len(_GMN_WEIGHTS):
        return False
    total = sum(_CSET82.index(c) * w for c, w in zip(reversed(first), _GMN_WEIGHTS, strict=False)) % 1021
    return pair == _GMN_CHECK[total >> 5] + _GMN_CHECK[total & 31]


def _company(value: str) -> bool:
    """Whether a company prefix can begin here."""
    return len(value) >= PREFIX_DIGITS and value[:PREFIX_DIGITS].isdigit()


def _bank_account(value: str) -> bool:
    """An IBAN as GS1 checks it: a country, 11 to 34 digits and capitals, and the check digits of ISO 7064 (mod 97-10)."""
    return (
        re.fullmatch(r"[0-9A-Z]{11,34}", value) is not None
        and value[:2] in _codes()["country_letters"]
        and mod_97_10.is_valid(value[4:] + value[:4])
    )


def _place_in_order(value: str) -> bool:
    """The second of three is 2/3."""
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", value)
    return found is not None and int(found[1]) <= int(found[2])


def _country(value: str) -> bool:
    return value in _codes()["country_numbers"]


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "mod10": lambda v: check_digit(v[:-1]) == v[-1],
    "model_pair": _model_number,
    "company": _company,
    "company_second": lambda v: _company(v[1:]),
    "day": lambda v: _date(v, day_zero=False),
    "day_or_month": lambda v: _date(v, day_zero=True),
    "long_day": lambda v: _date(v, day_zero=False),
    "hour_minute": lambda v: v[:2] < "24" and v[2:] < "60",
    "hour": lambda v: v < "24",
    "minute": lambda v: v < "60",
    "second": lambda v: v < "60",
    "zero": lambda v: set(v) == {"0"},
    "not_zero": lambda v: set(v) != {"0"},
    "no_leading_zero": lambda v: not v.startswith("0"),
    "not_digits_only": lambda v: not v.isdigit(),
    "piece_of_total": lambda v: "00" < v[:2] <= v[2:],
    "minus": lambda v: v == "-",
    "yes_no": lambda v: v in {"0", "1"},
    "winding": lambda v: v in {"0", "1", "9"},
    "percent": lambda v: BAD_PERCENT.search(v) is None,
    "importer": lambda v: v in "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
    "latitude": lambda v: v <= "1800000000",  # tenths of a millionth of a degree, from the South Pole
    "longitude": lambda v: v <= "3600000000",  # the same, from the date line
    "medium": lambda v: "01" <= v <= "10" or v >= "80",  # the others are kept back
    "sex": lambda v: v in {"0", "1", "2", "9"},  # ISO 5218
    "place_in_order": _place_in_order,
    "country": _country,
    "country_or_999": lambda v: v == "999" or _country(v),
    "country_letters": lambda v: v in _codes()["country_letters"],
    "currency": lambda v: v in _codes()["currency_numbers"],
    "bank_account": _bank_account,
}


def _written(part: Part, text: str) -> bool:
    """Whether the text has the length and the characters of this part; padding of base64 stands only where it fills a third."""
    return (
        len(text) >= part.shortest
        and CHARACTERS[part.kind].fullmatch(text) is not None
        and not (part.kind == "base64" and text.endswith("=") and len(text) % 3)
    )


def check_value(rule: Rule, value: str) -> None:
    """Raises Invalid for a value that breaks the form or a check of its identifier."""
    left = value
    for part in rule.parts:
        if not left and part.optional:
            break
        text, left = left[: part.longest], left[part.longest :]
        if not _written(part, text):
            raise refuse(
                "value",
                N_(
                    "Phần (%(ai)s) của mã viết chưa đúng dạng. Hãy quét lại tem, hoặc kiểm tra số lô và mã sản phẩm.",
                    ai=rule.ai,
                ),
            )
        for name in part.checks:
            if name not in UNCHECKED and not _CHECKS[name](text):
                raise refuse(
                    "check",
                    N_(
                        "Phần (%(ai)s) của mã không khớp chữ số kiểm tra hoặc ngày tháng. Hãy quét lại tem.",
                        ai=rule.ai,
                    ),
                )
    if left:
        raise refuse("value_long", N_("Phần (%(ai)s) của mã dài quá. Hãy quét lại tem.", ai=rule.ai))
