"""A sighting written by hand stands at its listing too, as one that a look or a push brought home does."""

from sqlalchemy.orm import Session

from app.marketplace_sync.models import Listing, ListingObservation
from app.marketplace_sync.sightings import SAID


def was_seen(session: Session, observation: ListingObservation) -> None:
    """Add it, and let the listing follow it unless something newer was seen."""
    session.add(observation)
    session.flush()
    listing = session.get_one(Listing, observation.listing_id)
    if listing.last_seen_at is None or listing.last_seen_at < observation.seen_at:
        listing.last_seen_at = listing.kept_at = listing.changed_at = observation.seen_at
        for name in SAID:
            setattr(listing, f"last_{name}", getattr(observation, name))
    session.flush()
