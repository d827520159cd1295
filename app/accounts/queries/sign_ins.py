"""Questions about what signs people in: open sign-ins, phones, cards and phones that wait."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.models import Card, CardRequest, CardRequestState, Device, PersonalData, SignIn


def open_sign_ins(session: Session, person_id: UUID, now: datetime) -> list[SignIn]:
    """`now` is machine time."""
    return list(
        session.scalars(
            select(SignIn)
            .where(SignIn.person_id == person_id, SignIn.ended_at.is_(None), SignIn.expires_at > now)
            .order_by(SignIn.last_seen_at.desc())
        )
    )


LINES_A_PAGE = 50


def sign_in_lines(session: Session, person_id: UUID, page: int) -> tuple[list[audit.AuditEntry], bool]:
    """What the trail says of signing in as this person, refused tries too, the newest first; and whether there is more.

    As SYSTEM: nobody was signed in yet when these lines were written. The caller asks for oneself.
    """
    found = session.scalars(
        select(audit.AuditEntry)
        .where(audit.AuditEntry.subject_id == person_id, audit.AuditEntry.action.in_(audit.SIGN_INS))
        .order_by(audit.AuditEntry.at.desc(), audit.AuditEntry.id.desc())
        .offset((page - 1) * LINES_A_PAGE)
        .limit(LINES_A_PAGE + 1)
    ).all()
    return list(found[:LINES_A_PAGE]), len(found) > LINES_A_PAGE


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
