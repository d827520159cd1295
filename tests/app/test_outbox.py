"""An event is read as it was published: each field of the type that it declares."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from app import outbox
from app.actor import SYSTEM
from app.db import Database, new_id
from app.outbox import Event, OutboxEvent
from tests.filled import statements


class Colour(StrEnum):
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class EverythingHappened(Event):
    thing_id: UUID
    on: date
    at: datetime
    many: list[UUID]
    few: tuple[UUID, ...]
    names: frozenset[str]
    amount: Decimal
    colour: Colour
    units: int
    sure: bool
    nobody: UUID | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Rang(Event):
    name: ClassVar[str] = "test.rang"
    bell_id: UUID


def test_an_event_is_read_with_the_types_it_was_published_with(database: Database) -> None:
    event = EverythingHappened(
        new_id(), date(2026, 11, 30), datetime(2026, 11, 30, 9, 41, tzinfo=UTC), [new_id(), new_id()], (new_id(),),
        frozenset({"b", "a"}), Decimal("2.50"), Colour.GREEN, 7, sure=True, last=date(2027, 1, 1),
    )  # fmt: skip
    with database.transaction(SYSTEM) as session:
        outbox.publish(session, SYSTEM, event)
        body = session.scalars(select(OutboxEvent.body).order_by(OutboxEvent.position.desc()).limit(1)).one()
    found = outbox.read(EverythingHappened, body | {"of_a_newer_version": "x"})
    assert found == event
    for name in EverythingHappened.__dataclass_fields__:
        assert type(getattr(found, name)) is type(getattr(event, name)), name


def test_a_body_that_is_no_such_event_is_refused_when_it_is_read() -> None:
    whole = {"thing_id": str(new_id()), "on": "30/11"}
    with pytest.raises(ValidationError) as refused:
        outbox.read(EverythingHappened, whole)
    assert {"on", "at"} <= {e["loc"][0] for e in refused.value.errors()}


def test_many_events_are_written_together_and_the_bell_rings_once(fresh_database: Database) -> None:
    with statements(fresh_database.engine) as sent:
        with fresh_database.transaction(SYSTEM) as session:
            ids = [outbox.publish(session, SYSTEM, Rang(new_id())) for _ in range(50)]
            with session.begin_nested():
                ids.append(outbox.publish(session, SYSTEM, Rang(new_id())))
            with pytest.raises(LookupError), session.begin_nested():
                outbox.publish(session, SYSTEM, Rang(new_id()))
                raise LookupError
            # Whoever asks within the transaction sees them.
            query = select(OutboxEvent.id).where(OutboxEvent.id.in_(ids)).order_by(OutboxEvent.position)
            assert list(session.scalars(query)) == ids
            assert not any("pg_notify" in statement for statement, _ in sent)
        said = [statement.split()[1] for statement, _ in sent if "pg_notify" in statement or "INSERT INTO" in statement]
    assert said == ["INTO", "INTO", "pg_notify('hoi_outbox',"]


def test_a_transaction_without_news_rings_no_bell(fresh_database: Database) -> None:
    with statements(fresh_database.engine) as sent, fresh_database.transaction(SYSTEM) as session:
        session.scalar(select(OutboxEvent.id).limit(1))
    assert not any("pg_notify" in statement for statement, _ in sent)
