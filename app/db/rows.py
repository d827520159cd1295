"""Rows: written once under a client's id, changed by version, compared by content."""

import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.db.schema import Base
from app.db.texts import Words
from app.errors import Conflict
from app.messages import N_, in_each_language

_AS_IT_IS = frozenset({str, int, bool, float})


def json_ready(value: object) -> Any:  # noqa: ANN401 - JSON
    """A JSON-able copy with one spelling per value, so that equal contents compare and hash equal."""
    kind = type(value)
    if value is None or kind in _AS_IT_IS:  # most of what is asked: a phone's 200 steps have thousands of them
        return value
    if kind is uuid.UUID:
        return str(value)
    if kind is datetime or kind is Decimal:  # before what is slow to rule out
        return _spelled(value)
    if isinstance(value, BaseModel):
        return json_ready(value.model_dump())
    if isinstance(value, Mapping):
        return {str(k): json_ready(v) for k, v in sorted(value.items(), key=lambda kv: str(kv[0]))}
    if isinstance(value, list | tuple | set | frozenset):
        items = [json_ready(v) for v in value]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    return _spelled(value)


def _spelled(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def picked(row: object, names: str) -> dict[str, Any]:
    """These columns of a row, by name; our sentences as they are read, in each language."""
    return {name: _read(getattr(row, name)) for name in names.split()}


def _read(value: object) -> object:
    if isinstance(value, Words) and value.sentence is not None:
        return in_each_language(value)
    return value


# orjson would spell moments in the zone they came in, and dataclasses we never meant to send.
_SPELLED_BY_US = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS


def json_of(value: object) -> bytes:
    """What `json_ready` gives, as UTF-8 without blanks; its keys in the order in which they stand.

    For what our records hold: texts, whole numbers of 64 bits, decimals, days, moments, ids, words of a list. A binary fraction is
    spelled in orjson's way, and no number as null. Raises TypeError.
    """
    return orjson.dumps(value, default=json_ready, option=_SPELLED_BY_US)


def canonical_json(value: object) -> bytes:
    """The one spelling of this content, keys in order, so that equal contents have equal digests. Raises TypeError."""
    plain = value.model_dump() if isinstance(value, BaseModel) else value
    return orjson.dumps(plain, default=json_ready, option=_SPELLED_BY_US | orjson.OPT_SORT_KEYS)


def check_version(row: Any, expected: int) -> None:  # noqa: ANN401 - any row with a version column
    """Raise Conflict when somebody changed the row since the actor read it; else step the version."""
    if row.version != expected:
        raise Conflict(
            "changed_meanwhile", N_("Có người vừa sửa mục này. Hãy tải lại trang để thấy bản mới rồi sửa tiếp.")
        )
    row.version += 1


def insert_once(session: Session, row: Base) -> bool:
    """Insert a row under the id that a client chose. False when the id is taken, then nothing was written.

    Other unique constraints still raise: only the id may come twice. Equal calls go one after the other: met in the same moment,
    the second would fail on another unique index that holds the id.
    """
    table = row.__table__
    lock_ids(session, [row.__dict__["id"]])
    values = {c.name: getattr(row, c.name) for c in table.columns if c.name in row.__dict__}
    statement = insert(table).values(values).on_conflict_do_nothing(index_elements=["id"]).returning(table.c.id)  # type: ignore[arg-type]  # every model has a Table
    return session.scalar(statement) is not None


def lock_ids(session: Session, ids: Collection[uuid.UUID]) -> None:
    """Let nobody else work on these things until the transaction ends: for append-only rows, which cannot be locked."""
    ordered = sorted(map(str, ids))
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(i, 0)) FROM unnest(CAST(:ids AS text[])) AS i"),
        {"ids": ordered},
    )
