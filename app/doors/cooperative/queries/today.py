"""Decisions that today needs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import CardRequest, Organisation, PersonalData
from app.accounts.queries import among
from app.actor import Actor, Right
from app.db import Words, keyset
from app.db.keyset import Count, Query, Rows
from app.doors.cooperative.queries.own import own_organisations
from app.marketplace_sync import queries as marketplace
from app.marketplace_sync.models import TROUBLED, ChannelAccount, DeclaredConfirmation, DeclaredListing, Floor, Listing
from app.products.models import Certificate, Product
from app.trace.models import Batch, BatchEvent, ConflictingSubmission

SHOWN = 5  # of each kind; the page says how many there are besides and leads to them
WARN_DAYS = 90  # a new assessment of an OCOP product takes its dossier about three months


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
    """A listing that waits for its seller: it stopped, or there is a note that asks for something, or both."""

    listing: Listing
    product: Words
    account: str

    @property
    def stopped(self) -> bool:
        return self.listing.wanted == "live" and self.listing.state in TROUBLED

    @property
    def reasons(self) -> list[Words]:
        """Why it stopped, then what the note says."""
        error = self.listing.error if self.stopped else None
        return [said for said in (error, self.listing.note) if said is not None]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A declared link that counts for nothing until somebody has looked whose look counts."""

    declared: DeclaredListing
    product: Words
    floor: Words


@dataclass(frozen=True, slots=True)
class Today:
    """What waits for a person of these organisations: the first SHOWN of each kind, and how many of it there are besides."""

    phones: Sequence[tuple[CardRequest, PersonalData]]
    listings: Sequence[Troubled]
    accounts: Sequence[ChannelAccount]
    lots: Sequence[Stopped]
    endings: Sequence[Ending]
    links: Sequence[Waiting]
    conflicts: Sequence[tuple[ConflictingSubmission, str]]
    besides: Mapping[str, int]
    beyond: bool  # there are more than `count`, of a kind that is not counted to its end

    @property
    def count(self) -> int:
        parts = (self.phones, self.listings, self.accounts, self.lots, self.endings, self.links, self.conflicts)
        return sum(len(part) for part in parts) + sum(self.besides.values())


def today(session: Session, actor: Actor, *, colleagues: bool) -> Today:
    """`colleagues`: whether a colleague's look at a declared link counts; see `colleagues_count`."""
    own = own_organisations(actor)
    managed = actor.where(Right.MANAGE_MEMBERS)
    waiting, many_phones = _phones(session, managed)
    broken = select(ChannelAccount).where(among(ChannelAccount.organisation_id, own), ChannelAccount.state == "broken")
    listings, many_listings = _troubled(session, own)
    stopped, many_accounts = _some(session, broken.order_by(ChannelAccount.created_at, ChannelAccount.id))
    lots, many_lots = _stopped(session, own)
    endings, many_endings = _endings(session, own)
    links, many_links = _links(session, own, colleagues=colleagues)
    conflicts, many_conflicts = _conflicts(session, actor)
    totals = {
        "phones": (len(waiting), many_phones),
        "listings": (len(listings), many_listings),
        "accounts": (len(stopped), many_accounts),
        "lots": (len(lots), many_lots),
        "endings": (len(endings), many_endings),
        "links": (len(links), many_links),
        "conflicts": (len(conflicts), many_conflicts),
    }
    return Today(
        phones=waiting,
        listings=listings,
        accounts=[row.ChannelAccount for row in stopped],
        lots=lots,
        endings=endings,
        links=links,
        conflicts=conflicts,
        besides={kind: total.number - shown for kind, (shown, total) in totals.items() if total.number > shown},
        beyond=any(total.more for _shown, total in totals.values()),
    )


def _phones(session: Session, managed: Collection[UUID]) -> tuple[list[tuple[CardRequest, PersonalData]], Count]:
    """The longest waiting first."""
    if not managed:
        return [], Count(0)
    rows, total = _some(session, accounts.waiting_phones(managed, clock.machine_now()))
    return [(request, person) for request, person, _number in rows], total


def _some(session: Session, query: Query) -> tuple[Rows, Count]:
    """The first rows of an ordered query, and how many it finds, in one statement. The number ends each row."""
    every = query.order_by(None).limit(keyset.MOST_COUNTED + 1).subquery()
    number = select(func.count()).select_from(every).scalar_subquery().label("number")
    rows = session.execute(query.add_columns(number).limit(SHOWN)).all()
    found = rows[0].number if rows else 0
    return rows, Count(min(found, keyset.MOST_COUNTED), more=found > keyset.MOST_COUNTED)


def _troubled(session: Session, own: Collection[UUID]) -> tuple[list[Troubled], Count]:
    """Also of products that are no longer made: what is to be off sale may be on sale again."""
    rows, total = _some(
        session,
        select(Listing, Product.name, ChannelAccount.name)
        .join(ChannelAccount, ChannelAccount.id == Listing.account_id)
        .join(Product, Product.id == Listing.product_id)
        .where(among(Listing.organisation_id, own), marketplace.waits_for_seller())
        .order_by(Listing.created_at, Listing.id),
    )
    return [Troubled(listing, product, account) for listing, product, account, _number in rows], total


def _stopped(session: Session, own: Collection[UUID]) -> tuple[list[Stopped], Count]:
    """Recalled lots first."""
    event, later = aliased(BatchEvent), aliased(BatchEvent)
    pairs = or_(
        and_(event.kind == "held", later.kind.in_(("held", "released"))),
        and_(event.kind == "recalled", later.kind.in_(("recalled", "recall_lifted"))),
    )
    rows, total = _some(
        session,
        select(Batch, event, Product.name)
        .join(event, event.batch_id == Batch.id)
        .join(Product, Product.id == Batch.product_id)
        .where(
            among(Batch.organisation_id, own),
            Product.retired_on.is_(None),
            event.kind.in_(("held", "recalled")),
            ~select(later.id).where(later.batch_id == event.batch_id, later.position > event.position, pairs).exists(),
        )
        .order_by(event.kind.desc(), event.at.desc(), event.position.desc()),
    )
    return [Stopped(batch, name, held.kind, held) for batch, held, name, _number in rows], total


def _endings(session: Session, own: Collection[UUID]) -> tuple[list[Ending], Count]:
    """Of each product and scheme the certificate that lasts longest: a renewal beside the old one ends the warning."""
    day = clock.today()
    later = aliased(Certificate)
    last = func.max(Certificate.valid_to).label("last_day")
    rows, total = _some(
        session,
        select(Certificate.product_id, Certificate.scheme, last, Product.name)
        .join(Product, Product.id == Certificate.product_id)
        .where(
            among(Certificate.organisation_id, own),
            Product.retired_on.is_(None),
            Certificate.valid_to.is_not(None),
            Certificate.withdrawn_on.is_(None),
            ~select(later.id).where(later.supersedes_id == Certificate.id).exists(),
        )
        .group_by(Certificate.product_id, Certificate.scheme, Product.id)
        .having(func.max(Certificate.valid_to) <= day + timedelta(days=WARN_DAYS))
        .order_by(last, Certificate.product_id, Certificate.scheme),
    )
    return [
        Ending(product_id, name, scheme, last_day, (last_day - day).days)
        for product_id, scheme, last_day, name, _number in rows
    ], total


def _links(session: Session, own: Collection[UUID], *, colleagues: bool) -> tuple[list[Waiting], Count]:
    """The newest first. Nobody has looked whose look says anything; see `Looks.that_counts`."""
    looked = exists().where(DeclaredConfirmation.declared_listing_id == DeclaredListing.id)
    rows, total = _some(
        session,
        select(DeclaredListing, Product.name, Floor.name)
        .join(Product, Product.id == DeclaredListing.product_id)
        .join(Floor, Floor.id == DeclaredListing.floor_id)
        .where(
            among(DeclaredListing.organisation_id, own),
            DeclaredListing.withdrawn_at.is_(None),
            Product.retired_on.is_(None),
            ~(looked if colleagues else looked.where(~DeclaredConfirmation.by_colleague)),
        )
        .order_by(DeclaredListing.declared_at.desc(), DeclaredListing.id.desc()),
    )
    return [Waiting(declared, product, floor) for declared, product, floor, _number in rows], total


def _conflicts(session: Session, actor: Actor) -> tuple[list[tuple[ConflictingSubmission, str]], Count]:
    """The newest first, with the names of the actor's households."""
    rows, total = _some(
        session,
        select(ConflictingSubmission, Organisation.name)
        .outerjoin(Organisation, Organisation.id == ConflictingSubmission.organisation_id)
        .where(among(ConflictingSubmission.organisation_id, actor.organisations))
        .order_by(ConflictingSubmission.received_at.desc(), ConflictingSubmission.id.desc()),
    )
    return [(conflict, holder or "") for conflict, holder, _number in rows], total
