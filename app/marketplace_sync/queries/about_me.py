"""One person's acts in selling online, for the file of their own data."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db import picked
from app.marketplace_sync.models import DeclaredConfirmation, DeclaredListing, FloorDecision


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """What this person declared, confirmed and decided about selling online, for the file of their own data."""
    me = actor.person_id
    pasted = session.scalars(
        select(DeclaredListing)
        .where(DeclaredListing.declared_by == me)
        .order_by(DeclaredListing.declared_at, DeclaredListing.id)
    )
    looked = session.execute(
        select(DeclaredConfirmation, DeclaredListing.url)
        .join(DeclaredListing, DeclaredListing.id == DeclaredConfirmation.declared_listing_id)
        .where(DeclaredConfirmation.confirmed_by == me)
        .order_by(DeclaredConfirmation.recorded_at, DeclaredConfirmation.id)
    )
    decided = session.scalars(
        select(FloorDecision).where(FloorDecision.person_id == me).order_by(FloorDecision.recorded_at, FloorDecision.id)
    )
    return {
        "declared": [picked(d, "id organisation_id product_id floor_id url declared_at withdrawn_at") for d in pasted],
        "confirmed": [
            picked(c, "id declared_listing_id organisation_id on_sale seen_on photo_sha256 recorded_at by_colleague")
            | {"url": url}
            for c, url in looked
        ],
        "floor_decisions": [picked(f, "id floor_id counted effective_on legal_basis recorded_at") for f in decided],
    }
