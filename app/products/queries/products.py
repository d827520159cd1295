"""Products: one, those of an organisation, those that may be grown."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.accounts.queries import among
from app.actor import Actor, Right
from app.db import fold, numbered
from app.errors import not_found
from app.products.models import Product
from app.products.queries.rights import seen


def product(session: Session, actor: Actor, product_id: UUID, *, lock: bool = False) -> Product:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Product).where(Product.id == product_id, seen(actor))
    found = session.scalar(query.with_for_update(of=Product, key_share=True) if lock else query)
    if found is None:
        raise not_found("sản phẩm này", "this product")
    return found


def products_of(
    session: Session, actor: Actor, *, search: str = "", retired: bool = False, limit: int = 500
) -> list[Product]:
    """The products of the organisations this actor acts for (an official: of the places), by name."""
    query = select(Product).where(seen(actor)).order_by(numbered(Product.name_folded), Product.id).limit(limit)
    if not actor.may_somewhere(Right.OVERSEE):
        query = query.where(among(Product.organisation_id, actor.organisations))
    if not retired:
        query = query.where(Product.retired_on.is_(None))
    if search:
        query = query.where(Product.name_folded.contains(fold(search), autoescape=True))
    return list(session.scalars(query))


def products_to_grow(session: Session, actor: Actor) -> list[Product]:
    """What a cycle may be for: own products and those of the cooperatives that the actor's households belong to."""
    own = or_(
        among(Product.organisation_id, actor.organisations),
        Product.organisation_id.in_(select(func.hoi_cooperatives())),
    )
    query = select(Product).where(own, Product.retired_on.is_(None)).order_by(numbered(Product.name_folded), Product.id)
    return list(session.scalars(query))


def is_product_photo(session: Session, _actor: Actor, digest: str) -> bool:
    """Whether the picture shows a product on offer: then everybody may see it."""
    return bool(session.scalar(select(func.hoi_is_product_photo(digest))))


def ids_of_organisation(session: Session, organisation_ids: Sequence[UUID]) -> list[UUID]:
    """Every product of these organisations, retired ones included."""
    return list(session.scalars(select(Product.id).where(among(Product.organisation_id, organisation_ids))))
