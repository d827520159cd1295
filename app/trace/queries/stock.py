"""The ledger of a lot, line by line."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from app.accounts.queries import among
from app.db import keyset
from app.db.keyset import Listed
from app.errors import not_found
from app.messages import N_
from app.products.models import Variant
from app.trace.models import StockMovement, StockTotal

NEWEST_LINE = keyset.Order((StockMovement.position, int), newest_first=True)


@dataclass(frozen=True, slots=True)
class Ledger:
    """One page of the ledger of a lot, the newest line first. `taken_back`: the lines among them that a later line takes back."""

    lines: Sequence[tuple[StockMovement, Variant]]
    page: Listed
    taken_back: Collection[UUID]


def ledger(session: Session, batch_id: UUID, mark: str = "") -> Ledger:
    """Raises BadAddress for a mark that is none."""
    query = (
        select(StockMovement, Variant)
        .join(Variant, Variant.id == StockMovement.variant_id)
        .where(StockMovement.batch_id == batch_id)
    )
    found = keyset.listed(session, query, NEWEST_LINE, mark)
    ids = [row.StockMovement.id for row in found.rows]
    undone = session.scalars(select(StockMovement.corrects_id).where(among(StockMovement.corrects_id, ids)))
    return Ledger([(row.StockMovement, row.Variant) for row in found.rows], found, {i for i in undone if i is not None})


def moved(session: Session, batch_id: UUID) -> dict[str, int]:
    """Kind of movement to the sum of its signed units in the ledger of one lot; a kind without a line is missing."""
    rows = session.execute(
        select(StockTotal.kind, func.sum(StockTotal.units).label("units"))
        .where(StockTotal.batch_id == batch_id)
        .group_by(StockTotal.kind)
    )
    return {row.kind: int(row.units) for row in rows}


def is_taken_back(session: Session, movement_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(StockMovement.corrects_id == movement_id))))


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
        raise not_found(N_("dòng kho này"))
    return found
