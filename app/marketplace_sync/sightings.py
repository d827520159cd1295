"""Sightings of a listing by its marketplace: the last word stands at the listing, its history is kept, its state follows it."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.actor import SYSTEM
from app.db import Words, new_id
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.marketplace_sync.events import ListingObserved, ListingTroubled
from app.marketplace_sync.models import TROUBLED, Listing, ListingObservation
from app.messages import N_, sentences
from app.settings import Settings

ANNOUNCE_AGAIN = timedelta(hours=12)  # four times before a sighting is too old to count
KEPT_EVERY: Final = timedelta(hours=12)  # an observation of what has not changed: two a day at most
QUIET_TIMES = 24  # what never changes is looked at so many times more seldom: every 6 hours where else every 15 minutes
SELDOM = timedelta(hours=6)  # well below the age at which a sighting counts no longer
SAID = ("live", "buyable", "raw_state", "url", "price_dong", "stock", "reasons")


def record_sighting(
    session: Session, settings: Settings, listing: Listing, seen: RemoteStatus, *, pushed: bool = False
) -> bool:
    """Record what the marketplace said: the last sighting and the state follow it, for its word wins over ours.

    An observation is kept when something changed, else once KEPT_EVERY has passed since the last one. `pushed`: we wrote just
    before, so it is looked at again soon. False when it decides nothing: it was no observation, or something newer was seen.
    """
    if not seen.verified:
        # What could not be seen is due again before what could: it comes first in the next round.
        listing.next_look_at = clock.machine_now() + timedelta(seconds=settings.look_seconds / 2)
        return False
    if listing.last_seen_at is not None and seen.seen_at <= listing.last_seen_at:
        _keep_late(session, listing, seen)
        return False
    first = listing.last_seen_at is None
    said = _said(seen)
    fresh, before = _as_compared(said), _as_compared(_last_said(listing))
    changed = first or fresh != before
    if changed or listing.kept_at is None or seen.seen_at - listing.kept_at >= KEPT_EVERY:
        _keep(session, listing, seen.seen_at, said, before_until=listing.last_seen_at)
        listing.kept_at = seen.seen_at
    listing.last_seen_at = seen.seen_at
    if changed:
        _stand(listing, said)
    if changed or pushed:
        listing.changed_at = seen.seen_at
    listing.next_look_at = clock.machine_now() + _pause(settings, listing, seen.seen_at)
    was = listing.state
    _follow(listing, seen)
    if listing.state in TROUBLED and was != listing.state:
        outbox.publish(session, SYSTEM, ListingTroubled(listing_id=listing.id))
    news = first or any(fresh[name] != before[name] for name in ("live", "raw_state", "url", "reasons"))
    # A sighting ages: say now and then that it was seen again, so that what rests on it is counted from the new look.
    stale = listing.announced_at is None or clock.now() - listing.announced_at > ANNOUNCE_AGAIN
    if news or stale:
        listing.announced_at = clock.now()
        outbox.publish(session, SYSTEM, ListingObserved(listing_id=listing.id, product_id=listing.product_id))
    return True


def _pause(settings: Settings, listing: Listing, seen_at: datetime) -> timedelta:
    """How long to wait for the next look: half as long as nothing has changed there, within bounds."""
    soon = timedelta(seconds=settings.look_seconds)
    quiet = seen_at - (listing.changed_at or seen_at)
    return max(soon, min(quiet / 2, soon * QUIET_TIMES, SELDOM))


def _said(seen: RemoteStatus) -> dict[str, Any]:
    return {
        "live": seen.live,
        "buyable": seen.buyable,
        "raw_state": seen.raw,
        "url": seen.url,
        "price_dong": seen.price_vnd,
        "stock": seen.stock,
        "reasons": [{"code": r.code} | Words.of(r.said).kept() for r in seen.reasons],
    }


def _last_said(listing: Listing) -> dict[str, Any]:
    return {name: getattr(listing, f"last_{name}") for name in SAID}


def _as_compared(said: dict[str, Any]) -> dict[str, Any]:
    """A reason is the same whatever else than its code and its Vietnamese was kept of it."""
    return said | {"reasons": [(reason["code"], reason["vi"]) for reason in said["reasons"] or ()]}


def _stand(listing: Listing, said: dict[str, Any]) -> None:
    for name in SAID:
        setattr(listing, f"last_{name}", said[name])


def _keep(
    session: Session, listing: Listing, seen_at: datetime, said: dict[str, Any], before_until: datetime | None
) -> None:
    session.add(
        ListingObservation(
            id=new_id(),
            listing_id=listing.id,
            organisation_id=listing.organisation_id,
            seen_at=seen_at,
            before_until=before_until,
            **said,
        )
    )


def _keep_late(session: Session, listing: Listing, seen: RemoteStatus) -> None:
    """Something newer was seen meanwhile: it stands in the history, as far as it says something that the history does not.

    Where it contradicts a stretch that goes on after it, the stretch's last sighting is kept as a row too: what a late one
    said holds no longer than until then.
    """
    session.flush()
    of_it = select(ListingObservation).where(ListingObservation.listing_id == listing.id)
    before = session.scalar(
        of_it.where(ListingObservation.seen_at <= seen.seen_at)
        .order_by(ListingObservation.seen_at.desc(), ListingObservation.id.desc())
        .limit(1)
    )
    after = session.scalar(
        of_it.where(ListingObservation.seen_at > seen.seen_at)
        .order_by(ListingObservation.seen_at, ListingObservation.id)
        .limit(1)
    )
    until = after.before_until if after is not None else listing.last_seen_at
    said = _said(seen)
    if before is None:
        _keep(session, listing, seen.seen_at, said, before_until=None)
        return
    if before.seen_at == seen.seen_at:
        return  # of the very same moment: the first word stands
    held = {name: getattr(before, name) for name in SAID}
    same = _as_compared(said) == _as_compared(held)
    if same and seen.seen_at - before.seen_at < KEPT_EVERY:
        return
    goes_on = until is not None and seen.seen_at < until
    _keep(session, listing, seen.seen_at, said, before_until=None if goes_on else until)
    if goes_on and until is not None and not same:
        _keep(session, listing, until, held, before_until=None)


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
        listing.error = Words.of(sentences(r.said for r in seen.reasons))
    elif listing.state == "live":
        listing.state = "blocked"
        listing.error_code = "taken_off_there"
        listing.error = Words.of(N_("Có người đã ẩn tin này trên sàn."))
