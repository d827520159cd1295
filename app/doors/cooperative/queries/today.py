"""What needs a decision today."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import CardRequest, PersonalData
from app.accounts.queries import among
from app.actor import Actor, Right
from app.db import Words
from app.doors.cooperative.queries.on_sale import colleagues_count
from app.doors.cooperative.queries.own import own_organisations
from app.marketplace_sync import queries as marketplace
from app.marketplace_sync.models import TROUBLED, ChannelAccount, DeclaredListing, Listing
from app.products.models import Certificate, Product
from app.trace import queries as trace
from app.trace.models import Batch, BatchEvent, ConflictingSubmission

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


def today(session: Session, actor: Actor) -> Today:
    own = own_organisations(actor)
    managed = actor.where(Right.MANAGE_MEMBERS)
    names = _product_names(session, own)
    return Today(
        phones=accounts.waiting_requests(session, managed, clock.machine_now()) if managed else [],
        listings=_troubled(session, own),
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


def _troubled(session: Session, own: Collection[UUID]) -> list[Troubled]:
    """Also of products that are no longer made: what is to be off sale may be on sale again."""
    rows = session.execute(
        select(Listing, Product.name, ChannelAccount.name)
        .join(ChannelAccount, ChannelAccount.id == Listing.account_id)
        .join(Product, Product.id == Listing.product_id)
        .where(
            among(Listing.organisation_id, own),
            or_(and_(Listing.wanted == "live", Listing.state.in_(TROUBLED)), Listing.note.is_not(None)),
        )
        .order_by(Listing.created_at)
    )
    return [Troubled(listing, product, account) for listing, product, account in rows]


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
    colleagues = colleagues_count(session)
    return [
        Waiting(declared, names[declared.product_id], floors[declared.floor_id])
        for declared, looks in marketplace.declared_of(session, actor)
        if looks.that_counts(colleagues_count=colleagues) is None and declared.product_id in names
    ]


def _conflicts(session: Session, actor: Actor) -> list[tuple[ConflictingSubmission, str]]:
    found = trace.conflicts(session, actor, size=20).rows
    names = accounts.organisation_names(session, {c.organisation_id for c in found})
    return [(c, names.get(c.organisation_id, "")) for c in found if actor.reads(c.organisation_id)]
