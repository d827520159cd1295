"""GS1 Digital Link addresses: a strict parser and builder, driven by GS1's own Syntax Dictionary.

Source of the rules: GS1 Digital Link URI Syntax 1.4 (14-digit GTINs, no convenience names) and the dictionary of
2026-01-27 in `data/`. Compression and country tables (ISO 3166, 4217, IBAN, packages, coupons) are not checked.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from app.errors import Invalid

LONGEST_URI = 2000
CANONICAL_STEM = "https://id.gs1.org"

_DICTIONARY = Path(__file__).parent / "data" / "gs1-syntax-dictionary.txt"
_ENTRY = re.compile(r"(?P<ais>\d{2,4}(?:-\d{2,4})?)\s+(?P<flags>[*?]*)\s*(?P<rest>[NXYZ\[].*)")
_COMPONENT = re.compile(r"(?P<open>\[?)(?P<kind>[NXYZ])(?P<upto>\.\.)?(?P<length>\d+)\]?(?:,(?P<checks>\S+))?")
_CHARACTERS = {
    "N": re.compile(r"[0-9]*"),
    "X": re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]*"),
    "Y": re.compile(r"[#\-/0-9A-Z]*"),
    "Z": re.compile(r"[\-0-9A-Z_a-z=]*"),
}
# What may stand in an address as it is; everything else must be percent-encoded.
_ADDRESS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_SPLIT = re.compile(r"(?P<scheme>https?|HTTPS?)://(?P<host>[^/?#]+)(?P<path>/[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?")
_HOST = re.compile(r"(?:[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Element:
    """One application identifier and its value, decoded."""

    ai: str
    value: str


@dataclass(frozen=True, slots=True)
class DigitalLink:
    """A parsed address. `path` holds the key first, then its qualifiers in GS1's order; `other` is what GS1 does not define."""

    stem: str
    path: tuple[Element, ...]
    attributes: tuple[Element, ...] = ()
    other: tuple[tuple[str, str], ...] = ()

    def value(self, ai: str) -> str | None:
        return next((e.value for e in (*self.path, *self.attributes) if e.ai == ai), None)

    @property
    def key(self) -> Element:
        return self.path[0]

    @property
    def gtin(self) -> str | None:
        return self.value("01")

    @property
    def lot(self) -> str | None:
        return self.value("10")

    @property
    def serial(self) -> str | None:
        return self.value("21")


@dataclass(frozen=True, slots=True)
class _Component:
    kind: str
    shortest: int
    longest: int
    optional: bool
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    """One line of the dictionary for one application identifier."""

    ai: str
    fixed: bool
    attribute: bool
    components: tuple[_Component, ...]
    requires: tuple[tuple[tuple[str, ...], ...], ...]
    excludes: tuple[str, ...]
    qualifiers: tuple[tuple[str, ...], ...] | None


def _refuse(code: str, vi: str, en: str) -> Invalid:
    return Invalid(f"digital_link_{code}", vi=vi, en=en, field="uri")


# --- the dictionary ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _rules() -> Mapping[str, _Rule]:
    rules: dict[str, _Rule] = {}
    for line in _DICTIONARY.read_text(encoding="utf-8").splitlines():
        entry = _ENTRY.match(line.split("#", 1)[0].rstrip())
        if entry is None:
            continue
        first, _, last = entry["ais"].partition("-")
        for number in range(int(first), int(last or first) + 1):
            ai = str(number).zfill(len(first))
            rules[ai] = _rule(ai, entry["flags"], entry["rest"].split())
    return rules


def _rule(ai: str, flags: str, words: list[str]) -> _Rule:
    components: list[_Component] = []
    requires: list[tuple[tuple[str, ...], ...]] = []
    excludes: list[str] = []
    qualifiers: tuple[tuple[str, ...], ...] | None = None
    for word in words:
        name, _, value = word.partition("=")
        component = _COMPONENT.fullmatch(word)
        if component is not None:
            longest = int(component["length"])
            components.append(
                _Component(
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
    return _Rule(ai, "*" in flags, "?" in flags, tuple(components), tuple(requires), tuple(excludes), qualifiers)


def _matches(ai: str, pattern: str) -> bool:
    """`pattern` is an identifier, or one with n for any digit at its end."""
    return len(ai) == len(pattern) and all(p in {"n", a} for a, p in zip(ai, pattern, strict=True))


# --- values ------------------------------------------------------------------------------------------------------


def check_digit(digits: str) -> str:
    """GS1's modulo-10 check digit of a string of digits without it. Raises Invalid for anything but 0-9."""
    if not digits or _CHARACTERS["N"].fullmatch(digits) is None:
        raise _refuse("digits", "Mã số chỉ gồm các chữ số 0-9.", "The number must consist of the digits 0-9.")
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits)))
    return str(-total % 10)


def gtin14(text: str) -> str:
    """The 14-digit spelling of a GTIN of 8, 12, 13 or 14 digits. Raises Invalid, also for a wrong check digit."""
    if len(text) not in {8, 12, 13, 14} or _CHARACTERS["N"].fullmatch(text) is None:
        raise Invalid(
            "gtin_length",
            vi="Mã số thương phẩm (GTIN) có 8, 12, 13 hoặc 14 chữ số. Bác nhập lại đúng dãy số dưới mã vạch.",
            en="A GTIN has 8, 12, 13 or 14 digits. Type the digits under the bar code.",
            field="gtin",
        )
    if check_digit(text[:-1]) != text[-1]:
        raise Invalid(
            "gtin_check_digit",
            vi="Mã số thương phẩm (GTIN) sai chữ số kiểm tra: có một chữ số nhập nhầm. Bác so lại với mã vạch.",
            en="The GTIN's check digit is wrong: one digit was mistyped. Compare it with the bar code.",
            field="gtin",
        )
    return text.zfill(14)


def is_restricted(gtin: str) -> bool:
    """Whether a GTIN lies in a range that means something only inside one company or country.

    GS1 General Specifications: prefixes 02, 04 and 20-29 are restricted circulation, 05 and 98-99 coupons; of the 8-digit
    numbers those that begin with 0 or 2 are the shops' own. Such a number must never stand in a printed address.
    """
    thirteen = gtin.zfill(14)[1:]
    if thirteen.startswith("00000"):
        return thirteen[5] in {"0", "2"}
    return thirteen[:2] in {"02", "04", "05", "98", "99"} or thirteen[0] == "2"


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
    "pcenc": lambda v: _BAD_PERCENT.search(v) is None,
    "importeridx": lambda v: v in "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
}


def _check_value(rule: _Rule, value: str) -> None:
    left = value
    for component in rule.components:
        if not left and component.optional:
            break
        part, left = left[: component.longest], left[component.longest :]
        if len(part) < component.shortest or _CHARACTERS[component.kind].fullmatch(part) is None:
            raise _refuse(
                "value",
                f"Phần ({rule.ai}) của mã viết chưa đúng dạng. Bác quét lại tem, hoặc kiểm tra số lô và mã sản phẩm.",
                f"The value of ({rule.ai}) does not have the form that GS1 defines.",
            )
        for name in component.checks:
            check = _CHECKS.get(name)
            if check is not None and not check(part):
                raise _refuse(
                    "check",
                    f"Phần ({rule.ai}) của mã không khớp chữ số kiểm tra hoặc ngày tháng. Bác quét lại tem.",
                    f"The value of ({rule.ai}) fails GS1's check “{name}”.",
                )
    if left:
        raise _refuse(
            "value_long",
            f"Phần ({rule.ai}) của mã dài quá. Bác quét lại tem.",
            f"The value of ({rule.ai}) is longer than GS1 allows.",
        )


def _known(ai: str) -> _Rule:
    rule = _rules().get(ai)
    if rule is None:
        raise _refuse("unknown_ai", f"Mã có phần ({ai}) mà GS1 không định nghĩa.", f"GS1 defines no identifier ({ai}).")
    return rule


def path_is_valid(ais: Iterable[str]) -> bool:
    """Whether these identifiers may stand in a path in this order: a key, then its qualifiers."""
    first, *rest = ais
    rule = _rules().get(first)
    return rule is not None and rule.qualifiers is not None and any(_in_order(rest, way) for way in rule.qualifiers)


def _in_order(some: list[str], way: tuple[str, ...]) -> bool:
    places = iter(way)
    return all(ai in places for ai in some)


def _check_together(link: DigitalLink) -> None:
    """Refuse repeated, misplaced, missing and contradicting identifiers."""
    elements = (*link.path, *link.attributes)
    present = [e.ai for e in elements]
    if len(set(present)) != len(present):
        raise _refuse("repeated", "Mã có một phần lặp lại hai lần.", "An identifier stands in the address twice.")
    if not path_is_valid([e.ai for e in link.path]):
        raise _refuse(
            "order", "Các phần của mã đứng sai thứ tự.", "The identifiers in the path are not in GS1's order."
        )
    own = {q for way in _known(link.key.ai).qualifiers or () for q in way}
    for element in link.attributes:
        if not _known(element.ai).attribute or element.ai in own:
            raise _refuse(
                "attribute",
                f"Phần ({element.ai}) phải đứng trong đường dẫn, không đứng sau dấu hỏi.",
                f"({element.ai}) may not stand in the query.",
            )
    for element in elements:
        rule = _known(element.ai)
        _check_value(rule, element.value)
        others = [ai for ai in present if ai != element.ai]
        if any(_matches(ai, pattern) for ai in others for pattern in rule.excludes):
            raise _refuse("excluded", "Mã có hai phần không được đi cùng nhau.", f"({element.ai}) excludes another.")
        for groups in rule.requires:
            if not any(all(any(_matches(ai, p) for ai in others) for p in group) for group in groups):
                raise _refuse("lacking", f"Mã thiếu phần đi cùng ({element.ai}).", f"({element.ai}) needs another.")


# --- parse and build ---------------------------------------------------------------------------------------------


def _decode(text: str) -> str:
    if _BAD_PERCENT.search(text):
        raise _refuse(
            "percent", "Đường dẫn trên tem bị hỏng. Bác quét lại.", "A percent sign is not followed by two digits."
        )
    try:
        return unquote_to_bytes(text).decode("ascii")
    except UnicodeDecodeError:
        raise _refuse(
            "characters", "Mã có ký tự lạ. Bác quét lại tem.", "The address holds characters outside GS1's set."
        ) from None


def parse(uri: str) -> DigitalLink:
    """Read an uncompressed GS1 Digital Link. Raises Invalid; the address is not corrected in any way.

    The rightmost key in the path counts, so that a stem may look like one.
    """
    if len(uri) > LONGEST_URI:
        raise _refuse("long", "Đường dẫn này dài quá. Bác quét lại tem.", "The address is too long.")
    parts = _SPLIT.fullmatch(uri) if _ADDRESS.fullmatch(uri) else None
    if parts is None or _HOST.fullmatch(parts["host"]) is None:
        raise _refuse(
            "address", "Đây không phải đường dẫn của mã GS1.", "This is not the address of a GS1 Digital Link."
        )
    segments = parts["path"][1:].split("/")
    for start in range(len(segments) - 2, -1, -2):
        rule = _rules().get(segments[start])
        if rule is not None and rule.qualifiers is not None:
            break
    else:
        raise _refuse("no_key", "Đường dẫn này không có mã sản phẩm.", "The path holds no GS1 key.")
    pairs = zip(segments[start::2], segments[start + 1 :: 2], strict=True)
    attributes, other = _query(parts["query"] or "")
    link = DigitalLink(
        stem="/".join([f"{parts['scheme'].lower()}://{parts['host']}", *segments[:start]]),
        path=tuple(Element(ai, _decode(value)) for ai, value in pairs),
        attributes=attributes,
        other=other,
    )
    _check_together(link)
    return link


def _query(query: str) -> tuple[tuple[Element, ...], tuple[tuple[str, str], ...]]:
    attributes: list[Element] = []
    other: list[tuple[str, str]] = []
    for item in re.split("[&;]", query):
        name, equals, value = item.partition("=")
        if not equals:
            continue
        if name.isascii() and name.isdigit():
            if "+" in value:
                raise _refuse(
                    "plus", "Đường dẫn trên tem bị hỏng. Bác quét lại.", "“+” must be written %2B in the query."
                )
            attributes.append(Element(_known(name).ai, _decode(value)))
        else:
            other.append((name, value))
    return tuple(attributes), tuple(other)


def build(elements: Iterable[Element], stem: str = CANONICAL_STEM) -> str:
    """The address of these elements: the first key and its qualifiers in the path, the rest in the query.

    Identifiers of fixed length come first in the query, as GS1's own encoder writes them. Raises Invalid.
    """
    given = list(dict.fromkeys(elements))
    key = next((e for e in given if _known(e.ai).qualifiers is not None), None)
    if key is None:
        raise _refuse("no_key", "Thiếu mã sản phẩm.", "There is no GS1 key among the elements.")
    ways = _known(key.ai).qualifiers or ((),)
    found = {e.ai: e for e in given}
    way = max(ways, key=lambda w: sum(q in found for q in w))
    path = (key, *(found[q] for q in way if q in found))
    rest = [e for e in given if e not in path]
    attributes = (*(e for e in rest if _known(e.ai).fixed), *(e for e in rest if not _known(e.ai).fixed))
    link = DigitalLink(stem.rstrip("/"), path, attributes)
    _check_together(link)
    return write(link)


def write(link: DigitalLink) -> str:
    """The address of a parsed link, in canonical percent-encoding."""
    path = "".join(f"/{e.ai}/{quote(e.value, safe='')}" for e in link.path)
    query = "&".join(
        [*(f"{e.ai}={quote(e.value, safe='')}" for e in link.attributes), *(f"{n}={v}" for n, v in link.other)]
    )
    return f"{link.stem}{path}{'?' + query if query else ''}"


def element_string(link: DigitalLink) -> str:
    """The same data as a scanner gives it, with ^ for FNC1: after values of variable length, and in front."""
    elements = (*link.path, *link.attributes)
    text = "".join(e.ai + e.value + ("" if _known(e.ai).fixed else "^") for e in elements)
    return f"^{text}".removesuffix("^")


def printed(stem: str, gtin: str, lot: str) -> str:
    """The address that a label of a lot carries. Raises Invalid for a number that may not be printed."""
    fourteen = gtin14(gtin)
    if is_restricted(fourteen):
        raise Invalid(
            "gtin_restricted",
            vi="Mã số này chỉ dùng trong nội bộ (đầu 02, 04, 20-29…), không được in vào mã QR. Hãy dùng mã ngắn của Hồi.",
            en="This number is for internal use (02, 04, 20-29…) and must not be printed. Use our short code.",
            field="gtin",
        )
    return build((Element("01", fourteen), Element("10", lot)), stem)
