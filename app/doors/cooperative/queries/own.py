"""The organisations whose desk it is."""

from uuid import UUID

from app.actor import Actor, Right


def own_organisations(actor: Actor) -> tuple[UUID, ...]:
    """The trading organisations this actor works for; not the member households they act for."""
    return tuple(sorted(actor.where(Right.SELL)))
