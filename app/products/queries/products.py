"""Products: one, those of an organisation, those that may be grown."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.accounts.queries import among
from app.actor import Actor, Right
from app.db import fold, keyset
from app.db.keyset import Choices, Count, Listed
from app.errors import not_found
from app.messages import N_
from app.products.models import Certificate, Product, Variant
from app.products.queries.rights import seen


def product(session: Session, actor: Actor, product_id: UUID, *, lock: bool = False) -> Product:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Product).where(Product.id == product_id, seen(actor))
    found = session.scalar(query.with_for_update(of=Product, key_share=True) if lock else query)
    if found is None:
        raise not_found(N_("sản phẩm này"))
    return found


BY_NAME = keyset.Order((Product.name_sorted, str), (Product.id, UUID))


@dataclass(frozen=True, slots=True)
class ProductList:
    """One page of products, and how many there are in all."""

    products: Sequence[Product]
    page: Listed
    total: Count


def product_list(
    session: Session,
    actor: Actor,
    *,
    search: str = "",
    retired: bool = False,
    ending_by: date | None = None,
    mark: str = "",
) -> ProductList:
    """The products of the organisations this actor acts for (an official: of the places), by name. A search finds a part of the
    Vietnamese name or of the SKU of a pack. `ending_by`: those with a certificate whose last day is by then. Raises BadAddress for a mark that is none.
    """
    query = select(Product).where(seen(actor))
    if not actor.may_somewhere(Right.OVERSEE):
        query = query.where(among(Product.organisation_id, actor.organisations))
    if not retired:
        query = query.where(Product.retired_on.is_(None))
    if ending_by is not None:
        query = query.where(Product.id.in_(_ending(ending_by)))
    if search:
        packed = select(Variant.product_id).where(Variant.sku.contains(search.strip().upper(), autoescape=True))
        query = query.where(or_(_named(search), Product.id.in_(packed)))
    found = keyset.listed(session, query, BY_NAME, mark)
    return ProductList([row.Product for row in found.rows], found, keyset.count(session, query))


def _ending(by: date) -> Select[UUID | None]:
    """The products of which a scheme's last certificate has no day after this one: a renewal beside the old one counts."""
    later = aliased(Certificate)
    return (
        select(Certificate.product_id)
        .where(
            Certificate.product_id.is_not(None),
            Certificate.valid_to.is_not(None),
            Certificate.withdrawn_on.is_(None),
            ~select(later.id).where(later.supersedes_id == Certificate.id).exists(),
        )
        .group_by(Certificate.product_id, Certificate.scheme)
        .having(func.max(Certificate.valid_to) <= by)
    )


def products_to_choose(
    session: Session, organisation_ids: Collection[UUID], *, search: str = "", chosen: UUID | None = None
) -> Choices:
    """For a select: the id and name of the products that these organisations make, by name; see `keyset.choices`."""
    return _choices(session, among(Product.organisation_id, organisation_ids), search, chosen)


def products_to_grow(session: Session, actor: Actor, *, search: str = "", chosen: UUID | None = None) -> Choices:
    """For a select: what a cycle may be for, own products and those of the cooperatives that the actor's households belong to."""
    own = or_(
        among(Product.organisation_id, actor.organisations),
        Product.organisation_id.in_(select(func.hoi_cooperatives())),
    )
    return _choices(session, own, search, chosen)


def _choices(session: Session, which: ColumnElement[bool], search: str, chosen: UUID | None) -> Choices:
    return keyset.choices(
        session,
        select(Product.id, Product.name).where(which, Product.retired_on.is_(None)),
        BY_NAME,
        search=_named(search) if search else None,
        asked=search,
        chosen=Product.id == chosen if chosen else None,
    )


def _named(search: str) -> ColumnElement[bool]:
    return Product.name_folded.contains(fold(search), autoescape=True)


def is_product_photo(session: Session, _actor: Actor, digest: str) -> bool:
    """Whether the picture shows a product on offer: then everybody may see it."""
    return bool(session.scalar(select(func.hoi_is_product_photo(digest))))


def ids_of_organisation(session: Session, organisation_ids: Sequence[UUID]) -> list[UUID]:
    """Every product of these organisations, retired ones included."""
    return list(session.scalars(select(Product.id).where(among(Product.organisation_id, organisation_ids))))
