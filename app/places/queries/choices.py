"""Communes and villages as pages offer them to be chosen: the id and the name as people say it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.languages import SOURCE
from app.places.models import Level, Place
from app.places.queries.dates import in_force
from app.places.queries.units import chains, current_communes, full_name

Choices = list[tuple[UUID, str]]


@dataclass(frozen=True, slots=True)
class VillageChoices:
    """What a form needs to choose villages that may lie anywhere in the province, which has too many for one list."""

    communes: Choices
    asked: UUID | None
    asked_has_none: bool
    villages: Choices


def commune_choices(session: Session, on: date, language: str = SOURCE) -> Choices:
    """Every commune of the date, in dictionary order: "xã Chi Lăng"."""
    return [(p.id, full_name(p, language=language)) for p in current_communes(session, on)]


def village_choices(
    session: Session,
    near: Collection[UUID | None],
    on: date,
    *,
    asked: UUID | None,
    also: Collection[UUID] = (),
    language: str = SOURCE,
) -> VillageChoices:
    """The villages of the communes `near` and of the one asked for, and those of `also` whenever they were: commune after
    commune in dictionary order, "thôn Nà Mẫu, xã Chi Lăng, tỉnh Lạng Sơn".
    """
    communes = {c for c in (*near, asked) if c is not None}
    there = and_(Place.parent_id.in_(communes), Place.level == Level.VILLAGE, in_force(on))
    villages = session.scalars(select(Place).where(or_(there, Place.id.in_(set(also))))).all()
    above = chains(session, [v.id for v in villages])
    ordered = sorted(villages, key=lambda v: ([p.sort_key for p in above.get(v.id, ())], v.sort_key, v.code))
    return VillageChoices(
        communes=commune_choices(session, on, language),
        asked=asked,
        asked_has_none=asked is not None and all(v.parent_id != asked for v in villages),
        villages=[(v.id, full_name(v, above.get(v.id, ()), language)) for v in ordered],
    )
