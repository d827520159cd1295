"""Batches of the invented commune, made, decided about and looked at."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app import clock
from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.outbox import Delivery, OutboxEvent, read
from app.trace import batch_events, batches, diary, holds, queries
from app.trace.events import CareLogCorrected, CareLogRecorded
from app.trace.schemas import BatchEventIn, CareLogIn, CorrectionIn, NewBatch
from tests.worlds.farm import a_log, write
from worker import reactions, relay, tasks


def make(database: Database, actor: Actor, product: UUID, *sources: CareLogIn, **facts: Any) -> UUID:
    whole = {"id": new_id(), "product_id": product, "lot": f"L{new_id().hex[-8:]}", "quantity": "10", "unit": "kg"}
    whole["sources"] = [{"care_log_id": s.id} for s in sources]
    with database.transaction(actor) as session:
        return batches.create_batch(session, actor, NewBatch.model_validate(whole | facts))


def harvest(database: Database, actor: Actor, site: UUID, days_ago: float = 2, **facts: Any) -> CareLogIn:
    log = a_log(site, "harvesting", days_ago, **({"quantity": 10, "unit": "kg"} | facts))
    assert write(database, actor, log) == ["stored"]
    return log


def state(database: Database, batch: UUID) -> str:
    with database.transaction(SYSTEM) as session:
        return queries.standing(session, batch).state


def react(database: Database) -> None:
    """Do what the worker would: run the check of sites for every event there is."""
    kinds = {k.name: k for k in (CareLogRecorded, CareLogCorrected)}
    with database.transaction(SYSTEM) as session:
        rows = session.scalars(
            select(OutboxEvent).where(OutboxEvent.name.in_(kinds)).order_by(OutboxEvent.position)
        ).all()
        for row in rows:
            if not reactions.BY_NAME["trace.check_site"].answers(row.body):
                continue
            holds.check_site(session, SYSTEM, read(kinds[row.name], row.body))


def pay_debts(database: Database) -> None:
    """What the worker does for this part of events that are committed: each reaction of the table once."""
    relay.fan_out(database)
    owed = select(Delivery.event_id, Delivery.reaction).where(
        Delivery.done_at.is_(None), Delivery.reaction.startswith("trace.")
    )
    while True:
        with database.transaction(SYSTEM) as session:
            rows = session.execute(owed).all()
            leased = update(Delivery).values(lease_until=clock.machine_now() + timedelta(minutes=1))
            session.execute(leased.where(Delivery.done_at.is_(None)))
        if not rows:
            return
        for event_id, reaction in rows:
            tasks.pay(database, event_id, reaction)
        relay.fan_out(database)


def decide(database: Database, actor: Actor, batch: UUID, kind: str, **facts: Any) -> UUID:
    with database.transaction(actor) as session:
        new = BatchEventIn.model_validate({"id": new_id(), "kind": kind, "reason": "kiểm tra lại"} | facts)
        return batch_events.record_batch_event(session, actor, batch, new)


def correct(database: Database, actor: Actor, log: CareLogIn, **facts: Any) -> None:
    """Write how this step really was: as it is there, but for these facts."""
    whole = log.model_dump(exclude_unset=True) | {"id": new_id(), "reason": "ghi nhầm"} | facts
    with database.transaction(actor) as session:
        outcome = diary.correct_care_log(session, actor, log.id, CorrectionIn.model_validate(whole))
    assert outcome.status == "stored"


def held_for(database: Database, batch: UUID) -> list[tuple[date | None, date | None]]:
    """The first day allowed and the day of the harvest of each hold by rule, in their order."""
    with database.transaction(SYSTEM) as session:
        return [
            (e.allowed_from, e.harvested_on)
            for e in queries.events_of(session, batch)
            if e.kind == "held" and e.cause_id is not None
        ]
