"""Finding places by their name or code."""

import re
from datetime import date

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.db import fold, nfc
from app.places.models import Level, Place, PlaceName
from app.places.queries.dates import in_force, then_in_force

KIND_WORDS = (
    "tỉnh", "thành phố", "thị xã", "thị trấn", "huyện", "xã", "phường",
    "tổ dân phố", "khối phố", "khu phố", "thôn", "bản", "khối", "khu", "xóm", "làng",
)  # fmt: skip
_PREFIX = re.compile(r"^(" + "|".join(re.escape(fold(w)) for w in KIND_WORDS) + r")\s+(?=\S)")


def search_places(
    session: Session, text: str, level: str | None = None, *, on: date | None = None, limit: int = 50
) -> list[Place]:
    """Places whose name holds the text, accents or not, or whose code it is; today's unless `on` says otherwise.

    With `on`, a place is found by the name it bore then as well as by today's.

    Whole names come first, then beginnings, then the rest; what matches with its accents goes before what does not.
    """
    wanted = fold(text)
    bare = _PREFIX.sub("", wanted)
    if not bare:
        return []
    pattern = bare.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    word = next((w for w in KIND_WORDS if wanted != bare and wanted.startswith(fold(w) + " ")), None)
    named: ColumnElement[bool] = Place.name_folded.like(f"%{pattern}%", escape="\\")
    if on is not None:
        then = func.vn_fold(PlaceName.name).like(f"%{pattern}%", escape="\\")
        named = or_(named, Place.id.in_(select(PlaceName.place_id).where(then, then_in_force(PlaceName, on, None))))
    exact_accents = Place.name.ilike(f"%{_PREFIXED.sub('', nfc(text))}%", escape="\\")
    query = (
        select(Place)
        .where(
            in_force(on or clock.today()),
            or_(named, Place.code == nfc(text).upper()),
        )
        .order_by(
            case((Place.name_folded == bare, 0), (Place.name_folded.like(f"{pattern}%", escape="\\"), 1), else_=2),
            case((exact_accents, 0), else_=1),
            case((Place.kind_word == word, 0), else_=1),
            case((Place.level == Level.PROVINCE, 0), (Place.level == Level.COMMUNE, 1), else_=2),
            Place.sort_key,
            Place.code,
        )
        .limit(limit)
    )
    if level is not None:
        query = query.where(Place.level == level)
    return list(session.scalars(query))


_PREFIXED = re.compile(r"^(" + "|".join(KIND_WORDS) + r")\s+(?=\S)", re.IGNORECASE)
