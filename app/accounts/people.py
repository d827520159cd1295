"""People: who may add and correct them, give them a first password and end their sign-ins."""

from uuid import UUID

from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, attempts, offers, passwords, queries, rights, roles, schemas, sent_once, signin, tokens
from app.accounts.models import AddressAs, Organisation, OrganisationKind, Person, PersonalData
from app.accounts.schemas import PersonalChange, PersonIn
from app.actor import Actor, Right, Role
from app.db import new_id
from app.errors import Conflict, Forbidden, Invalid, TooMany
from app.messages import N_
from app.places import queries as places


def check_nobody_administers(session: Session) -> None:
    """Raises Conflict when somebody does."""
    if queries.administrators_exist(session):
        raise Conflict("administrator_exists", N_("Đã có người quản trị. Người đó đăng nhập rồi thêm người khác."))


def create_first_administrator(session: Session, phone: str, password: str, name: str) -> UUID:
    """The person who creates all others, as SYSTEM from the command line. Raises Conflict when there is one already."""
    check_nobody_administers(session)
    actor: Actor = session.info["actor"]
    number, full_name = schemas.phone(phone), schemas.readable(name)
    province = places.province(session)
    data = PersonalData(
        phone=number, full_name=full_name, address_as=AddressAs.BAC, language="vi", updated_at=clock.now()
    )
    passwords.check_new_password(password, data)
    authority = Organisation(
        id=new_id(),
        kind=OrganisationKind.AUTHORITY,
        name=f"Quản trị Hồi {province.kind_word} {province.name}",
        created_at=clock.now(),
    )
    data.person_id = new_id()
    session.add_all([Person(id=data.person_id, created_at=clock.now()), authority])
    session.flush()  # people and organisations first: everything else points at them
    roles.grant(session, actor, data.person_id, authority.id, Role.ADMINISTRATOR, province.id, clock.today())
    session.add(data)
    session.flush()
    passwords.set_password(session, actor, data.person_id, password, must_change=False)
    return data.person_id


def add_person(session: Session, actor: Actor, organisation_id: UUID, form: PersonIn) -> UUID:
    """A person with a role there. Somebody known by this phone, when the name typed is theirs, is offered the role; who
    belongs to the actor already, or is named by an administrator, has it at once.

    Returns the person's id. Raises Conflict when the phone is somebody else's: of them nothing is told.
    """
    organisation = roles.check_may_grant(session, actor, organisation_id, form.role)
    place_id = roles.place_of_role(session, form.role, form.place_id)
    wider = actors.act_also_for(session, actor, organisation_id)
    sent_once.alone(session, form.id, form.phone)
    known = session.get(PersonalData, form.id)
    if known is not None:
        if (known.full_name, known.phone) != (form.full_name, form.phone):
            raise sent_once.id_taken()
        return form.id
    if session.get(Person, form.id) is not None:
        raise sent_once.id_taken()
    if form.phone is not None:
        taken, person_id = queries.person_by_phone(session, form.phone, form.full_name)
        if person_id is not None:
            if _belongs(session, actor, person_id):
                roles.grant(session, wider, person_id, organisation.id, form.role, place_id, clock.today())
            else:
                offers.offer(session, wider, person_id, organisation.id, form.role)
            return person_id
        if taken:
            raise _phone_taken()
    if form.phone is None and form.role != Role.FARMER:
        raise Invalid(
            "phone_missing",
            N_("Cần số điện thoại để đăng nhập. Chỉ người của hộ mới đăng nhập bằng thẻ."),
            field="phone",
        )
    session.add(Person(id=form.id, created_at=clock.now()))
    session.flush()  # the role points at the person
    roles.grant(session, wider, form.id, organisation.id, form.role, place_id, clock.today())
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


def check_lookups(
    session: Session, actor: Actor, phone: str | None, full_name: str, *, of: UUID | None, key: bytes
) -> TooMany | None:
    """As SYSTEM, before a number typed by `actor` is looked up: to be told that numbers are somebody's is counted by the day.

    `of`: whose data it is written into; their own number is no news. A refusal is returned, so that the count is kept.
    Administrators know everybody anyway.
    """
    if phone is None or actor.person_id is None or actor.may_everywhere(Right.ADMINISTER):
        return None
    data = session.get(PersonalData, of) if of is not None else None
    if data is not None and data.phone == phone:
        return None
    taken, _ = queries.person_by_phone(session, phone, full_name)
    return attempts.count_lookup(session, key, actor.person_id) if taken else None


def _belongs(session: Session, actor: Actor, person_id: UUID) -> bool:
    return actor.may_everywhere(Right.ADMINISTER) or any(
        actor.may(Right.MANAGE_PEOPLE, organisation_id) for organisation_id, _ in queries.all_roles(session, person_id)
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
                N_("Cần số điện thoại để đăng nhập."),
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
            "own_password", N_("Mật khẩu của chính mình thì đổi ở mục “Đổi mật khẩu”, với mật khẩu đang dùng.")
        )
    if data.phone is None:
        raise Invalid("phone_missing", N_("Người này chưa có số điện thoại. Thêm số rồi đặt mật khẩu."))
    password = tokens.spoken_password()
    passwords.set_password(session, actor, person_id, password, must_change=True)
    return password


def end_sign_ins(session: Session, actor: Actor, organisation_id: UUID, person_id: UUID) -> int:
    """End all sign-ins of somebody the actor looks after. Returns how many."""
    _looked_after(session, actor, person_id, organisation_id)
    return signin.end_all(session, actor, person_id)


def _looked_after(session: Session, actor: Actor, person_id: UUID, organisation_id: UUID | None) -> PersonalData:
    wider = actor if organisation_id is None else rights.look_after(session, actor, organisation_id)
    data = queries.looked_after(session, wider, person_id)
    if person_id == actor.person_id:
        actors.check_card_suffices(session, actor)
    else:
        _check_whole_person(session, actor, person_id)
    return data


def _check_whole_person(session: Session, actor: Actor, person_id: UUID) -> None:
    """Whoever could set a person's password would own all of that person's roles: so all must be the actor's to give."""
    if actor.may_everywhere(Right.ADMINISTER):
        return
    for organisation_id, role in queries.all_roles(session, person_id):
        if not actor.may(Right.MANAGE_PEOPLE, organisation_id) or role not in roles.MANAGED_BY_COOPERATIVE:
            raise Forbidden(
                "roles_elsewhere",
                N_("Người này còn có vai trò ở nơi khác nên đơn vị không đổi giúp được. Hãy nhờ quản trị của tỉnh."),
            )


def _phone_taken() -> Conflict:
    return Conflict(
        "phone_taken",
        N_("Số này đã có người dùng với tên khác. Hãy hỏi lại số và họ tên đầy đủ."),
        field="phone",
    )
