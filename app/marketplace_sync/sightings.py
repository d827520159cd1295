"""What a marketplace said of a listing: kept for ever, and the listing's state follows it."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.actor import SYSTEM
from app.db import Words, new_id
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.marketplace_sync.events import ListingObserved, ListingTroubled
from app.marketplace_sync.models import TROUBLED, Listing, ListingObservation
from app.settings import Settings

ANNOUNCE_AGAIN = timedelta(hours=6)


def take_in(session: Session, settings: Settings, listing: Listing, seen: RemoteStatus) -> bool:
    """Keep what the marketplace said, and let the listing's state follow it: its word wins over ours.

    False when it decides nothing: it was no observation, or something newer was seen meanwhile.
    """
    # What could not be seen is due again before what could: it comes first in the next round.
    wait = settings.look_seconds if seen.verified else settings.look_seconds / 2
    listing.next_look_at = clock.machine_now() + timedelta(seconds=wait)
    if not seen.verified:
        return False
    before = session.scalar(
        select(ListingObservation)
        .where(ListingObservation.listing_id == listing.id)
        .order_by(ListingObservation.seen_at.desc())
        .limit(1)
    )
    row = ListingObservation(
        id=new_id(),
        listing_id=listing.id,
        organisation_id=listing.organisation_id,
        seen_at=seen.seen_at,
        live=seen.live,
        buyable=seen.buyable,
        raw_state=seen.raw,
        url=seen.url,
        price_dong=seen.price_vnd,
        stock=seen.stock,
        reasons=[{"code": r.code, "vi": r.vi, "en": r.en} for r in seen.reasons],
    )
    session.add(row)
    if before is not None and seen.seen_at <= before.seen_at:
        return False  # it stands in the history
    was = listing.state
    _follow(listing, seen)
    if listing.state in TROUBLED and was != listing.state:
        outbox.publish(session, SYSTEM, ListingTroubled(listing_id=listing.id))
    news = before is None or (before.live, before.raw_state, before.url, before.reasons) != (
        row.live,
        row.raw_state,
        row.url,
        row.reasons,
    )
    # A sighting ages: say now and then that it was seen again, so that what rests on it is counted from the new look.
    stale = listing.announced_at is None or clock.now() - listing.announced_at > ANNOUNCE_AGAIN
    if news or stale:
        listing.announced_at = clock.now()
        outbox.publish(session, SYSTEM, ListingObserved(listing_id=listing.id, product_id=listing.product_id))
    return True


def _follow(listing: Listing, seen: RemoteStatus) -> None:
    if seen.raw == "gone":
        listing.state = "gone" if listing.wanted == "live" else "unlisted"
    elif seen.live:
        listing.state = "live"
        if listing.applied_version >= listing.wanted_version:
            listing.error = listing.error_code = None
    elif listing.wanted == "unlisted":
        listing.state = "unlisted"
    elif seen.reasons:
        listing.state = "blocked"
        listing.error_code = seen.reasons[0].code
        listing.error = Words(vi=" ".join(r.vi for r in seen.reasons), en=" ".join(r.en for r in seen.reasons))
    elif listing.state == "live":
        listing.state = "blocked"
        listing.error_code = "taken_off_there"
        listing.error = Words(vi="Có người đã ẩn tin này trên sàn.", en="Somebody took this listing off sale there.")
