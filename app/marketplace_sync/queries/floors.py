"""Floors: which there are, which one an address belongs to, and which count on a day."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import and_, select
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
    return floors_as_counted(session, as_of=as_of, known_at=known_at)[1]


def floors_as_counted(
    session: Session, *, as_of: date, known_at: datetime
) -> tuple[dict[UUID, Floor], dict[UUID, FloorDecision]]:
    """All floors, and `counted_floors`, by one statement."""
    rows = session.execute(
        select(Floor, FloorDecision)
        .outerjoin(
            FloorDecision,
            and_(
                FloorDecision.floor_id == Floor.id,
                FloorDecision.effective_on <= as_of,
                FloorDecision.recorded_at <= known_at,
            ),
        )
        .order_by(FloorDecision.effective_on, FloorDecision.recorded_at, FloorDecision.id)
    ).all()
    standing = {floor.id: decision for floor, decision in rows if decision is not None}
    counted = {floor_id: decision for floor_id, decision in standing.items() if decision.counted}
    return {floor.id: floor for floor, _decision in rows}, counted


def floor_decisions(session: Session) -> list[FloorDecision]:
    return list(session.scalars(select(FloorDecision).order_by(FloorDecision.recorded_at.desc())))
