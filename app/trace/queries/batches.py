"""Batches, their state and their codes."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, exists, or_, select, union
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor
from app.db import Words, fold, keyset
from app.db.keyset import Count, Listed
from app.errors import not_found
from app.logs import scrub
from app.messages import N_
from app.places import queries as places
from app.products.models import Product, ProductVillage
from app.trace.models import Batch, BatchEvent, BatchEventKind, BatchSource, CareLog, SiteVillage, TraceCode
from app.trace.queries.rights import visible
from app.trace.queries.sources import harvest_days

BatchState = Literal["open", "held", "recalled"]
Wanted = BatchState | Literal["stopped"]  # what a list may be asked for; stopped: on hold or recalled


def batch(session: Session, actor: Actor, batch_id: UUID) -> Batch:
    """Raises NotFound, also for one that this actor may not open."""
    found = session.scalar(select(Batch).where(Batch.id == batch_id, visible(actor, Batch.organisation_id)))
    if found is None:
        raise not_found(N_("lô này"))
    return found


@dataclass(frozen=True, slots=True)
class BatchStanding:
    """What the events say of a batch: recalled goes before on hold. `event` is the one that made it so."""

    state: BatchState
    event: BatchEvent | None


_HOLD = (BatchEventKind.HELD, BatchEventKind.RELEASED)
_RECALL = (BatchEventKind.RECALLED, BatchEventKind.RECALL_LIFTED)


def standings(session: Session, batch_ids: Collection[UUID], at: datetime | None = None) -> dict[UUID, BatchStanding]:
    """The state of each batch; `at`: as it was at that moment, what was decided then included.

    - is the last of recalled/recall_lifted a recall? recalled
    - is the last of held/released a hold? held
    - else open
    """
    found = {b: BatchStanding("open", None) for b in batch_ids}
    pair = BatchEvent.kind.in_(_RECALL)
    conditions = [among(BatchEvent.batch_id, batch_ids), BatchEvent.kind.in_((*_HOLD, *_RECALL))]
    if at is not None:
        conditions.append(BatchEvent.at <= at)
    rows = session.scalars(
        select(BatchEvent)
        .where(*conditions)
        .ext(distinct_on(BatchEvent.batch_id, pair))
        .order_by(BatchEvent.batch_id, pair, BatchEvent.position.desc())
    )
    for row in rows:
        if row.kind == BatchEventKind.RECALLED:
            found[row.batch_id] = BatchStanding("recalled", row)
        elif row.kind == BatchEventKind.HELD and found[row.batch_id].state != "recalled":
            found[row.batch_id] = BatchStanding("held", row)
    return found


def standing(session: Session, batch_id: UUID, at: datetime | None = None) -> BatchStanding:
    return standings(session, [batch_id], at)[batch_id]


def public_reason(event: BatchEvent | None) -> Words | None:
    """Why the batch is stopped, as it may be said outside: a person's number in somebody's words is covered."""
    if event is None or event.reason is None:
        return None
    return Words.model_validate(scrub(event.reason.model_dump()))


def hold_of(session: Session, batch_id: UUID) -> BatchEvent | None:
    """The hold that stands, whether or not the batch is recalled as well."""
    last = session.scalar(
        select(BatchEvent)
        .where(BatchEvent.batch_id == batch_id, BatchEvent.kind.in_(_HOLD))
        .order_by(BatchEvent.position.desc())
        .limit(1)
    )
    return last if last is not None and last.kind == BatchEventKind.HELD else None


def is_held(session: Session, batch_id: UUID) -> bool:
    """On hold, whether or not it is recalled as well."""
    return hold_of(session, batch_id) is not None


def events_of(session: Session, batch_id: UUID) -> list[BatchEvent]:
    return list(
        session.scalars(select(BatchEvent).where(BatchEvent.batch_id == batch_id).order_by(BatchEvent.position))
    )


@dataclass(frozen=True, slots=True)
class BatchLine:
    batch: Batch
    product_name: Words
    harvested_on: date
    state: BatchState
    codes: int


def _stopped_by(kinds: tuple[BatchEventKind, BatchEventKind]) -> ColumnElement[bool]:
    """Whether the last event of the two kinds is the first kind; asked of the few events of that kind, not of each batch."""
    event, later = aliased(BatchEvent), aliased(BatchEvent)
    ended = exists().where(later.batch_id == event.batch_id, later.kind.in_(kinds), later.position > event.position)
    return Batch.id.in_(select(event.batch_id).where(event.kind == kinds[0], ~ended))


def _is_in(state: Wanted) -> ColumnElement[bool]:
    """The same rule as `standings`, as a condition."""
    recalled, held = _stopped_by(_RECALL), _stopped_by(_HOLD)
    if state == "recalled":
        return recalled
    if state == "stopped":
        return or_(recalled, held)
    return and_(~recalled, held if state == "held" else ~held)


NEWEST = keyset.Order((Batch.created_at, datetime), (Batch.id, UUID), newest_first=True)


@dataclass(frozen=True, slots=True)
class BatchList:
    """One page of batches, and how many there are in all."""

    lines: Sequence[BatchLine]
    page: Listed
    total: Count


def batch_list(
    session: Session,
    actor: Actor,
    *,
    product_id: UUID | None = None,
    state: Wanted | None = None,
    search: str = "",
    mark: str = "",
) -> BatchList:
    """The batches the actor may open, the newest first. Raises BadAddress for a mark that is none.

    A search finds a part of the lot's code or of the product's Vietnamese name.
    """
    query = select(Batch).where(visible(actor, Batch.organisation_id))
    if state is not None:
        query = query.where(_is_in(state))
    if product_id is not None:
        query = query.where(Batch.product_id == product_id)
    if search:
        named = select(Product.id).where(Product.name_folded.contains(fold(search), autoescape=True))
        query = query.where(
            or_(Batch.lot.contains(search.strip().upper(), autoescape=True), Batch.product_id.in_(named))
        )
    found = keyset.listed(session, query, NEWEST, mark)
    return BatchList(_lines(session, [row.Batch for row in found.rows]), found, keyset.count(session, query))


def _lines(session: Session, shown: Sequence[Batch]) -> list[BatchLine]:
    ids = [b.id for b in shown]
    names = dict(
        session.execute(select(Product.id, Product.name).where(among(Product.id, {b.product_id for b in shown}))).all()
    )
    codes = Counter(session.scalars(select(TraceCode.batch_id).where(among(TraceCode.batch_id, ids))))
    states = standings(session, ids)
    days = harvest_days(session, shown)
    return [BatchLine(b, names[b.product_id], days[b.id], states[b.id].state, codes[b.id]) for b in shown]


def batches_of_site(session: Session, site_id: UUID) -> list[UUID]:
    """The batches made from harvests that were ever said to be of this site."""
    # Two lists of ids and not one condition with "or": for that PostgreSQL compares every harvest link with every step.
    of_site: CompoundSelect[UUID] = union(
        select(CareLog.id).where(CareLog.site_id == site_id),
        select(CareLog.corrects_id).where(CareLog.site_id == site_id, CareLog.corrects_id.is_not(None)),
    )
    return list(
        session.scalars(
            select(BatchSource.batch_id)
            .where(BatchSource.care_log_id.in_(of_site))
            .distinct()
            .order_by(BatchSource.batch_id)
        )
    )


def showing(session: Session, batch_ids: Collection[UUID], first_day: date | None) -> list[UUID]:
    """Those of the batches whose way may show a step of that day or a later one (Vietnam); None: any step.

    It ends on the day the batch was made; where a harvest was corrected it may end later, so such batches are all among them.
    """
    if first_day is None:
        return sorted(batch_ids)
    corrected = exists().where(BatchSource.batch_id == Batch.id, CareLog.corrects_id == BatchSource.care_log_id)
    query = select(Batch.id).where(among(Batch.id, batch_ids), or_(Batch.made_on >= first_day, corrected))
    return list(session.scalars(query.order_by(Batch.id)))


def sites_of_batches(session: Session, batch_ids: Collection[UUID]) -> set[UUID]:
    """The sites that the harvests in these batches were ever said to be of."""
    roots = select(BatchSource.care_log_id).where(among(BatchSource.batch_id, batch_ids))
    first = select(CareLog.site_id).where(CareLog.id.in_(roots))
    corrected = select(CareLog.site_id).where(CareLog.corrects_id.in_(roots))
    return set(session.scalars(first.union(corrected)))


def lots_of_harvest(session: Session, care_log_id: UUID) -> list[str]:
    """The lots made from this harvest, which is named by the first row of its chain."""
    query = select(Batch.lot).join(BatchSource, BatchSource.batch_id == Batch.id)
    return list(session.scalars(query.where(BatchSource.care_log_id == care_log_id).distinct().order_by(Batch.lot)))


def batches_of_products(session: Session, product_ids: Collection[UUID]) -> list[UUID]:
    """Whose public pages change with these products."""
    return list(session.scalars(select(Batch.id).where(among(Batch.product_id, product_ids)).order_by(Batch.id)))


def batches_naming_organisation(session: Session, organisation_ids: Collection[UUID]) -> list[UUID]:
    """Whose public pages say what one of these is called: as the holder, or as who grew a harvest."""
    return _batches(
        session,
        select(Batch.id).where(among(Batch.organisation_id, organisation_ids)),
        select(BatchSource.batch_id).where(among(BatchSource.log_organisation_id, organisation_ids)),
    )


def batches_naming_person(session: Session, person_id: UUID) -> list[UUID]:
    """Whose public pages may speak of this person: the holder's or a grower's people were ever this one. Needs a session of SYSTEM."""
    return batches_naming_organisation(session, accounts.organisations_ever(session, person_id))


def batches_naming_place(session: Session, place_id: UUID) -> list[UUID]:
    """Whose public pages say what this place is called: it, or one below it, is the seat of the holder, where a grower ever had
    a site, or where the product is made.
    """
    there = places.below(place_id)
    return _batches(
        session,
        *(
            select(Batch.id)
            .join(Organisation, Organisation.id == Batch.organisation_id)
            .where(seat.in_(select(there.c.id)))
            for seat in (Organisation.village_id, Organisation.commune_id)
        ),
        select(Batch.id)
        .join(ProductVillage, ProductVillage.product_id == Batch.product_id)
        .where(ProductVillage.village_id.in_(select(there.c.id))),
        select(BatchSource.batch_id)
        .join(SiteVillage, SiteVillage.organisation_id == BatchSource.log_organisation_id)
        .where(SiteVillage.village_id.in_(select(there.c.id))),
    )


def _batches(session: Session, *found: Select[UUID]) -> list[UUID]:
    return sorted(session.scalars(union(*found)))


def codes_of(session: Session, batch_id: UUID) -> list[TraceCode]:
    return list(
        session.scalars(select(TraceCode).where(TraceCode.batch_id == batch_id).order_by(TraceCode.kind.desc()))
    )


def next_lot(session: Session, product: Product, harvested_on: date) -> str:
    """A free lot code that people can read: NA-1126-01 is the first lot of "Na dai" harvested in November 2026."""
    word = next((w for w in fold(product.name.vi).upper().split() if w.isascii() and w.isalnum()), "LO")[:8]
    prefix = f"{word}-{harvested_on:%m%y}-"
    taken = set(
        session.scalars(
            select(Batch.lot).where(Batch.organisation_id == product.organisation_id, Batch.lot.startswith(prefix))
        )
    )
    number = next(n for n in range(1, len(taken) + 2) if f"{prefix}{n:02d}" not in taken)
    return f"{prefix}{number:02d}"
