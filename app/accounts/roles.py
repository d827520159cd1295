"""Roles: which kind of organisation has which, who may give them, and from which day to which they are held."""

from collections.abc import Collection
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, queries, rights
from app.accounts.models import Membership, Organisation, OrganisationKind
from app.actor import OFFICIAL_ROLES, Actor, Right, Role
from app.db import lock_ids
from app.errors import Invalid, forbidden, not_found
from app.messages import N_
from app.places import queries as places
from app.places.models import Level

_TRADERS = frozenset({OrganisationKind.COOPERATIVE, OrganisationKind.COOPERATIVE_GROUP, OrganisationKind.ENTERPRISE})
WHERE: dict[Role, frozenset[OrganisationKind]] = {
    Role.FARMER: frozenset({OrganisationKind.HOUSEHOLD, OrganisationKind.COOPERATIVE_GROUP}),
    Role.COOPERATIVE_MANAGER: _TRADERS,
    Role.PURCHASER: _TRADERS,
    Role.CERTIFIER: frozenset({OrganisationKind.ENTERPRISE, OrganisationKind.AUTHORITY}),
} | dict.fromkeys(OFFICIAL_ROLES, frozenset({OrganisationKind.AUTHORITY}))
MANAGED_BY_COOPERATIVE = frozenset({Role.FARMER, Role.COOPERATIVE_MANAGER, Role.PURCHASER})
PLACE_LEVELS: dict[Role, frozenset[Level]] = {
    Role.ADMINISTRATOR: frozenset({Level.PROVINCE}),
    Role.PROVINCE_OFFICIAL: frozenset({Level.PROVINCE}),
    Role.COMMUNE_OFFICIAL: frozenset({Level.COMMUNE}),
    Role.VILLAGE_OFFICER: frozenset({Level.VILLAGE}),
    Role.DIGITAL_GROUP: frozenset({Level.VILLAGE, Level.COMMUNE}),
    Role.EXTENSION_OFFICER: frozenset({Level.VILLAGE, Level.COMMUNE, Level.PROVINCE}),
    Role.CERTIFIER: frozenset({Level.VILLAGE, Level.COMMUNE, Level.PROVINCE}),
}


def end_role(session: Session, actor: Actor, membership_id: UUID, organisation_id: UUID | None = None) -> None:
    """Its rights end now. By whoever may give it, and by its person. `organisation_id`: where the actor looks for it.

    Raises Conflict for the last administrator and the last manager of a cooperative, and Forbidden for one's own where a
    card does not suffice.
    """
    if organisation_id is not None and actor.may_everywhere(Right.ADMINISTER):
        # An authority may stand in no place that the administrator oversees.
        rights.look_after(session, actor, organisation_id)
    row = session.get(Membership, membership_id)
    if row is None or organisation_id not in {None, row.organisation_id}:
        raise not_found(N_("vai trò này"))
    if row.person_id == actor.person_id:
        actors.check_card_suffices(session, actor)
    else:
        check_may_grant(session, actor, row.organisation_id, Role(row.role))
    lock_ids(session, [row.organisation_id])  # before the row, as erasing does
    session.refresh(row, with_for_update=True)  # only whoever may end it can lock it
    if row.valid_to is not None:
        raise not_found(N_("vai trò này"))
    actors.act_also_for(session, actor, row.organisation_id)
    rights.check_somebody_stays(session, row.person_id, [row])
    # The role's rights end now, so its last whole day was yesterday.
    row.valid_to = max(clock.today() - timedelta(days=1), row.valid_from - timedelta(days=1))
    row.ended_at, row.ended_by = clock.now(), actor.person_id
    audit.record(
        session,
        actor,
        "accounts:role:end",
        subject_id=row.person_id,
        organisation_id=row.organisation_id,
        role=row.role,
    )


def may_give_back(session: Session, actor: Actor, organisation_id: UUID, role: Role) -> list[str]:
    """Names of the cooperatives whose managers could give this role again once it has ended; none: an administrator only."""
    if role not in MANAGED_BY_COOPERATIVE:
        return []
    organisation = queries.organisation(session, actor, organisation_id)
    ids = (
        [organisation_id]
        if organisation.kind != OrganisationKind.HOUSEHOLD
        else queries.cooperatives_of(session, organisation_id, clock.today())
    )
    return sorted(queries.organisation_names(session, ids).values())


def grantable(actor: Actor, organisation: Organisation) -> list[Role]:
    """The roles that this actor may give there, in the order of the list of roles."""
    here = [role for role in Role if organisation.kind in WHERE[role]]
    return [role for role in here if _may_give(actor, organisation.id, role)]


def _may_give(actor: Actor, organisation_id: UUID, role: Role) -> bool:
    """Who manages the people gives the roles of cooperatives and households; every other role, an administrator."""
    if role in MANAGED_BY_COOPERATIVE:
        return actor.may(Right.MANAGE_PEOPLE, organisation_id)
    return actor.may_everywhere(Right.ADMINISTER)


def check_may_grant(session: Session, actor: Actor, organisation_id: UUID, role: Role) -> Organisation:
    organisation = queries.organisation(session, actor, organisation_id)
    if not _may_give(actor, organisation_id, role):
        raise forbidden()
    if organisation.kind not in WHERE[role]:
        raise Invalid(
            "role_here",
            N_("Loại đơn vị này không có vai trò đó."),
            field="role",
        )
    return organisation


def place_of_role(session: Session, role: Role, place_id: UUID | None) -> UUID | None:
    levels: Collection[Level] | None = PLACE_LEVELS.get(role)
    if levels is None or (role == Role.CERTIFIER and place_id is None):
        return None  # a certifier without a place yet reads nothing yet
    if place_id is None or places.place(session, place_id).level not in levels:
        raise Invalid(
            "place_of_role",
            N_("Chọn nơi người này phụ trách, đúng cấp của vai trò."),
            field="place_id",
        )
    return place_id


def grant(
    session: Session,
    actor: Actor,
    person_id: UUID,
    organisation_id: UUID,
    role: Role,
    place_id: UUID | None,
    on: date,
    *,
    by: UUID | None = None,
) -> None:
    """`by`: who gave it, when that is not the actor, who accepted it."""
    held = session.scalar(
        select(Membership.id).where(
            Membership.person_id == person_id,
            Membership.organisation_id == organisation_id,
            Membership.role == role,
            Membership.place_id.is_not_distinct_from(place_id),
            Membership.valid_to.is_(None),
        )
    )
    if held is not None:
        return
    session.add(
        Membership(
            person_id=person_id,
            organisation_id=organisation_id,
            role=role,
            place_id=place_id,
            valid_from=on,
            recorded_at=clock.now(),
            granted_by=by or actor.person_id,
        )
    )
    session.flush()  # row-level security lets a manager write the data of those who have a role there
    audit.record(
        session,
        actor,
        "accounts:role:grant",
        subject_id=person_id,
        organisation_id=organisation_id,
        role=role,
        place_id=place_id,
    )
