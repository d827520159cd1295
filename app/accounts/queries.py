"""Questions about people and organisations, scoped in SQL to the one who asks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, any_, func, literal, or_, select, text, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import (
    Card,
    CardRequest,
    CardRequestState,
    Consent,
    Credential,
    DataRequest,
    Device,
    HouseholdMembership,
    Membership,
    Organisation,
    OrganisationKind,
    Person,
    PersonalData,
    Purpose,
    RoleOffer,
    SignIn,
)
from app.actor import OFFICIAL_ROLES, Actor, Role
from app.db import fold
from app.errors import not_found

NO_NAME_VI = "một người của hộ"
NO_NAME_EN = "a member of the household"


def among(column: object, ids: Collection[UUID]) -> ColumnElement[bool]:
    """`column` is one of the ids, as one parameter: an official's places are many."""
    return column == any_(literal(sorted(ids), ARRAY(Uuid())))


def visible(actor: Actor) -> ColumnElement[bool]:
    """The organisations that this actor may open: own and acted-for ones, and those in an official's places."""
    if actor.kind == "system" or actor.has(Role.ADMINISTRATOR):
        return true()
    return or_(
        among(Organisation.id, actor.organisations),
        among(Organisation.village_id, actor.places),
        among(Organisation.commune_id, actor.places),
    )


def valid_on(row: type[Membership | HouseholdMembership], on: date) -> ColumnElement[bool]:
    return and_(row.valid_from <= on, or_(row.valid_to.is_(None), row.valid_to >= on))


def known_then(row: type[Membership | HouseholdMembership], on: date, known_at: datetime | None) -> ColumnElement[bool]:
    """Valid on the date as we knew it at `known_at`: an end that we learned of later was not yet known."""
    if known_at is None:
        return valid_on(row, on)
    still = or_(row.valid_to.is_(None), row.valid_to >= on, row.ended_at > known_at)
    return and_(row.valid_from <= on, row.recorded_at <= known_at, still)


# --- organisations -----------------------------------------------------------------------------------------------


def organisation(session: Session, actor: Actor, organisation_id: UUID) -> Organisation:
    """Raises NotFound, also for one that this actor may not open."""
    found = session.scalar(select(Organisation).where(Organisation.id == organisation_id, visible(actor)))
    if found is None:
        raise not_found("đơn vị này", "this organisation")
    return found


def organisation_names(session: Session, organisation_ids: Collection[UUID]) -> dict[UUID, str]:
    """Labels that anybody may read; no household's label holds personal data."""
    if not organisation_ids:
        return {}
    names = func.hoi_organisation_names(literal(sorted(organisation_ids), ARRAY(Uuid()))).table_valued("id", "name")
    return {UUID(str(row.id)): row.name for row in session.execute(select(names.c.id, names.c.name))}


def organisations(
    session: Session, actor: Actor, *, search: str = "", kinds: Collection[OrganisationKind] = (), limit: int = 200
) -> list[Organisation]:
    """Those the actor may open, by name."""
    query = select(Organisation).where(visible(actor)).order_by(Organisation.name_folded, Organisation.id).limit(limit)
    if search:
        query = query.where(Organisation.name_folded.contains(fold(search), autoescape=True))
    if kinds:
        query = query.where(Organisation.kind.in_(kinds))
    return list(session.scalars(query))


def own_organisations(session: Session, actor: Actor) -> list[Organisation]:
    """Where the actor holds a role, not where they only act for others."""
    ids = {m.organisation_id for m in actor.memberships}
    return list(
        session.scalars(select(Organisation).where(Organisation.id.in_(ids)).order_by(Organisation.name_folded))
    )


def member_households(
    session: Session, actor: Actor, cooperative_id: UUID, on: date | None = None, known_at: datetime | None = None
) -> list[Organisation]:
    """The households that are thành viên of the cooperative on a date, as far as the actor may open them, by label."""
    return list(
        session.scalars(
            select(Organisation)
            .join(HouseholdMembership, HouseholdMembership.household_id == Organisation.id)
            .where(
                visible(actor),
                HouseholdMembership.cooperative_id == cooperative_id,
                known_then(HouseholdMembership, on or clock.today(), known_at),
            )
            .order_by(Organisation.name_folded, Organisation.id)
        )
    )


def member_household_ids(session: Session, cooperative_ids: Collection[UUID], on: date) -> set[UUID]:
    if not cooperative_ids:
        return set()
    return set(
        session.scalars(
            select(HouseholdMembership.household_id).where(
                HouseholdMembership.cooperative_id.in_(set(cooperative_ids)), valid_on(HouseholdMembership, on)
            )
        )
    )


def cooperatives_of(session: Session, household_id: UUID, on: date) -> list[UUID]:
    return list(
        session.scalars(
            select(HouseholdMembership.cooperative_id)
            .where(HouseholdMembership.household_id == household_id, valid_on(HouseholdMembership, on))
            .order_by(HouseholdMembership.cooperative_id)
        )
    )


# --- people ------------------------------------------------------------------------------------------------------


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
    has_password: bool


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


def members(session: Session, actor: Actor, organisation_ids: Collection[UUID]) -> list[Member]:
    """Who holds which role today in these organisations, as far as the actor acts for them."""
    scope = set(organisation_ids) if actor.kind == "system" else set(organisation_ids) & actor.organisations
    rows = session.execute(
        select(Membership, PersonalData, Credential.person_id)
        .outerjoin(PersonalData, PersonalData.person_id == Membership.person_id)
        .outerjoin(Credential, Credential.person_id == Membership.person_id)
        .where(among(Membership.organisation_id, scope), valid_on(Membership, clock.today()))
        .order_by(Membership.organisation_id, PersonalData.full_name, Membership.id)
    )
    return [
        Member(
            membership_id=m.id,
            person_id=m.person_id,
            organisation_id=m.organisation_id,
            role=Role(m.role),
            place_id=m.place_id,
            valid_from=m.valid_from,
            name=d.full_name if d else None,
            address_as=d.address_as if d else None,
            phone=d.phone if d else None,
            has_password=credential is not None,
        )
        for m, d, credential in rows
    ]


def roles_of(session: Session, person_id: UUID, on: date) -> list[Membership]:
    """A person's roles on a date, as far as row-level security shows them to the actor of this session."""
    return list(
        session.scalars(
            select(Membership)
            .where(Membership.person_id == person_id, valid_on(Membership, on))
            .order_by(Membership.recorded_at, Membership.id)
        )
    )


def offers_to(session: Session, person_id: UUID) -> list[RoleOffer]:
    """The roles that wait for this person's word, the oldest first."""
    query = select(RoleOffer).where(RoleOffer.person_id == person_id, RoleOffer.answered_at.is_(None))
    return list(session.scalars(query.order_by(RoleOffer.offered_at, RoleOffer.id)))


def offers_of(session: Session, organisation_id: UUID) -> list[RoleOffer]:
    """The roles of this organisation that wait for somebody's word, the oldest first."""
    query = select(RoleOffer).where(RoleOffer.organisation_id == organisation_id, RoleOffer.answered_at.is_(None))
    return list(session.scalars(query.order_by(RoleOffer.offered_at, RoleOffer.id)))


def all_roles(session: Session, person_id: UUID) -> list[tuple[UUID, Role]]:
    """Every organisation and role of a person today, also those that row-level security hides from this session."""
    rows = func.hoi_roles_of(person_id).table_valued("organisation_id", "role")
    return [
        (UUID(str(r.organisation_id)), Role(r.role))
        for r in session.execute(select(rows.c.organisation_id, rows.c.role))
    ]


def managed(session: Session, actor: Actor) -> frozenset[UUID]:
    """The cooperatives that this actor manages and their households of today; not where they only buy or farm."""
    own = actor.organisations_as(Role.COOPERATIVE_MANAGER)
    return frozenset(own) | member_household_ids(session, own, clock.today())


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
        raise not_found("người này", "this person")
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
    nobody = NO_NAME_EN if language == "en" else NO_NAME_VI
    found = dict.fromkeys(person_ids, nobody)
    if found:
        names = func.hoi_public_names(literal(sorted(found), ARRAY(Uuid()))).table_valued("person_id", "label")
        for row in session.execute(select(names.c.person_id, names.c.label)):
            found[UUID(str(row.person_id))] = row.label
    return found


def public_person_label(session: Session, person_id: UUID, language: str = "vi") -> str:
    return public_person_labels(session, [person_id], language)[person_id]


def given_name(full_name: str) -> str:
    """Vietnamese names end with the given name, by which people are called."""
    return full_name.rsplit(" ", 1)[-1]


def addressed(data: PersonalData) -> str:
    """How to greet somebody: "bác Lành"."""
    return f"{data.address_as} {given_name(data.full_name)}"


def greeting(session: Session, person_id: UUID) -> str:
    """How to greet one's own reader; empty for somebody who was erased."""
    data = session.get(PersonalData, person_id)
    return addressed(data) if data is not None else ""


def person_by_phone(session: Session, phone: str, full_name: str) -> tuple[bool, UUID | None]:
    """Whether the number is taken, and by whom if the name typed beside it is theirs."""
    row = session.execute(
        text("SELECT person_id, same FROM hoi_person_with(:phone, :name)"), {"phone": phone, "name": full_name}
    ).one_or_none()
    return (False, None) if row is None else (True, row.person_id)


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


# --- signing in --------------------------------------------------------------------------------------------------


def open_sign_ins(session: Session, person_id: UUID, now: datetime) -> list[SignIn]:
    """`now` is machine time."""
    return list(
        session.scalars(
            select(SignIn)
            .where(SignIn.person_id == person_id, SignIn.ended_at.is_(None), SignIn.expires_at > now)
            .order_by(SignIn.last_seen_at.desc())
        )
    )


def devices_of(session: Session, person_id: UUID) -> list[Device]:
    return list(
        session.scalars(
            select(Device)
            .where(Device.person_id == person_id, Device.revoked_at.is_(None))
            .order_by(Device.last_seen_at.desc())
        )
    )


def open_card(session: Session, person_id: UUID, organisation_id: UUID) -> Card | None:
    return session.scalar(
        select(Card).where(
            Card.person_id == person_id, Card.organisation_id == organisation_id, Card.revoked_at.is_(None)
        )
    )


def open_cards(session: Session, organisation_id: UUID) -> dict[UUID, Card]:
    """Person id to the card that this organisation printed for them and nobody revoked."""
    rows = session.scalars(select(Card).where(Card.organisation_id == organisation_id, Card.revoked_at.is_(None)))
    return {c.person_id: c for c in rows}


def waiting_requests(
    session: Session, organisation_ids: Collection[UUID], now: datetime
) -> Sequence[tuple[CardRequest, PersonalData]]:
    """Phones that wait for these organisations' word. `now` is machine time."""
    rows = session.execute(
        select(CardRequest, PersonalData)
        .join(PersonalData, PersonalData.person_id == CardRequest.person_id)
        .where(
            CardRequest.organisation_id.in_(set(organisation_ids)),
            CardRequest.state == CardRequestState.WAITING,
            CardRequest.expires_at > now,
        )
        .order_by(CardRequest.asked_at)
    )
    return [(row[0], row[1]) for row in rows]


def waiting_count(session: Session, organisation_ids: Collection[UUID], now: datetime) -> int:
    return int(
        session.scalar(
            select(func.count())
            .select_from(CardRequest)
            .where(
                CardRequest.organisation_id.in_(set(organisation_ids)),
                CardRequest.state == CardRequestState.WAITING,
                CardRequest.expires_at > now,
            )
        )
        or 0
    )


# --- consent and requests ----------------------------------------------------------------------------------------


def consents_now(session: Session, person_id: UUID) -> dict[Purpose, Consent]:
    """The newest word on each purpose; a purpose nobody was asked about is missing."""
    rows = session.scalars(
        select(Consent)
        .where(Consent.person_id == person_id)
        .ext(distinct_on(Consent.purpose))
        .order_by(Consent.purpose, Consent.recorded_at.desc(), Consent.id.desc())
    )
    return {Purpose(c.purpose): c for c in rows}


def agrees(session: Session, person_id: UUID, purpose: Purpose) -> bool:
    found = consents_now(session, person_id).get(purpose)
    return found is not None and found.given


def who_said_no(session: Session, person_ids: Collection[UUID], purpose: Purpose) -> set[UUID]:
    """Whose newest word on the purpose is a no, also of people whose answers row-level security hides from this session."""
    if not person_ids:
        return set()
    found = func.hoi_said_no(literal(sorted(person_ids), ARRAY(Uuid())), purpose.value).table_valued("person_id")
    return {UUID(str(row.person_id)) for row in session.execute(select(found.c.person_id))}


def data_requests_of(session: Session, person_id: UUID) -> list[DataRequest]:
    return list(
        session.scalars(
            select(DataRequest).where(DataRequest.person_id == person_id).order_by(DataRequest.received_at.desc())
        )
    )


def open_data_requests(session: Session) -> list[DataRequest]:
    """What administrators still owe an answer or a deed, the nearest deadline first."""
    return list(
        session.scalars(
            select(DataRequest).where(DataRequest.fulfilled_at.is_(None)).order_by(DataRequest.fulfil_due_at)
        )
    )


def person(session: Session, person_id: UUID) -> Person | None:
    return session.get(Person, person_id)


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
