"""Chains of corrections: the last row of each says how it was."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.accounts.queries import among
from app.trace.models import CareLog


def root_id(row: CareLog) -> UUID:
    """The id of the first row of the chain: what other rows point to."""
    return row.corrects_id or row.id


def last_of_chain(known_at: datetime | None, *, all_read: bool = False) -> ColumnElement[bool]:
    """Whether no later row of the same chain (that was recorded by `known_at`) follows.

    For a page of a list PostgreSQL shall walk an index in the list's order, ask each row, and stop when the page is full: OFFSET 0
    keeps it from joining all corrections with all rows and sorting them. Where `all_read`, that join is the cheaper one.
    """
    later = aliased(CareLog)
    follows = select(later.id).where(
        later.corrects_id == func.coalesce(CareLog.corrects_id, CareLog.id), later.position > CareLog.position
    )
    if known_at is not None:
        follows = follows.where(later.recorded_at <= known_at)
    stands = ~(follows if all_read else follows.offset(0)).exists()
    return stands if known_at is None else and_(CareLog.recorded_at <= known_at, stands)


def current(known_at: datetime | None, *, all_read: bool = False) -> ColumnElement[bool]:
    """How it was, as known at a moment: the last row of each chain, unless it takes the step back. `all_read`: see above.

    - is there a later row of the same chain? then this one does not count
    - does the last row withdraw the step? then the step did not happen
    """
    return and_(last_of_chain(known_at, all_read=all_read), ~CareLog.withdrawn)


def current_logs(session: Session, root_ids: Collection[UUID], known_at: datetime | None = None) -> dict[UUID, CareLog]:
    """First id to the last row of the chain (that was recorded by `known_at`), withdrawn ones included."""
    rows = session.scalars(
        select(CareLog).where(
            or_(among(CareLog.id, root_ids), among(CareLog.corrects_id, root_ids)), last_of_chain(known_at)
        )
    )
    return {root_id(r): r for r in rows}
