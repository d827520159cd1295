"""What is on sale where, product by product."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.queries import among
from app.actor import Actor
from app.criteria import queries as criteria
from app.db import keyset
from app.db.keyset import Count, Listed
from app.doors.cooperative.queries.own import own_organisations
from app.marketplace_sync import queries as marketplace
from app.marketplace_sync.models import Listing
from app.marketplace_sync.queries import Evidence
from app.products.models import Product, Variant
from app.trace import stock


@dataclass(frozen=True, slots=True)
class OnSale:
    """One product with its packs and everything known of where it is on sale."""

    product: Product
    packs: Sequence[Variant]
    left: int
    places: Sequence[Evidence]
    states: dict[UUID, str]


def colleagues_count(session: Session) -> bool:
    """Whether the province counts today what somebody of the seller's own organisation saw at a declared link."""
    settings = criteria.settings(session, as_of=clock.today(), known_at=clock.now())
    return settings["declared_look_by"] == "colleagues_too"


A_PAGE = 20  # products on the desk, each with several places where it is sold
BY_NAME = keyset.Order((Product.name_sorted, str), (Product.id, UUID))


@dataclass(frozen=True, slots=True)
class Goods:
    """One page of products with where each is on sale, how many there are in all, and what is known of all of them."""

    lines: Sequence[OnSale]
    page: Listed
    total: Count
    evidence: dict[UUID, list[Evidence]]


def on_sale(session: Session, actor: Actor, mark: str = "", *, colleagues: bool) -> Goods:
    """Raises BadAddress for a mark that is none."""
    own = own_organisations(actor)
    query = select(Product).where(among(Product.organisation_id, own), Product.retired_on.is_(None))
    listed = keyset.listed(session, query, BY_NAME, mark, size=A_PAGE)
    found = [row.Product for row in listed.rows]
    ids = [p.id for p in found]
    every = session.scalars(query.with_only_columns(Product.id)).all()
    packs: dict[UUID, list[Variant]] = {}
    for pack in session.scalars(
        select(Variant).where(among(Variant.product_id, ids), Variant.retired_on.is_(None)).order_by(Variant.sku)
    ):
        packs.setdefault(pack.product_id, []).append(pack)
    left = stock.on_hand(session, [p.id for rows in packs.values() for p in rows])
    evidence = marketplace.live_evidence(
        session, every, as_of=clock.today(), known_at=clock.now(), colleagues_count=colleagues
    )
    rows = session.execute(select(Listing.id, Listing.state).where(among(Listing.product_id, ids)))
    states = {row.id: row.state for row in rows}
    lines = [
        OnSale(
            product=p,
            packs=packs.get(p.id, []),
            left=sum(left.get(v.id, 0) for v in packs.get(p.id, [])),
            places=evidence.get(p.id, []),
            states=states,
        )
        for p in found
    ]
    return Goods(lines, listed, keyset.count(session, query), evidence)
