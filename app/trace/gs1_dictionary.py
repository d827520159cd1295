"""GS1's own Syntax Dictionary of application identifiers, and the check of one value against it.

Source: the dictionary of 2026-01-27 in `data/`. Country tables (ISO 3166, 4217, IBAN, packages, coupons) are not checked.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.errors import Invalid
from app.products.gtins import check_digit

_DICTIONARY = Path(__file__).parent / "data" / "gs1-syntax-dictionary.txt"
_ENTRY = re.compile(r"(?P<ais>\d{2,4}(?:-\d{2,4})?)\s+(?P<flags>[*?]*)\s*(?P<rest>[NXYZ\[].*)")
_COMPONENT = re.compile(r"(?P<open>\[?)(?P<kind>[NXYZ])(?P<upto>\.\.)?(?P<length>\d+)\]?(?:,(?P<checks>\S+))?")
CHARACTERS = {
    "N": re.compile(r"[0-9]*"),
    "X": re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]*"),
    "Y": re.compile(r"[#\-/0-9A-Z]*"),
    "Z": re.compile(r"[\-0-9A-Z_a-z=]*"),
}
BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Component:
    kind: str
    shortest: int
    longest: int
    optional: bool
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the dictionary for one application identifier."""

    ai: str
    fixed: bool
    attribute: bool
    components: tuple[Component, ...]
    requires: tuple[tuple[tuple[str, ...], ...], ...]
    excludes: tuple[str, ...]
    qualifiers: tuple[tuple[str, ...], ...] | None


def refuse(code: str, vi: str, en: str) -> Invalid:
    return Invalid(f"digital_link_{code}", vi=vi, en=en, field="uri")


@lru_cache(maxsize=1)
def rules() -> Mapping[str, Rule]:
    rules: dict[str, Rule] = {}
    for line in _DICTIONARY.read_text(encoding="utf-8").splitlines():
        entry = _ENTRY.match(line.split("#", 1)[0].rstrip())
        if entry is None:
            continue
        first, _, last = entry["ais"].partition("-")
        for number in range(int(first), int(last or first) + 1):
            ai = str(number).zfill(len(first))
            rules[ai] = _rule(ai, entry["flags"], entry["rest"].split())
    return rules


def _rule(ai: str, flags: str, words: list[str]) -> Rule:
    components: list[Component] = []
    requires: list[tuple[tuple[str, ...], ...]] = []
    excludes: list[str] = []
    qualifiers: tuple[tuple[str, ...], ...] | None = None
    for word in words:
        name, _, value = word.partition("=")
        component = _COMPONENT.fullmatch(word)
        if component is not None:
            longest = int(component["length"])
            components.append(
                Component(
                    kind=component["kind"],
                    shortest=1 if component["upto"] else longest,
                    longest=longest,
                    optional=bool(component["open"]),
                    checks=tuple((component["checks"] or "").split(",")),
                )
            )
        elif name == "req":
            requires.append(tuple(tuple(group.split("+")) for group in value.split(",")))
        elif name == "ex":
            excludes.extend(value.split(","))
        elif name == "dlpkey":
            qualifiers = tuple(tuple(q for q in way.split(",") if q) for way in value.split("|"))
    return Rule(ai, "*" in flags, "?" in flags, tuple(components), tuple(requires), tuple(excludes), qualifiers)


def matches(ai: str, pattern: str) -> bool:
    """`pattern` is an identifier, or one with n for any digit at its end."""
    return len(ai) == len(pattern) and all(p in {"n", a} for a, p in zip(ai, pattern, strict=True))


def known(ai: str) -> Rule:
    rule = rules().get(ai)
    if rule is None:
        raise refuse("unknown_ai", f"Mã có phần ({ai}) mà GS1 không định nghĩa.", f"GS1 defines no identifier ({ai}).")
    return rule


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


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "csum": lambda v: check_digit(v[:-1]) == v[-1],
    "csumalpha": _model_number,
    "gcppos1": lambda v: v[:2].isdigit(),
    "gcppos2": lambda v: v[1:3].isdigit(),
    "yymmdd": lambda v: _date(v, day_zero=False),
    "yymmd0": lambda v: _date(v, day_zero=True),
    "yyyymmdd": lambda v: _date(v, day_zero=False),
    "hhmi": lambda v: v[:2] < "24" and v[2:] < "60",
    "hh": lambda v: v < "24",
    "mi": lambda v: v < "60",
    "ss": lambda v: v < "60",
    "zero": lambda v: set(v) == {"0"},
    "nonzero": lambda v: set(v) != {"0"},
    "nozeroprefix": lambda v: v == "0" or not v.startswith("0"),
    "hasnondigit": lambda v: not v.isdigit(),
    "pieceoftotal": lambda v: "00" < v[:2] <= v[2:],
    "hyphen": lambda v: v == "-",
    "yesno": lambda v: v in {"0", "1"},
    "winding": lambda v: v in {"0", "1", "9"},
    "pcenc": lambda v: BAD_PERCENT.search(v) is None,
    "importeridx": lambda v: v in "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
}


def check_value(rule: Rule, value: str) -> None:
    left = value
    for component in rule.components:
        if not left and component.optional:
            break
        part, left = left[: component.longest], left[component.longest :]
        if len(part) < component.shortest or CHARACTERS[component.kind].fullmatch(part) is None:
            raise refuse(
                "value",
                f"Phần ({rule.ai}) của mã viết chưa đúng dạng. Bác quét lại tem, hoặc kiểm tra số lô và mã sản phẩm.",
                f"The value of ({rule.ai}) does not have the form that GS1 defines.",
            )
        for name in component.checks:
            check = _CHECKS.get(name)
            if check is not None and not check(part):
                raise refuse(
                    "check",
                    f"Phần ({rule.ai}) của mã không khớp chữ số kiểm tra hoặc ngày tháng. Bác quét lại tem.",
                    f"The value of ({rule.ai}) fails GS1's check “{name}”.",
                )
    if left:
        raise refuse(
            "value_long",
            f"Phần ({rule.ai}) của mã dài quá. Bác quét lại tem.",
            f"The value of ({rule.ai}) is longer than GS1 allows.",
        )
