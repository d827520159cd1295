"""Shops where the product can be bought."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.db import Words
from app.marketplace_sync import queries as marketplaces


@dataclass(frozen=True, slots=True)
class Place:
    """Where it can be bought, as last seen there. `sold_out`: its page opens, and there was nothing left to buy."""

    floor: Words
    url: str
    price_dong: int | None
    seen_at: datetime | None
    sold_out: bool


def shops_of(
    session: Session, product_id: UUID, today: date, now: datetime
) -> tuple[tuple[Place, ...], list[datetime]]:
    evidence = marketplaces.live_evidence(session, [product_id], as_of=today, known_at=now).get(product_id, [])
    # The address is the shop's word: only one that a browser opens as a page becomes a link.
    live = [e for e in evidence if e.state == "live" and (e.url or "").startswith(("https://", "http://"))]
    shops = tuple(Place(e.floor_name, e.url or "", e.price_dong, e.seen_at, e.sold_out) for e in live)
    return shops, [e.expires_at for e in live if e.expires_at is not None]
