"""Sources of batches: harvests, what is left of them, and which batches they went into."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, false, func, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor
from app.db import fold, keyset
from app.db.keyset import Listed, Rows
from app.trace import steps
from app.trace.models import Batch, BatchSource, CareLog, Cycle, Site
from app.trace.queries.chains import current, current_logs, root_id
from app.trace.queries.rights import visible
from app.trace.schemas import factor


@dataclass(frozen=True, slots=True)
class Harvest:
    """A harvest as it stands, and what is left of it. `left` is None where no quantity was written."""

    id: UUID
    log: CareLog
    site_name: str
    holder: str
    left: Decimal | None


def used_of_harvests(session: Session, root_ids: Collection[UUID]) -> dict[UUID, list[tuple[Decimal, str]]]:
    """Harvest id to the quantities that batches took of it."""
    found: dict[UUID, list[tuple[Decimal, str]]] = defaultdict(list)
    for root, quantity, unit in session.execute(
        select(BatchSource.care_log_id, BatchSource.quantity, BatchSource.unit).where(
            among(BatchSource.care_log_id, root_ids)
        )
    ):
        found[root].append((quantity, unit))
    return found


def left_of(log: CareLog, used: Sequence[tuple[Decimal, str]]) -> Decimal | None:
    """What no batch has taken yet, in the harvest's unit; None where it cannot be told."""
    if log.quantity is None or log.unit is None:
        return None
    left = log.quantity
    for quantity, unit in used:
        rate = factor(unit, log.unit)
        if rate is None:
            return None
        left -= quantity * rate
    return left


HARVEST_DAYS = 400  # so old a harvest may be and still be offered for a new batch
NEWEST_HARVEST = keyset.Order((CareLog.happened_at, datetime), (CareLog.position, int), newest_first=True)


@dataclass(frozen=True, slots=True)
class HarvestList:
    """One page of the harvests that a batch may be made of, and those among them all that were `chosen` and are on another page."""

    lines: Sequence[Harvest]
    page: Listed
    chosen: Sequence[Harvest]


def harvests(
    session: Session,
    actor: Actor,
    *,
    product_id: UUID | None = None,
    search: str = "",
    mark: str = "",
    chosen: Collection[UUID] = (),
) -> HarvestList:
    """The harvests of HARVEST_DAYS of the organisations the actor acts for of which something is left, the newest first.

    With a product: those of its own cycles, and those of cycles without a product. A search finds a part of the name of the
    site or of its holder. `chosen`: harvests by their first rows. Raises BadAddress for a mark that is none.
    """
    every = (
        select(CareLog, Site.name.label("site_name"), Organisation.name.label("holder"))
        .join(Site, Site.id == CareLog.site_id)
        .join(Organisation, Organisation.id == CareLog.organisation_id)
        .outerjoin(Cycle, Cycle.id == CareLog.cycle_id)
        .where(
            among(CareLog.organisation_id, actor.organisations),
            CareLog.kind.in_(steps.HARVESTS),
            CareLog.happened_at >= clock.now() - timedelta(days=HARVEST_DAYS),
            current(None),
            ~func.coalesce(_all_taken(), false()),
        )
    )
    if product_id is not None:
        every = every.where(or_(Cycle.product_id == product_id, Cycle.product_id.is_(None)))
    query = every
    if search:
        wanted = fold(search)
        query = query.where(
            or_(
                Site.name_folded.contains(wanted, autoescape=True),
                Organisation.name_folded.contains(wanted, autoescape=True),
            )
        )
    found = keyset.listed(session, query, NEWEST_HARVEST, mark)
    elsewhere = set(chosen) - {root_id(row.CareLog) for row in found.rows}
    more = every.where(or_(among(CareLog.id, elsewhere), among(CareLog.corrects_id, elsewhere)))
    others = session.execute(more.order_by(*NEWEST_HARVEST.by())).all() if elsewhere else []
    return HarvestList(_harvests(session, found.rows), found, _harvests(session, others))


def _harvests(session: Session, rows: Rows) -> list[Harvest]:
    used = used_of_harvests(session, [root_id(row.CareLog) for row in rows])
    return [
        Harvest(root, row.CareLog, row.site_name, row.holder, left_of(row.CareLog, used.get(root, [])))
        for row in rows
        for root in [root_id(row.CareLog)]
    ]


def _all_taken() -> ColumnElement[bool | None]:
    """Whether batches took all of the harvest: the rule of `left_of`, as a condition. NULL where none took of it or nobody can tell."""
    measures = {unit: measure for unit, (measure, _rate) in steps.FACTORS.items()}
    rates = {unit: Decimal(rate) for unit, (_measure, rate) in steps.FACTORS.items()}
    one, two = BatchSource.unit, CareLog.unit
    rate = case(
        (one == two, Decimal(1)),
        (case(measures, value=one) == case(measures, value=two), case(rates, value=one) / case(rates, value=two)),
    )
    return (
        select(and_(func.count() == func.count(rate), func.sum(BatchSource.quantity * rate) >= CareLog.quantity))
        .where(BatchSource.care_log_id == func.coalesce(CareLog.corrects_id, CareLog.id))
        .correlate(CareLog)
        .scalar_subquery()
    )


def harvest_day(batch: Batch, harvested: Collection[CareLog]) -> date:
    """The last day of harvest as the diary says it now, of the harvests as they stand after corrections.

    - is none of them a harvest any more? then the day that was first known
    """
    days = [clock.local(h.happened_at).date() for h in harvested if h.kind in steps.HARVESTS and not h.withdrawn]
    return max(days, default=batch.harvested_on)


def harvest_days(session: Session, batches: Collection[Batch]) -> dict[UUID, date]:
    """The last day of harvest of each batch; the one first known where this actor may not see every harvest any more."""
    roots: dict[UUID, list[UUID]] = {b.id: [] for b in batches}
    for source in session.scalars(select(BatchSource).where(among(BatchSource.batch_id, roots))):
        roots[source.batch_id].append(source.care_log_id)
    logs = current_logs(session, {root for of_batch in roots.values() for root in of_batch})
    return {
        b.id: harvest_day(b, [logs[r] for r in roots[b.id]] if all(r in logs for r in roots[b.id]) else [])
        for b in batches
    }


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A harvest in a batch; `log` is None where this actor may not see it any more."""

    source: BatchSource
    log: CareLog | None
    site_name: str | None
    holder: str


def sources_of(session: Session, actor: Actor, batch_id: UUID) -> list[SourceLine]:
    """The harvests of a batch that the actor has opened; a line without its log is one that they may not open."""
    sources = session.scalars(select(BatchSource).where(BatchSource.batch_id == batch_id)).all()
    opened = session.scalars(
        select(CareLog.id).where(
            among(CareLog.id, {s.care_log_id for s in sources}), visible(actor, CareLog.organisation_id)
        )
    )
    logs = current_logs(session, list(opened))
    names = accounts.organisation_names(session, {s.log_organisation_id for s in sources})
    sites = {
        s.id: s.name for s in session.scalars(select(Site).where(among(Site.id, {r.site_id for r in logs.values()})))
    }
    lines = [
        SourceLine(
            s,
            logs.get(s.care_log_id),
            sites.get(logs[s.care_log_id].site_id) if s.care_log_id in logs else None,
            names.get(s.log_organisation_id, ""),
        )
        for s in sources
    ]
    return sorted(
        lines, key=lambda s: (s.log.happened_at if s.log else datetime.max.replace(tzinfo=clock.VIETNAM), s.holder)
    )
