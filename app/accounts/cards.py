"""Printed cards that sign a farmer's phone in without typing: print, scan, PIN, ask, confirm, lose, revoke.

A phone is bound only by a POST, never by opening the card's address:

- never bound, within seven days of printing: the PIN told in person binds at once, or the cooperative confirms;
- bound before: this phone signs in at once, any other phone asks the cooperative;
- revoked, or never bound within seven days: nothing; the cooperative prints a new one.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import queries, signin, tokens
from app.accounts.events import CardConfirmed, CardScanned
from app.accounts.models import (
    Card,
    CardRequest,
    CardRequestState,
    Device,
    Organisation,
    PersonalData,
    SignInMethod,
)
from app.accounts.schemas import PrintCard
from app.accounts.signin import Granted
from app.actor import SYSTEM, Actor, Role
from app.db import new_id
from app.errors import Conflict, Forbidden, HoiError, Invalid, NotFound, TooMany, forbidden, not_found
from app.outbox import publish

BIND_WITHIN = timedelta(days=7)
REQUEST_LIVES = timedelta(minutes=15)
PIN_TRIES = 5
OPEN_REQUESTS = 5


class CardState(StrEnum):
    """What a scanned card is to the phone that scanned it."""

    FRESH = "fresh"
    BOUND_HERE = "bound_here"
    BOUND_ELSEWHERE = "bound_elsewhere"
    PHONE_GONE = "phone_gone"  # it was bound, and no phone is any more
    WAITING = "waiting"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Scan:
    """What the phone's page shows; of the person no more than the card prints."""

    card_id: UUID
    state: CardState
    person: str
    organisation: str
    pin_left: int
    number: int | None = None


# --- the cooperative prints --------------------------------------------------------------------------------------


def print_card(session: Session, actor: Actor, organisation_id: UUID, form: PrintCard, *, key: bytes) -> Card:
    """A new card for a farmer; the card printed before is revoked, and where it was lost the bound phones are too.

    Raises Forbidden unless every role of the person lies in cooperatives that the actor manages or their households.
    """
    _check_manager(actor, organisation_id)
    _check_farmer(session, actor, form.person_id)
    known = session.get(Card, form.id)
    if known is not None:
        if (known.person_id, known.organisation_id) == (form.person_id, organisation_id):
            return known
        raise _other_card()
    now = clock.machine_now()
    before = queries.open_card(session, form.person_id, organisation_id)
    if before is not None:
        _revoke(session, actor, before)
        session.flush()  # the old card must be closed before the new one may open
    if form.old_card == "lost":
        for device in queries.devices_of(session, form.person_id):
            _revoke_device(session, actor, device)
    card = Card(
        id=form.id,
        person_id=form.person_id,
        organisation_id=organisation_id,
        secret_sha256=tokens.digest(tokens.card_secret(key, form.id)),
        printed_at=now,
        printed_by=actor.person_id,
        expires_at=now + BIND_WITHIN,
    )
    session.add(card)
    audit.record(
        session,
        actor,
        "accounts:card:print",
        subject_id=form.person_id,
        organisation_id=organisation_id,
        card_id=card.id,
    )
    return card


def printed(session: Session, actor: Actor, card_id: UUID, *, key: bytes) -> tuple[Card, str, str]:
    """A card that may still be printed or told, with its secret and PIN. Raises NotFound or Conflict."""
    card = session.get(Card, card_id)
    if card is None or not actor.has(Role.COOPERATIVE_MANAGER, organisation_id=card.organisation_id):
        raise tokens.no_such_card()
    _check_farmer(session, actor, card.person_id)
    secret = tokens.card_secret(key, card.id)
    if card.revoked_at is not None or card.bound_at is not None or card.expires_at <= clock.machine_now():
        raise Conflict(
            "card_used",
            vi="Thẻ này đã dùng, đã hủy hoặc quá bảy ngày nên không in lại được. Bác in thẻ mới.",
            en="This card was used, revoked or is older than seven days. Print a new one.",
        )
    if not hmac.compare_digest(tokens.digest(secret), card.secret_sha256):
        raise Conflict(
            "key_changed",
            vi="Khóa của máy chủ đã đổi nên không in lại được thẻ này. Bác in thẻ mới.",
            en="The server's key has changed, so this card cannot be printed again. Print a new one.",
        )
    return card, secret, tokens.card_pin(key, card.id)


def revoke_card(session: Session, actor: Actor, card_id: UUID) -> None:
    """The card signs nobody in any more; phones already bound stay. By its cooperative or its person."""
    card = session.scalar(select(Card).where(Card.id == card_id).with_for_update())
    if card is None or not _may_manage(actor, card):
        raise tokens.no_such_card()
    if card.revoked_at is None:
        _revoke(session, actor, card)


def revoke_device(session: Session, actor: Actor, device_id: UUID) -> None:
    """Mất máy: the phone and its sign-ins end now. By the cooperative, or by the person from elsewhere."""
    device = session.scalar(select(Device).where(Device.id == device_id).with_for_update())
    if device is None or not _may_manage(actor, device):
        raise not_found("máy này", "this phone")
    _revoke_device(session, actor, device)


def sign_out_everywhere(session: Session, actor: Actor, *, unbind: bool = False) -> int:
    """End all of the actor's own sign-ins; `unbind`: their phones forget the card too. Returns how many sign-ins ended.

    Raises Forbidden where a card does not suffice.
    """
    signin.check_card_suffices(session, actor)
    if actor.person_id is None:
        raise forbidden()
    ended = signin.end_all(session, actor, actor.person_id)
    if unbind:
        for device in queries.devices_of(session, actor.person_id):
            _revoke_device(session, actor, device)
    return ended


def _revoke(session: Session, actor: Actor, card: Card) -> None:
    card.revoked_at, card.revoked_by = clock.machine_now(), actor.person_id
    audit.record(
        session,
        actor,
        "accounts:card:revoke",
        subject_id=card.person_id,
        organisation_id=card.organisation_id,
        card_id=card.id,
    )


def _revoke_device(session: Session, actor: Actor, device: Device) -> None:
    if device.revoked_at is None:
        device.revoked_at, device.revoked_by = clock.machine_now(), actor.person_id
        audit.record(
            session,
            actor,
            "accounts:device:revoke",
            subject_id=device.person_id,
            organisation_id=device.organisation_id,
            revoked_device_id=device.id,
        )
    signin.end_of_device(session, actor, device.person_id, device.id)


def _may_manage(actor: Actor, row: Card | Device) -> bool:
    return row.person_id == actor.person_id or actor.has(Role.COOPERATIVE_MANAGER, organisation_id=row.organisation_id)


def _check_manager(actor: Actor, organisation_id: UUID) -> None:
    if not actor.has(Role.COOPERATIVE_MANAGER, organisation_id=organisation_id):
        raise forbidden()


def _check_farmer(session: Session, actor: Actor, person_id: UUID) -> None:
    """Whoever prints a card could use it: so every role of the person must lie where the actor manages."""
    roles = queries.all_roles(session, person_id)
    managed = queries.managed(session, actor)
    if not any(role == Role.FARMER for _, role in roles):
        raise Conflict(
            "not_a_farmer",
            vi="Thẻ chỉ dành cho người của hộ. Người này chưa có vai trò nông dân trong hộ nào.",
            en="Cards are for people of a household. This person is a farmer in none.",
        )
    if any(role != Role.FARMER and organisation not in managed for organisation, role in roles):
        raise Forbidden(
            "roles_elsewhere",
            vi="Người này còn có vai trò ở nơi khác nên không dùng thẻ được. Người này đăng nhập bằng mật khẩu.",
            en="This person has roles elsewhere too, so no card can be made for them. They sign in with a password.",
        )
    if any(organisation not in managed for organisation, _ in roles):
        raise Forbidden(
            "farmer_elsewhere",
            vi="Người này còn thuộc hộ mà hợp tác xã không được làm thay. Hãy nhờ quản trị của tỉnh.",
            en="This person also belongs to a household that your cooperative does not act for. Ask the administrator.",
        )


# --- the phone scans ---------------------------------------------------------------------------------------------


def scan(session: Session, secret: str, *, device_token: str) -> Scan:
    """What to show to this phone, as SYSTEM; changes nothing. Raises NotFound for a secret that is on no card."""
    card = _card(session, secret)
    data = session.get(PersonalData, card.person_id)
    if data is None:
        raise tokens.no_such_card()
    organisation = session.get_one(Organisation, card.organisation_id)
    state, request = _state(session, card, device_token)
    return Scan(
        card_id=card.id,
        state=state,
        person=f"{data.address_as} {data.full_name}",
        organisation=organisation.name,
        pin_left=max(0, PIN_TRIES - card.pin_tries) if card.bound_at is None else 0,
        number=request.number if request is not None else None,
    )


def typed_secret(session: Session, typed: str) -> str:
    """The secret of an existing card that somebody typed, or pasted as a whole address. Raises Invalid, so that the
    form keeps what was typed.
    """
    address, _, end = typed.strip().rpartition("/the/")
    code = tokens.spelled(end.partition("?")[0].strip("/") if address else typed)
    strange = next((c for c in code if c not in tokens.ALPHABET), None)
    if strange is not None:
        raise Invalid(
            "card_code_character",
            vi=f"Mã trên thẻ không có ký tự “{strange}”. Bác xem lại chỗ đó.",
            en=f"The code on a card never holds the character “{strange}”. Look at that place again.",
            field="code",
        )
    if len(code) != tokens.SECRET_LENGTH:
        raise Invalid(
            "card_code_length",
            vi=f"Mã trên thẻ có {tokens.SECRET_LENGTH} chữ và số, bác viết {len(code)}. Bác xem thiếu hay thừa chỗ nào.",
            en=f"The code on a card has {tokens.SECRET_LENGTH} characters; this has {len(code)}. Look what is missing or too much.",
            field="code",
        )
    try:
        _card(session, code)
    except NotFound:
        raise Invalid(
            "card_code_unknown",
            vi="Không có thẻ nào mang mã này: có chữ viết nhầm. Bác so từng nhóm với thẻ rồi sửa.",
            en="No card has this code: a character is wrong. Compare each group with the card.",
            field="code",
        ) from None
    return code


def _card(session: Session, secret: str, *, lock: bool = False) -> Card:
    query = select(Card).where(Card.secret_sha256 == tokens.digest(tokens.read_secret(secret)))
    card = session.scalar(query.with_for_update() if lock else query)
    if card is None:
        raise tokens.no_such_card()
    return card


def _device(session: Session, card: Card, device_token: str) -> Device | None:
    if not device_token:
        return None
    return session.scalar(
        select(Device).where(
            Device.card_id == card.id,
            Device.token_sha256 == tokens.device_digest(device_token, card.id),
            Device.revoked_at.is_(None),
        )
    )


def _state(session: Session, card: Card, device_token: str) -> tuple[CardState, CardRequest | None]:
    now = clock.machine_now()
    if card.revoked_at is not None:
        return CardState.REVOKED, None
    if _device(session, card, device_token) is not None:
        return CardState.BOUND_HERE, None
    if card.bound_at is None and card.expires_at <= now:
        return CardState.EXPIRED, None
    if device_token:
        request = session.scalar(
            select(CardRequest)
            .where(
                CardRequest.card_id == card.id,
                CardRequest.token_sha256 == tokens.device_digest(device_token, card.id),
                CardRequest.expires_at > now,
            )
            .order_by(CardRequest.asked_at.desc(), CardRequest.id.desc())
            .limit(1)
        )
        if request is not None and request.state == CardRequestState.WAITING:
            return CardState.WAITING, request
        if request is not None and request.state == CardRequestState.REFUSED:
            return CardState.REFUSED, request
    if card.bound_at is None:
        return CardState.FRESH, None
    bound = session.scalar(select(Device.id).where(Device.card_id == card.id, Device.revoked_at.is_(None)).limit(1))
    return (CardState.PHONE_GONE if bound is None else CardState.BOUND_ELSEWHERE), None


def enter(session: Session, secret: str, *, device_token: str, agent: str) -> Granted:
    """Sign in on a phone that this card is bound to. Raises Forbidden on any other phone."""
    card = _card(session, secret, lock=True)
    state, _ = _state(session, card, device_token)
    device = _device(session, card, device_token)
    if state != CardState.BOUND_HERE or device is None:
        raise _dead(state)
    return _start(session, device, agent)


def enter_by_pin(
    session: Session, secret: str, pin: str, *, key: bytes, device_token: str, agent: str
) -> Granted | HoiError:
    """Bind this phone by the PIN told in person, and sign in. A refusal is returned, so that the try is counted."""
    card = _card(session, secret, lock=True)
    state, _ = _state(session, card, device_token)
    if card.bound_at is not None or state not in {CardState.FRESH, CardState.WAITING, CardState.REFUSED}:
        return _dead(state)
    if card.pin_tries >= PIN_TRIES:
        return _no_more_pins()
    card.pin_tries += 1
    if not hmac.compare_digest(tokens.card_pin(key, card.id), pin):
        audit.record(session, SYSTEM, "accounts:card:wrong_pin", subject_id=card.person_id, card_id=card.id)
        left = PIN_TRIES - card.pin_tries
        if left == 0:
            return _no_more_pins()
        return Invalid(
            "wrong_pin",
            vi=f"Bốn số này chưa đúng. Còn {left} lần. Bác hỏi lại hợp tác xã.",
            en=f"These four digits are not right. {left} tries left. Ask the cooperative again.",
            field="pin",
        )
    device = _bind(
        session, SYSTEM, card, tokens.device_digest(device_token, card.id), signin.describe(agent), way="pin"
    )
    return _start(session, device, agent)


def ask(session: Session, secret: str, request_id: UUID, *, device_token: str, agent: str) -> CardRequest:
    """Ask the cooperative to say "Đúng người" to this phone; the same phone asks once at a time."""
    card = _card(session, secret, lock=True)
    state, waiting = _state(session, card, device_token)
    if state == CardState.WAITING and waiting is not None:
        return waiting
    if state not in {CardState.FRESH, CardState.BOUND_ELSEWHERE, CardState.PHONE_GONE, CardState.REFUSED}:
        raise _dead(state)
    now = clock.machine_now()
    recent = session.scalar(
        select(func.count())
        .select_from(CardRequest)
        .where(CardRequest.card_id == card.id, CardRequest.asked_at > now - REQUEST_LIVES)
    )
    if (recent or 0) >= OPEN_REQUESTS:
        raise TooMany(
            "too_many_requests",
            vi="Thẻ này vừa được hỏi nhiều lần. Bác đợi 15 phút, hoặc gọi hợp tác xã.",
            en="This card was asked about many times just now. Wait 15 minutes, or call the cooperative.",
            retry_after_seconds=int(REQUEST_LIVES.total_seconds()),
        )
    if session.get(CardRequest, request_id) is not None:
        raise _other_card()
    request = CardRequest(
        id=request_id,
        card_id=card.id,
        person_id=card.person_id,
        organisation_id=card.organisation_id,
        token_sha256=tokens.device_digest(device_token, card.id),
        description=signin.describe(agent),
        number=secrets.randbelow(90) + 10,
        asked_at=now,
        expires_at=now + REQUEST_LIVES,
        state=CardRequestState.WAITING,
    )
    session.add(request)
    publish(session, SYSTEM, CardScanned(card_request_id=request.id))
    audit.record(
        session,
        SYSTEM,
        "accounts:card:ask",
        subject_id=card.person_id,
        organisation_id=card.organisation_id,
        card_id=card.id,
    )
    return request


# --- the cooperative answers -------------------------------------------------------------------------------------


def decide(session: Session, actor: Actor, request_id: UUID, *, right_person: bool) -> None:
    """Đúng người binds the waiting phone, Không phải refuses it; the same word twice is no error.

    Raises Conflict when another word was said, the request ran out, or the card was revoked meanwhile.
    """
    request = session.scalar(select(CardRequest).where(CardRequest.id == request_id).with_for_update())
    if request is None or not actor.has(Role.COOPERATIVE_MANAGER, organisation_id=request.organisation_id):
        raise not_found("yêu cầu này", "this request")
    _check_farmer(session, actor, request.person_id)
    wanted = CardRequestState.CONFIRMED if right_person else CardRequestState.REFUSED
    if request.state == wanted:
        return
    card = session.scalars(select(Card).where(Card.id == request.card_id).with_for_update()).one()
    now = clock.machine_now()
    overdue = card.bound_at is None and card.expires_at <= now
    if request.state != CardRequestState.WAITING or request.expires_at <= now or card.revoked_at is not None or overdue:
        raise Conflict(
            "request_over",
            vi="Yêu cầu này đã có người trả lời hoặc đã quá 15 phút. Bác bảo người đó quét thẻ lại.",
            en="This request was answered already, or is older than 15 minutes. Ask the person to scan the card again.",
        )
    request.state, request.decided_at, request.decided_by = wanted, now, actor.person_id
    if right_person:
        _bind(session, actor, card, request.token_sha256, request.description, way="cooperative")
    else:
        audit.record(
            session,
            actor,
            "accounts:card:refuse",
            subject_id=card.person_id,
            organisation_id=card.organisation_id,
            card_id=card.id,
        )


def _bind(session: Session, actor: Actor, card: Card, token_sha256: bytes, description: str, *, way: str) -> Device:
    now = clock.machine_now()
    device = session.scalar(select(Device).where(Device.token_sha256 == token_sha256))
    if device is None:
        device = Device(
            id=new_id(),
            person_id=card.person_id,
            organisation_id=card.organisation_id,
            card_id=card.id,
            token_sha256=token_sha256,
            bound_at=now,
        )
        session.add(device)
    # A phone once reported lost and now confirmed again by the cooperative was found.
    device.description, device.bound_at, device.last_seen_at = description, now, now
    device.revoked_at = device.revoked_by = None
    card.bound_at = card.bound_at or now
    publish(session, actor, CardConfirmed(device_id=device.id, person_id=card.person_id))
    audit.record(
        session,
        actor,
        "accounts:card:bind",
        subject_id=card.person_id,
        organisation_id=card.organisation_id,
        card_id=card.id,
        bound_device_id=device.id,
        way=way,
    )
    return device


def _start(session: Session, device: Device, agent: str) -> Granted:
    device.last_seen_at = clock.machine_now()
    session.flush()  # the sign-in points at a device that may be new
    return signin.start(session, SYSTEM, device.person_id, method=SignInMethod.CARD, agent=agent, device_id=device.id)


def _dead(state: CardState) -> Forbidden:
    if state in {CardState.REVOKED, CardState.EXPIRED}:
        return Forbidden(
            "card_over",
            vi="Thẻ này không còn dùng được. Bác nhờ hợp tác xã in thẻ mới, mất một phút.",
            en="This card cannot be used any more. Ask the cooperative to print a new one; it takes a minute.",
        )
    return Forbidden(
        "phone_not_bound",
        vi="Máy này chưa gắn với thẻ. Bác bấm “Nhờ hợp tác xã xác nhận”.",
        en="This phone is not bound to the card. Ask the cooperative to confirm.",
    )


def _no_more_pins() -> Forbidden:
    return Forbidden(
        "pin_locked",
        vi="Đã thử sai năm lần nên bốn số không dùng được nữa. Bác nhờ hợp tác xã xác nhận máy này.",
        en="Five wrong tries: the four digits no longer work. Ask the cooperative to confirm this phone.",
    )


def _other_card() -> Conflict:
    return Conflict(
        "id_taken",
        vi="Mã này đã dùng cho việc khác. Bác tải lại trang rồi làm lại.",
        en="This identifier was used for something else. Reload the page and start again.",
    )
