"""Rights over an organisation that was read: its place too may give one; who is looked after; and who must stay."""

from collections.abc import Collection
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, true
from sqlalchemy.orm import Session

from app import audit
from app.accounts import actors, queries
from app.accounts.models import Membership, Organisation, OrganisationKind
from app.accounts.queries import among
from app.actor import Actor, Right, Role, check_may
from app.db import lock_ids
from app.errors import Conflict, not_found
from app.messages import N_

# Ghi hộ is for those who keep a diary of their own: no officer writes for a cooperative or a company.
_ON_BEHALF = frozenset({OrganisationKind.HOUSEHOLD, OrganisationKind.COOPERATIVE_GROUP})
_DIARY = (Right.KEEP_DIARY, Right.VOUCH_AS_OFFICER, Right.VOUCH_AS_NEIGHBOUR)


class Seat(Protocol):
    """What of an organisation says which rights hold in it: the organisation itself, or a row with these columns."""

    @property
    def id(self) -> UUID: ...
    @property
    def kind(self) -> str: ...
    @property
    def village_id(self) -> UUID | None: ...
    @property
    def commune_id(self) -> UUID | None: ...


SeatT = TypeVar("SeatT", bound=Seat)


def may_in(actor: Actor, right: Right, organisation: Seat) -> bool:
    """Whether the right holds in this organisation, be it for its own sake or for the place in which it lies."""
    if actor.may(right, organisation.id):
        return True
    apart = right in _DIARY and organisation.kind not in _ON_BEHALF
    return not apart and actor.may_at(right, organisation.village_id, organisation.commune_id)


def held_in(actor: Actor, right: Right) -> ColumnElement[bool]:
    """The organisations in which the right holds: the rule of `may_in`, as a condition."""
    if actor.may_everywhere(right):
        return true()
    there = actor.places_where(right)
    in_place = or_(among(Organisation.village_id, there), among(Organisation.commune_id, there))
    if right in _DIARY:
        in_place = and_(Organisation.kind.in_(_ON_BEHALF), in_place)
    return or_(among(Organisation.id, actor.where(right)), in_place)


def on_behalf_of(session: Session, actor: Actor, organisation: Organisation) -> Actor:
    """Ghi hộ: who keeps the diary of this household for its place does so for the rest of this transaction.

    Raises NotFound for every other organisation.
    """
    if not may_in(actor, Right.KEEP_DIARY, organisation):
        raise not_found(N_("hộ này"))
    if actor.may(Right.KEEP_DIARY, organisation.id):
        return actor
    given = [right for right in _DIARY if may_in(actor, right, organisation)]
    return actors.act_also_for(session, actor, organisation.id, rights=given)


def on_behalf_of_each(session: Session, actor: Actor, organisations: Collection[SeatT]) -> tuple[Actor, list[SeatT]]:
    """As `on_behalf_of` for many, by one statement at most: who may write for all of these that they may write for, and which
    those are.
    """
    theirs = [o for o in organisations if may_in(actor, Right.KEEP_DIARY, o)]
    for_others = [o for o in theirs if not actor.may(Right.KEEP_DIARY, o.id)]
    if not for_others:
        return actor, theirs
    given = {right: [o.id for o in for_others if may_in(actor, right, o)] for right in _DIARY}
    return actors.act_also_in(session, actor, given), theirs


def look_after(session: Session, actor: Actor, organisation_id: UUID) -> Actor:
    """The actor who may see the people of this organisation, narrowed to what they manage: the manager of it or of the
    household's cooperative, or an administrator, who leaves a line in the trail. Raises NotFound or Forbidden.
    """
    queries.organisation(session, actor, organisation_id)
    check_may(actor, Right.MANAGE_PEOPLE, organisation_id)
    if organisation_id in actor.where(Right.MANAGE_PEOPLE):
        return actor.only(Right.MANAGE_PEOPLE)
    audit.record(
        session,
        actor,
        "accounts:organisation:look",
        subject_id=organisation_id,
        organisation_id=organisation_id,
    )
    return actors.act_also_for(session, actor, organisation_id, rights=[Right.MANAGE_PEOPLE])


def check_somebody_stays(session: Session, person_id: UUID, roles: Collection[Membership]) -> None:
    """Raises Conflict when one of these roles of a person is the last of its kind that an organisation cannot be without.

    Two who would leave at the same moment wait for each other here, so that the second finds the first gone.
    """
    kept = [m for m in roles if m.role in {Role.ADMINISTRATOR, Role.COOPERATIVE_MANAGER}]
    lock_ids(session, {m.organisation_id for m in kept})
    for held in kept:
        if not set(queries.people_of(session, held.organisation_id, [Role(held.role)])) - {person_id}:
            raise Conflict(
                "last_manager", N_("Đơn vị chỉ còn một người quản lý này. Hãy giao vai trò cho người khác trước.")
            )
