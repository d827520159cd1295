"""Events as rows of the transaction that caused them, and one delivery row for each reaction."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, func, select, text, update
from sqlalchemy.event import listens_for
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.actor import SYSTEM, Actor
from app.db import Base, Id, json_of, json_ready, new_id


@dataclass(frozen=True, slots=True)
class Event:
    """A fact in the past tense that carries ids only. Subclasses are registered by `name`."""

    name: ClassVar[str] = ""


EventT = TypeVar("EventT", bound=Event)
_NEWS = "outbox_news"  # in the session's info, while its transaction has an event that nobody was told of
JOBS = "jobs.run"  # the reaction that runs a background job


class NotYet(Exception):
    """Raised by a reaction that cannot begin now: its delivery waits that long, and no attempt is counted."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"not before {wait}")
        self.wait = wait


class PartlyDone(ExceptionGroup[Exception]):
    """Raised by the verb of a reaction that has done all it could: that stays, and its delivery is tried again for the rest."""


class OutboxEvent(Base):
    """One event. `due_at` in the future makes it a thing that time alone will cause (a certificate lapses)."""

    __tablename__ = "outbox_events"
    __table_args__ = (
        Index("ix_outbox_events_waiting", "due_at", postgresql_where=text("fanned_out_at IS NULL")),
        Index("ix_outbox_events_settled", "fanned_out_at", postgresql_where=text("fanned_out_at IS NOT NULL")),
    )

    # Row-level security hides events from everybody but SYSTEM, so the insert must not ask for the row back.
    __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy reads it once
        "eager_defaults": False
    }

    id: Mapped[Id]
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    name: Mapped[str]
    body: Mapped[dict[str, Any]]
    person_id: Mapped[UUID | None]
    request_id: Mapped[str]
    recorded_at: Mapped[datetime]
    due_at: Mapped[datetime]
    fanned_out_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class DeliveryGivenUp(Event):
    """Nobody tries this reaction to this event any more, until somebody revives it."""

    name: ClassVar[str] = "outbox.delivery_given_up"
    event_id: UUID
    reaction: str


class Delivery(Base):
    """One reaction's debt to one event. Paid when `done_at` is set, in the transaction of the effect.

    `queue` is the one of its reaction, so that what is due in one is read in order, however much waits in the others.
    `attempts` counts failures that were told, `starts` beginnings that came to no end since the last one that did: the
    process died of them, or with them. `alive_at`: when whoever works on it last said so; none while nobody has begun.
    """

    __tablename__ = "outbox_deliveries"
    __table_args__ = (
        Index(
            "ix_outbox_deliveries_open",
            "queue",
            "run_after",
            postgresql_where=text("done_at IS NULL AND dead_at IS NULL"),
        ),
        Index(
            "ix_outbox_deliveries_begun",
            "alive_at",
            postgresql_where=text("done_at IS NULL AND dead_at IS NULL AND alive_at IS NOT NULL"),
        ),
        Index("ix_outbox_deliveries_dead", "dead_at", postgresql_where=text("dead_at IS NOT NULL")),
    )

    event_id: Mapped[UUID] = mapped_column(ForeignKey("outbox_events.id"), primary_key=True)
    reaction: Mapped[str] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(default="hoi")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    starts: Mapped[int] = mapped_column(Integer, default=0)
    run_after: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    alive_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]
    dead_reason: Mapped[str | None]


def _fields(event: Event) -> dict[str, Any]:
    return {f.name: getattr(event, f.name) for f in fields(event)}


def publish(session: Session, actor: Actor, event: Event, *, due_at: datetime | None = None) -> UUID:
    """Write the event in the caller's transaction and ring the relay's bell on commit, once however many there are.

    The row is written with the next flush, many of them together; whoever asks for events by the ORM sees it at once.
    `due_at` (aware, UTC) defers it to business time: the relay sends it when the clock gets there, also when the clock is moved.
    """
    row = OutboxEvent(
        id=new_id(),
        name=event.name,
        body=json_ready(_fields(event)),
        person_id=actor.person_id,
        request_id=actor.request_id,
        recorded_at=clock.now(),
        due_at=due_at or clock.now(),
        fanned_out_at=None,
    )
    session.add(row)
    session.info[_NEWS] = True
    return row.id


_PUBLISH = text(
    "INSERT INTO outbox_events (id, name, body, person_id, request_id, recorded_at, due_at)"
    " SELECT id, name, body, :person_id, :request_id, :now, :now"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, name text, body jsonb)"
)


def publish_all(session: Session, actor: Actor, events: Collection[Event]) -> None:
    """As `publish` for many, in their order and by one statement; they are written at once."""
    if not events:
        return
    session.flush()  # what was published before them comes before them
    rows = [{"id": new_id(), "name": event.name, "body": _fields(event)} for event in events]
    told = {"person_id": actor.person_id, "request_id": actor.request_id, "now": clock.now()}
    session.execute(_PUBLISH, told | {"rows": json_of(rows).decode()})
    session.info[_NEWS] = True


@listens_for(Session, "before_commit")
def _ring(session: Session) -> None:
    """Not at the end of a savepoint: what is undone around it would take the bell with it."""
    if session.info.get(_NEWS) and not session.in_nested_transaction():
        del session.info[_NEWS]
        session.execute(text("SELECT pg_notify('hoi_outbox', '')"))


def read(kind: type[EventT], body: dict[str, Any]) -> EventT:
    """The event that `publish` wrote, each field of the type it declares. Unknown keys of a newer version are left out.

    Raises pydantic's ValidationError for a body that is no such event.
    """
    known = {f.name for f in fields(kind)}
    return TypeAdapter(kind).validate_python({k: v for k, v in body.items() if k in known})


def give_up(session: Session, delivery: Delivery, reason: str) -> None:
    """Stop trying, and let people know. `reason` must hold nothing about a person: it is kept and shown."""
    delivery.dead_at, delivery.dead_reason = clock.machine_now(), reason[:2000]
    owed = session.get_one(OutboxEvent, delivery.event_id)
    if owed.name != DeliveryGivenUp.name:  # who cannot be told of a failure cannot be told of that either
        publish(session, SYSTEM, DeliveryGivenUp(event_id=delivery.event_id, reaction=delivery.reaction))


def dead_deliveries(session: Session) -> list[Delivery]:
    """Deliveries that were given up, the newest first; each waits for `revive` and a person who mended the cause."""
    return list(
        session.scalars(select(Delivery).where(Delivery.dead_at.is_not(None)).order_by(Delivery.dead_at.desc()))
    )


def count_dead(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Delivery).where(Delivery.dead_at.is_not(None))) or 0


def revive(session: Session, reaction: str | None = None) -> int:
    """Owe the given-up deliveries again, all or those of one reaction, with all their attempts. Returns how many.

    Not those of background jobs: such a job is marked as failed, and who gave it starts another one from its page.
    """
    chosen = (
        update(Delivery).where(Delivery.dead_at.is_not(None), Delivery.reaction != JOBS).returning(Delivery.event_id)
    )
    if reaction is not None:
        chosen = chosen.where(Delivery.reaction == reaction)
    alive = chosen.values(
        dead_at=None,
        dead_reason=None,
        attempts=0,
        starts=0,
        lease_until=None,
        alive_at=None,
        run_after=clock.machine_now(),
    )
    revived = session.scalars(alive.execution_options(synchronize_session=False)).all()
    session.execute(text("SELECT pg_notify('hoi_outbox', '')"))
    return len(revived)


def forget_settled(session: Session, before: datetime, most: int = 1000) -> int:
    """Delete up to `most` events, each with all its deliveries, that were paid in full before `before` (machine time).

    What is owed, given up or not due yet stays, however old. Returns how many events are gone; 0 when none is left.
    """
    asked = {"before": before, "most": most}
    return int(session.scalar(text("SELECT hoi_forget_settled_events(:before, :most)"), asked) or 0)


def open_debts(session: Session) -> int:
    """How many deliveries and due events are not settled: what metrics and tests look at."""
    waiting = session.scalar(
        select(text("count(*)"))
        .select_from(OutboxEvent)
        .where(OutboxEvent.fanned_out_at.is_(None), OutboxEvent.due_at <= clock.now())
    )
    owed = session.scalar(
        select(text("count(*)")).select_from(Delivery).where(Delivery.done_at.is_(None), Delivery.dead_at.is_(None))
    )
    return int(waiting or 0) + int(owed or 0)
