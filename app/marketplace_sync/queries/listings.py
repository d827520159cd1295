"""An organisation's listings with what was seen of them, and the packs it may yet put on sale."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app import clock
from app.actor import Actor
from app.db import Words
from app.errors import not_found
from app.marketplace_sync.models import ChannelAccount, ChannelCall, Listing, ListingObservation
from app.products.models import Product, Variant
from app.trace import stock


def listing(session: Session, actor: Actor, listing_id: UUID) -> Listing:
    """Raises NotFound for another organisation's listing."""
    row = session.get(Listing, listing_id)
    if row is None or not (actor.kind == "system" or row.organisation_id in actor.organisations):
        raise not_found("tin bán này", "this listing")
    return row


def listings_of(session: Session, actor: Actor) -> list[tuple[Listing, ChannelAccount, ListingObservation | None]]:
    """Every listing of the actor's organisations with its account and its newest sighting."""
    products = set(session.scalars(select(Listing.product_id).where(Listing.organisation_id.in_(actor.organisations))))
    return [
        row
        for row in listings_with_sightings(session, products, clock.now())
        if row[0].organisation_id in actor.organisations
    ]


def listings_with_sightings(
    session: Session, product_ids: Collection[UUID], moment: datetime
) -> list[tuple[Listing, ChannelAccount, ListingObservation | None]]:
    newest = (
        select(ListingObservation.listing_id, func.max(ListingObservation.seen_at).label("seen_at"))
        .where(ListingObservation.seen_at <= moment)
        .group_by(ListingObservation.listing_id)
        .subquery()
    )
    rows = session.execute(
        select(Listing, ChannelAccount, ListingObservation)
        .join(ChannelAccount, ChannelAccount.id == Listing.account_id)
        .outerjoin(newest, newest.c.listing_id == Listing.id)
        .outerjoin(
            ListingObservation,
            and_(ListingObservation.listing_id == Listing.id, ListingObservation.seen_at == newest.c.seen_at),
        )
        .where(Listing.product_id.in_(list(product_ids)), Listing.created_at <= moment)
        .order_by(Listing.created_at, Listing.id)
    )
    once: dict[UUID, tuple[Listing, ChannelAccount, ListingObservation | None]] = {}
    for listing, account, seen in rows:
        once.setdefault(listing.id, (listing, account, seen))
    return list(once.values())


def product_names(session: Session, product_ids: Collection[UUID]) -> dict[UUID, Words]:
    rows = session.execute(select(Product.id, Product.name).where(Product.id.in_(list(product_ids))))
    return dict(rows.all())


@dataclass(frozen=True, slots=True)
class Offer:
    """A pack that may be put on sale on an account. `left`: how many may be sold now; None when nobody ever said."""

    variant: Variant
    left: int | None


def offers(session: Session, accounts: Iterable[ChannelAccount]) -> dict[UUID, list[Offer]]:
    """By account that works: the packs of its own organisation that are not wanted on sale there, those in stock first."""
    active = [a for a in accounts if a.state == "active"]
    packs = session.scalars(
        select(Variant)
        .join(Product, Product.id == Variant.product_id)
        .where(
            Variant.organisation_id.in_({a.organisation_id for a in active}),
            Variant.retired_on.is_(None),
            Product.retired_on.is_(None),
        )
        .order_by(Product.name_folded, Variant.sku, Variant.id)
    ).all()
    wanted = session.execute(
        select(Listing.account_id, Listing.variant_id).where(
            Listing.account_id.in_({a.id for a in active}), Listing.wanted == "live"
        )
    )
    taken = {(row.account_id, row.variant_id) for row in wanted}
    left = stock.on_hand(session, [p.id for p in packs])
    return {
        a.id: sorted(
            (
                Offer(p, left.get(p.id))
                for p in packs
                if p.organisation_id == a.organisation_id and (a.id, p.id) not in taken
            ),
            key=lambda offer: not offer.left,
        )
        for a in active
    }


def sightings(session: Session, listing_id: UUID, *, limit: int = 30) -> list[ListingObservation]:
    return list(
        session.scalars(
            select(ListingObservation)
            .where(ListingObservation.listing_id == listing_id)
            .order_by(ListingObservation.seen_at.desc())
            .limit(limit)
        )
    )


def calls(session: Session, listing_id: UUID, *, limit: int = 20) -> list[ChannelCall]:
    return list(
        session.scalars(
            select(ChannelCall).where(ChannelCall.listing_id == listing_id).order_by(ChannelCall.at.desc()).limit(limit)
        )
    )
