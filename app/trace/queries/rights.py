"""Rows an actor may open, which every question shares."""

from sqlalchemy import ColumnElement, true

from app.accounts import queries as accounts
from app.accounts.queries import among
from app.actor import Actor


def visible(actor: Actor, column: object) -> ColumnElement[bool]:
    """Rows of organisations that the actor may open: own, acted for, or in an official's units."""
    if actor.kind == "system":
        return true()
    # An administrator opens every organisation, and what is in them only where they answer for a place.
    return accounts.opened(actor, column) if actor.units else among(column, actor.organisations)
