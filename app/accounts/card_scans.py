"""A phone scans a printed card: what it is shown, and how it gets in.

A phone is bound only by a POST, never by opening the card's address:

- never bound, within seven days of printing: the PIN told in person binds at once, or the cooperative confirms;
- bound before: this phone signs in at once, any other phone asks the cooperative;
- revoked, or never bound within seven days: nothing; the cooperative prints a new one.
"""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import devices, signin, tokens
from app.accounts.models import Card, CardRequest, CardRequestState, Device, Organisation, PersonalData
from app.accounts.signin import Granted
from app.actor import SYSTEM
from app.errors import Forbidden, HoiError, Invalid, NotFound
from app.messages import N_

PIN_TRIES = 5


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


def scan(session: Session, secret: str, *, device_token: str) -> Scan:
    """What to show to this phone, as SYSTEM; changes nothing. Raises NotFound for a secret that is on no card."""
    card = find_card(session, secret)
    data = session.get(PersonalData, card.person_id)
    if data is None:
        raise tokens.no_such_card()
    organisation = session.get_one(Organisation, card.organisation_id)
    state, request = state_of(session, card, device_token)
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
            N_("Mã trên thẻ không có ký tự “%(strange)s”. Hãy xem lại chỗ đó.", strange=strange),
            field="code",
        )
    if len(code) != tokens.SECRET_LENGTH:
        raise Invalid(
            "card_code_length",
            N_(
                "Mã trên thẻ có %(secret_length)s chữ và số, đã viết %(code)s. Hãy xem thiếu hay thừa chỗ nào.",
                secret_length=tokens.SECRET_LENGTH,
                code=len(code),
            ),
            field="code",
        )
    try:
        find_card(session, code)
    except NotFound:
        raise Invalid(
            "card_code_unknown",
            N_("Không có thẻ nào mang mã này: có chữ viết nhầm. Hãy so từng nhóm với thẻ rồi sửa."),
            field="code",
        ) from None
    return code


def find_card(session: Session, secret: str, *, lock: bool = False) -> Card:
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


def state_of(session: Session, card: Card, device_token: str) -> tuple[CardState, CardRequest | None]:
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


def enter(session: Session, secret: str, *, device_token: str, agent: str, address: str = "") -> Granted:
    """Sign in on a phone that this card is bound to. Raises Forbidden on any other phone."""
    card = find_card(session, secret, lock=True)
    state, _ = state_of(session, card, device_token)
    device = _device(session, card, device_token)
    if state != CardState.BOUND_HERE or device is None:
        raise not_entered(state)
    return devices.start(session, device, agent, address)


def enter_by_pin(
    session: Session, secret: str, pin: str, *, key: bytes, device_token: str, agent: str, address: str = ""
) -> Granted | HoiError:
    """Bind this phone by the PIN told in person, and sign in. A refusal is returned, so that the try is counted.

    Only the first binding asks for the PIN: once a phone is bound, no number of strangers' tries counts for anything.
    """
    card = find_card(session, secret, lock=True)
    state, _ = state_of(session, card, device_token)
    if card.bound_at is not None or state not in {CardState.FRESH, CardState.WAITING, CardState.REFUSED}:
        return not_entered(state)
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
            N_("Bốn số này chưa đúng. Còn %(left)s lần. Hãy hỏi lại hợp tác xã.", left=left),
            field="pin",
        )
    device = devices.bind(
        session, SYSTEM, card, tokens.device_digest(device_token, card.id), signin.describe(agent), way="pin"
    )
    return devices.start(session, device, agent, address)


def not_entered(state: CardState) -> Forbidden:
    if state in {CardState.REVOKED, CardState.EXPIRED}:
        return Forbidden("card_over", N_("Thẻ này không còn dùng được. Hãy nhờ hợp tác xã in thẻ mới, mất một phút."))
    return Forbidden("phone_not_bound", N_("Máy này chưa gắn với thẻ. Hãy bấm “Nhờ hợp tác xã xác nhận”."))


def _no_more_pins() -> Forbidden:
    return Forbidden(
        "pin_locked", N_("Đã thử sai năm lần nên bốn số không dùng được nữa. Hãy nhờ hợp tác xã xác nhận máy này.")
    )
