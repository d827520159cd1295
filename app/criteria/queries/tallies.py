"""Tallies of a place: how many villages have which answer, and which villages these are."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Label, and_, func, select, text, true
from sqlalchemy.orm import Session, aliased

from app.accounts.queries import among
from app.actor import Actor, Right
from app.criteria.models import VillageAssessment
from app.criteria.queries.choices import SMART_VILLAGE
from app.criteria.rules import Value
from app.db import keyset
from app.places.models import Level, Place
from app.places.queries import in_force

_FLAGGED = text(
    "EXISTS (SELECT FROM jsonb_array_elements(village_assessments.flags) AS f"
    " WHERE village_assessments.values ->> (f ->> 'criterion_id') IN ('met', 'not_applicable'))"
)  # flags_of() for a whole province


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a place's villages have which overall answer; `total` counts every village of today.

    `flagged` are those with an answer that stands only because something left the count.
    """

    met: int = 0
    unmet: int = 0
    insufficient: int = 0
    not_assessed: int = 0
    flagged: int = 0

    @property
    def total(self) -> int:
        return self.met + self.unmet + self.insufficient + self.not_assessed

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.met + other.met,
            self.unmet + other.unmet,
            self.insufficient + other.insufficient,
            self.not_assessed + other.not_assessed,
            self.flagged + other.flagged,
        )


def tallies(session: Session, on: date, pack_id: str = SMART_VILLAGE) -> dict[UUID, Tally]:
    """Commune id to how its villages stand, in one statement. A commune without villages is missing.

    An answer that nobody may read here counts as none, so ask only of the actor's own places.
    """

    def having(*values: str) -> Label[int]:
        return func.count().filter(VillageAssessment.overall.in_(values)).label(values[0])

    rows = session.execute(
        select(
            Place.parent_id,
            func.count().label("total"),
            having("met"),
            having("unmet"),
            having("insufficient"),
            func.count().filter(_FLAGGED).label("flagged"),
        )
        .outerjoin(VillageAssessment, _standing(pack_id))
        .where(Place.level == Level.VILLAGE, in_force(on))
        .group_by(Place.parent_id)
    )
    return {
        r.parent_id: Tally(r.met, r.unmet, r.insufficient, r.total - r.met - r.unmet - r.insufficient, r.flagged)
        for r in rows
    }


def _standing(pack_id: str) -> ColumnElement[bool]:
    return and_(
        VillageAssessment.village_id == Place.id, VillageAssessment.pack_id == pack_id, VillageAssessment.current
    )


def by_criterion(
    session: Session, on: date, commune_id: UUID | None = None, pack_id: str = SMART_VILLAGE
) -> dict[str, dict[str, int]]:
    """Criterion id to answer to the number of today's villages that have it."""
    each = func.jsonb_each_text(VillageAssessment.values).table_valued("key", "value").render_derived()
    query = (
        select(each.c.key, each.c.value, func.count().label("villages"))
        .select_from(VillageAssessment)
        .join(each, true())
        .join(Place, Place.id == VillageAssessment.village_id)
        .where(
            VillageAssessment.pack_id == pack_id,
            VillageAssessment.current,
            Place.level == Level.VILLAGE,
            in_force(on),
        )
        .group_by(each.c.key, each.c.value)
    )
    if commune_id is not None:
        query = query.where(Place.parent_id == commune_id)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in session.execute(query):
        found[row.key][row.value] = row.villages
    return found


_COMMUNE = aliased(Place)
COMMUNE_BY_COMMUNE = keyset.Order(
    (_COMMUNE.sort_key, str), (_COMMUNE.code, str), (Place.sort_key, str), (Place.code, str), (Place.id, UUID)
)


def villages_answering(
    session: Session,
    actor: Actor,
    on: date,
    criterion_id: str,
    answers: Collection[Value],
    *,
    commune_id: UUID | None = None,
    mark: str = "",
    pack_id: str = SMART_VILLAGE,
) -> keyset.Paged[Place]:
    """A page of the villages that by_criterion() counts with these answers, among the actor's places: commune by commune.

    A village without an answer yet lacks data. Raises BadAddress for a mark that is none.
    """
    answer = func.coalesce(VillageAssessment.values[criterion_id].astext, Value.INSUFFICIENT.value)
    query = (
        select(Place)
        .outerjoin(VillageAssessment, _standing(pack_id))
        .join(_COMMUNE, _COMMUNE.id == Place.parent_id)
        .where(
            Place.level == Level.VILLAGE,
            in_force(on),
            among(Place.id, actor.places_where(Right.OVERSEE)),
            answer.in_([a.value for a in answers]),
        )
    )
    if commune_id is not None:
        query = query.where(Place.parent_id == commune_id)
    return keyset.paged(session, query, COMMUNE_BY_COMMUNE, mark)


_NAMED = ((Place.sort_key, str), (Place.code, str), (Place.id, UUID))
BY_NAME = keyset.Order(*_NAMED)
BEST_FIRST = keyset.Order((-func.coalesce(VillageAssessment.met, -1, type_=Integer), int), *_NAMED)


def villages_of_commune(
    session: Session,
    commune_id: UUID,
    on: date,
    *,
    overall: Collection[Value] = (),
    best_first: bool = False,
    mark: str = "",
    pack_id: str = SMART_VILLAGE,
) -> keyset.Paged[Place]:
    """A page of a commune's villages with one of these overall answers (none named: any), by name or by how many criteria are met.

    A village without an answer yet lacks data. Raises BadAddress for a mark that is none.
    """
    query = (
        select(Place)
        .outerjoin(VillageAssessment, _standing(pack_id))
        .where(Place.level == Level.VILLAGE, in_force(on), Place.parent_id == commune_id)
    )
    if overall:
        answer = func.coalesce(VillageAssessment.overall, Value.INSUFFICIENT.value)
        query = query.where(answer.in_([v.value for v in overall]))
    return keyset.paged(session, query, BEST_FIRST if best_first else BY_NAME, mark)


def computed_at_in(session: Session, commune_id: UUID, on: date, pack_id: str = SMART_VILLAGE) -> datetime | None:
    """When the newest answer of the commune's villages was confirmed."""
    return session.scalar(
        select(func.max(VillageAssessment.confirmed_at))
        .select_from(Place)
        .join(VillageAssessment, _standing(pack_id))
        .where(Place.level == Level.VILLAGE, in_force(on), Place.parent_id == commune_id)
    )
