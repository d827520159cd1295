"""Reading facts, choices and answers; scoped to the actor's places."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import Label, and_, exists, func, or_, select, text, true
from sqlalchemy.orm import Session, aliased, defer

from app.accounts.models import Organisation, OrganisationKind
from app.accounts.queries import among
from app.actor import Actor
from app.criteria.models import ParameterChoice, VillageAssessment, VillageFact
from app.criteria.packs import shipped
from app.criteria.rules import Assessment, Pack
from app.db import picked
from app.errors import not_found
from app.places.models import Level, Place, PlaceAttribute
from app.places.queries import in_force
from app.products.models import Product, ProductVillage

SMART_VILLAGE = "lang-son-thon-thong-minh-2022"


class When(TypedDict):
    """On which civil date, as known at which moment."""

    as_of: date
    known_at: datetime


def pack(pack_id: str = SMART_VILLAGE) -> Pack:
    """A pack that ships with the program. Raises NotFound for another id."""
    found = shipped().get(pack_id)
    if found is None:
        raise not_found("bộ tiêu chí này", "this set of criteria")
    return found


def require_village(actor: Actor, village_id: UUID) -> None:
    """Raises NotFound unless the village is one of the actor's places."""
    if actor.kind != "system" and village_id not in actor.places:
        raise not_found("thôn này", "this village")


def standing_facts(
    session: Session, village_ids: Iterable[UUID], *, as_of: date, known_at: datetime, kinds: Sequence[str] = ()
) -> dict[UUID, list[VillageFact]]:
    """The rows that stand: observed by `as_of`, recorded by `known_at`, not superseded by then, not taken back."""
    later = aliased(VillageFact)
    query = (
        select(VillageFact)
        .where(
            VillageFact.village_id.in_(list(village_ids)),
            VillageFact.observed_on <= as_of,
            VillageFact.recorded_at <= known_at,
            VillageFact.withdrawn.is_(False),
            ~exists().where(
                later.supersedes_id == VillageFact.id, later.recorded_at <= known_at, later.observed_on <= as_of
            ),
        )
        .order_by(VillageFact.observed_on.desc(), VillageFact.recorded_at.desc())
    )
    if kinds:
        query = query.where(VillageFact.kind.in_(kinds))
    found: dict[UUID, list[VillageFact]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.village_id].append(row)
    return found


def fact_history(
    session: Session,
    actor: Actor,
    village_id: UUID,
    kinds: Sequence[str],
    *,
    as_of: date | None = None,
    known_at: datetime | None = None,
    limit: int = 200,
) -> list[VillageFact]:
    """The newest rows of these kinds, the newest first, up to a day and a state of knowledge; nothing is ever edited."""
    require_village(actor, village_id)
    query = select(VillageFact).where(VillageFact.village_id == village_id, VillageFact.kind.in_(kinds))
    if as_of is not None:
        query = query.where(VillageFact.observed_on <= as_of)
    if known_at is not None:
        query = query.where(VillageFact.recorded_at <= known_at)
    return list(session.scalars(query.order_by(VillageFact.recorded_at.desc(), VillageFact.id.desc()).limit(limit)))


def newest_fact_at(session: Session, village_id: UUID) -> datetime | None:
    """When somebody last recorded anything of the village."""
    return session.scalar(select(func.max(VillageFact.recorded_at)).where(VillageFact.village_id == village_id))


def superseded_ids(
    session: Session, fact_ids: Iterable[UUID], *, as_of: date | None = None, known_at: datetime | None = None
) -> set[UUID]:
    """Those of the rows that a later one corrects, as it was on the day and as it was known."""
    query = select(VillageFact.supersedes_id).where(VillageFact.supersedes_id.in_(list(fact_ids)))
    if as_of is not None:
        query = query.where(VillageFact.observed_on <= as_of)
    if known_at is not None:
        query = query.where(VillageFact.recorded_at <= known_at)
    return {i for i in session.scalars(query) if i is not None}


def evidence_of(session: Session, village_id: UUID, kind: str, subject: UUID) -> set[str]:
    """Every piece of evidence that was ever given for one thing."""
    rows = session.scalars(
        select(VillageFact.evidence).where(
            VillageFact.village_id == village_id, VillageFact.kind == kind, VillageFact.subject == subject
        )
    )
    return {str(one) for row in rows for one in row}


def households_of(session: Session, village_ids: Collection[UUID]) -> dict[UUID, str]:
    """Households that have a diary account in these villages, with their labels."""
    rows = session.execute(
        select(Organisation.id, Organisation.name)
        .where(Organisation.kind == OrganisationKind.HOUSEHOLD, among(Organisation.village_id, village_ids))
        .order_by(Organisation.name_folded)
    )
    return dict(rows.all())


def attributes(
    session: Session, village_ids: Collection[UUID], keys: Collection[str], *, as_of: date, known_at: datetime
) -> dict[UUID, dict[str, str]]:
    """Village id to its attributes on the date: its own, else its commune's."""
    found: dict[UUID, dict[str, str]] = {village: {} for village in village_ids}
    if not keys:
        return found
    own = PlaceAttribute.place_id == Place.id
    rows = session.execute(
        select(Place.id, PlaceAttribute.key, PlaceAttribute.value)
        .join(PlaceAttribute, or_(own, PlaceAttribute.place_id == Place.parent_id))
        .where(
            among(Place.id, village_ids),
            PlaceAttribute.key.in_(keys),
            PlaceAttribute.valid_from <= as_of,
            or_(PlaceAttribute.valid_to.is_(None), PlaceAttribute.valid_to >= as_of),
            PlaceAttribute.recorded_at <= known_at,
        )
        .order_by(own, PlaceAttribute.recorded_at)
    )
    for village, key, value in rows:
        found[village][key] = value
    return found


def choices(session: Session, pack_id: str, *, as_of: date, known_at: datetime) -> dict[str, int | str]:
    """The values that the province chose in force on the date, as they were known then."""
    rows = choices_in_force(session, pack_id, as_of=as_of, known_at=known_at)
    return {name: row.value for name, row in rows.items()}


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


def choice_history(session: Session, pack_id: str) -> list[ParameterChoice]:
    return list(
        session.scalars(
            select(ParameterChoice)
            .where(ParameterChoice.pack_id == pack_id)
            .order_by(ParameterChoice.recorded_at.desc(), ParameterChoice.id.desc())
        )
    )


def current(
    session: Session, village_ids: Collection[UUID], pack_id: str = SMART_VILLAGE, *, whole: bool = True
) -> dict[UUID, VillageAssessment]:
    """The newest answer of each village that has one; not `whole`: for lists, without the assessment itself."""
    query = select(VillageAssessment).where(
        among(VillageAssessment.village_id, village_ids),
        VillageAssessment.pack_id == pack_id,
        VillageAssessment.current,
    )
    if not whole:
        query = query.options(defer(VillageAssessment.result, raiseload=True))
    return {row.village_id: row for row in session.scalars(query)}


def assessment(row: VillageAssessment) -> Assessment:
    return Assessment.from_json(_bytes(row.result))


def _bytes(result: dict[str, Any]) -> str:
    text: str = result["canonical"]
    return text


def flags_of(row: VillageAssessment) -> list[dict[str, Any]]:
    """What left the count and so brought an answer about that stands now; those of open answers wait until it stands."""
    return [f for f in row.flags if row.values.get(f["criterion_id"]) in FLAGGED]


FLAGGED = ("met", "not_applicable")
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
    answer = and_(
        VillageAssessment.village_id == Place.id, VillageAssessment.pack_id == pack_id, VillageAssessment.current
    )

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
        .outerjoin(VillageAssessment, answer)
        .where(Place.level == Level.VILLAGE, in_force(on))
        .group_by(Place.parent_id)
    )
    return {
        r.parent_id: Tally(r.met, r.unmet, r.insufficient, r.total - r.met - r.unmet - r.insufficient, r.flagged)
        for r in rows
    }


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


def computed_at(session: Session, pack_id: str = SMART_VILLAGE) -> datetime | None:
    """When the newest answer that this session sees was confirmed."""
    return session.scalar(
        select(func.max(VillageAssessment.confirmed_at)).where(
            VillageAssessment.pack_id == pack_id, VillageAssessment.current
        )
    )


def last_decided(session: Session, village_id: UUID, pack_id: str, criterion_id: str) -> VillageAssessment | None:
    """The newest answer in which this criterion was met or unmet."""
    return session.scalar(
        select(VillageAssessment)
        .where(
            VillageAssessment.village_id == village_id,
            VillageAssessment.pack_id == pack_id,
            VillageAssessment.values[criterion_id].astext.in_(["met", "unmet"]),
        )
        .order_by(VillageAssessment.computed_at.desc())
        .limit(1)
    )


def answer_at(session: Session, village_id: UUID, moment: datetime, pack_id: str) -> VillageAssessment | None:
    """The answer that stood at that moment."""
    return session.scalar(
        select(VillageAssessment)
        .where(
            VillageAssessment.village_id == village_id,
            VillageAssessment.pack_id == pack_id,
            VillageAssessment.computed_at <= moment,
        )
        .order_by(VillageAssessment.computed_at.desc())
        .limit(1)
    )


def before(session: Session, row: VillageAssessment) -> VillageAssessment | None:
    """The answer that this one replaced."""
    return session.scalar(
        select(VillageAssessment)
        .where(
            VillageAssessment.village_id == row.village_id,
            VillageAssessment.pack_id == row.pack_id,
            VillageAssessment.computed_at < row.computed_at,
        )
        .order_by(VillageAssessment.computed_at.desc())
        .limit(1)
    )


def history(
    session: Session, village_id: UUID, *, since: datetime, pack_id: str = SMART_VILLAGE
) -> list[VillageAssessment]:
    """The answers that stood at some time since then, oldest first; the one that stood at `since` included."""
    first = (
        select(func.max(VillageAssessment.computed_at))
        .where(
            VillageAssessment.village_id == village_id,
            VillageAssessment.pack_id == pack_id,
            VillageAssessment.computed_at <= since,
        )
        .scalar_subquery()
    )
    return list(
        session.scalars(
            select(VillageAssessment)
            .where(
                VillageAssessment.village_id == village_id,
                VillageAssessment.pack_id == pack_id,
                or_(VillageAssessment.computed_at > since, VillageAssessment.computed_at == first),
            )
            .order_by(VillageAssessment.computed_at)
        )
    )


def due(session: Session, today: date, *, limit: int = 500) -> list[UUID]:
    """Villages whose answer time alone may have changed."""
    return list(
        session.scalars(
            select(VillageAssessment.village_id)
            .join(Place, Place.id == VillageAssessment.village_id)
            .where(VillageAssessment.current, VillageAssessment.next_change_on <= today, in_force(today))
            .order_by(VillageAssessment.next_change_on)
            .limit(limit)
        )
    )


def selling(session: Session, pack_id: str = SMART_VILLAGE) -> list[UUID]:
    """Villages whose answer on OCOP products may change within a day: a sighting grows too old."""
    answer = VillageAssessment.values["ocop-tren-san"].astext
    return list(
        session.scalars(
            select(VillageAssessment.village_id).where(
                VillageAssessment.current,
                VillageAssessment.pack_id == pack_id,
                answer.in_(["met", "unmet", "insufficient"]),
            )
        )
    )


def villages_of_products(session: Session, product_ids: Collection[UUID]) -> set[UUID]:
    """Every village that these products count for by one rule or another: the seat, and where they were ever made."""
    seats = session.scalars(
        select(Organisation.village_id)
        .join(Product, Product.organisation_id == Organisation.id)
        .where(among(Product.id, product_ids), Organisation.village_id.is_not(None))
    )
    made = session.scalars(select(ProductVillage.village_id).where(among(ProductVillage.product_id, product_ids)))
    return {v for v in (*seats, *made) if v is not None}


def villages_with_products(session: Session) -> set[UUID]:
    seats = session.scalars(
        select(Organisation.village_id)
        .join(Product, Product.organisation_id == Organisation.id)
        .where(Organisation.village_id.is_not(None))
        .distinct()
    )
    made = session.scalars(select(ProductVillage.village_id).distinct())
    return {v for v in (*seats, *made) if v is not None}


def villages_with_agriculture(session: Session, village_ids: Collection[UUID]) -> set[UUID]:
    """Those of the villages that ever recorded a smart agriculture model: only there the diary counts."""
    return set(
        session.scalars(
            select(VillageFact.village_id).where(
                among(VillageFact.village_id, village_ids),
                VillageFact.kind == "model",
                VillageFact.value["field"].astext == "smart_agriculture",
            )
        )
    )


def holders_of(session: Session, product_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Product id to the organisation that holds it, as far as this session sees the products."""
    rows = session.execute(select(Product.id, Product.organisation_id).where(among(Product.id, product_ids)))
    return dict(rows.all())


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """What this person recorded of villages and chose for the province, for the file of their own data."""
    facts = session.scalars(
        select(VillageFact)
        .where(VillageFact.person_id == actor.person_id)
        .order_by(VillageFact.recorded_at, VillageFact.id)
    )
    chosen = session.scalars(
        select(ParameterChoice)
        .where(ParameterChoice.person_id == actor.person_id)
        .order_by(ParameterChoice.recorded_at, ParameterChoice.id)
    )
    fact = "id village_id kind subject value observed_on recorded_at witness evidence note withdrawn supersedes_id"
    return {
        "village_facts": [picked(f, fact) for f in facts],
        "parameter_choices": [picked(c, "id pack_id name value valid_from decided_by recorded_at") for c in chosen],
    }
