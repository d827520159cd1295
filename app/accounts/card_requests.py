"""A phone that is not bound to the card asks, and the cooperative says whether it is the right person."""

import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import cards, devices, signin, tokens
from app.accounts.card_scans import CardState, find_card, not_entered, state_of
from app.accounts.events import CardScanned
from app.accounts.models import Card, CardRequest, CardRequestState
from app.actor import SYSTEM, Actor, Right
from app.errors import Conflict, TooMany, not_found
from app.messages import N_
from app.outbox import publish

REQUEST_LIVES = timedelta(minutes=15)
OPEN_REQUESTS = 5


def ask(session: Session, secret: str, request_id: UUID, *, device_token: str, agent: str) -> CardRequest:
    """Ask the cooperative to say "Đúng người" to this phone; the same phone asks once at a time."""
    card = find_card(session, secret, lock=True)
    state, waiting = state_of(session, card, device_token)
    if state == CardState.WAITING and waiting is not None:
        return waiting
    if state not in {CardState.FRESH, CardState.BOUND_ELSEWHERE, CardState.PHONE_GONE, CardState.REFUSED}:
        raise not_entered(state)
    now = clock.machine_now()
    recent = session.scalar(
        select(func.count())
        .select_from(CardRequest)
        .where(CardRequest.card_id == card.id, CardRequest.asked_at > now - REQUEST_LIVES)
    )
    if (recent or 0) >= OPEN_REQUESTS:
        raise TooMany(
            "too_many_requests",
            N_("Thẻ này vừa được hỏi nhiều lần. Hãy đợi 15 phút, hoặc gọi hợp tác xã."),
            retry_after_seconds=int(REQUEST_LIVES.total_seconds()),
        )
    if session.get(CardRequest, request_id) is not None:
        raise cards.other_card()
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


def decide(session: Session, actor: Actor, request_id: UUID, *, right_person: bool) -> None:
    """Đúng người binds the waiting phone, Không phải refuses it; the same word twice is no error.

    Raises Conflict when another word was said, the request ran out, or the card was revoked meanwhile.
    """
    request = session.scalar(select(CardRequest).where(CardRequest.id == request_id).with_for_update())
    if request is None or not actor.may(Right.MANAGE_MEMBERS, request.organisation_id):
        raise not_found(N_("yêu cầu này"))
    cards.check_farmer(session, actor, request.person_id)
    wanted = CardRequestState.CONFIRMED if right_person else CardRequestState.REFUSED
    if request.state == wanted:
        return
    card = session.scalars(select(Card).where(Card.id == request.card_id).with_for_update()).one()
    now = clock.machine_now()
    overdue = card.bound_at is None and card.expires_at <= now
    if request.state != CardRequestState.WAITING or request.expires_at <= now or card.revoked_at is not None or overdue:
        raise Conflict(
            "request_over", N_("Yêu cầu này đã có người trả lời hoặc đã quá 15 phút. Hãy bảo người đó quét thẻ lại.")
        )
    request.state, request.decided_at, request.decided_by = wanted, now, actor.person_id
    if right_person:
        devices.bind(session, actor, card, request.token_sha256, request.description, way="cooperative")
    else:
        audit.record(
            session,
            actor,
            "accounts:card:refuse",
            subject_id=card.person_id,
            organisation_id=card.organisation_id,
            card_id=card.id,
        )
