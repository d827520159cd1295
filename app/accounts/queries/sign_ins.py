"""Questions about what signs people in: open sign-ins, phones, cards and phones that wait."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.models import Card, CardRequest, CardRequestState, Device, PersonalData, SignIn
from app.accounts.queries.scope import among
from app.db import keyset

LAST_SEEN_SIGN_IN = keyset.Order((SignIn.last_seen_at, datetime), (SignIn.id, UUID), newest_first=True)
LAST_SEEN_DEVICE = keyset.Order((Device.last_seen_at, datetime), (Device.id, UUID), newest_first=True)


def open_sign_ins(session: Session, person_id: UUID, now: datetime, mark: str = "") -> keyset.Paged[SignIn]:
    """A page of them, the last used first. `now` is machine time. Raises BadAddress for a mark that is none."""
    query = select(SignIn).where(SignIn.person_id == person_id, SignIn.ended_at.is_(None), SignIn.expires_at > now)
    return keyset.paged(session, query, LAST_SEEN_SIGN_IN, mark)


NEWEST_LINE = keyset.Order((audit.AuditEntry.at, datetime), (audit.AuditEntry.id, UUID), newest_first=True)


def sign_in_lines(session: Session, person_id: UUID, mark: str = "") -> keyset.Listed:
    """A page of what the trail says of signing in as this person, refused tries too, the newest first: rows that begin with an
    AuditEntry. Raises BadAddress for a mark that is none.

    As SYSTEM: nobody was signed in yet when these lines were written. The caller asks for oneself.
    """
    query = select(audit.AuditEntry).where(
        audit.AuditEntry.subject_id == person_id, audit.AuditEntry.action.in_(audit.SIGN_INS)
    )
    return keyset.listed(session, query, NEWEST_LINE, mark)


def devices_of(session: Session, person_id: UUID) -> list[Device]:
    """Every phone bound to a card of this person, the last used first."""
    return list(session.scalars(_bound(person_id).order_by(*LAST_SEEN_DEVICE.by())))


def device_page(session: Session, person_id: UUID, mark: str = "") -> keyset.Paged[Device]:
    """A page of them. Raises BadAddress for a mark that is none."""
    return keyset.paged(session, _bound(person_id), LAST_SEEN_DEVICE, mark)


def _bound(person_id: UUID) -> Select[Device]:
    return select(Device).where(Device.person_id == person_id, Device.revoked_at.is_(None))


def open_card(session: Session, person_id: UUID, organisation_id: UUID) -> Card | None:
    return session.scalar(
        select(Card).where(
            Card.person_id == person_id, Card.organisation_id == organisation_id, Card.revoked_at.is_(None)
        )
    )


FIRST_ASKED = keyset.Order((CardRequest.asked_at, datetime), (CardRequest.id, UUID))


def waiting_requests(
    session: Session, organisation_ids: Collection[UUID], now: datetime, mark: str = ""
) -> keyset.Listed:
    """A page of the phones that wait for these organisations' word, the longest waiting first: rows that begin with a
    CardRequest and the PersonalData of its person. `now` is machine time. Raises BadAddress for a mark that is none.
    """
    return keyset.listed(session, waiting_phones(organisation_ids, now), FIRST_ASKED, mark)


def waiting_phones(organisation_ids: Collection[UUID], now: datetime) -> Select[CardRequest, PersonalData]:
    """See `waiting_requests`: all of them, in that order."""
    return (
        select(CardRequest, PersonalData)
        .join(PersonalData, PersonalData.person_id == CardRequest.person_id)
        .where(_waits(organisation_ids, now))
        .order_by(*FIRST_ASKED.by())
    )


def waiting_count(session: Session, organisation_ids: Collection[UUID], now: datetime) -> int:
    """How many phones wait; up to keyset.MOST_COUNTED are told apart."""
    return keyset.count(session, waiting(organisation_ids, now)).number


def waiting(organisation_ids: Collection[UUID], now: datetime) -> keyset.Query:
    return select(CardRequest.id).where(_waits(organisation_ids, now))


def _waits(organisation_ids: Collection[UUID], now: datetime) -> ColumnElement[bool]:
    return and_(
        among(CardRequest.organisation_id, organisation_ids),
        CardRequest.state == CardRequestState.WAITING,
        CardRequest.expires_at > now,
    )
