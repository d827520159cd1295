"""What every question shares: who may write and handle what, which rows an actor may open, how long a page of a list is."""

from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, true

from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor, Role

PAGE = 50  # lines of one page of a list


def may_write(actor: Actor, organisation_id: UUID) -> bool:
    """Who keeps the diary of a holder: its own people, the manager of its cooperative, an extension officer on its behalf."""
    if actor.kind == "system" or actor.has(Role.FARMER, Role.COOPERATIVE_MANAGER, organisation_id=organisation_id):
        return True
    return organisation_id in actor.organisations and actor.has(Role.COOPERATIVE_MANAGER, Role.EXTENSION_OFFICER)


def may_write_for(actor: Actor, organisation_id: UUID) -> bool:
    """Whether the actor acts for this organisation at all, in whichever of the roles that work with goods."""
    working = actor.has(Role.FARMER, Role.COOPERATIVE_MANAGER, Role.PURCHASER)
    return actor.kind == "system" or (working and organisation_id in actor.organisations)


def may_handle(actor: Actor, organisation_id: UUID) -> bool:
    """Who makes batches and moves stock: also the purchaser."""
    return may_write(actor, organisation_id) or actor.has(Role.PURCHASER, organisation_id=organisation_id)


def visible(actor: Actor, column: object) -> ColumnElement[bool]:
    """Rows of organisations that the actor may open: own, acted for, or in an official's places."""
    if actor.kind == "system":
        return true()
    mine = among(column, actor.organisations)
    if not actor.places:
        return mine
    return or_(mine, column.in_(select(Organisation.id).where(accounts.visible(actor))))  # type: ignore[attr-defined]  # a mapped column
