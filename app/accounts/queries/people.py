"""Questions about people: their data, and what they are called."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, distinct, func, literal, or_, select, text
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import Membership, PersonalData
from app.accounts.queries.scope import among, valid_on
from app.actor import Actor, Role
from app.db import fold, keyset
from app.errors import not_found
from app.messages import N_

NO_NAME = N_("một người của hộ")


@dataclass(frozen=True, slots=True)
class Member:
    """One person in one role of one organisation. `name` is None when the person was erased."""

    membership_id: UUID
    person_id: UUID
    organisation_id: UUID
    role: Role
    place_id: UUID | None
    valid_from: date
    name: str | None
    address_as: str | None
    phone: str | None


def members(session: Session, actor: Actor, organisation_ids: Collection[UUID]) -> list[Member]:
    """Who holds which role today in these organisations, as far as the actor acts for them."""
    query = _members(actor, organisation_ids).order_by(
        Membership.organisation_id, PersonalData.full_name, Membership.id
    )
    return [_member(m, d) for m, d in session.execute(query)]


_NAME = func.vn_fold(func.coalesce(PersonalData.full_name, ""))
_BY_NAME = keyset.Order((_NAME, str), (Membership.id, UUID), by_id=True)
_BY_TIME = keyset.Order((Membership.recorded_at, datetime), (Membership.id, UUID))


def member_page(
    session: Session, actor: Actor, organisation_id: UUID, *, search: str = "", mark: str = ""
) -> keyset.Paged[Member]:
    """A page of today's roles in an organisation the actor acts for, by the names of who holds them, of which `search` is a part.

    Raises BadAddress for a mark that is none.
    """
    query = _members(actor, [organisation_id])
    if search.strip():
        query = query.where(_NAME.contains(fold(search.strip()), autoescape=True))
    found = keyset.listed(session, query, _BY_NAME, mark)
    return keyset.Paged([_member(row[0], row[1]) for row in found.rows], found, keyset.count(session, query))


def roles_in(
    session: Session, actor: Actor, person_id: UUID, organisation_ids: Collection[UUID], *, mark: str = ""
) -> keyset.Paged[Member]:
    """A page of the roles of one person today in these organisations, as far as the actor acts for them, the oldest first.

    Raises BadAddress for a mark that is none.
    """
    query = _members(actor, organisation_ids).where(Membership.person_id == person_id)
    found = keyset.listed(session, query, _BY_TIME, mark)
    return keyset.Paged([_member(row[0], row[1]) for row in found.rows], found, keyset.count(session, query))


def farms(session: Session, actor: Actor, person_id: UUID, organisation_ids: Collection[UUID]) -> bool:
    """Whether the person is a farmer today in one of these organisations, as far as the actor acts for them."""
    query = _members(actor, organisation_ids).where(Membership.person_id == person_id, Membership.role == Role.FARMER)
    return session.scalar(select(query.exists())) or False


def member(session: Session, actor: Actor, organisation_id: UUID, membership_id: UUID) -> Member:
    """One role of today in an organisation the actor acts for. Raises NotFound."""
    row = session.execute(_members(actor, [organisation_id]).where(Membership.id == membership_id)).one_or_none()
    if row is None:
        raise not_found(N_("vai trò này"))
    return _member(row[0], row[1])


def _members(actor: Actor, organisation_ids: Collection[UUID]) -> Select[Membership, PersonalData]:
    scope = set(organisation_ids) if actor.kind == "system" else set(organisation_ids) & actor.organisations
    return (
        select(Membership, PersonalData)
        .outerjoin(PersonalData, PersonalData.person_id == Membership.person_id)
        .where(among(Membership.organisation_id, scope), valid_on(Membership, clock.today()))
    )


def _member(held: Membership, data: PersonalData | None) -> Member:
    return Member(
        membership_id=held.id,
        person_id=held.person_id,
        organisation_id=held.organisation_id,
        role=Role(held.role),
        place_id=held.place_id,
        valid_from=held.valid_from,
        name=data.full_name if data else None,
        address_as=data.address_as if data else None,
        phone=data.phone if data else None,
    )


def looked_after(session: Session, actor: Actor, person_id: UUID) -> PersonalData:
    """The data of a person who has a role today in an organisation the actor acts for, or of the actor. Raises NotFound."""
    query = select(PersonalData).where(PersonalData.person_id == person_id)
    if actor.kind != "system" and actor.person_id != person_id:
        query = query.where(
            select(Membership.id)
            .where(
                Membership.person_id == person_id,
                among(Membership.organisation_id, actor.organisations),
                valid_on(Membership, clock.today()),
            )
            .exists()
        )
    found = session.scalar(query)
    if found is None:
        raise not_found(N_("người này"))
    return found


def known_people(
    session: Session, actor: Actor, person_ids: Collection[UUID], *, also_of: Collection[UUID] = ()
) -> list[PersonalData]:
    """Those of these people whom the actor may know: with a role, now or before, where the actor acts for others or in one
    of `also_of`; and the actor.
    """
    query = select(PersonalData).where(among(PersonalData.person_id, person_ids))
    if actor.kind != "system":
        there = among(Membership.organisation_id, actor.organisations | set(also_of))
        shared = select(Membership.id).where(Membership.person_id == PersonalData.person_id, there).exists()
        query = query.where(or_(PersonalData.person_id == actor.person_id, shared))
    return list(session.scalars(query))


def public_person_labels(session: Session, person_ids: Collection[UUID], language: str = "vi") -> dict[UUID, str]:
    """What a public page may call people: "bác Lành" only while they agree to it, else a member of the household."""
    found = dict.fromkeys(person_ids, NO_NAME.text(language))
    if found:
        names = func.hoi_public_names(literal(sorted(found), ARRAY(Uuid()))).table_valued("person_id", "label")
        for row in session.execute(select(names.c.person_id, names.c.label)):
            found[UUID(str(row.person_id))] = row.label
    return found


def given_name(full_name: str) -> str:
    """Vietnamese names end with the given name, by which people are called."""
    return full_name.rsplit(" ", 1)[-1]


def addressed(data: PersonalData) -> str:
    """How to greet somebody: "bác Lành"."""
    return f"{data.address_as} {given_name(data.full_name)}"


def greeting(session: Session, person_id: UUID, organisation_ids: Collection[UUID]) -> tuple[str, list[str]]:
    """How to greet one's own reader, empty for somebody who was erased; and what these organisations are called, by name."""
    names = func.hoi_organisation_names(literal(sorted(organisation_ids), ARRAY(Uuid()))).table_valued("id", "name")
    nobody = select(literal(1)).subquery()
    row = session.execute(
        select(
            PersonalData.address_as,
            PersonalData.full_name,
            select(func.array_agg(distinct(names.c.name))).scalar_subquery().label("organisations"),
        ).select_from(nobody.outerjoin(PersonalData, PersonalData.person_id == person_id))
    ).one()
    name = "" if row.full_name is None else f"{row.address_as} {given_name(row.full_name)}"
    return name, sorted(row.organisations or ())


def person_by_phone(session: Session, phone: str, full_name: str) -> tuple[bool, UUID | None]:
    """Whether the number is taken, and by whom if the name typed beside it is theirs."""
    row = session.execute(
        text("SELECT person_id, same FROM hoi_person_with(:phone, :name)"), {"phone": phone, "name": full_name}
    ).one_or_none()
    return (False, None) if row is None else (True, row.person_id)
