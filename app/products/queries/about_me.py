"""One person's products and certificates, for the file of their own data."""

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db import picked
from app.products.models import Certificate, Product, ProductVillage


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """Which products, villages of products and certificates this person recorded, for the file of their own data."""
    me = actor.person_id
    made = session.scalars(select(Product).where(Product.person_id == me).order_by(Product.created_at, Product.id))
    put = session.scalars(
        select(ProductVillage)
        .where(or_(ProductVillage.person_id == me, ProductVillage.ended_by == me))
        .order_by(ProductVillage.recorded_at, ProductVillage.id)
    )
    certified = session.scalars(select(Certificate).where(Certificate.person_id == me).order_by(Certificate.position))
    return {
        "products": [picked(p, "id organisation_id name created_at") for p in made],
        "product_villages": [
            picked(v, "id product_id village_id valid_from valid_to")
            | {"recorded_by_me": v.person_id == me, "ended_by_me": v.ended_by == me}
            for v in put
        ],
        "certificates": [picked(c, "id product_id scheme issuer decision_number decided_on") for c in certified],
    }
