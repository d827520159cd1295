"""An organisation's listings, with what was seen of them and what was said to the shops."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts.queries import among
from app.actor import Actor, Right, check_may
from app.db import Words, fold, keyset
from app.db.keyset import Count, Listed
from app.errors import not_found
from app.marketplace_sync.channels.statuses import OUT_OF_STOCK, Reason
from app.marketplace_sync.models import TROUBLED, ChannelAccount, ChannelCall, Listing, ListingObservation
from app.messages import N_
from app.products.models import Product, Variant


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a marketplace said of a listing: at `since`, the latest moment kept, and still, unchanged, at `seen_at`."""

    since: datetime
    seen_at: datetime
    live: bool
    buyable: bool
    raw_state: str
    url: str | None
    price_dong: int | None
    stock: int | None
    reasons: tuple[Reason, ...]

    @property
    def state(self) -> str:
        """As a listing's own state would be called; without a reason it is only not on sale."""
        if self.live:
            return "live"
        return "blocked" if self.reasons else "unlisted"

    @property
    def sold_out(self) -> bool:
        """Buyers could open its page, and there was nothing left to buy."""
        return self.live and any(reason.code == OUT_OF_STOCK for reason in self.reasons)


Seen = tuple[Listing, ChannelAccount, Sighting | None]


def listing(session: Session, actor: Actor, listing_id: UUID) -> Listing:
    """Raises NotFound for another organisation's listing, Forbidden for anybody but the sellers."""
    row = session.get(Listing, listing_id)
    if row is None or not actor.reads(row.organisation_id):
        raise not_found(N_("tin bán này"))
    check_may(actor, Right.SELL, row.organisation_id)
    return row


NEWEST = keyset.Order((Listing.created_at, datetime), (Listing.id, UUID), newest_first=True)


@dataclass(frozen=True, slots=True)
class ListingList:
    """One page of listings, each with its account and its newest sighting, their packs by id, and how many listings there are."""

    lines: Sequence[Seen]
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


def listings_with_sightings(session: Session, product_ids: Collection[UUID], moment: datetime) -> list[Seen]:
    """Listings of these products that there were at a moment, each with its account and its newest sighting until then."""
    rows = session.execute(
        select(Listing, ChannelAccount)
        .join(ChannelAccount, ChannelAccount.id == Listing.account_id)
        .where(Listing.product_id.in_(list(product_ids)), Listing.created_at <= moment)
        .order_by(Listing.created_at, Listing.id)
    ).all()
    seen = sightings_at(session, [listing for listing, _ in rows], moment)
    return [(listing, account, seen.get(listing.id)) for listing, account in rows]


def sightings_at(session: Session, listings: Collection[Listing], moment: datetime) -> dict[UUID, Sighting]:
    """The newest sighting of each of these listings at a moment; what had not been seen yet is missing.

    At or after a listing's last sighting the answer stands at the listing, exactly. For the past it comes from observations,
    of which there is one whenever something changed, and else one once `sightings.KEPT_EVERY` (12 hours) have passed:

    - what was said (live, price, stock, reasons and the rest) is exact at every moment;
    - when it was last seen is exact from the last sighting of a stretch kept as one row until the next row; within such a
      stretch it is the stretch's beginning, so up to 12 hours earlier than the look that nobody kept, and never later.

    So whether evidence was still good at a past moment is exact for every age of 12 hours or more that may be asked of it: what
    lies within a stretch was seen less than 12 hours before.
    """
    found: dict[UUID, Sighting] = {}
    past: list[UUID] = []
    for listing in listings:
        last = last_sighting(listing)
        if last is not None and last.seen_at <= moment:
            found[listing.id] = last
        elif last is not None:
            past.append(listing.id)
    if past:
        found |= _sightings_of_the_past(session, past, moment)
    return found


def last_sighting(listing: Listing) -> Sighting | None:
    """What stands at the listing; None when it was never seen."""
    if listing.last_seen_at is None:
        return None
    return Sighting(
        since=listing.kept_at or listing.last_seen_at,
        seen_at=listing.last_seen_at,
        live=bool(listing.last_live),
        buyable=bool(listing.last_buyable),
        raw_state=listing.last_raw_state or "",
        url=listing.last_url,
        price_dong=listing.last_price_dong,
        stock=listing.last_stock,
        reasons=_reasons(listing.last_reasons or ()),
    )


def _sightings_of_the_past(session: Session, listing_ids: Collection[UUID], moment: datetime) -> dict[UUID, Sighting]:
    """Two steps into the index for each listing, however long its history is."""
    until, after = (
        select(ListingObservation).where(ListingObservation.listing_id == Listing.id, side).order_by(*order).limit(1)
        for side, order in (
            (ListingObservation.seen_at <= moment, (ListingObservation.seen_at.desc(), ListingObservation.id.desc())),
            (ListingObservation.seen_at > moment, (ListingObservation.seen_at, ListingObservation.id)),
        )
    )
    row, following = aliased(ListingObservation, until.lateral()), after.lateral()
    rows = session.execute(
        select(row, following.c.before_until)
        .select_from(Listing)
        .join(row, true())
        .outerjoin(following, true())
        .where(Listing.id.in_(list(listing_ids)))
    )
    return {
        kept.listing_id: _kept(kept, until if until is not None and until <= moment else kept.seen_at)
        for kept, until in rows
    }


def _kept(row: ListingObservation, until: datetime) -> Sighting:
    return Sighting(
        since=row.seen_at,
        seen_at=max(row.seen_at, until),
        live=row.live,
        buyable=row.buyable,
        raw_state=row.raw_state,
        url=row.url,
        price_dong=row.price_dong,
        stock=row.stock,
        reasons=_reasons(row.reasons),
    )


def _reasons(kept: Iterable[Mapping[str, Any]]) -> tuple[Reason, ...]:
    return tuple(Reason(row.get("code", ""), Words.kept_in(row)) for row in kept)


def product_names(session: Session, product_ids: Collection[UUID]) -> dict[UUID, Words]:
    rows = session.execute(select(Product.id, Product.name).where(Product.id.in_(list(product_ids))))
    return dict(rows.all())


def sightings(session: Session, listing: Listing, *, limit: int = 30) -> list[Sighting]:
    """What was seen of it and until when, the newest first."""
    rows = session.scalars(
        select(ListingObservation)
        .where(ListingObservation.listing_id == listing.id)
        .order_by(ListingObservation.seen_at.desc(), ListingObservation.id.desc())
        .limit(limit)
    ).all()
    ends = [listing.last_seen_at, *(row.before_until for row in rows)]
    return [_kept(row, until or row.seen_at) for row, until in zip(rows, ends, strict=False)]


def calls(session: Session, listing_id: UUID, *, limit: int = 20) -> list[ChannelCall]:
    return list(
        session.scalars(
            select(ChannelCall).where(ChannelCall.listing_id == listing_id).order_by(ChannelCall.at.desc()).limit(limit)
        )
    )
