"""Forms that are sent twice: the first is stored, the same again answers the same, other content is refused."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.db import Base, insert_once, picked
from app.errors import Conflict
from app.messages import N_


def same_id() -> Conflict:
    return Conflict("same_id_other_content", N_("Biểu mẫu này đã gửi với nội dung khác. Hãy mở lại trang rồi gửi lại."))


def stored(session: Session, row: Base, content: Mapping[str, Any]) -> bool:
    """Insert a row under the id that its sender chose. False when the same content, column by column, stands there already.

    Raises Conflict when other content does, also where row-level security hides it. Other unique constraints still raise.
    """
    if insert_once(session, row):
        return True
    there = session.get(type(row), row.__dict__["id"])
    if there is None or picked(there, " ".join(content)) != content:
        raise same_id()
    return False
