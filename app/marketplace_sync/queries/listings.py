"""An organisation's listings, with what was seen of them and what was said to the shops."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.queries import among
from app.actor import Actor, Right, check_may
from app.db import Words, fold, keyset
from app.db.keyset import Count, Listed
from app.errors import not_found
from app.marketplace_sync.models import TROUBLED, ChannelAccount, ChannelCall, Listing, ListingObservation
from app.products.models import Product, Variant


def listing(session: Session, actor: Actor, listing_id: UUID) -> Listing:
    """Raises NotFound for another organisation's listing, Forbidden for anybody but the sellers."""
    row = session.get(Listing, listing_id)
    if row is None or not actor.reads(row.organisation_id):
        raise not_found("tin bán này", "this listing")
    check_may(actor, Right.SELL, row.organisation_id)
    return row


NEWEST = keyset.Order((Listing.created_at, datetime), (Listing.id, UUID), newest_first=True)


@dataclass(frozen=True, slots=True)
class ListingList:
    """One page of listings, each with its account and its newest sighting, their packs by id, and how many listings there are."""

    lines: Sequence[tuple[Listing, ChannelAccount, ListingObservation | None]]
    variants: dict[UUID, Variant]
    page: Listed
    total: Count


def listing_list(
    session: Session, actor: Actor, *, search: str = "", troubled: bool = False, mark: str = ""
) -> ListingList:
    """The listings of the organisations this actor sells for, the newest first. Raises BadAddress for a mark that is none.

    A search finds a part of the product's Vietnamese name or of the pack's SKU. `troubled`: those that wait for their seller.
    """
    query = (
        select(Listing, Variant)
        .join(Variant, Variant.id == Listing.variant_id)
        .where(among(Listing.organisation_id, actor.where(Right.SELL)))
    )
    if search:
        named = select(Product.id).where(Product.name_folded.contains(fold(search), autoescape=True))
        packed = select(Variant.id).where(Variant.sku.contains(search.strip().upper(), autoescape=True))
        query = query.where(or_(Listing.product_id.in_(named), Listing.variant_id.in_(packed)))
    if troubled:
        query = query.where(waits_for_seller())
    found = keyset.listed(session, query, NEWEST, mark)
    shown = [row.Listing for row in found.rows]
    rows = listings_with_sightings(session, {listing.product_id for listing in shown}, clock.now())
    known = {row[0].id: row for row in rows}
    return ListingList(
        [known[i.id] for i in shown if i.id in known],
        {row.Variant.id: row.Variant for row in found.rows},
        found,
        keyset.count(session, query),
    )


def waits_for_seller() -> ColumnElement[bool]:
    """It stopped, or there is a note that asks for something, or both."""
    return or_(and_(Listing.wanted == "live", Listing.state.in_(TROUBLED)), Listing.note.is_not(None))


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
