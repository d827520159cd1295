"""The pack, and what the province chose where the letter leaves something open."""

from collections import defaultdict
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.criteria.models import ParameterChoice
from app.criteria.packs import shipped
from app.criteria.rules import Pack
from app.errors import not_found
from app.messages import N_

SMART_VILLAGE = "lang-son-thon-thong-minh-2022"


def pack(pack_id: str = SMART_VILLAGE) -> Pack:
    """A pack that ships with the program. Raises NotFound for another id."""
    found = shipped().get(pack_id)
    if found is None:
        raise not_found(N_("bộ tiêu chí này"))
    return found


def choices(session: Session, pack_id: str, *, as_of: date, known_at: datetime) -> dict[str, int | str]:
    """The values that the province chose in force on the date, as they were known then."""
    rows = choices_in_force(session, pack_id, as_of=as_of, known_at=known_at)
    return {name: row.value for name, row in rows.items()}


def settings(session: Session, *, as_of: date, known_at: datetime) -> dict[str, int | str]:
    """Every parameter of the smart village's pack as it stands on the date: what the province chose, else the default."""
    return pack().settings(choices(session, SMART_VILLAGE, as_of=as_of, known_at=known_at))


def choices_in_force(session: Session, pack_id: str, *, as_of: date, known_at: datetime) -> dict[str, ParameterChoice]:
    """Parameter name to the decision in force on the date: the one with the latest first day, of these the newest."""
    found: dict[str, ParameterChoice] = {}
    for row in session.scalars(
        select(ParameterChoice)
        .where(
            ParameterChoice.pack_id == pack_id,
            ParameterChoice.valid_from <= as_of,
            ParameterChoice.recorded_at <= known_at,
        )
        .order_by(ParameterChoice.valid_from, ParameterChoice.recorded_at, ParameterChoice.id)
    ):
        found[row.name] = row
    return found


def choices_to_come(session: Session, pack_id: str, *, after: date) -> dict[str, list[ParameterChoice]]:
    """Parameter name to the decisions whose first day is later, the next one first; of those of one day only the newest."""
    found: dict[str, dict[date, ParameterChoice]] = defaultdict(dict)
    for row in session.scalars(
        select(ParameterChoice)
        .where(ParameterChoice.pack_id == pack_id, ParameterChoice.valid_from > after)
        .order_by(ParameterChoice.valid_from, ParameterChoice.recorded_at, ParameterChoice.id)
    ):
        found[row.name][row.valid_from] = row
    return {name: list(of_day.values()) for name, of_day in found.items()}


def choice_history(session: Session, pack_id: str) -> list[ParameterChoice]:
    return list(
        session.scalars(
            select(ParameterChoice)
            .where(ParameterChoice.pack_id == pack_id)
            .order_by(ParameterChoice.recorded_at.desc(), ParameterChoice.id.desc())
        )
    )
