"""An organisation's listings, with what was seen of them and what was said to the shops."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, true
from sqlalchemy.orm import Session, aliased

from app import clock
from app.actor import Actor, Right, check_may
from app.db import Words
from app.errors import not_found
from app.marketplace_sync.models import ChannelAccount, ChannelCall, Listing, ListingObservation
from app.products.models import Product


def listing(session: Session, actor: Actor, listing_id: UUID) -> Listing:
    """Raises NotFound for another organisation's listing, Forbidden for anybody but the sellers."""
    row = session.get(Listing, listing_id)
    if row is None or not actor.reads(row.organisation_id):
        raise not_found("tin bán này", "this listing")
    check_may(actor, Right.SELL, row.organisation_id)
    return row


def listings_of(session: Session, actor: Actor) -> list[tuple[Listing, ChannelAccount, ListingObservation | None]]:
    """Every listing of the actor's organisations with its account and its newest sighting."""
    products = set(
        session.scalars(select(Listing.product_id).where(Listing.organisation_id.in_(actor.where(Right.SELL))))
    )
    return [
        row
        for row in listings_with_sightings(session, products, clock.now())
        if actor.may(Right.SELL, row[0].organisation_id)
    ]


def listings_with_sightings(
    session: Session, product_ids: Collection[UUID], moment: datetime
) -> list[tuple[Listing, ChannelAccount, ListingObservation | None]]:
    """Listings of these products that there were at a moment, each with its account and its newest sighting until then.

    One step into the index for each listing: asked about one product it reads the sightings of that product alone.
    """
    newest = (
        select(ListingObservation)
        .where(ListingObservation.listing_id == Listing.id, ListingObservation.seen_at <= moment)
        .order_by(ListingObservation.seen_at.desc(), ListingObservation.id.desc())
        .limit(1)
        .lateral()
    )
    seen = aliased(ListingObservation, newest)
    rows = session.execute(
        select(Listing, ChannelAccount, seen)
        .join(ChannelAccount, ChannelAccount.id == Listing.account_id)
        .outerjoin(seen, true())
        .where(Listing.product_id.in_(list(product_ids)), Listing.created_at <= moment)
        .order_by(Listing.created_at, Listing.id)
    )
    return [tuple(row) for row in rows]


def product_names(session: Session, product_ids: Collection[UUID]) -> dict[UUID, Words]:
    rows = session.execute(select(Product.id, Product.name).where(Product.id.in_(list(product_ids))))
    return dict(rows.all())


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
