"""Stored answers rolled up: commune by commune, clause by clause, village by village."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from app.actor import Actor, Right
from app.criteria import queries as criteria
from app.criteria.models import VillageAssessment
from app.criteria.queries import Tally
from app.criteria.rules import Criterion, Pack, Value
from app.db import keyset
from app.errors import not_found
from app.messages import N_
from app.places import queries as places
from app.places.models import Level, Place


@dataclass(frozen=True, slots=True)
class CommuneLine:
    place: Place
    tally: Tally


@dataclass(frozen=True, slots=True)
class ClauseLine:
    """One criterion over all villages of a place, those without any answer yet included."""

    criterion: Criterion
    met: int
    unmet: int
    insufficient: int
    not_applicable: int
    total: int

    @property
    def not_assessed(self) -> int:
        return self.total - self.met - self.unmet - self.insufficient - self.not_applicable

    def answering(self, answers: Collection[Value]) -> int:
        """How many villages have one of these answers; one without any answer yet lacks data."""
        counts = {
            Value.MET: self.met,
            Value.UNMET: self.unmet,
            Value.INSUFFICIENT: self.insufficient + self.not_assessed,
            Value.NOT_APPLICABLE: self.not_applicable,
        }
        return sum(counts[a] for a in answers)


@dataclass(frozen=True, slots=True)
class VillageLine:
    place: Place
    assessment: VillageAssessment | None

    @property
    def flags(self) -> int:
        """How many of its answers stand only because something left the count."""
        return len(criteria.flags_of(self.assessment)) if self.assessment is not None else 0


def commune_lines(session: Session, on: date) -> list[CommuneLine]:
    counts = criteria.tallies(session, on)
    return [CommuneLine(p, counts.get(p.id, Tally())) for p in places.current_communes(session, on)]


def total(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def clause_lines(
    session: Session, on: date, pack: Pack, villages: int, commune_id: UUID | None = None
) -> list[ClauseLine]:
    """Each criterion over the `villages` of the province, or of one commune."""
    counts = criteria.by_criterion(session, on, commune_id, pack.id)
    found: list[ClauseLine] = []
    for criterion in pack.criterion:
        of = counts.get(criterion.id, {})
        met, unmet, insufficient, not_applicable = (of.get(value.value, 0) for value in Value)
        found.append(ClauseLine(criterion, met, unmet, insufficient, not_applicable, villages))
    return found


def village_lines(session: Session, villages: Sequence[Place]) -> list[VillageLine]:
    found = criteria.current(session, [v.id for v in villages], whole=False)
    return [VillageLine(v, found.get(v.id)) for v in villages]


def clause_line(
    session: Session, on: date, pack: Pack, villages: int, criterion_id: str, commune_id: UUID | None = None
) -> ClauseLine:
    """One criterion of these. Raises NotFound for an id that the pack does not have."""
    lines = clause_lines(session, on, pack, villages, commune_id)
    found = next((line for line in lines if line.criterion.id == criterion_id), None)
    if found is None:
        raise not_found(N_("tiêu chí này"))
    return found


def villages_named(session: Session, actor: Actor, text: str, on: date, mark: str = "") -> keyset.Paged[Place]:
    """A page of the villages and communes of the official's places that bear this name, accents or not. Raises BadAddress."""
    within = None if actor.may_everywhere(Right.OVERSEE) else actor.places_where(Right.OVERSEE)
    return places.search_page(session, text, on=on, levels=(Level.VILLAGE, Level.COMMUNE), within=within, mark=mark)
