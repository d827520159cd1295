"""Verbs on people, roles and organisations: who may add whom, where, from which day to which."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import queries, schemas, signin, tokens
from app.accounts.events import HouseholdJoined, HouseholdLeft, OrganisationChanged, RoleOffered
from app.accounts.models import (
    AddressAs,
    HouseholdMembership,
    Membership,
    Organisation,
    OrganisationKind,
    Person,
    PersonalData,
    RoleOffer,
)
from app.accounts.schemas import HouseholdIn, OrganisationChange, OrganisationIn, PersonalChange, PersonIn, RoleIn
from app.actor import OFFICIAL_ROLES, Actor, Role
from app.db import check_version, lock_ids, new_id
from app.errors import Conflict, Forbidden, Invalid, forbidden, not_found
from app.outbox import publish
from app.places import queries as places
from app.places.models import Level

OFFER_LASTS = timedelta(days=30)
_TRADERS = frozenset({OrganisationKind.COOPERATIVE, OrganisationKind.COOPERATIVE_GROUP, OrganisationKind.ENTERPRISE})
WHERE: dict[Role, frozenset[OrganisationKind]] = {
    Role.FARMER: frozenset({OrganisationKind.HOUSEHOLD, OrganisationKind.COOPERATIVE_GROUP}),
    Role.COOPERATIVE_MANAGER: _TRADERS,
    Role.PURCHASER: _TRADERS,
    Role.CERTIFIER: frozenset({OrganisationKind.ENTERPRISE, OrganisationKind.AUTHORITY}),
} | dict.fromkeys(OFFICIAL_ROLES, frozenset({OrganisationKind.AUTHORITY}))
_MANAGED_BY_COOPERATIVE = frozenset({Role.FARMER, Role.COOPERATIVE_MANAGER, Role.PURCHASER})
PLACE_LEVELS: dict[Role, frozenset[Level]] = {
    Role.ADMINISTRATOR: frozenset({Level.PROVINCE}),
    Role.PROVINCE_OFFICIAL: frozenset({Level.PROVINCE}),
    Role.COMMUNE_OFFICIAL: frozenset({Level.COMMUNE}),
    Role.VILLAGE_OFFICER: frozenset({Level.VILLAGE}),
    Role.DIGITAL_GROUP: frozenset({Level.VILLAGE, Level.COMMUNE}),
    Role.EXTENSION_OFFICER: frozenset({Level.VILLAGE, Level.COMMUNE, Level.PROVINCE}),
    Role.CERTIFIER: frozenset({Level.VILLAGE, Level.COMMUNE, Level.PROVINCE}),
}


# --- the first of all --------------------------------------------------------------------------------------------


def create_first_administrator(session: Session, phone: str, password: str, name: str) -> UUID:
    """The person who creates all others, as SYSTEM from the command line. Raises Conflict when there is one already."""
    if queries.administrators_exist(session):
        raise Conflict(
            "administrator_exists",
            vi="Đã có người quản trị. Người đó đăng nhập rồi thêm người khác.",
            en="There is an administrator already. They sign in and add others.",
        )
    actor: Actor = session.info["actor"]
    number, full_name = schemas.phone(phone), schemas.readable(name)
    province = places.province(session)
    data = PersonalData(
        phone=number, full_name=full_name, address_as=AddressAs.BAC, language="vi", updated_at=clock.now()
    )
    signin.check_new_password(password, data)
    authority = Organisation(
        id=new_id(),
        kind=OrganisationKind.AUTHORITY,
        name=f"Quản trị Hồi {province.kind_word} {province.name}",
        created_at=clock.now(),
    )
    data.person_id = new_id()
    session.add_all([Person(id=data.person_id, created_at=clock.now()), authority])
    session.flush()  # people and organisations first: everything else points at them
    _grant(session, actor, data.person_id, authority.id, Role.ADMINISTRATOR, province.id, clock.today())
    session.add(data)
    session.flush()
    signin.set_password(session, actor, data.person_id, password, must_change=False)
    return data.person_id


# --- organisations -----------------------------------------------------------------------------------------------


def create_organisation(session: Session, actor: Actor, form: OrganisationIn) -> Organisation:
    """By an administrator. The same id again gives the same organisation; with other content Conflict."""
    if not actor.has(Role.ADMINISTRATOR):
        raise forbidden()
    _check_place(session, form.village_id, Level.VILLAGE, "village_id")
    _check_place(session, form.commune_id, Level.COMMUNE, "commune_id")
    commune_id = form.commune_id
    if form.village_id is not None:
        above = places.place(session, form.village_id).parent_id
        if commune_id is not None and commune_id != above:
            raise Invalid(
                "village_elsewhere",
                vi="Thôn này không thuộc xã đã chọn.",
                en="This village is not in that commune.",
                field="village_id",
            )
        commune_id = above
    if commune_id is None and form.kind != OrganisationKind.AUTHORITY:
        raise Invalid(
            "commune_missing",
            vi="Chọn xã, phường nơi đặt trụ sở.",
            en="Choose the commune of its seat.",
            field="commune_id",
        )
    _alone(session, form.id)
    wider = signin.act_also_for(session, actor, form.id)
    return _new_organisation(session, wider, form.id, form.kind, form.name, form.tax_code, form.village_id, commune_id)


def _new_organisation(
    session: Session,
    actor: Actor,
    organisation_id: UUID,
    kind: OrganisationKind,
    name: str,
    tax_code: str | None,
    village_id: UUID | None,
    commune_id: UUID | None,
) -> Organisation:
    if kind == OrganisationKind.HOUSEHOLD:
        schemas.neutral_label(name)
    known = session.get(Organisation, organisation_id)
    if known is not None:
        if (known.kind, known.name, known.tax_code, known.village_id, known.commune_id) == (
            kind, name, tax_code, village_id, commune_id,
        ):  # fmt: skip
            return known
        raise _id_taken()
    _check_tax_code(session, kind, tax_code)
    row = Organisation(
        id=organisation_id,
        kind=kind,
        name=name,
        tax_code=tax_code,
        village_id=village_id,
        commune_id=commune_id,
        created_at=clock.now(),
        version=1,
    )
    session.add(row)
    session.flush()  # memberships and rows of other parts point at it
    audit.record(session, actor, "accounts:organisation:create", subject_id=row.id, organisation_id=row.id, kind=kind)
    publish(session, actor, OrganisationChanged(organisation_id=row.id))
    return row


def change_organisation(session: Session, actor: Actor, organisation_id: UUID, form: OrganisationChange) -> None:
    """Rename, or correct the tax code. By its manager, the cooperative of a household, or an administrator."""
    row = queries.organisation(session, actor, organisation_id)
    if not (_manages(session, actor, organisation_id) or actor.has(Role.ADMINISTRATOR)):
        raise forbidden()
    signin.act_also_for(session, actor, organisation_id)
    check_version(row, form.version)
    if row.kind == OrganisationKind.HOUSEHOLD and form.name != row.name:
        schemas.neutral_label(form.name)
    if form.tax_code != row.tax_code:
        _check_tax_code(session, OrganisationKind(row.kind), form.tax_code)
    row.name, row.tax_code = form.name, form.tax_code
    audit.record(session, actor, "accounts:organisation:change", subject_id=row.id, organisation_id=row.id)
    publish(session, actor, OrganisationChanged(organisation_id=row.id))


def _check_tax_code(session: Session, kind: OrganisationKind, tax_code: str | None) -> None:
    if tax_code is None:
        return
    if len(tax_code) == 12 and kind != OrganisationKind.HOUSEHOLD:  # noqa: PLR2004 - a personal number
        raise Invalid(
            "personal_tax_code",
            vi="Mã 12 chữ số chỉ dùng cho hộ. Đơn vị này cần mã 10 hoặc 13 chữ số.",
            en="A code of 12 digits is for households only. Give one of 10 or 13 digits.",
            field="tax_code",
        )
    if session.scalar(select(func.hoi_tax_code_taken(tax_code))):
        raise Conflict(
            "tax_code_taken",
            vi="Mã số thuế này đã có đơn vị khác dùng. Bác kiểm tra lại mã.",
            en="Another organisation has this tax code. Check the code.",
            field="tax_code",
        )


def _check_place(session: Session, place_id: UUID | None, level: Level, field: str) -> None:
    if place_id is None:
        return
    found = places.place(session, place_id)
    today = clock.today()
    if found.level != level or (found.valid_to is not None and found.valid_to < today):
        raise Invalid(
            "place", vi="Chọn một nơi đang có trong danh sách.", en="Choose a place of today's list.", field=field
        )


# --- households --------------------------------------------------------------------------------------------------


def add_household(session: Session, actor: Actor, cooperative_id: UUID, form: HouseholdIn) -> Organisation:
    """A new household that becomes thành viên of the manager's cooperative. Same id, other content: Conflict."""
    _check_manager(actor, cooperative_id)
    _check_place(session, form.village_id, Level.VILLAGE, "village_id")
    joined = form.joined_on or clock.today()
    if joined > clock.today():
        raise _future("joined_on")
    commune_id = places.place(session, form.village_id).parent_id
    _alone(session, form.id)
    ours = form.id in queries.member_household_ids(session, [cooperative_id], clock.today())
    known = form.id in queries.organisation_names(session, [form.id])
    if known and not ours:
        raise _id_taken()  # somebody else's: it must not be adopted by naming its id
    wider = signin.act_also_for(session, actor, form.id)
    household = _new_organisation(
        session, wider, form.id, OrganisationKind.HOUSEHOLD, form.name, form.tax_code, form.village_id, commune_id
    )
    if not known:
        _join(session, wider, household.id, cooperative_id, joined)
    return household


def join_household(session: Session, actor: Actor, household_id: UUID, cooperative_id: UUID, *, on: date) -> None:
    """A household known already becomes thành viên. By an administrator: no cooperative pulls in a foreign household.

    Raises Conflict when it is a member already.
    """
    if not actor.has(Role.ADMINISTRATOR):
        raise forbidden()
    household = queries.organisation(session, actor, household_id)
    cooperative = queries.organisation(session, actor, cooperative_id)
    kinds = {OrganisationKind.COOPERATIVE, OrganisationKind.COOPERATIVE_GROUP, OrganisationKind.ENTERPRISE}
    if household.kind != OrganisationKind.HOUSEHOLD or cooperative.kind not in kinds:
        raise Invalid(
            "kinds",
            vi="Chỉ hộ mới làm thành viên, và chỉ của hợp tác xã, tổ hợp tác hoặc doanh nghiệp.",
            en="Only a household can be a member, and only of a cooperative, a group or an enterprise.",
        )
    if on > clock.today():
        raise _future("joined_on")
    if cooperative_id in queries.cooperatives_of(session, household_id, clock.today()):
        raise Conflict("member_already", vi="Hộ này đã là thành viên.", en="This household is a member already.")
    _join(session, signin.act_also_for(session, actor, household_id, cooperative_id), household_id, cooperative_id, on)


def _join(session: Session, actor: Actor, household_id: UUID, cooperative_id: UUID, on: date) -> None:
    session.add(
        HouseholdMembership(
            household_id=household_id,
            cooperative_id=cooperative_id,
            valid_from=on,
            recorded_at=clock.now(),
            granted_by=actor.person_id,
        )
    )
    audit.record(
        session, actor, "accounts:household:join", subject_id=household_id, organisation_id=cooperative_id, on=on
    )
    publish(session, actor, HouseholdJoined(household_id=household_id, cooperative_id=cooperative_id))


def end_household(session: Session, actor: Actor, household_id: UUID, cooperative_id: UUID, *, on: date) -> None:
    """`on` is the last day of membership. By the cooperative, the household itself, or an administrator."""
    own = actor.has(Role.FARMER, organisation_id=household_id)
    if not (own or actor.has(Role.ADMINISTRATOR)):
        _check_manager(actor, cooperative_id)
    if on > clock.today():
        raise _future("on")
    row = session.scalar(
        select(HouseholdMembership)
        .where(
            HouseholdMembership.household_id == household_id,
            HouseholdMembership.cooperative_id == cooperative_id,
            HouseholdMembership.valid_to.is_(None),
        )
        .with_for_update()
    )
    if row is None:
        raise not_found("thành viên này", "this member")
    signin.act_also_for(session, actor, household_id, cooperative_id)
    row.valid_to = max(on, _day_before(row.valid_from))
    row.ended_at, row.ended_by = clock.now(), actor.person_id
    audit.record(
        session, actor, "accounts:household:leave", subject_id=household_id, organisation_id=cooperative_id, on=on
    )
    publish(session, actor, HouseholdLeft(household_id=household_id, cooperative_id=cooperative_id))


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
    return signin.act_also_for(session, actor, organisation.id)


# --- people and roles --------------------------------------------------------------------------------------------


def add_person(session: Session, actor: Actor, organisation_id: UUID, form: PersonIn) -> UUID:
    """A person with a role there. Somebody known by this phone, when the name typed is theirs, is offered the role; who
    belongs to the actor already, or is named by an administrator, has it at once.

    Returns the person's id. Raises Conflict when the phone is somebody else's: of them nothing is told.
    """
    organisation = _check_may_grant(session, actor, organisation_id, form.role)
    place_id = _place_of_role(session, form.role, form.place_id)
    wider = signin.act_also_for(session, actor, organisation_id)
    _alone(session, form.id, form.phone)
    known = session.get(PersonalData, form.id)
    if known is not None:
        if (known.full_name, known.phone) != (form.full_name, form.phone):
            raise _id_taken()
        return form.id
    if session.get(Person, form.id) is not None:
        raise _id_taken()
    if form.phone is not None:
        taken, person_id = queries.person_by_phone(session, form.phone, form.full_name)
        if person_id is not None:
            if _belongs(session, actor, person_id):
                _grant(session, wider, person_id, organisation.id, form.role, place_id, clock.today())
            else:
                _offer(session, wider, person_id, organisation.id, form.role)
            return person_id
        if taken:
            raise _phone_taken()
    if form.phone is None and form.role != Role.FARMER:
        raise Invalid(
            "phone_missing",
            vi="Cần số điện thoại để đăng nhập. Chỉ người của hộ mới đăng nhập bằng thẻ.",
            en="A phone number is needed to sign in. Only people of a household sign in by card.",
            field="phone",
        )
    session.add(Person(id=form.id, created_at=clock.now()))
    session.flush()  # the role points at the person
    _grant(session, wider, form.id, organisation.id, form.role, place_id, clock.today())
    session.add(
        PersonalData(
            person_id=form.id,
            phone=form.phone,
            full_name=form.full_name,
            address_as=form.address_as,
            language="vi",
            updated_at=clock.now(),
        )
    )
    session.flush()  # a password or card may follow at once
    audit.record(session, wider, "accounts:person:create", subject_id=form.id, organisation_id=organisation.id)
    return form.id


def _belongs(session: Session, actor: Actor, person_id: UUID) -> bool:
    managed = queries.managed(session, actor)
    here = any(organisation_id in managed for organisation_id, _ in queries.all_roles(session, person_id))
    return here or actor.has(Role.ADMINISTRATOR)


def _offer(session: Session, actor: Actor, person_id: UUID, organisation_id: UUID, role: Role) -> None:
    """Knowing somebody's number and name gives no hold over them: they are asked. Asked already is no error."""
    if any((o.person_id, o.role) == (person_id, role) for o in queries.offers_of(session, organisation_id)):
        return
    row = RoleOffer(
        id=new_id(),
        person_id=person_id,
        organisation_id=organisation_id,
        role=role,
        offered_at=clock.now(),
        offered_by=actor.person_id,
    )
    session.add(row)
    audit.record(
        session, actor, "accounts:role:offer", subject_id=person_id, organisation_id=organisation_id, role=role
    )
    publish(session, actor, RoleOffered(role_offer_id=row.id))


def answer_offer(session: Session, actor: Actor, role_offer_id: UUID, *, accepted: bool) -> None:
    """The person's own word on a role offered to them: a yes gives it from today. The same word twice is no error.

    Raises NotFound for somebody else's, Conflict when another word was said, Forbidden where a card does not suffice.
    """
    row = session.scalar(
        select(RoleOffer).where(RoleOffer.id == role_offer_id, RoleOffer.person_id == actor.person_id).with_for_update()
    )
    if row is None:
        raise not_found("lời mời này", "this offer")
    signin.check_card_suffices(session, actor)
    if row.accepted == accepted:
        return
    if row.answered_at is not None:
        raise Conflict(
            "answered_already",
            vi="Lời mời này bác đã trả lời rồi. Bác tải lại trang.",
            en="You answered this offer already. Reload the page.",
        )
    wider = signin.act_also_for(session, actor, row.organisation_id)
    if accepted:
        _check_still_offered(session, row)
    row.answered_at, row.accepted = clock.now(), accepted
    audit.record(
        session,
        wider,
        "accounts:role:answer",
        subject_id=row.person_id,
        organisation_id=row.organisation_id,
        role=row.role,
        accepted=accepted,
    )
    if accepted:
        _grant(
            session, wider, row.person_id, row.organisation_id, Role(row.role), None, clock.today(), by=row.offered_by
        )


def _check_still_offered(session: Session, row: RoleOffer) -> None:
    """An offer is worth what its maker could give today, and not for ever."""
    makers = {row.organisation_id, *queries.cooperatives_of(session, row.organisation_id, clock.today())}
    held = queries.all_roles(session, row.offered_by) if row.offered_by is not None else []
    manages = any(role == Role.COOPERATIVE_MANAGER and where in makers for where, role in held)
    if not manages or clock.now() - row.offered_at > OFFER_LASTS:
        raise Conflict(
            "offer_over",
            vi="Lời mời này không còn hiệu lực: quá 30 ngày, hoặc người mời thôi quản lý ở đó. Bác nhờ đơn vị mời lại.",
            en="This offer is over: it is more than 30 days old, or who made it manages there no more. Ask to be invited again.",
        )


def grant_role(session: Session, actor: Actor, organisation_id: UUID, person_id: UUID, form: RoleIn) -> None:
    """One more role for somebody of that organisation. A role held already is no error."""
    organisation = _check_may_grant(session, actor, organisation_id, form.role)
    wider = look_after(session, actor, organisation_id)
    queries.looked_after(session, wider, person_id)
    place_id = _place_of_role(session, form.role, form.place_id)
    _grant(session, wider, person_id, organisation.id, form.role, place_id, clock.today())


def end_role(session: Session, actor: Actor, membership_id: UUID, organisation_id: UUID | None = None) -> None:
    """Its rights end now. By whoever may give it, and by its person. `organisation_id`: where the actor looks for it.

    Raises Conflict for the last administrator and the last manager of a cooperative, and Forbidden for one's own where a
    card does not suffice.
    """
    if organisation_id is not None and actor.has(Role.ADMINISTRATOR):
        look_after(
            session, actor, organisation_id
        )  # an authority may stand in no place that the administrator oversees
    row = session.get(Membership, membership_id)
    if row is None or organisation_id not in {None, row.organisation_id}:
        raise not_found("vai trò này", "this role")
    if row.person_id == actor.person_id:
        signin.check_card_suffices(session, actor)
    else:
        _check_may_grant(session, actor, row.organisation_id, Role(row.role))
    lock_ids(session, [row.organisation_id])  # before the row, as erasing does
    session.refresh(row, with_for_update=True)  # only whoever may end it can lock it
    if row.valid_to is not None:
        raise not_found("vai trò này", "this role")
    signin.act_also_for(session, actor, row.organisation_id)
    signin.check_somebody_stays(session, row.person_id, [row])
    # The role's rights end now, so its last whole day was yesterday.
    row.valid_to = max(_day_before(clock.today()), _day_before(row.valid_from))
    row.ended_at, row.ended_by = clock.now(), actor.person_id
    audit.record(
        session,
        actor,
        "accounts:role:end",
        subject_id=row.person_id,
        organisation_id=row.organisation_id,
        role=row.role,
    )


def change_personal_data(
    session: Session, actor: Actor, person_id: UUID, form: PersonalChange, *, organisation_id: UUID | None = None
) -> None:
    """By the person, or by whoever looks after all of their roles.

    Raises Conflict when the phone is taken, and Forbidden for one's own data where a card does not suffice.
    """
    data = _looked_after(session, actor, person_id, organisation_id)
    if form.phone != data.phone:
        if form.phone is None and queries.is_official(queries.roles_of(session, person_id, clock.today())):
            raise Invalid(
                "phone_missing",
                vi="Cần số điện thoại để đăng nhập.",
                en="A phone number is needed to sign in.",
                field="phone",
            )
        if form.phone is not None and queries.person_by_phone(session, form.phone, form.full_name)[0]:
            raise _phone_taken()
    data.phone, data.full_name, data.address_as = form.phone, form.full_name, form.address_as
    data.email, data.language, data.updated_at = form.email, form.language, clock.now()
    audit.record(session, actor, "accounts:person:change", subject_id=person_id)


def change_of(session: Session, actor: Actor, organisation_id: UUID, person_id: UUID) -> PersonalData:
    """What the form to correct somebody's data shows: only to who may send it. Raises NotFound or Forbidden."""
    return _looked_after(session, actor, person_id, organisation_id)


def first_password(session: Session, actor: Actor, organisation_id: UUID, person_id: UUID) -> str:
    """A new password to be told in person; it must be changed at once, and ends the person's other sign-ins.

    Raises Forbidden for one's own, and unless every role of the person lies where the actor may grant it.
    """
    data = _looked_after(session, actor, person_id, organisation_id)
    if person_id == actor.person_id:  # whoever finds a screen left open must not take the account over
        raise Forbidden(
            "own_password",
            vi="Mật khẩu của chính mình thì đổi ở mục “Đổi mật khẩu”, với mật khẩu đang dùng.",
            en="Change your own password under “Change password”, with the present one.",
        )
    if data.phone is None:
        raise Invalid(
            "phone_missing",
            vi="Người này chưa có số điện thoại. Thêm số rồi đặt mật khẩu.",
            en="This person has no phone number. Add one first.",
        )
    password = tokens.spoken_password()
    signin.set_password(session, actor, person_id, password, must_change=True)
    return password


def end_sign_ins(session: Session, actor: Actor, organisation_id: UUID, person_id: UUID) -> int:
    """End all sign-ins of somebody the actor looks after. Returns how many."""
    _looked_after(session, actor, person_id, organisation_id)
    return signin.end_all(session, actor, person_id)


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
    return signin.act_also_for(session, actor, organisation_id)


def may_look_after(session: Session, actor: Actor, organisation: Organisation) -> bool:
    """May see the people of an organisation that this actor may open: not everybody in it, nor every official, may."""
    return _manages(session, actor, organisation.id) or actor.has(Role.ADMINISTRATOR)


def grantable(session: Session, actor: Actor, organisation: Organisation) -> list[Role]:
    """The roles that this actor may give there, in the order of the list of roles."""
    here = [role for role in Role if organisation.kind in WHERE[role]]
    if actor.has(Role.ADMINISTRATOR):
        return here
    return (
        [role for role in here if role in _MANAGED_BY_COOPERATIVE] if _manages(session, actor, organisation.id) else []
    )


def _looked_after(session: Session, actor: Actor, person_id: UUID, organisation_id: UUID | None) -> PersonalData:
    wider = actor if organisation_id is None else look_after(session, actor, organisation_id)
    data = queries.looked_after(session, wider, person_id)
    if person_id == actor.person_id:
        signin.check_card_suffices(session, actor)
    else:
        _check_whole_person(session, actor, person_id)
    return data


def _check_whole_person(session: Session, actor: Actor, person_id: UUID) -> None:
    """Whoever could set a person's password would own all of that person's roles: so all must be the actor's to give."""
    if actor.has(Role.ADMINISTRATOR):
        return
    managed = queries.managed(session, actor)
    for organisation_id, role in queries.all_roles(session, person_id):
        if organisation_id not in managed or role not in _MANAGED_BY_COOPERATIVE:
            raise Forbidden(
                "roles_elsewhere",
                vi="Người này còn có vai trò ở nơi khác nên đơn vị không đổi giúp được. Hãy nhờ quản trị của tỉnh.",
                en="This person has roles elsewhere too, so you cannot change this for them. Ask the administrator.",
            )


def _check_may_grant(session: Session, actor: Actor, organisation_id: UUID, role: Role) -> Organisation:
    organisation = queries.organisation(session, actor, organisation_id)
    if not (
        actor.has(Role.ADMINISTRATOR) or (role in _MANAGED_BY_COOPERATIVE and _manages(session, actor, organisation_id))
    ):
        raise forbidden()
    if organisation.kind not in WHERE[role]:
        raise Invalid(
            "role_here",
            vi="Loại đơn vị này không có vai trò đó.",
            en="This kind of organisation has no such role.",
            field="role",
        )
    return organisation


def _manages(session: Session, actor: Actor, organisation_id: UUID) -> bool:
    """Manages it, or manages the cooperative that acts for this household."""
    return organisation_id in queries.managed(session, actor)


def _check_manager(actor: Actor, cooperative_id: UUID) -> None:
    if not actor.has(Role.COOPERATIVE_MANAGER, organisation_id=cooperative_id):
        raise forbidden()


def _place_of_role(session: Session, role: Role, place_id: UUID | None) -> UUID | None:
    levels: Collection[Level] | None = PLACE_LEVELS.get(role)
    if levels is None or (role == Role.CERTIFIER and place_id is None):
        return None  # a certifier without a place yet reads nothing yet
    if place_id is None or places.place(session, place_id).level not in levels:
        raise Invalid(
            "place_of_role",
            vi="Chọn nơi người này phụ trách, đúng cấp của vai trò.",
            en="Choose the place this person answers for, at the level of the role.",
            field="place_id",
        )
    return place_id


def _grant(
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


def _alone(session: Session, *keys: object) -> None:
    """Let nobody else make the same thing at the same moment: the second waits, then finds what the first made."""
    for key in sorted(str(k) for k in keys if k is not None):
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 3))"), {"key": key})


def _day_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def _phone_taken() -> Conflict:
    return Conflict(
        "phone_taken",
        vi="Số này đã có người dùng với tên khác. Bác hỏi lại số và họ tên đầy đủ.",
        en="This number belongs to somebody with another name. Ask for the number and the full name again.",
        field="phone",
    )


def _id_taken() -> Conflict:
    return Conflict(
        "id_taken",
        vi="Mục này đã gửi với nội dung khác. Bác tải lại trang rồi làm lại.",
        en="This was sent with other content. Reload the page and start again.",
    )


def _future(field: str) -> Invalid:
    return Invalid(
        "future", vi="Ngày này chưa tới. Chọn hôm nay hoặc trước đó.", en="This day has not come yet.", field=field
    )
