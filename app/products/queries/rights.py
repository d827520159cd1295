"""Products an actor may open."""

from sqlalchemy import ColumnElement, func, or_, select, true

from app.accounts import queries as accounts
from app.actor import Actor
from app.products.models import Product


def seen(actor: Actor) -> ColumnElement[bool]:
    """The products this actor may open: of organisations it may open, and of the cooperatives its households belong to."""
    if actor.kind == "system":
        return true()
    return or_(
        accounts.opened(actor, Product.organisation_id),
        Product.organisation_id.in_(select(func.hoi_cooperatives())),
    )
