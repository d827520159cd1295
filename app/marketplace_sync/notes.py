"""Wishes and notes of a listing: another push, and what its seller should know or do though nothing stopped."""

from datetime import datetime

from sqlalchemy.orm import Session

from app import clock, outbox
from app.actor import SYSTEM
from app.db import Words
from app.marketplace_sync.events import ListingTroubled, ListingWanted
from app.marketplace_sync.models import Listing
from app.messages import Said


def want_again(session: Session, listing: Listing, *, due_at: datetime | None = None) -> None:
    """Step the version that is wanted, and ring for a push."""
    listing.wanted_version += 1
    outbox.publish(session, SYSTEM, ListingWanted(listing_id=listing.id), due_at=due_at)


def set_note(session: Session, listing: Listing, code: str, said: Said) -> None:
    """Leave the seller a note and tell it once.

    One at a time: the first stands until its cause ends, nothing goes on, or buyers can buy what is to be off sale.
    """
    if listing.note_code not in {None, code} and code not in {"waiting_long", "back_on_sale"}:
        return
    if listing.note_code != code:
        listing.note_code, listing.note_at = code, clock.now()
        outbox.publish(session, SYSTEM, ListingTroubled(listing_id=listing.id))
    listing.note = Words.of(said)


def clear_note(listing: Listing, *codes: str) -> None:
    if listing.note_code in codes:
        listing.note_code = listing.note = listing.note_at = None
