"""The address of a scan and what it asks for, judged without looking anything up. The front and the buyers' door both ask here.

A short code stands after `/t/`, a GS1 Digital Link begins with `/01/`. Of a query only what GS1 defines is judged, by names that are all
digits: what others hang on an address (fbclid, utm_source, our own lang) is nobody's business.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from app.errors import Invalid
from app.messages import N_
from app.products import gtins
from app.trace import codes, digital_link
from app.trace.digital_link import Element
from app.trace.gs1_identifiers import refuse
from app.trace.gs1_values import BAD_PERCENT

_HOST = "https://hoi.invalid"  # paths are judged; which host they came to is not asked
_ATTRIBUTE = re.compile(r"(?:^|&)[0-9]+=")
_GS1_PATH = re.compile(
    r"/01/(?P<gtin>[0-9]{14})(?:/22/(?P<variant>[^/]+))?/10/(?P<lot>[^/]+?)(?:/21/(?P<serial>[^/]+))?/?"
)
_PASTED = re.compile(r"(?i:https?://)?[^/\s]*[.:][^/\s]*(/(?:[tT]|01)/[^?#\s]+)")
_AROUND = re.compile(r"^[\W_]+|[\W_]+$")  # of a short code, which holds letters and digits only
# What is copied along with a code at its ends: brackets, quotes, the end of a sentence.
_EDGES = " \t\r\n()[]{}<>\"'`“”‘’«»,;:!…*"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a GS1 address asks for: a lot by its `code`, else the goods of a `gtin`, else nothing of ours. `said`: it in short, to be shown."""

    gtin: str | None
    code: str | None
    said: str


def gs1_code(gtin: str, lot: str) -> str:
    """How a lot with a GTIN is named among our codes. Capitals and signs of the lot count."""
    return f"{gtin}/{lot}"


def path_of_code(code: str) -> str:
    """The path of a code's page, percent-encoded."""
    gtin, slash, lot = code.partition("/")
    if not slash:
        return f"/t/{code}"
    return digital_link.build((Element("01", gtin), Element("10", lot)), stem="")


def code_of_path(path: str) -> str | None:
    """The code that an address of ours names, in canonical spelling, or None. Only canonical paths name one.

    `path` is decoded, as WSGI gives it. A serial and a variant are walked up to their lot: until units have serials of their own, the
    lot's page answers for them.
    """
    if path.startswith("/t/"):
        return path[3:] if codes.is_canonical(path[3:]) else None
    found = _GS1_PATH.fullmatch(path)
    if found is None:
        return None
    named = (("01", "gtin"), ("22", "variant"), ("10", "lot"), ("21", "serial"))
    try:
        digital_link.build([Element(ai, found[name]) for ai, name in named if found[name]])
    except Invalid:
        return None
    return gs1_code(found["gtin"], found["lot"])


def query_is_right(path: str, query: str) -> bool:
    """Whether what GS1 defines in this query is right, so that the page of this (decoded) path may be answered."""
    if path.startswith("/t/") or _ATTRIBUTE.search(query) is None:
        return True
    try:
        read(path, query)
    except Invalid:
        return False
    return True


def read(path: str, query: str = "", raw: str | None = None) -> Asked:
    """What a GS1 address asks for. Raises Invalid, which says what is wrong with it.

    `path` is decoded; `raw` is the path as it was sent, where the server tells it. Only then can a broken percent sign be told from
    one that was written as %25; without it, both are refused. A stroke at the end is forgiven.
    """
    if raw is None and BAD_PERCENT.search(path):
        raise refuse("percent", N_("Đường dẫn trên tem bị hỏng. Hãy quét lại."))
    sent = quote(path, safe="/", errors="replace") if raw is None else raw
    attributes = "&".join(item for item in query.split("&") if _ATTRIBUTE.match(item))
    link = digital_link.parse(f"{_HOST}{sent.removesuffix('/')}{'?' + attributes if attributes else ''}")
    gtin = link.key.value if link.key.ai == "01" else None
    lot = next((e.value for e in link.path if e.ai == "10"), None)
    return Asked(
        gtin=gtin,
        code=gs1_code(gtin, lot) if gtin and lot else None,
        said="/".join(e.value for e in link.path),
    )


def spellings(code: str) -> list[str]:
    """The code as it came, and as our own lots are written: in capitals, and without what was copied along at its end."""
    capitals = code.upper()
    return list(dict.fromkeys((code, capitals, capitals.rstrip(_EDGES), capitals.rstrip(_EDGES + "."))))


def gtin_of_text(text: str) -> str | None:
    """The GTIN-14 that a person typed or pasted from under a bar code, or None. Our own codes never are digits alone so long."""
    address = _PASTED.match(text.strip(_EDGES))
    typed = (address[1].removeprefix("/01/") if address else text).strip(_EDGES).strip("/")
    digits = re.sub(r"[\s-]", "", typed)
    try:
        return gtins.gtin14(digits)
    except Invalid:
        return None


def code_of_text(text: str) -> str:
    """The code that a person typed from a label, in canonical spelling: 13 characters, or a GTIN, a slash and a lot.

    Of a whole address that somebody copied, the code in it. Raises Invalid, which says how to type it again.
    """
    text = text.strip(_EDGES)
    address = _PASTED.match(text)
    path = unquote(address[1]).rstrip("/") if address else ""
    path = f"/t/{path[3:]}" if path.startswith("/T/") else path
    found = code_of_path(path)
    if found is not None:
        return found
    typed = (path.removeprefix("/t/") if path.startswith("/t/") else text).strip(_EDGES).strip("/")
    gtin, slash, lot = typed.partition("/")
    digits = re.sub(r"[\s-]", "", gtin)
    if not slash or re.fullmatch(r"[0-9]+", digits) is None:
        return codes.normalise(_AROUND.sub("", typed))
    elements = (Element("01", gtins.gtin14(digits)), Element("10", lot.strip().upper()))
    digital_link.build(elements)
    return gs1_code(elements[0].value, elements[1].value)
