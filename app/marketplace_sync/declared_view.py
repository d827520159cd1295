"""A declared link as the list shows it: what each look says, and what this person may do with the link."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from app.actor import Actor, Right
from app.db import Words
from app.marketplace_sync.models import DeclaredConfirmation, DeclaredListing
from app.marketplace_sync.queries import Look, Looks
from app.messages import N_, Said


@dataclass(frozen=True, slots=True)
class LookShown:
    """A look as a chip, with the look itself where this person may open it."""

    status: str
    word: Said
    seen_on: date
    look: Look | None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """`waits`: nobody from outside has looked. Who declared a link asks others to confirm it."""

    link: DeclaredListing
    product: Words
    floor: Words
    waits: bool
    looks: list[LookShown]
    may_confirm: bool
    asks_others: bool
    may_withdraw: bool


def link_row(
    actor: Actor,
    link: DeclaredListing,
    known: Looks,
    *,
    product: Words,
    floor: Words,
    opened: Mapping[UUID, Look],
    selling_for: Collection[UUID],
) -> LinkRow:
    """`opened`: the looks that this person may open."""
    looks, own = actor.may_somewhere(Right.CONFIRM_LINK), link.declared_by == actor.person_id
    return LinkRow(
        link=link,
        product=product,
        floor=floor,
        waits=known.outside is None,
        looks=[_shown(look, opened.get(look.id)) for look in known.shown],
        may_confirm=looks and not own,
        asks_others=looks and own,
        may_withdraw=link.organisation_id in selling_for,
    )


def _shown(look: DeclaredConfirmation, opened: Look | None) -> LookShown:
    if look.by_colleague:
        word = N_("Cùng đơn vị: đang bán") if look.on_sale else N_("Cùng đơn vị: không thấy bán")
        return LookShown("not_counted", word, look.seen_on, opened)
    if look.on_sale:
        return LookShown("declared", N_("Đang bán"), look.seen_on, opened)
    return LookShown("unmet", N_("Không thấy bán"), look.seen_on, opened)
