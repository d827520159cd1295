"""Whose desk it is."""

from uuid import UUID

from app.actor import Actor, Role

TRADERS = (Role.COOPERATIVE_MANAGER, Role.PURCHASER)


def own_organisations(actor: Actor) -> tuple[UUID, ...]:
    """The trading organisations this actor works for; not the member households they act for."""
    return actor.organisations_as(*TRADERS)
