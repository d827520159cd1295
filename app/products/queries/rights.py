"""Who may open a product, and who may change it."""

from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, true

from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.actor import Actor, Role
from app.products.models import Product


def seen(actor: Actor) -> ColumnElement[bool]:
    """The products this actor may open: of organisations it may open, and of the cooperatives its households belong to."""
    if actor.kind == "system":
        return true()
    return or_(
        Product.organisation_id.in_(select(Organisation.id).where(accounts.visible(actor))),
        Product.organisation_id.in_(select(func.hoi_cooperatives())),
    )


def may_manage(actor: Actor, organisation_id: UUID) -> bool:
    """Holders manage their own products: cooperatives and enterprises by their manager, a household by its people.

    A cooperative's manager also does it for the member households.
    """
    if actor.kind == "system" or actor.has(Role.COOPERATIVE_MANAGER, Role.FARMER, organisation_id=organisation_id):
        return True
    return organisation_id in actor.organisations and actor.has(Role.COOPERATIVE_MANAGER)
