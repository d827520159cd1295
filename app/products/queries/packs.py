"""The packs a product is sold in."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.queries import among
from app.actor import Actor
from app.errors import not_found
from app.messages import N_
from app.products.models import Product, Variant
from app.products.queries.rights import seen


def variant(session: Session, actor: Actor, variant_id: UUID, *, lock: bool = False) -> Variant:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Variant).join(Product, Product.id == Variant.product_id).where(Variant.id == variant_id, seen(actor))
    found = session.scalar(query.with_for_update(of=Variant, key_share=True) if lock else query)
    if found is None:
        raise not_found(N_("gói hàng này"))
    return found


def variants_of(session: Session, product_ids: Collection[UUID], *, retired: bool = False) -> dict[UUID, list[Variant]]:
    """Product id to its packs, the cheapest first."""
    query = select(Variant).where(among(Variant.product_id, product_ids)).order_by(Variant.price_dong, Variant.sku)
    if not retired:
        query = query.where(Variant.retired_on.is_(None))
    found: dict[UUID, list[Variant]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.product_id].append(row)
    return found
