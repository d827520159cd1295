"""The numbers of the desk, each with what it is out of."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, ScalarSelect, cast, func, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts.models import Organisation, OrganisationKind
from app.accounts.queries import among
from app.actor import Actor
from app.doors.cooperative.queries.on_sale import Goods
from app.doors.cooperative.queries.own import own_organisations
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


def numbers(session: Session, actor: Actor, goods: Goods) -> Numbers:
    own, day = own_organisations(actor), clock.today()
    since, yesterday = day - WEEK + timedelta(days=1), day - timedelta(days=1)
    asked: tuple[ColumnElement[int], ...] = (*_steps(actor, since), *_scans(own, yesterday))
    steps, writing, households, scans, codes = tuple(session.execute(select(*asked)).one())
    in_house = {
        (variant_id, batch_id): level.left
        for variant_id, lots in goods.stock.levels.items()
        for batch_id, level in lots.items()
        if level.left > 0
    }
    left = {k: n for k, n in in_house.items() if goods.stock.is_open(k[1])}
    listed = [e for found in goods.evidence.values() for e in found if e.listing_id or e.declared_id]
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
        products_with_packs=len({goods.products[v] for v, _b in left}),
        live=len(live),
        wanted=len(listed),
        live_counted=sum(e.counted for e in live),
        sold_out=sum(e.sold_out for e in live),
        live_seen_at=max((e.seen_at for e in live if e.seen_at and e.listing_id), default=None),
    )


def _steps(actor: Actor, since: date) -> tuple[ColumnElement[int], ...]:
    """Steps that stand, households that wrote them, and households there are."""
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
    counted = (
        select(
            cast(func.coalesce(func.sum(standing.c.steps), 0), BigInteger).label("steps"),
            func.count(standing.c.steps).label("writing"),
            func.count(Organisation.id).label("households"),
        )
        .select_from(Organisation)
        .outerjoin(standing, standing.c.organisation_id == Organisation.id)
        .where(among(Organisation.id, actor.organisations), Organisation.kind == OrganisationKind.HOUSEHOLD)
        .subquery()
    )
    return tuple(counted.c)


def _scans(own: Collection[UUID], day: date) -> tuple[ScalarSelect[int], ScalarSelect[int]]:
    """Scans of a civil day, and how many codes there are to scan."""
    codes = select(func.count()).select_from(TraceCode).where(among(TraceCode.organisation_id, own)).scalar_subquery()
    scans = (
        select(cast(func.coalesce(func.sum(ScanTally.scans), 0), BigInteger))
        .join(TraceCode, TraceCode.code == ScanTally.code)
        .where(
            among(TraceCode.organisation_id, own),
            ScanTally.received_at >= clock.start_of_day(day),
            ScanTally.received_at < clock.start_of_day(day + timedelta(days=1)),
        )
        .scalar_subquery()
    )
    return scans, codes
