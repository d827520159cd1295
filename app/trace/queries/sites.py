"""Sites, the villages they lie in, and their cycles."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import and_, or_, select, true
from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor
from app.db import fold, keyset
from app.db.keyset import Count, Listed, Query, Rows
from app.errors import not_found
from app.messages import N_
from app.trace.models import CareLog, Cycle, Site, SiteVillage
from app.trace.queries.chains import current
from app.trace.queries.rights import visible


def site(session: Session, actor: Actor, site_id: UUID, *, lock: bool = False) -> Site:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Site).where(Site.id == site_id, visible(actor, Site.organisation_id))
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        raise not_found(N_("nơi sản xuất này"))
    return found


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a site is, and where they have their seat."""

    id: UUID
    name: str
    kind: str
    village_id: UUID | None
    commune_id: UUID | None


def holders_of_sites(session: Session, actor: Actor, site_ids: Collection[UUID]) -> dict[UUID, Holder | None]:
    """Whose each of these sites is, of those that the actor may open; None where they may not open the holder."""
    if not site_ids:
        return {}
    seat = (Organisation.id, Organisation.name, Organisation.kind, Organisation.village_id, Organisation.commune_id)
    rows = session.execute(
        select(Site.id.label("site_id"), *seat)
        .outerjoin(Organisation, and_(Organisation.id == Site.organisation_id, accounts.visible(actor)))
        .where(among(Site.id, site_ids), visible(actor, Site.organisation_id))
    )
    return {
        row.site_id: None if row.id is None else Holder(row.id, row.name, row.kind, row.village_id, row.commune_id)
        for row in rows
    }


def cycle(session: Session, actor: Actor, cycle_id: UUID, *, lock: bool = False) -> Cycle:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Cycle).where(Cycle.id == cycle_id, visible(actor, Cycle.organisation_id))
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        raise not_found(N_("vụ này"))
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


def villages_of_sites(session: Session, site_ids: Collection[UUID]) -> set[UUID]:
    """Every village these sites ever lay in: whose answers may change with their diaries."""
    return set(session.scalars(select(SiteVillage.village_id).where(among(SiteVillage.site_id, site_ids)).distinct()))


def batched_to(session: Session, site_ids: Collection[UUID]) -> dict[UUID, date]:
    """Up to and with which day (Vietnam) batches made from these sites show their diaries; those of none are missing."""
    rows = session.execute(
        select(Site.id, Site.batched_to).where(among(Site.id, site_ids), Site.batched_to.is_not(None))
    )
    return {site_id: day for site_id, day in rows if day is not None}


@dataclass(frozen=True, slots=True)
class SiteLine:
    """A site with its holder, its village today, its open cycles and when it was last written about."""

    site: Site
    holder: str
    village_id: UUID | None
    cycles: tuple[Cycle, ...]
    last_log_at: datetime | None


BY_HOLDER = keyset.Order(
    (Organisation.name_sorted, str), (Organisation.id, UUID), (Site.name_sorted, str), (Site.id, UUID), joined=True
)


@dataclass(frozen=True, slots=True)
class SiteList:
    """One page of sites, and how many there are in all."""

    lines: Sequence[SiteLine]
    page: Listed
    total: Count


def site_list(session: Session, actor: Actor, *, search: str = "", mark: str = "") -> SiteList:
    """Sites the actor may open, by holder and name. Raises BadAddress for a mark that is none."""
    query = _sites(actor)
    if search:
        wanted = fold(search)
        query = query.where(
            or_(
                Site.name_folded.contains(wanted, autoescape=True),
                Organisation.name_folded.contains(wanted, autoescape=True),
            )
        )
    found = keyset.listed(session, query, BY_HOLDER, mark)
    return SiteList(_lines(session, found.rows), found, keyset.count(session, query))


def site_lines(session: Session, actor: Actor) -> list[SiteLine]:
    """Every site the actor may open, by holder and name: of one household, not of a province."""
    return _lines(session, session.execute(_sites(actor).order_by(*BY_HOLDER.by())).all())


def _sites(actor: Actor) -> Query:
    """The holder stands in the query, so what the actor may open is asked of it alone."""
    mine = visible(actor, Organisation.id) if actor.kind == "system" or not actor.places else accounts.visible(actor)
    return select(Site, Organisation.name).join(Organisation, Organisation.id == Site.organisation_id).where(mine)


def _lines(session: Session, rows: Rows) -> list[SiteLine]:
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
    last = _last_written(session, ids)
    return [
        SiteLine(row.Site, row.name, villages.get(row.Site.id), tuple(open_cycles[row.Site.id]), last.get(row.Site.id))
        for row in rows
    ]


def _last_written(session: Session, site_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Site id to the day of its newest step that stands: one step into the index for each site, however long its diary."""
    newest = (
        select(CareLog.happened_at)
        .where(CareLog.site_id == Site.id, current(None))
        .order_by(CareLog.happened_at.desc())
        .limit(1)
        .lateral("newest")
    )
    rows = session.execute(select(Site.id, newest.c.happened_at).join(newest, true()).where(among(Site.id, site_ids)))
    return {row.id: row.happened_at for row in rows}


def cycles_of(session: Session, site_id: UUID) -> list[Cycle]:
    """Newest first."""
    return list(
        session.scalars(select(Cycle).where(Cycle.site_id == site_id).order_by(Cycle.started_on.desc(), Cycle.id))
    )
