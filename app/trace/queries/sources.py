"""What batches are made of: harvests, what is left of them, and which batches they went into."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor
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


def harvests(session: Session, actor: Actor, *, product_id: UUID | None = None, days: int = 400) -> list[Harvest]:
    """The harvests of the organisations the actor acts for of which something is left, the newest first.

    With a product: those of its own cycles, and those of cycles without a product.
    """
    query = (
        select(CareLog, Site.name, Organisation.name)
        .join(Site, Site.id == CareLog.site_id)
        .join(Organisation, Organisation.id == CareLog.organisation_id)
        .outerjoin(Cycle, Cycle.id == CareLog.cycle_id)
        .where(
            among(CareLog.organisation_id, actor.organisations),
            CareLog.kind.in_(steps.HARVESTS),
            CareLog.happened_at >= clock.now() - timedelta(days=days),
            current(None),
        )
        .order_by(CareLog.happened_at.desc(), CareLog.position.desc())
        .limit(500)
    )
    if product_id is not None:
        query = query.where(or_(Cycle.product_id == product_id, Cycle.product_id.is_(None)))
    rows = session.execute(query).all()
    used = used_of_harvests(session, [root_id(r[0]) for r in rows])
    found = [Harvest(root_id(r[0]), r[0], r[1], r[2], left_of(r[0], used.get(root_id(r[0]), []))) for r in rows]
    return [h for h in found if h.left is None or h.left > 0]


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
