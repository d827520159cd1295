"""An end for everything that grows: how long each table is kept and why, and the runner of the verbs that end it.

Every table of the schema stands in `RULES`; a test compares them, and the table of docs/operator.md with both. What is old is
told by the clock of the machines, never by the business clock: the demo moves that one by years, and what was written
yesterday must not vanish of it. Functions of the database that drop or delete what the application may not take no date:
they hold the rule themselves (migration 0035).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from time import monotonic
from typing import Literal
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, CheckConstraint, Identity, Integer, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.actor import SYSTEM
from app.db import Base, Database, Id

MOST = 1000  # rows that one transaction ends
LOCKS = 20261130  # the space of our advisory locks: one process at a time for each name
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rule:
    """In words of the operator's manual. `chore`: what of the schedule ends it; None: it stays, and `why` says why it may."""

    kept: str
    why: str
    chore: str | None = None


class KeptMonths(Base):
    """For how many whole months a partitioned table is kept; the database alone changes it.

    `last_of`: of a month that is over the last row of each of these stays, and `thinned_before` is how far that went.
    """

    __tablename__ = "kept_months"
    __table_args__ = (CheckConstraint("months >= 12", name="months"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    months: Mapped[int] = mapped_column(Integer)
    last_of: Mapped[str | None]
    thinned_before: Mapped[date | None]


class RetentionRun(Base):
    """How many rows each rule has ended, ever and in its last run, and when a run last came to its end (machine time)."""

    __tablename__ = "retention_runs"

    name: Mapped[str] = mapped_column(primary_key=True)
    gone: Mapped[int] = mapped_column(BigInteger)
    gone_last: Mapped[int] = mapped_column(BigInteger)
    finished_at: Mapped[datetime | None]


class RetentionChoice(Base):
    """What the province decided of records that the law no longer wants kept. Append-only, the last one stands; none: keep."""

    __tablename__ = "retention_choices"
    __table_args__ = (
        CheckConstraint("name IN ('traceability')", name="name"),
        CheckConstraint("value IN ('keep', 'delete')", name="value"),
    )

    id: Mapped[Id]
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    name: Mapped[str]
    value: Mapped[str]
    decided_by: Mapped[str]
    recorded_at: Mapped[datetime]


# --- running -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction ended, and where the next one goes on; None: there is no more."""

    gone: int
    onward: str | None


Verb = Callable[[Session, str], Step]


def whole(gone: int, most: int = MOST) -> Step:
    """The step of a verb that always begins at the oldest: done when it found less than it might have taken."""
    return Step(gone, "" if gone >= most else None)


def run(database: Database, name: str, verb: Verb, *, seconds: float) -> int:
    """Let `verb` end what is old, each step in a transaction of its own. Returns how many rows are gone.

    It stops when nothing is left, when another process is at the same name, or after so many seconds: the next run goes on
    from what is there. A step that fails rolls back alone and is raised.
    """
    until, total, onward = monotonic() + seconds, 0, ""
    while True:
        with database.transaction(SYSTEM) as session:
            mine = "SELECT pg_try_advisory_xact_lock(:space, hashtext(:name))"
            if not session.scalar(text(mine), {"space": LOCKS, "name": name}):
                return total
            step = verb(session, onward)
            total += step.gone
            _note(session, name, step, total)
        if step.onward is None or monotonic() > until:
            break
        onward = step.onward
    if total:
        log.info("old rows ended", rule=name, rows=total, finished=step.onward is None)
    return total


def _note(session: Session, name: str, step: Step, total: int) -> None:
    finished = clock.machine_now() if step.onward is None else None
    row = insert(RetentionRun).values(name=name, gone=step.gone, gone_last=total, finished_at=finished)
    values = {"gone": RetentionRun.gone + step.gone, "gone_last": total}
    if finished is not None:
        values["finished_at"] = finished
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))


def runs(session: Session) -> list[RetentionRun]:
    return list(session.scalars(select(RetentionRun).order_by(RetentionRun.name)))


def end_month(session: Session, table: str) -> Step:
    """Drop or thin the oldest month of this partitioned table that is over by its rule."""
    gone = session.scalar(text("SELECT hoi_end_month(:table)"), {"table": table})
    return Step(int(gone or 0), None if gone is None else "")


def tables_with_months(session: Session) -> list[str]:
    """The partitioned tables that have a rule."""
    rows = session.scalars(
        text("SELECT k.name FROM kept_months k JOIN partitioned_tables p ON p.name = k.name ORDER BY k.name")
    )
    return list(rows)


# --- what the province decides -----------------------------------------------------------------------------------

TRACEABILITY = "traceability"
Choice = Literal["keep", "delete"]


def choose(session: Session, value: Choice, decided_by: str) -> UUID:
    """Write down whether records of traceability go once the law lets them; in force 30 days later (keep: at once)."""
    row = RetentionChoice(name=TRACEABILITY, value=value, decided_by=decided_by, recorded_at=clock.machine_now())
    session.add(row)
    session.flush()
    return row.id


def chosen(session: Session) -> RetentionChoice | None:
    """The choice that stands; None while the province has made none: then everything is kept."""
    return session.scalar(
        select(RetentionChoice)
        .where(RetentionChoice.name == TRACEABILITY)
        .order_by(RetentionChoice.position.desc())
        .limit(1)
    )
