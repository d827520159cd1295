"""Reading facts, choices and answers; scoped to the actor's places."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Label, and_, exists, func, or_, select, true
from sqlalchemy.orm import Session, aliased, defer

from app.accounts.models import Organisation, OrganisationKind
from app.accounts.queries import among
from app.actor import Actor
from app.criteria.models import ParameterChoice, VillageAssessment, VillageFact
from app.criteria.packs import shipped
from app.criteria.rules import Assessment, Pack
from app.db import picked
from app.errors import not_found
from app.places.models import Level, Place
from app.places.queries import in_force
from app.products.models import Product, ProductVillage

SMART_VILLAGE = "lang-son-thon-thong-minh-2022"


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
    session: Session, actor: Actor, village_id: UUID, kinds: Sequence[str], *, limit: int = 200
) -> list[VillageFact]:
    """The rows of these kinds, the newest first: nothing is ever edited, so this is the whole story."""
    require_village(actor, village_id)
    return list(
        session.scalars(
            select(VillageFact)
            .where(VillageFact.village_id == village_id, VillageFact.kind.in_(kinds))
            .order_by(VillageFact.recorded_at.desc(), VillageFact.id.desc())
            .limit(limit)
        )
    )


def newest_fact_at(session: Session, village_id: UUID) -> datetime | None:
    """When somebody last recorded anything of the village."""
    return session.scalar(select(func.max(VillageFact.recorded_at)).where(VillageFact.village_id == village_id))


def superseded_ids(session: Session, fact_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the rows that a later one corrects."""
    found = session.scalars(select(VillageFact.supersedes_id).where(VillageFact.supersedes_id.in_(list(fact_ids))))
    return {i for i in found if i is not None}


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


def choices(session: Session, pack_id: str, *, as_of: date, known_at: datetime) -> dict[str, int | str]:
    """The province's choices in force on the date, as they were known then."""
    found: dict[str, int | str] = {}
    for row in session.scalars(
        select(ParameterChoice)
        .where(
            ParameterChoice.pack_id == pack_id,
            ParameterChoice.valid_from <= as_of,
            ParameterChoice.recorded_at <= known_at,
        )
        .order_by(ParameterChoice.valid_from, ParameterChoice.recorded_at, ParameterChoice.id)
    ):
        found[row.name] = row.value
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


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a place's villages have which overall answer; `total` counts every village of today."""

    met: int = 0
    unmet: int = 0
    insufficient: int = 0
    not_assessed: int = 0

    @property
    def total(self) -> int:
        return self.met + self.unmet + self.insufficient + self.not_assessed

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.met + other.met,
            self.unmet + other.unmet,
            self.insufficient + other.insufficient,
            self.not_assessed + other.not_assessed,
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
        select(Place.parent_id, func.count().label("total"), having("met"), having("unmet"), having("insufficient"))
        .outerjoin(VillageAssessment, answer)
        .where(Place.level == Level.VILLAGE, in_force(on))
        .group_by(Place.parent_id)
    )
    return {
        r.parent_id: Tally(r.met, r.unmet, r.insufficient, r.total - r.met - r.unmet - r.insufficient) for r in rows
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
        .where(VillageAssessment.pack_id == pack_id, VillageAssessment.current, in_force(on))
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
