"""The actor of a request: the person behind a cookie, what their roles open, and how far a verb may write."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries, tokens
from app.accounts.models import Credential, Device, Person, PersonalData, SignIn, SignInMethod
from app.accounts.named_rights import PLACED_ROLES, Reach, with_rights
from app.actor import PUBLIC, Actor, Membership, Right, Role
from app.db import tell_rights
from app.errors import Forbidden, Unauthenticated
from app.messages import N_
from app.places import queries as places

SEEN_EVERY = timedelta(minutes=5)


def actor_from_token(session: Session, token: str, request_id: str) -> Actor:
    """Who holds this cookie, as SYSTEM; PUBLIC when the sign-in ended, expired, or its phone was reported lost.

    A sign-in by card is a farmer and nothing else, whatever other roles the person has: cards are lent and lost.
    A password that somebody else chose opens nothing but the page that changes it.
    """
    now = clock.machine_now()
    row = session.execute(
        select(SignIn, Device, PersonalData.language, Credential.must_change)
        .join(Person, Person.id == SignIn.person_id)
        .outerjoin(Device, Device.id == SignIn.device_id)
        .outerjoin(PersonalData, PersonalData.person_id == SignIn.person_id)
        .outerjoin(Credential, Credential.person_id == SignIn.person_id)
        .where(
            SignIn.token_sha256 == tokens.digest(token),
            SignIn.ended_at.is_(None),
            SignIn.expires_at > now,
            Person.erased_at.is_(None),
        )
    ).one_or_none()
    if row is None or (row[1] is not None and row[1].revoked_at is not None):
        return PUBLIC
    sign_in_row, device, language, must_change = row
    if sign_in_row.last_seen_at < now - SEEN_EVERY:
        sign_in_row.last_seen_at = now
        if device is not None:
            device.last_seen_at = now
    actor = Actor(
        kind="person",
        person_id=sign_in_row.person_id,
        device_id=sign_in_row.device_id,
        sign_in_id=sign_in_row.id,
        request_id=request_id,
        language=language or "vi",
    )
    by_card = sign_in_row.method == SignInMethod.CARD
    if must_change and not by_card:
        return replace(actor, must_change_password=True)
    return _with_rights(session, actor, farmer_only=by_card)


def _with_rights(session: Session, actor: Actor, *, farmer_only: bool) -> Actor:
    """The actor with the rights of today's roles: what ended yesterday and what begins tomorrow gives nothing."""
    today = clock.today()
    held = [
        Membership(m.organisation_id, Role(m.role), m.place_id)
        for m in queries.roles_of(session, oneself(actor), today)
        if not farmer_only or m.role == Role.FARMER
    ]
    managed = {m.organisation_id for m in held if m.role == Role.COOPERATIVE_MANAGER}
    answered_for = {m.place_id for m in held if m.place_id is not None and m.role in PLACED_ROLES}
    return with_rights(
        actor,
        held,
        households=queries.member_household_ids(session, managed, today),
        # Who answers for a commune goes on reading, for past days, the village that ended.
        reach={place: Reach(**ids) for place, ids in places.reach(session, answered_for, today).items()},
    )


def actor_for(session: Session, person_id: UUID, request_id: str = "") -> Actor:
    """The actor that this person would be with a password: for demo data, tests and work done in somebody's name."""
    return _with_rights(session, Actor(kind="person", person_id=person_id, request_id=request_id), farmer_only=False)


def act_also_for(session: Session, actor: Actor, *organisation_ids: UUID, rights: Collection[Right] = ()) -> Actor:
    """Let the rest of this transaction read organisations that a verb has just made or is entitled to change, and have
    exactly these rights in them.
    """
    wider = actor.also(organisation_ids, *rights)
    tell_rights(session, wider)
    return wider


def act_also_in(session: Session, actor: Actor, given: Mapping[Right, Collection[UUID]]) -> Actor:
    """As `act_also_for`, each right in organisations of its own."""
    wider = actor
    for right, organisation_ids in given.items():
        wider = wider.also(organisation_ids, right)
    tell_rights(session, wider)
    return wider


def oneself(actor: Actor) -> UUID:
    """The person who acts. Raises Unauthenticated for a visitor."""
    if actor.person_id is None:
        raise Unauthenticated("sign_in_needed", N_("Cần đăng nhập."))
    return actor.person_id


def card_suffices(session: Session, actor: Actor) -> bool:
    """Whether this sign-in may decide over its person: by password always, by card only for who is nothing but a farmer."""
    if actor.device_id is None:
        return True
    return all(role == Role.FARMER for _, role in queries.all_roles(session, oneself(actor)))


def check_card_suffices(session: Session, actor: Actor) -> None:
    """Raises Forbidden where `card_suffices` says no: whoever holds a lent card must not reach the person's other roles."""
    if not card_suffices(session, actor):
        raise Forbidden(
            "card_only_writes", N_("Máy vào bằng thẻ chỉ để ghi việc. Đăng nhập bằng mật khẩu để làm việc này.")
        )
