"""Who looks after whom: a manager the cooperative and its households, an administrator everybody; who writes for whom; and who must stay."""

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, queries
from app.accounts.models import Membership, Organisation, OrganisationKind
from app.actor import Actor, Role
from app.db import lock_ids
from app.errors import Conflict, forbidden, not_found
from app.places import queries as places


def look_after(session: Session, actor: Actor, organisation_id: UUID) -> Actor:
    """The actor who may see the people of this organisation, narrowed to what they manage: the manager of it or of the
    household's cooperative, or an administrator, who leaves a line in the trail. Raises NotFound or Forbidden.
    """
    queries.organisation(session, actor, organisation_id)
    managed = queries.managed(session, actor)
    if organisation_id in managed:
        return replace(actor, organisations=managed)
    if not actor.has(Role.ADMINISTRATOR):
        raise forbidden()
    audit.record(
        session,
        actor,
        "accounts:organisation:look",
        subject_id=organisation_id,
        organisation_id=organisation_id,
    )
    return actors.act_also_for(session, actor, organisation_id)


def may_look_after(session: Session, actor: Actor, organisation: Organisation) -> bool:
    """May see the people of an organisation that this actor may open: not everybody in it, nor every official, may."""
    return manages(session, actor, organisation.id) or actor.has(Role.ADMINISTRATOR)


def manages(session: Session, actor: Actor, organisation_id: UUID) -> bool:
    """Manages it, or manages the cooperative that acts for this household."""
    return organisation_id in queries.managed(session, actor)


def check_manager(actor: Actor, cooperative_id: UUID) -> None:
    if not actor.has(Role.COOPERATIVE_MANAGER, organisation_id=cooperative_id):
        raise forbidden()


def served_places(session: Session, actor: Actor) -> set[UUID]:
    """The places whose households this actor writes for as an extension officer."""
    answered_for = [
        m.place_id for m in actor.memberships if m.role == Role.EXTENSION_OFFICER and m.place_id is not None
    ]
    return places.descendant_ids(session, answered_for, clock.today()) if answered_for else set()


def serves(served: Collection[UUID], organisation: Organisation) -> bool:
    """Whether a household or group lies in the places that `served_places` gave."""
    here = organisation.village_id in served or organisation.commune_id in served
    return here and organisation.kind in {OrganisationKind.HOUSEHOLD, OrganisationKind.COOPERATIVE_GROUP}


def on_behalf_of(session: Session, actor: Actor, organisation: Organisation) -> Actor:
    """Ghi hộ: an extension officer writes for a household of their villages, for the rest of this transaction.

    Raises NotFound for every other organisation.
    """
    if not serves(served_places(session, actor), organisation):
        raise not_found("hộ này", "this household")
    return actors.act_also_for(session, actor, organisation.id)


def check_somebody_stays(session: Session, person_id: UUID, roles: Collection[Membership]) -> None:
    """Raises Conflict when one of these roles of a person is the last of its kind that an organisation cannot be without.

    Two who would leave at the same moment wait for each other here, so that the second finds the first gone.
    """
    kept = [m for m in roles if m.role in {Role.ADMINISTRATOR, Role.COOPERATIVE_MANAGER}]
    lock_ids(session, {m.organisation_id for m in kept})
    for held in kept:
        if not set(queries.people_of(session, held.organisation_id, [Role(held.role)])) - {person_id}:
            raise Conflict(
                "last_manager",
                vi="Đơn vị chỉ còn một người quản lý này. Hãy giao vai trò cho người khác trước.",
                en="This is the only manager of the organisation. Give the role to somebody else first.",
            )
