"""An organisation's listings, with what was seen of them and what was said to the shops."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

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
