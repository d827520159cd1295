"""Villages that OCOP products count for, and who holds the products."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Organisation
from app.accounts.queries import among
from app.products.models import Product, ProductVillage


def villages_of_products(session: Session, product_ids: Collection[UUID]) -> set[UUID]:
    """Every village that these products count for by one rule or another: the seat, and where they were ever made."""
    seats = session.scalars(
        select(Organisation.village_id)
        .join(Product, Product.organisation_id == Organisation.id)
        .where(among(Product.id, product_ids), Organisation.village_id.is_not(None))
    )
    made = session.scalars(select(ProductVillage.village_id).where(among(ProductVillage.product_id, product_ids)))
    return {v for v in (*seats, *made) if v is not None}


def villages_with_products(session: Session) -> set[UUID]:
    seats = session.scalars(
        select(Organisation.village_id)
        .join(Product, Product.organisation_id == Organisation.id)
        .where(Organisation.village_id.is_not(None))
        .distinct()
    )
    made = session.scalars(select(ProductVillage.village_id).distinct())
    return {v for v in (*seats, *made) if v is not None}


def holders_of(session: Session, product_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Product id to the organisation that holds it, as far as this session sees the products."""
    rows = session.execute(select(Product.id, Product.organisation_id).where(among(Product.id, product_ids)))
    return dict(rows.all())
