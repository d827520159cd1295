"""Products on sale, and where, product by product."""

from collections.abc import Collection, Sequence
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
from app.marketplace_sync.queries import Evidence
from app.products.models import Product, Variant
from app.trace import stock
from app.trace.stock import InHouse

A_FEW = 4  # places of a product that the desk lists; the others stand on the page of listings


@dataclass(frozen=True, slots=True)
class PlaceShown:
    """One place where a product is on sale, as a row of the desk; `sign` is the status of its chip, or "stale"."""

    place: Evidence | None
    sign: str
    price_dong: int | None


@dataclass(frozen=True, slots=True)
class OnSale:
    """One product with its packs and everything known of where it is on sale."""

    product: Product
    packs: Sequence[Variant]
    left: int
    places: Sequence[Evidence]

    @property
    def rows(self) -> list[PlaceShown]:
        """The first few places, or one row that says that there is none."""
        usual = self.packs[0].price_dong if self.packs else None
        shown = [PlaceShown(e, sign_of(e), e.price_dong or usual) for e in self.places[:A_FEW]]
        return shown or [PlaceShown(None, "", usual)]

    @property
    def more_places(self) -> int:
        return max(len(self.places) - A_FEW, 0)


def sign_of(place: Evidence) -> str:
    if place.state == "live":
        return "live" if place.listing_id else "declared"
    if place.state == "stale":
        return "stale"
    return place.listing_state or "unconfirmed"


def colleagues_count(session: Session) -> bool:
    """Whether the province counts today what somebody of the seller's own organisation saw at a declared link."""
    settings = criteria.settings(session, as_of=clock.today(), known_at=clock.now())
    return settings["declared_look_by"] == "colleagues_too"


A_PAGE = 20  # products on the desk, each with several places where it is sold
BY_NAME = keyset.Order((Product.name_sorted, str), (Product.id, UUID))


@dataclass(frozen=True, slots=True)
class Goods:
    """One page of products with where each is on sale, and how many there are in all.

    Of all of them and not of the page alone: `evidence`; `products` by pack and `stock`, also of what is no longer made.
    """

    lines: Sequence[OnSale]
    page: Listed
    total: Count
    evidence: dict[UUID, list[Evidence]]
    products: dict[UUID, UUID]
    stock: InHouse


def on_sale(session: Session, actor: Actor, mark: str = "", *, colleagues: bool) -> Goods:
    """Raises BadAddress for a mark that is none."""
    own = own_organisations(actor)
    query = select(Product).where(among(Product.organisation_id, own), Product.retired_on.is_(None))
    listed = keyset.listed(session, query, BY_NAME, mark, size=A_PAGE)
    found = [row.Product for row in listed.rows]
    ids = [p.id for p in found]
    every, products = _everything(session, own)
    packs: dict[UUID, list[Variant]] = {}
    for pack in session.scalars(
        select(Variant).where(among(Variant.product_id, ids), Variant.retired_on.is_(None)).order_by(Variant.sku)
    ):
        packs.setdefault(pack.product_id, []).append(pack)
    in_house = stock.in_house(session, products)
    left = in_house.on_hand()
    evidence = marketplace.live_evidence(
        session, every, as_of=clock.today(), known_at=clock.now(), colleagues_count=colleagues
    )
    lines = [
        OnSale(
            product=p,
            packs=packs.get(p.id, []),
            left=sum(left.get(v.id, 0) for v in packs.get(p.id, [])),
            places=evidence.get(p.id, []),
        )
        for p in found
    ]
    total = Count(min(len(every), keyset.MOST_COUNTED), more=len(every) > keyset.MOST_COUNTED)
    return Goods(lines, listed, total, evidence, products, in_house)


def _everything(session: Session, own: Collection[UUID]) -> tuple[set[UUID], dict[UUID, UUID]]:
    """The products that are made, and the product of every pack there ever was."""
    rows = session.execute(
        select(Product.id, Product.retired_on, Variant.id.label("pack"))
        .outerjoin(Variant, Variant.product_id == Product.id)
        .where(among(Product.organisation_id, own))
    ).all()
    return {r.id for r in rows if r.retired_on is None}, {r.pack: r.id for r in rows if r.pack is not None}
