"""Which floors there are, which one an address belongs to, and which count on a day."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.addresses import split_address
from app.marketplace_sync.models import Floor, FloorDecision


def floors(session: Session) -> list[Floor]:
    return list(session.scalars(select(Floor).order_by(Floor.created_at, Floor.key)))


def floor_of_host(session: Session, url: str) -> Floor | None:
    """The floor whose pages live at this address."""
    host = split_address(url).netloc.casefold().removeprefix("www.")
    return next((f for f in floors(session) if _belongs(host, f.hosts)), None)


def _belongs(host: str, hosts: Iterable[str]) -> bool:
    return any(host == h or host.endswith("." + h) for h in hosts)


def counted_floors(session: Session, *, as_of: date, known_at: datetime) -> dict[UUID, FloorDecision]:
    """The decision in force for each floor on a date, as known at a moment; only those that count it."""
    standing: dict[UUID, FloorDecision] = {}
    for row in session.scalars(
        select(FloorDecision)
        .where(FloorDecision.effective_on <= as_of, FloorDecision.recorded_at <= known_at)
        .order_by(FloorDecision.effective_on, FloorDecision.recorded_at, FloorDecision.id)
    ):
        standing[row.floor_id] = row
    return {floor_id: row for floor_id, row in standing.items() if row.counted}


def floor_decisions(session: Session) -> list[FloorDecision]:
    return list(session.scalars(select(FloorDecision).order_by(FloorDecision.recorded_at.desc())))
