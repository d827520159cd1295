"""Counting what is kept, and choosing for the province."""

from datetime import date
from typing import Any

from sqlalchemy import func, select

from app.actor import SYSTEM
from app.criteria import choices, queries
from app.criteria.models import VillageFact
from app.criteria.schemas import NewParameterChoice
from app.db import new_id
from app.outbox import OutboxEvent
from tests.worlds.village import Province


def rows(province: Province, model: Any = VillageFact) -> int:
    with province.database.transaction(SYSTEM) as session:
        return int(session.scalar(select(func.count()).select_from(model)) or 0)


def events(province: Province, name: str) -> int:
    with province.database.transaction(SYSTEM) as session:
        return int(session.scalar(select(func.count()).where(OutboxEvent.name == name)) or 0)


def choice(value: int | str, name: str = "feedback_days", valid_from: date = date(2026, 11, 1)) -> NewParameterChoice:
    return NewParameterChoice(
        id=new_id(),
        pack_id=queries.SMART_VILLAGE,
        name=name,
        value=value,
        valid_from=valid_from,
        decided_by="Công văn 345 ngày 20/11/2026",
    )


def choose(province: Province, who: str, new: NewParameterChoice) -> None:
    with province.database.transaction(province.actors[who]) as session:
        choices.choose_parameter(session, province.actors[who], new)
