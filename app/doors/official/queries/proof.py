"""The record behind one criterion of a village: facts, products, the diary."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.actor import SYSTEM, Actor
from app.criteria import queries as criteria
from app.criteria.models import VillageFact
from app.criteria.rules import Fact, ItemSet
from app.db import Database, keyset
from app.doors.official.queries.village import Clause, VillageView
from app.errors import not_found
from app.marketplace_sync import queries as marketplace
from app.messages import N_
from app.places import queries as places
from app.products import queries as products
from app.products.models import Certificate
from app.trace import queries as trace


@dataclass(frozen=True, slots=True)
class FactLine:
    """One fact as the answer used it. `size` is None for a yes or no, and where nobody recorded it."""

    name: str
    label: str
    fact: Fact | None
    items: ItemSet | None
    size: int | None


@dataclass(frozen=True, slots=True)
class ProductLine:
    """A product that counts or counted for the village, and everything that says where it is on sale."""

    product: products.VillageProduct
    holder: str
    certificates: list[Certificate]
    evidence: list[marketplace.Evidence]

    @property
    def counted(self) -> bool:
        """Still made here, with its certificate in force."""
        return self.product.left is None and self.product.certificate == "valid"


@dataclass(frozen=True, slots=True)
class DiaryLine:
    household: str
    steps: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Proof:
    """What one criterion's answer rests on. `standing` are the records of the village behind it."""

    clause: Clause
    facts: list[FactLine]
    standing: list[VillageFact]
    products: list[ProductLine]
    diary: list[DiaryLine]

    @property
    def coded(self) -> int:
        """Premises with a digital address that is proven."""
        return next((f.size or 0 for f in self.facts if f.name == "premises_with_digital_address"), 0)

    @property
    def proven(self) -> list[VillageFact]:
        return [row for row in self.standing if row.evidence]

    @property
    def unproven(self) -> list[VillageFact]:
        """Recorded with nothing to show for it, so that no rule uses it."""
        return [row for row in self.standing if row.unproven]

    @property
    def absent(self) -> list[VillageFact]:
        """Recorded that there is none, for which nothing is to be shown."""
        return [row for row in self.standing if not row.evidence and not row.unproven]


@dataclass(frozen=True, slots=True)
class Records:
    """A page of all that was ever written of a criterion, to read; `superseded` are those of it that a later one corrects.

    `looks` are those behind the products' evidence that this official may open, by id.
    """

    page: keyset.Paged[VillageFact]
    superseded: set[UUID]
    premises_names: dict[str, str]
    looks: dict[UUID, marketplace.Look]


KINDS_OF: dict[str, tuple[str, ...]] = {
    "to-cong-nghe-so": ("digital_group", "group_activity"),
    "nen-tang-so": ("channel", "feedback"),
    "wifi-nha-van-hoa": ("wifi",),
    "dia-chi-so": ("digital_address",),
    "mo-hinh-chuyen-doi-so": ("model", "no_model"),
}


def proof(database: Database, actor: Actor, view: VillageView, criterion_id: str, language: str) -> Proof:
    """Everything behind one criterion's answer. Raises NotFound for an id that the pack does not have."""
    clause = next((c for c in view.clauses if c.criterion.id == criterion_id), None)
    if clause is None:
        raise not_found(N_("tiêu chí này"))
    return proofs(database, actor, view, [clause], language)[0]


def proofs(
    database: Database, actor: Actor, view: VillageView, clauses: Sequence[Clause], language: str
) -> list[Proof]:
    """Everything behind each of these answers, read once for all of them."""
    used = {c.criterion.id: _facts_of(c) for c in clauses}
    named = {name for names in used.values() for name in names}
    sold, kept = _lines(database, view, sold="ocop_products" in named, kept="smart_agriculture_households" in named)
    kinds = [kind for c in clauses for kind in KINDS_OF.get(c.criterion.id, ())]
    with database.transaction(actor) as session:
        standing = (
            criteria.standing_facts(session, [view.village.id], kinds=kinds, **_when(view)).get(view.village.id, [])
            if kinds
            else []
        )
    return [
        Proof(
            clause=c,
            facts=[_fact_line(view, name, language) for name in used[c.criterion.id]],
            standing=[row for row in standing if row.kind in KINDS_OF.get(c.criterion.id, ())],
            products=sold if "ocop_products" in used[c.criterion.id] else [],
            diary=kept if "smart_agriculture_households" in used[c.criterion.id] else [],
        )
        for c in clauses
    ]


def records(database: Database, actor: Actor, view: VillageView, proof: Proof, mark: str) -> Records:
    """What was written of the criterion until the view's day, the newest first. Raises BadAddress for a mark that is none."""
    criterion_id = proof.clause.criterion.id
    with database.transaction(actor) as session:
        found = criteria.fact_history(
            session, actor, view.village.id, KINDS_OF.get(criterion_id, ()), mark=mark, **_when(view)
        )
        return Records(
            page=found,
            superseded=criteria.superseded_ids(session, [r.id for r in found.rows], **_when(view)),
            premises_names=places.premises_labels(session, view.village.id) if criterion_id == "dia-chi-so" else {},
            looks=marketplace.declared_looks(
                session, actor, {e.look_id for line in proof.products for e in line.evidence if e.look_id}
            ),
        )


def _facts_of(clause: Clause) -> list[str]:
    """The facts that the answer used, each once, in its order."""
    return list(dict.fromkeys(n for leaf in clause.answer.walk() if not leaf.children for n in leaf.facts_used))


def _when(view: VillageView) -> criteria.When:
    return {"as_of": view.as_of, "known_at": view.known_at}


def _fact_line(view: VillageView, name: str, language: str) -> FactLine:
    declared = view.pack.facts_by_name[name]
    fact = view.assessment.facts.get(name)
    value = fact.value if fact is not None else None
    items = value if isinstance(value, ItemSet) else None
    count = value if type(value) is int else None
    size = count if items is None else len(items.have)
    return FactLine(name, declared.label.text(language), fact, items, size)


def _parameter(view: VillageView, name: str) -> int | str:
    return next(c.value for c in view.assessment.parameters if c.name == name)


def _lines(
    database: Database,
    view: VillageView,
    *,
    sold: bool,
    kept: bool,
) -> tuple[list[ProductLine], list[DiaryLine]]:
    """The products that are `sold` and the diaries that are `kept`, each only where it is asked for."""
    if not sold and not kept:
        return [], []
    with database.transaction(SYSTEM) as session:
        goods = _products(session, view) if sold else []
        diaries = _diaries(session, view) if kept else {}
        holders = {line.product.organisation_id for line in goods} | diaries.keys()
        names = accounts.organisation_names(session, holders)
    lines = [DiaryLine(names.get(h, ""), len(days), min(days), max(days)) for h, days in diaries.items()]
    return (
        [replace(line, holder=names.get(line.product.organisation_id, "")) for line in goods],
        sorted(lines, key=lambda line: (-line.steps, line.household)),
    )


def _products(session: Session, view: VillageView) -> list[ProductLine]:
    rows = products.ocop_products_of_villages(
        session,
        [view.village.id],
        rule=str(_parameter(view, "village_of_product")),
        on=view.as_of,
        known_at=view.known_at,
    )
    ids = [r.product_id for r in rows]
    evidence = marketplace.live_evidence(
        session,
        ids,
        as_of=view.as_of,
        known_at=view.known_at,
        max_age_hours=int(_parameter(view, "liveness_max_age_hours")),
        declared_max_age_days=int(_parameter(view, "declared_max_age_days")),
        colleagues_count=_parameter(view, "declared_look_by") == "colleagues_too",
    )
    certificates = products.certificates_on(session, ids, view.as_of, view.known_at)
    return [
        ProductLine(r, "", certificates.get(r.product_id, []), evidence.get(r.product_id, []))
        for r in rows
        if r.left is None or r.certificate != "none"
    ]


def _diaries(session: Session, view: VillageView) -> dict[UUID, list[date]]:
    """Household to the days on which it wrote."""
    first = view.as_of - timedelta(days=int(_parameter(view, "smart_agriculture_window_days")) - 1)
    found = trace.logs_in_window(session, [view.village.id], first=first, last=view.as_of, known_at=view.known_at)
    return found.get(view.village.id, {})
