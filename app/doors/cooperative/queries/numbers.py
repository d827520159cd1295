"""The numbers of the desk, each with what it is out of."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts.models import Organisation, OrganisationKind
from app.accounts.queries import among
from app.actor import Actor
from app.doors.cooperative.queries.own import own_organisations
from app.marketplace_sync.queries import Evidence
from app.products.models import Variant
from app.trace import queries as trace
from app.trace import stock
from app.trace.models import CareLog, ScanTally, TraceCode

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Each with what it is out of. `since`: first day of the steps counted; `packs_stopped`: in lots on hold or recalled."""

    steps: int
    households_writing: int
    households: int
    since: date
    scans: int
    codes: int
    yesterday: date
    packs: int
    packs_stopped: int
    lots_with_packs: int
    products_with_packs: int
    live: int
    wanted: int
    live_counted: int
    sold_out: int
    live_seen_at: datetime | None


def numbers(session: Session, actor: Actor, evidence: dict[UUID, list[Evidence]]) -> Numbers:
    own, day = own_organisations(actor), clock.today()
    since, yesterday = day - WEEK + timedelta(days=1), day - timedelta(days=1)
    steps, writing, households = _steps(session, actor, since)
    scans, codes = _scans(session, own, yesterday)
    packs = session.execute(select(Variant.id, Variant.product_id).where(among(Variant.organisation_id, own)))
    variants = {row.id: row.product_id for row in packs}
    in_house = {
        (variant_id, batch_id): level.left
        for variant_id, lots in stock.levels(session, list(variants)).items()
        for batch_id, level in lots.items()
        if level.left > 0
    }
    states = trace.standings(session, {lot for _v, lot in in_house if lot is not None})
    left = {k: n for k, n in in_house.items() if k[1] is None or states[k[1]].state == "open"}
    listed = [e for found in evidence.values() for e in found if e.listing_id or e.declared_id]
    live = [e for e in listed if e.state == "live"]
    return Numbers(
        steps=steps,
        households_writing=writing,
        households=households,
        since=since,
        scans=scans,
        codes=codes,
        yesterday=yesterday,
        packs=sum(left.values()),
        packs_stopped=sum(in_house.values()) - sum(left.values()),
        lots_with_packs=len({batch_id for _v, batch_id in left}),
        products_with_packs=len({variants[v] for v, _b in left}),
        live=len(live),
        wanted=len(listed),
        live_counted=sum(e.counted for e in live),
        sold_out=sum(e.sold_out for e in live),
        live_seen_at=max((e.seen_at for e in live if e.seen_at and e.listing_id), default=None),
    )


def _steps(session: Session, actor: Actor, since: date) -> tuple[int, int, int]:
    """Steps that stand, households that wrote them, and households there are, all in one statement."""
    later = aliased(CareLog)
    standing = (
        select(CareLog.organisation_id, func.count().label("steps"))
        .where(
            among(CareLog.organisation_id, actor.organisations),
            CareLog.happened_at >= clock.start_of_day(since),
            CareLog.withdrawn.is_(False),
            ~select(later.id)
            .where(
                later.corrects_id == func.coalesce(CareLog.corrects_id, CareLog.id), later.position > CareLog.position
            )
            .exists(),
        )
        .group_by(CareLog.organisation_id)
        .subquery()
    )
    row = session.execute(
        select(
            func.coalesce(func.sum(standing.c.steps), 0),
            func.count(standing.c.steps),
            func.count(Organisation.id),
        )
        .select_from(Organisation)
        .outerjoin(standing, standing.c.organisation_id == Organisation.id)
        .where(among(Organisation.id, actor.organisations), Organisation.kind == OrganisationKind.HOUSEHOLD)
    ).one()
    return int(row[0]), int(row[1]), int(row[2])


def _scans(session: Session, own: Collection[UUID], day: date) -> tuple[int, int]:
    """Scans of a civil day, and how many codes there are to scan."""
    codes = select(func.count()).select_from(TraceCode).where(among(TraceCode.organisation_id, own)).scalar_subquery()
    scans = (
        select(func.coalesce(func.sum(ScanTally.scans), 0))
        .join(TraceCode, TraceCode.code == ScanTally.code)
        .where(
            among(TraceCode.organisation_id, own),
            ScanTally.received_at >= clock.start_of_day(day),
            ScanTally.received_at < clock.start_of_day(day + timedelta(days=1)),
        )
        .scalar_subquery()
    )
    row = session.execute(select(scans, codes)).one()
    return int(row[0]), int(row[1])
