"""What the desk shows, by a fixed number of statements however many members, lots and listings there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import CardRequest, Organisation, OrganisationKind, PersonalData
from app.accounts.queries import among
from app.actor import Actor, Role
from app.db import Words
from app.errors import not_found
from app.marketplace_sync import queries as marketplace
from app.marketplace_sync.models import ChannelAccount, DeclaredListing, Listing
from app.marketplace_sync.queries import Evidence
from app.products.models import Certificate, Product, Variant
from app.trace import findings, stock
from app.trace import queries as trace
from app.trace.models import Batch, BatchEvent, CareLog, ConflictingSubmission, ScanTally, Site, TraceCode

TRADERS = (Role.COOPERATIVE_MANAGER, Role.PURCHASER)
TROUBLED = ("rejected", "blocked", "gone", "parked")
WARN_DAYS = 90  # a new assessment of an OCOP product takes its dossier about three months
WEEK = timedelta(days=7)


# --- what needs a decision ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ending:
    """A product's best certificate of a scheme, which lapses within WARN_DAYS or has lapsed. `days_left` < 0: lapsed."""

    product_id: UUID
    product: Words
    scheme: str
    last_day: date
    days_left: int

    @property
    def lapsed_on(self) -> date:
        """The first day without it, as the village's page names it."""
        return self.last_day + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A lot that may not be sold now, and why."""

    batch: Batch
    product: Words
    state: str
    event: BatchEvent | None


@dataclass(frozen=True, slots=True)
class Troubled:
    listing: Listing
    product: Words
    account: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A declared link that counts for nothing until a second person has looked. `mine`: this actor declared it."""

    declared: DeclaredListing
    product: Words
    floor: Words
    mine: bool


@dataclass(frozen=True, slots=True)
class Today:
    """Everything that waits for a person of these organisations."""

    phones: Sequence[tuple[CardRequest, PersonalData]]
    listings: Sequence[Troubled]
    accounts: Sequence[ChannelAccount]
    lots: Sequence[Stopped]
    endings: Sequence[Ending]
    links: Sequence[Waiting]
    conflicts: Sequence[tuple[ConflictingSubmission, str]]

    @property
    def count(self) -> int:
        parts = (self.phones, self.listings, self.accounts, self.lots, self.endings, self.links, self.conflicts)
        return sum(len(part) for part in parts)


def own_organisations(actor: Actor) -> tuple[UUID, ...]:
    """The trading organisations this actor works for; not the member households they act for."""
    return actor.organisations_as(*TRADERS)


def today(session: Session, actor: Actor) -> Today:
    own = own_organisations(actor)
    managed = actor.organisations_as(Role.COOPERATIVE_MANAGER)
    names = _product_names(session, own)
    return Today(
        phones=accounts.waiting_requests(session, managed, clock.machine_now()) if managed else [],
        listings=_troubled(session, own, names),
        accounts=list(
            session.scalars(
                select(ChannelAccount).where(
                    among(ChannelAccount.organisation_id, own), ChannelAccount.state == "broken"
                )
            )
        ),
        lots=_stopped(session, own, names),
        endings=_endings(session, own, names),
        links=_links(session, actor, names),
        conflicts=_conflicts(session, actor),
    )


def _product_names(session: Session, own: Collection[UUID]) -> dict[UUID, Words]:
    rows = session.execute(
        select(Product.id, Product.name).where(among(Product.organisation_id, own), Product.retired_on.is_(None))
    )
    return {row.id: row.name for row in rows}


def _troubled(session: Session, own: Collection[UUID], names: dict[UUID, Words]) -> list[Troubled]:
    rows = session.execute(
        select(Listing, ChannelAccount.name)
        .join(ChannelAccount, ChannelAccount.id == Listing.account_id)
        .where(among(Listing.organisation_id, own), Listing.wanted == "live", Listing.state.in_(TROUBLED))
        .order_by(Listing.created_at)
    )
    return [Troubled(listing, names[listing.product_id], name) for listing, name in rows if listing.product_id in names]


def _stopped(session: Session, own: Collection[UUID], names: dict[UUID, Words]) -> list[Stopped]:
    event, later = aliased(BatchEvent), aliased(BatchEvent)
    pairs = or_(
        and_(event.kind == "held", later.kind.in_(("held", "released"))),
        and_(event.kind == "recalled", later.kind.in_(("recalled", "recall_lifted"))),
    )
    rows = session.execute(
        select(Batch, event)
        .join(event, event.batch_id == Batch.id)
        .where(
            among(Batch.organisation_id, own),
            event.kind.in_(("held", "recalled")),
            ~select(later.id).where(later.batch_id == event.batch_id, later.position > event.position, pairs).exists(),
        )
        .order_by(event.at.desc())
    )
    return [Stopped(b, names[b.product_id], e.kind, e) for b, e in rows if b.product_id in names]


def _endings(session: Session, own: Collection[UUID], names: dict[UUID, Words]) -> list[Ending]:
    """Of each product and scheme the certificate that lasts longest: a renewal beside the old one ends the warning."""
    day = clock.today()
    later = aliased(Certificate)
    last = func.max(Certificate.valid_to).label("last_day")
    rows = session.execute(
        select(Certificate.product_id, Certificate.scheme, last)
        .where(
            among(Certificate.organisation_id, own),
            Certificate.product_id.is_not(None),
            Certificate.valid_to.is_not(None),
            Certificate.withdrawn_on.is_(None),
            ~select(later.id).where(later.supersedes_id == Certificate.id).exists(),
        )
        .group_by(Certificate.product_id, Certificate.scheme)
        .having(func.max(Certificate.valid_to) <= day + timedelta(days=WARN_DAYS))
        .order_by(last)
    )
    return [
        Ending(product_id, names[product_id], scheme, last_day, (last_day - day).days)
        for product_id, scheme, last_day in rows
        if product_id in names and last_day is not None
    ]


def _links(session: Session, actor: Actor, names: dict[UUID, Words]) -> list[Waiting]:
    floors = {f.id: f.name for f in marketplace.floors(session)}
    return [
        Waiting(
            declared, names[declared.product_id], floors[declared.floor_id], declared.declared_by == actor.person_id
        )
        for declared, look in marketplace.declared_of(session, actor)
        if look is None and declared.product_id in names
    ]


def _conflicts(session: Session, actor: Actor) -> list[tuple[ConflictingSubmission, str]]:
    found = trace.conflicts_of(session, actor, limit=20)
    names = accounts.organisation_names(session, {c.organisation_id for c in found})
    return [(c, names.get(c.organisation_id, "")) for c in found if c.organisation_id in actor.organisations]


# --- numbers -----------------------------------------------------------------------------------------------------


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
    codes = int(
        session.scalar(select(func.count()).select_from(TraceCode).where(among(TraceCode.organisation_id, own))) or 0
    )
    scans = session.scalar(
        select(func.coalesce(func.sum(ScanTally.scans), 0))
        .join(TraceCode, TraceCode.code == ScanTally.code)
        .where(
            among(TraceCode.organisation_id, own),
            ScanTally.received_at >= clock.start_of_day(day),
            ScanTally.received_at < clock.start_of_day(day + timedelta(days=1)),
        )
    )
    return int(scans or 0), codes


# --- on sale where -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OnSale:
    """One product with its packs and everything known of where it is on sale."""

    product: Product
    packs: Sequence[Variant]
    left: int
    places: Sequence[Evidence]
    states: dict[UUID, str]


def on_sale(session: Session, actor: Actor) -> list[OnSale]:
    own = own_organisations(actor)
    found = list(
        session.scalars(
            select(Product)
            .where(among(Product.organisation_id, own), Product.retired_on.is_(None))
            .order_by(Product.name_folded, Product.id)
        )
    )
    ids = [p.id for p in found]
    packs: dict[UUID, list[Variant]] = {}
    for pack in session.scalars(
        select(Variant).where(among(Variant.product_id, ids), Variant.retired_on.is_(None)).order_by(Variant.sku)
    ):
        packs.setdefault(pack.product_id, []).append(pack)
    left = stock.on_hand(session, [p.id for rows in packs.values() for p in rows])
    evidence = marketplace.live_evidence(session, ids, as_of=clock.today(), known_at=clock.now())
    rows = session.execute(select(Listing.id, Listing.state).where(among(Listing.organisation_id, own)))
    states = {row.id: row.state for row in rows}
    return [
        OnSale(
            product=p,
            packs=packs.get(p.id, []),
            left=sum(left.get(v.id, 0) for v in packs.get(p.id, [])),
            places=evidence.get(p.id, []),
            states=states,
        )
        for p in found
    ]


# --- the certifier -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SiteToSee:
    """A site in the certifier's places, with what was last written there."""

    site: Site
    holder: str
    last_log_at: datetime | None


def sites_to_see(session: Session, actor: Actor, *, search: str = "") -> list[SiteToSee]:
    return [SiteToSee(s.site, s.holder, s.last_log_at) for s in trace.site_lines(session, actor, search=search)]


@dataclass(frozen=True, slots=True)
class Seen:
    """One site and the newest lines of its diary."""

    site: Site
    holder: str
    lines: Sequence[trace.DiaryLine]
    own: Collection[UUID]  # the findings among them that this certifier may correct


def site_to_see(session: Session, actor: Actor, site_id: UUID) -> Seen:
    """Raises NotFound for a site outside the certifier's places."""
    site = trace.site(session, actor, site_id)
    names = accounts.organisation_names(session, [site.organisation_id])
    lines, _total = trace.diary_of_site(session, actor, site_id)
    own = findings.own_findings(session, actor, [line.id for line in lines])
    return Seen(site, names.get(site.organisation_id, ""), lines, own)


def finding_to_correct(session: Session, actor: Actor, care_log_id: UUID) -> tuple[Site, CareLog]:
    """The site and how the finding stands now. Raises NotFound for what this certifier may not correct."""
    if care_log_id not in findings.own_findings(session, actor, [care_log_id]):
        raise not_found("nhận xét này", "this finding")
    line = trace.care_log(session, actor, care_log_id)
    return trace.site(session, actor, line.log.site_id), line.log
