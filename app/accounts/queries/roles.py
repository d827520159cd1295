"""Questions about who holds, is offered and manages what."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import Membership, RoleOffer
from app.accounts.queries.scope import valid_on
from app.actor import OFFICIAL_ROLES, Role
from app.db import keyset

_OPEN = and_(RoleOffer.answered_at.is_(None), RoleOffer.withdrawn_at.is_(None))


def people_of(session: Session, organisation_id: UUID, roles: Collection[Role] = ()) -> list[UUID]:
    """Ids of the people who hold one of the roles there today; no role named means any."""
    query = (
        select(Membership.person_id)
        .where(Membership.organisation_id == organisation_id, valid_on(Membership, clock.today()))
        .distinct()
        .order_by(Membership.person_id)
    )
    if roles:
        query = query.where(Membership.role.in_(set(roles)))
    return list(session.scalars(query))


def roles_of(session: Session, person_id: UUID, on: date) -> list[Membership]:
    """A person's roles on a date, as far as row-level security shows them to the actor of this session."""
    return list(
        session.scalars(
            select(Membership)
            .where(Membership.person_id == person_id, valid_on(Membership, on))
            .order_by(Membership.recorded_at, Membership.id)
        )
    )


_FIRST_OFFERED = keyset.Order((RoleOffer.offered_at, datetime), (RoleOffer.id, UUID))
BY_TIME = keyset.Order((Membership.recorded_at, datetime), (Membership.id, UUID))


def role_page(
    session: Session, person_id: UUID, on: date, *, mark: str = "", roles: Collection[Role] = ()
) -> keyset.Paged[Membership]:
    """A page of `roles_of`, the oldest first; no role named means any. Raises BadAddress for a mark that is none."""
    query = select(Membership).where(Membership.person_id == person_id, valid_on(Membership, on))
    if roles:
        query = query.where(Membership.role.in_(set(roles)))
    return keyset.paged(session, query, BY_TIME, mark)


def organisations_ever(session: Session, person_id: UUID) -> list[UUID]:
    """Where this person has or had any role, as far as row-level security shows it to this session."""
    query = select(Membership.organisation_id).where(Membership.person_id == person_id).distinct()
    return list(session.scalars(query.order_by(Membership.organisation_id)))


def offers_to(session: Session, person_id: UUID) -> list[RoleOffer]:
    """The roles that wait for this person's word, the oldest first."""
    query = select(RoleOffer).where(RoleOffer.person_id == person_id, _OPEN)
    return list(session.scalars(query.order_by(RoleOffer.offered_at, RoleOffer.id)))


def offers_of(
    session: Session, organisation_id: UUID, *, offered_by: UUID | None = None, mark: str = ""
) -> keyset.Paged[RoleOffer]:
    """A page of the roles of this organisation, by whomever or by one person, that wait for somebody's word, the oldest first.

    Raises BadAddress for a mark that is none.
    """
    query = select(RoleOffer).where(RoleOffer.organisation_id == organisation_id, _OPEN)
    if offered_by is not None:
        query = query.where(RoleOffer.offered_by == offered_by)
    return keyset.paged(session, query, _FIRST_OFFERED, mark)


def all_roles(session: Session, person_id: UUID) -> list[tuple[UUID, Role]]:
    """Every organisation and role of a person today, also those that row-level security hides from this session."""
    rows = func.hoi_roles_of(person_id).table_valued("organisation_id", "role")
    return [
        (UUID(str(r.organisation_id)), Role(r.role))
        for r in session.execute(select(rows.c.organisation_id, rows.c.role))
    ]


def administrators_exist(session: Session) -> bool:
    return session.scalar(select(Membership.id).where(Membership.role == Role.ADMINISTRATOR).limit(1)) is not None


def administrators(session: Session) -> list[UUID]:
    """Ids of today's administrators."""
    query = select(Membership.person_id).where(
        Membership.role == Role.ADMINISTRATOR, valid_on(Membership, clock.today())
    )
    return sorted(set(session.scalars(query)))


def is_official(roles: Collection[Membership]) -> bool:
    return any(Role(m.role) in OFFICIAL_ROLES for m in roles)


def people_answering_for(session: Session, place_ids: Collection[UUID | None]) -> list[UUID]:
    """Ids of the village officers, digital groups and commune officials who answer for one of these places today."""
    roles = (Role.VILLAGE_OFFICER, Role.DIGITAL_GROUP, Role.COMMUNE_OFFICIAL)
    return list(
        session.scalars(
            select(Membership.person_id)
            .where(
                Membership.place_id.in_([p for p in place_ids if p is not None]),
                Membership.role.in_(roles),
                valid_on(Membership, clock.today()),
            )
            .distinct()
            .order_by(Membership.person_id)
        )
    )
