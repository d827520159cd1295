"""GS1 Digital Link addresses: a strict parser and builder, driven by the table of GS1's application identifiers.

Source of the rules: GS1 Digital Link URI Syntax 1.4 (14-digit GTINs, no convenience names). Compression is not read. Kept by hand:
no library at hand reads GS1's own vectors right (docs/decisions.md, 30/11/2026).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from app.errors import Invalid
from app.messages import N_
from app.products.gtins import gtin14, is_restricted
from app.trace.gs1_identifiers import known, matches, refuse, rules
from app.trace.gs1_values import BAD_PERCENT, check_value

LONGEST_URI = 2000
CANONICAL_STEM = "https://id.gs1.org"
# What may stand in an address as it is; everything else must be percent-encoded.
_ADDRESS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_SPLIT = re.compile(r"(?P<scheme>https?|HTTPS?)://(?P<host>[^/?#]+)(?P<path>/[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?")
_HOST = re.compile(r"(?:[A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


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


def ways_of(ais: Iterable[str]) -> list[tuple[str, ...]]:
    """The orders of qualifiers that a path of these identifiers keeps: none when it may not stand so, all of the key's for a key alone."""
    first, *rest = ais
    rule = rules().get(first)
    return [way for way in (rule.qualifiers if rule else None) or () if _in_order(rest, way)]


def _in_order(some: list[str], way: tuple[str, ...]) -> bool:
    places = iter(way)
    return all(ai in places for ai in some)


def _check_together(link: DigitalLink) -> None:
    """Refuse repeated, misplaced, missing and contradicting identifiers."""
    elements = (*link.path, *link.attributes)
    present = [e.ai for e in elements]
    if len(set(present)) != len(present):
        raise refuse("repeated", N_("Mã có một phần lặp lại hai lần."))
    ways = ways_of(e.ai for e in link.path)
    if not ways:
        raise refuse("order", N_("Các phần của mã đứng sai thứ tự."))
    own = {qualifier for way in ways for qualifier in way}
    for element in link.attributes:
        if not known(element.ai).query or element.ai in own:
            raise refuse(
                "attribute", N_("Phần (%(ai)s) phải đứng trong đường dẫn, không đứng sau dấu hỏi.", ai=element.ai)
            )
    for element in elements:
        rule = known(element.ai)
        check_value(rule, element.value)
        others = [ai for ai in present if ai != element.ai]
        if any(matches(ai, pattern) for ai in others for pattern in rule.excludes):
            raise refuse("excluded", N_("Mã có phần (%(ai)s) không được đi cùng phần khác.", ai=element.ai))
        if rule.needs and not any(all(any(matches(ai, p) for ai in others) for p in group) for group in rule.needs):
            raise refuse("lacking", N_("Mã thiếu phần đi cùng (%(ai)s).", ai=element.ai))


def _decode(text: str) -> str:
    if BAD_PERCENT.search(text):
        raise refuse("percent", N_("Đường dẫn trên tem bị hỏng. Hãy quét lại."))
    try:
        return unquote_to_bytes(text).decode("ascii")
    except UnicodeDecodeError:
        raise refuse("characters", N_("Mã có ký tự lạ. Hãy quét lại tem.")) from None


def parse(uri: str) -> DigitalLink:
    """Read an uncompressed GS1 Digital Link. Raises Invalid; the address is not corrected in any way.

    The rightmost key in the path counts, so that a stem may look like one.
    """
    if len(uri) > LONGEST_URI:
        raise refuse("long", N_("Đường dẫn này dài quá. Hãy quét lại tem."))
    parts = _SPLIT.fullmatch(uri) if _ADDRESS.fullmatch(uri) else None
    if parts is None or _HOST.fullmatch(parts["host"]) is None:
        raise refuse("address", N_("Đây không phải đường dẫn của mã GS1."))
    segments = parts["path"][1:].split("/")
    for start in range(len(segments) - 2, -1, -2):
        rule = rules().get(segments[start])
        if rule is not None and rule.qualifiers is not None:
            break
    else:
        raise refuse("no_key", N_("Đường dẫn này không có mã sản phẩm."))
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
    for item in query.split("&"):
        name, equals, value = item.partition("=")
        if not equals:
            continue
        if name.isascii() and name.isdigit():
            if "+" in value:
                raise refuse("plus", N_("Đường dẫn trên tem bị hỏng ở dấu “+”. Hãy quét lại."))
            attributes.append(Element(known(name).ai, _decode(value)))
        else:
            other.append((name, value))
    return tuple(attributes), tuple(other)


def build(elements: Iterable[Element], stem: str = CANONICAL_STEM) -> str:
    """The address of these elements: the first key and its qualifiers in the path, the rest in the query.

    Identifiers of fixed length come first in the query, as GS1's own encoder writes them. Raises Invalid.
    """
    given = list(dict.fromkeys(elements))
    key = next((e for e in given if known(e.ai).qualifiers is not None), None)
    if key is None:
        raise refuse("no_key", N_("Thiếu mã sản phẩm."))
    ways = known(key.ai).qualifiers or ((),)
    found = {e.ai: e for e in given}
    way = max(ways, key=lambda w: sum(q in found for q in w))
    path = (key, *(found[q] for q in way if q in found))
    rest = [e for e in given if e not in path]
    attributes = (*(e for e in rest if known(e.ai).fixed), *(e for e in rest if not known(e.ai).fixed))
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


def printed(stem: str, gtin: str, lot: str) -> str:
    """The address that a label of a lot carries. Raises Invalid for a number that may not be printed."""
    fourteen = gtin14(gtin)
    if is_restricted(fourteen):
        raise Invalid(
            "gtin_restricted",
            N_(
                "Mã số này chỉ dùng trong nội bộ (đầu 02, 04, 20-29…), không được in vào mã QR. Hãy dùng mã ngắn "
                "của Hồi."
            ),
            field="gtin",
        )
    return build((Element("01", fourteen), Element("10", lot)), stem)
