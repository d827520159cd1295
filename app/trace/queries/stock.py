"""The ledger of a lot, line by line."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import not_found
from app.products.models import Variant
from app.trace.models import StockMovement, StockTotal


def movements_of(session: Session, batch_id: UUID) -> list[tuple[StockMovement, Variant]]:
    """The ledger of one lot, oldest first."""
    rows = session.execute(
        select(StockMovement, Variant)
        .join(Variant, Variant.id == StockMovement.variant_id)
        .where(StockMovement.batch_id == batch_id)
        .order_by(StockMovement.position)
    )
    return [(row[0], row[1]) for row in rows]


def totals_of(session: Session, batch_id: UUID) -> list[tuple[StockTotal, Variant]]:
    """What the ledger of one lot adds up to, by pack and kind."""
    rows = session.execute(
        select(StockTotal, Variant)
        .join(Variant, Variant.id == StockTotal.variant_id)
        .where(StockTotal.batch_id == batch_id)
        .execution_options(populate_existing=True)  # the database changes these rows, not this session
    )
    return [(row[0], row[1]) for row in rows]


def movement_of_batch(session: Session, batch_id: UUID, movement_id: UUID) -> StockMovement:
    """Raises NotFound, also for a line of another lot."""
    found = session.scalar(
        select(StockMovement).where(StockMovement.id == movement_id, StockMovement.batch_id == batch_id)
    )
    if found is None:
        raise not_found("dòng kho này", "this stock line")
    return found
