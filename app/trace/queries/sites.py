"""Sites, the villages they lie in, and their cycles."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor
from app.db import fold, numbered
from app.errors import not_found
from app.trace.models import CareLog, Cycle, Site, SiteVillage
from app.trace.queries.chains import current
from app.trace.queries.rights import visible


def site(session: Session, actor: Actor, site_id: UUID, *, lock: bool = False) -> Site:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Site).where(Site.id == site_id, visible(actor, Site.organisation_id))
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        raise not_found("thửa này", "this site")
    return found


def holders_of_sites(session: Session, actor: Actor, site_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Whose each of these sites is, of those that the actor may open."""
    query = select(Site.id, Site.organisation_id).where(among(Site.id, site_ids), visible(actor, Site.organisation_id))
    return {row.id: row.organisation_id for row in session.execute(query)}


def cycle(session: Session, actor: Actor, cycle_id: UUID, *, lock: bool = False) -> Cycle:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Cycle).where(Cycle.id == cycle_id, visible(actor, Cycle.organisation_id))
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        raise not_found("vụ này", "this season")
    return found


def village_of_sites(session: Session, site_ids: Collection[UUID], on: date) -> dict[UUID, UUID]:
    rows = session.execute(
        select(SiteVillage.site_id, SiteVillage.village_id).where(
            among(SiteVillage.site_id, site_ids),
            SiteVillage.valid_from <= on,
            or_(SiteVillage.valid_to.is_(None), SiteVillage.valid_to >= on),
        )
    )
    return {row.site_id: row.village_id for row in rows}


def villages_of_site(session: Session, site_id: UUID) -> list[UUID]:
    """Every village the site ever lay in: whose answers may change with its diary."""
    return list(session.scalars(select(SiteVillage.village_id).where(SiteVillage.site_id == site_id).distinct()))


@dataclass(frozen=True, slots=True)
class SiteLine:
    """A site with its holder, its village today, its open cycles and when it was last written about."""

    site: Site
    holder: str
    village_id: UUID | None
    cycles: tuple[Cycle, ...]
    last_log_at: datetime | None


def site_lines(session: Session, actor: Actor, *, search: str = "", limit: int = 500) -> list[SiteLine]:
    """Sites the actor may open, by holder and name."""
    query = (
        select(Site, Organisation.name)
        .join(Organisation, Organisation.id == Site.organisation_id)
        .where(visible(actor, Site.organisation_id))
        .order_by(numbered(Organisation.name_folded), numbered(func.vn_fold(Site.name)), Site.id)
        .limit(limit)
    )
    if search:
        wanted = fold(search)
        query = query.where(
            or_(
                func.vn_fold(Site.name).contains(wanted, autoescape=True),
                Organisation.name_folded.contains(wanted, autoescape=True),
            )
        )
    rows = session.execute(query).all()
    ids = [row.Site.id for row in rows]
    today = clock.today()
    villages = village_of_sites(session, ids, today)
    open_cycles: dict[UUID, list[Cycle]] = defaultdict(list)
    for one in session.scalars(
        select(Cycle)
        .where(among(Cycle.site_id, ids), or_(Cycle.ended_on.is_(None), Cycle.ended_on >= today))
        .order_by(Cycle.started_on.desc(), Cycle.id)
    ):
        open_cycles[one.site_id].append(one)
    last = {
        row.site_id: row.moment
        for row in session.execute(
            select(CareLog.site_id, func.max(CareLog.happened_at).label("moment"))
            .where(among(CareLog.site_id, ids), current(None))
            .group_by(CareLog.site_id)
        )
    }
    return [
        SiteLine(row.Site, row.name, villages.get(row.Site.id), tuple(open_cycles[row.Site.id]), last.get(row.Site.id))
        for row in rows
    ]


def cycles_of(session: Session, site_id: UUID) -> list[Cycle]:
    """Newest first."""
    return list(
        session.scalars(select(Cycle).where(Cycle.site_id == site_id).order_by(Cycle.started_on.desc(), Cycle.id))
    )
