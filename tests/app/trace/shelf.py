"""A lot of the invented commune on the shelf: packed, moved, taken back, counted."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.trace import batches, stock
from app.trace.models import StockMovement
from app.trace.schemas import Movement, NewBatch, ReverseMovement, SourceIn
from tests.worlds.farm import World, a_log, a_site, write


def a_batch(database: Database, world: World, product: UUID, kilograms: int = 100, lot: str = "NA-1126-01") -> UUID:
    site = a_site(database, world.farmer, world.household, world.village)
    harvest = a_log(site, "harvesting", 2, quantity=kilograms, unit="kg")
    assert write(database, world.farmer, harvest) == ["stored"]
    with database.transaction(world.manager) as session:
        return batches.create_batch(
            session,
            world.manager,
            NewBatch(
                id=new_id(),
                product_id=product,
                lot=lot,
                quantity=Decimal(kilograms),
                unit="kg",
                sources=(SourceIn(care_log_id=harvest.id),),
            ),
        )


def move(database: Database, actor: Actor, variant: UUID, kind: str, units: int, **facts: Any) -> UUID:
    whole = {"id": new_id(), "variant_id": variant, "kind": kind, "units": units} | facts
    if kind in {"lost", "counted"}:
        whole.setdefault("reason", "kiểm kho")
    with database.transaction(actor) as session:
        return stock.move(session, actor, Movement.model_validate(whole))


def take_back(database: Database, world: World, line: UUID) -> None:
    with database.transaction(world.manager) as session:
        stock.reverse(session, world.manager, line, ReverseMovement(id=new_id(), reason="ghi nhầm"))


def left(database: Database, variant: UUID) -> int | None:
    with database.transaction(SYSTEM) as session:
        return stock.on_hand(session, [variant]).get(variant)


def lines(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(StockMovement)) or 0
