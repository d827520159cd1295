"""Finding places by their name or code, as people type them."""

import re
from collections.abc import Collection
from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from app.db import fold, keyset, nfc
from app.places.models import Level, Place, PlaceName
from app.places.queries.dates import in_force, then_in_force

KIND_WORDS = (
    "tỉnh", "thành phố", "thị xã", "thị trấn", "huyện", "xã", "phường",
    "tổ dân phố", "khối phố", "khu phố", "thôn", "bản", "khối", "khu", "xóm", "làng",
)  # fmt: skip
_SHORT = {"p": "phường", "x": "xã", "tt": "thị trấn", "tp": "thành phố", "tx": "thị xã", "h": "huyện"}
_SHORTER = {"tdp": "tổ dân phố", "kp": "khu phố"}  # written without a dot as well
_ABBREVIATED = re.compile(
    rf"(?:(?<=^)|(?<=[\s,]))(?:({'|'.join(_SHORT)})\.|({'|'.join(_SHORTER)})(?=[\s.]))[\s.]*", re.IGNORECASE
)
_PREFIX = re.compile(r"^(" + "|".join(re.escape(fold(w)) for w in KIND_WORDS) + r")\s+(?=\S)")
_PREFIXED = re.compile(r"^(" + "|".join(KIND_WORDS) + r")\s+(?=\S)", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s\-–.,;]+")
_WORDS = 12
_BY_NAME: tuple[tuple[keyset.Column, type], ...] = ((Place.sort_key, str), (Place.code, str), (Place.id, UUID))


def search_page(
    session: Session,
    text: str,
    *,
    on: date,
    levels: Collection[str] = (),
    within: Collection[UUID] | None = None,
    mark: str = "",
) -> keyset.Paged[Place]:
    """A page of the places whose name holds the text, accents or not, or whose code it is, of these levels (none: of any) and among
    the places `within`. Raises BadAddress for a mark that is none.

    A place is found by the name it bore `on` that day as well as by today's. A hyphen or a dot is as good as a blank, a code is
    known without its leading zero, “p.” is phường. Where no name holds the text, the words may be of a place and of the one
    above it: “thon na mau chi lang”.

    Whole names come first, then beginnings, then the rest; what matches with its accents goes before what does not.
    """
    for query, order in _searches(text, on):
        wanted = query.where(Place.level.in_(levels)) if levels else query
        if within is not None:
            wanted = wanted.where(Place.id == any_(literal(sorted(within), ARRAY(Uuid()))))
        count = keyset.count(session, wanted)
        if count.number:
            found = keyset.listed(session, wanted, order, mark)
            return keyset.Paged([row[0] for row in found.rows], found, count)
    return keyset.Paged([], keyset.Listed([], None, None), keyset.Count(0))


def _searches(text: str, on: date) -> list[tuple[Select[Place], keyset.Order]]:
    """The ways to find what was typed, each asked where the one before found nothing, and the order of what it finds."""
    typed = _ABBREVIATED.sub(_spelled_out, nfc(text))
    wanted = fold(typed)
    bare = _PREFIX.sub("", wanted)
    pattern = _pattern(bare)
    if not pattern.strip("_"):
        return []
    word = next((w for w in KIND_WORDS if wanted != bare and wanted.startswith(fold(w) + " ")), None)
    bore = func.vn_fold(PlaceName.name).like(f"%{pattern}%", escape="\\")
    named: ColumnElement[bool] = or_(
        Place.name_folded.like(f"%{pattern}%", escape="\\"),
        Place.name_folded.contains(
            bare, autoescape=True
        ),  # as it is written: “1, 2” has two signs where the pattern has one
        Place.id.in_(select(PlaceName.place_id).where(bore, then_in_force(PlaceName, on, None))),
    )
    exact_accents = Place.name.ilike(f"%{_pattern(_PREFIXED.sub('', typed))}%", escape="\\")
    found = select(Place).where(in_force(on), or_(named, _coded(nfc(text).upper())))
    beginning = case(
        (Place.name_folded.like(pattern, escape="\\"), 0),
        (Place.name_folded.like(f"{pattern}%", escape="\\"), 1),
        else_=2,
    )
    order = keyset.Order(
        (beginning, int),
        (case((exact_accents, 0), else_=1), int),
        (case((Place.kind_word == word, 0), else_=1), int),
        (case((Place.level == Level.PROVINCE, 0), (Place.level == Level.COMMUNE, 1), else_=2), int),
        *_BY_NAME,
    )
    return [(found, order), (_with_the_one_above(wanted, on), keyset.Order(*_BY_NAME))]


def _spelled_out(short: re.Match[str]) -> str:
    dotted, bare = short.groups()
    return (_SHORT[dotted.lower()] if dotted else _SHORTER[bare.lower()]) + " "


def _pattern(text: str) -> str:
    """For LIKE: what stands between words may be anything of one character."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return _BETWEEN.sub("_", escaped)


def _coded(code: str) -> ColumnElement[bool]:
    """The code, or one of digits without the zeros that spreadsheets drop from its beginning."""
    bare = code.lstrip("0")
    return Place.code == code if not code.isdigit() or not bare else func.ltrim(Place.code, "0") == bare


def _with_the_one_above(wanted: str, on: date) -> Select[Place]:
    """Places whose own name and kind and those of the place above hold every word; none for a single word."""
    above = aliased(Place)
    whole = func.concat(
        " ", func.vn_fold(Place.kind_word), " ", Place.name_folded, " ",
        func.vn_fold(above.kind_word), " ", above.name_folded, " ",
    )  # fmt: skip
    words = [w for w in _BETWEEN.split(wanted) if w][:_WORDS]
    return (
        select(Place)
        .join(above, above.id == Place.parent_id)
        .where(in_force(on), literal(len(words) > 1), *(whole.contains(f" {w} ", autoescape=True) for w in words))
    )
