"""Listings as they are wanted: by the sellers' decisions, and following products, stock and recalls."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.actor import Actor
from app.errors import Conflict, Forbidden, Invalid
from app.marketplace_sync import queries
from app.marketplace_sync.channel_accounts import own_account
from app.marketplace_sync.events import ListingWanted, LookWanted
from app.marketplace_sync.models import TROUBLED, Listing
from app.marketplace_sync.notes import clear_note, want_again
from app.marketplace_sync.schemas import WantListing
from app.marketplace_sync.sent_again import stored
from app.marketplace_sync.siblings import reckon
from app.messages import N_
from app.products import queries as products
from app.products.events import PriceChanged, ProductChanged, ProductRetired
from app.products.models import Variant
from app.trace import queries as trace
from app.trace import stock
from app.trace.events import BatchChanged, RecallLaunched, StockMoved
from app.trace.models import Batch, StockMovement


def want_live(session: Session, actor: Actor, new: WantListing) -> UUID:
    """Put a variant on sale on an account; the worker does it and the marketplace's answer decides whether it is live.

    The same variant on the same account is one listing for ever. Raises Forbidden, NotFound, Invalid (another's, retired) and
    Conflict (there is nothing to sell, or the id is another listing's).
    """
    account = own_account(session, actor, new.account_id)
    variant = products.variant(session, actor, new.variant_id)
    if variant.organisation_id != account.organisation_id:
        raise Invalid(
            "other_owner",
            N_("Sản phẩm này của chủ thể khác, không đăng bằng tài khoản này được."),
            field="variant_id",
        )
    if queries.is_retired(session, variant):
        raise Invalid("retired", queries.RETIRED, field="variant_id")
    obstacle = queries.obstacle(session, account, variant)
    if obstacle is not None:
        raise Conflict("nothing_to_sell", obstacle)
    listing = session.scalar(
        select(Listing).where(Listing.account_id == account.id, Listing.variant_id == variant.id).with_for_update()
    )
    if listing is None:
        content = {
            "organisation_id": account.organisation_id,
            "account_id": account.id,
            "product_id": variant.product_id,
            "variant_id": variant.id,
        }
        listing = Listing(
            id=new.id,
            wanted="live",
            wanted_version=1,
            applied_version=0,
            state="draft",
            failures=0,
            created_at=clock.now(),
            **content,
        )
        stored(session, listing, content)
        outbox.publish(session, actor, ListingWanted(listing_id=new.id))
    else:
        if listing.state == "gone":
            # A person decided to start anew: the old item is no longer there to be written to.
            listing.remote_id, listing.applied_stock, listing.sent_stocks = None, None, []
        _decided_by_a_person(listing)
        listing.wanted, listing.failures, listing.failing_since = "live", 0, None
        if listing.state in TROUBLED:
            listing.state = "submitting"
        want_again(session, listing)
    audit.record(
        session,
        actor,
        "marketplace_sync:listing:want_live",
        subject_id=listing.id,
        organisation_id=account.organisation_id,
    )
    return listing.id


def want_unlisted(session: Session, actor: Actor, listing_id: UUID) -> None:
    listing = _own_listing(session, actor, listing_id)
    _decided_by_a_person(listing)
    listing.wanted = "unlisted"
    want_again(session, listing)
    audit.record(session, actor, "marketplace_sync:listing:want_unlisted", subject_id=listing_id)


def _decided_by_a_person(listing: Listing) -> None:
    """What we tried and told by ourselves begins anew; a recall no longer puts it back on sale."""
    listing.mends, listing.recall_paused = 0, False
    clear_note(listing, "waiting_long", "drifts", "back_on_sale")


def look_now(session: Session, actor: Actor, listing_id: UUID) -> None:
    """Ask the worker to look at the marketplace at once."""
    listing = queries.listing(session, actor, listing_id)
    outbox.publish(session, actor, LookWanted(listing_id=listing.id))


def _own_listing(session: Session, actor: Actor, listing_id: UUID) -> Listing:
    queries.listing(session, actor, listing_id)
    return session.scalars(select(Listing).where(Listing.id == listing_id).with_for_update()).one()


def refresh(
    session: Session, actor: Actor, *, variant_ids: Collection[UUID] = (), product_ids: Collection[UUID] = ()
) -> int:
    """Push again the listings of these variants or products that are wanted live. Returns how many."""
    if actor.kind != "system":
        raise Forbidden("system_only", N_("Việc này do máy chủ tự làm."))
    rows = session.scalars(
        select(Listing)
        .where(
            Listing.wanted == "live",
            (Listing.variant_id.in_(list(variant_ids))) | (Listing.product_id.in_(list(product_ids))),
        )
        .order_by(Listing.id)
        .with_for_update()
    ).all()
    for listing in rows:
        want_again(session, listing)
    return len(rows)


def _take_off(session: Session, listings: Collection[Listing]) -> None:
    for listing in listings:
        listing.wanted, listing.mends = "unlisted", 0
        want_again(session, listing)


def _listings_of(session: Session, product_id: UUID, *, wanted: str) -> list[Listing]:
    return list(
        session.scalars(
            select(Listing)
            .where(Listing.product_id == product_id, Listing.wanted == wanted)
            .order_by(Listing.id)
            .with_for_update()
        )
    )


def after_product_changed(session: Session, actor: Actor, event: ProductChanged) -> None:
    """What is sold in another way is sent anew; packs that were retired go off sale."""
    listings = _listings_of(session, event.product_id, wanted="live")
    retired = set(
        session.scalars(
            select(Variant.id).where(Variant.product_id == event.product_id, Variant.retired_on.is_not(None))
        )
    )
    _take_off(session, [listing for listing in listings if listing.variant_id in retired])
    refresh(session, actor, product_ids=[event.product_id])


def after_price_changed(session: Session, actor: Actor, event: PriceChanged) -> None:
    refresh(session, actor, variant_ids=[event.variant_id])


def after_stock_moved(session: Session, actor: Actor, event: StockMoved) -> None:
    product_id = session.scalar(select(Variant.product_id).where(Variant.id == event.variant_id))
    if product_id is None:
        return
    listings = session.scalars(
        select(Listing).where(Listing.product_id == product_id).order_by(Listing.id).with_for_update()
    ).all()
    siblings = [listing for listing in listings if listing.variant_id == event.variant_id]
    if siblings:
        reckon(session, siblings)
    refresh(session, actor, variant_ids=[event.variant_id])
    _end_recall_pauses(session, product_id)


def after_product_retired(session: Session, _actor: Actor, event: ProductRetired) -> None:
    _take_off(session, _listings_of(session, event.product_id, wanted="live"))


def after_batch_changed(session: Session, actor: Actor, event: BatchChanged) -> None:
    """A lot on hold or recalled is no longer counted in what may be sold: its packs' stock is sent anew."""
    variants = session.scalars(
        select(StockMovement.variant_id).where(StockMovement.batch_id == event.batch_id).distinct()
    ).all()
    refresh(session, actor, variant_ids=variants)
    _end_recall_pauses(session, session.get_one(Batch, event.batch_id).product_id)


def after_recall_launched(session: Session, _actor: Actor, event: RecallLaunched) -> None:
    """Packs of which the recall leaves none to sell go off sale until it is lifted or there are some again."""
    if trace.standing(session, event.batch_id).state != "recalled":
        return  # lifted before we came to it
    listings = _listings_of(session, session.get_one(Batch, event.batch_id).product_id, wanted="live")
    left = stock.on_hand(session, [listing.variant_id for listing in listings])
    empty = [listing for listing in listings if not left.get(listing.variant_id)]
    _take_off(session, empty)
    for listing in empty:
        listing.recall_paused = True


def _end_recall_pauses(session: Session, product_id: UUID) -> None:
    """Back on sale goes what a recall took off, not what the seller took off: when no lot is recalled any more, or some are left."""
    paused = [x for x in _listings_of(session, product_id, wanted="unlisted") if x.recall_paused]
    if not paused:
        return
    lots = session.scalars(select(Batch.id).where(Batch.product_id == product_id)).all()
    recalled = any(s.state == "recalled" for s in trace.standings(session, lots).values())
    left = stock.on_hand(session, [listing.variant_id for listing in paused])
    for listing in paused:
        if left.get(listing.variant_id) or not recalled:
            listing.wanted, listing.recall_paused, listing.mends = "live", False, 0
            want_again(session, listing)
