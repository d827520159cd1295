"""What every question shares: which rows an actor may open."""

from sqlalchemy import ColumnElement, or_, select, true

from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor


def visible(actor: Actor, column: object) -> ColumnElement[bool]:
    """Rows of organisations that the actor may open: own, acted for, or in an official's places."""
    if actor.kind == "system":
        return true()
    mine = among(column, actor.organisations)
    if not actor.places:
        return mine
    return or_(mine, column.in_(select(Organisation.id).where(accounts.visible(actor))))  # type: ignore[attr-defined]  # a mapped column
