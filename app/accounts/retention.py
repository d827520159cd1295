"""An end for what signing in leaves behind; people, roles, cards and consents stay."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import CardRequest, SignIn
from app.retention import MOST, Step, whole

KEPT = timedelta(
    days=365
)  # as long as the trail's lines of signing in: enough for an incident, no diary of whereabouts


def forget_sign_ins(session: Session, _onward: str) -> Step:
    """Delete browsers that were signed out, or whose sign-in ran out, a year ago."""
    over = func.coalesce(SignIn.ended_at, SignIn.expires_at) < clock.machine_now() - KEPT
    old = select(SignIn.id).where(over).limit(MOST).with_for_update(skip_locked=True)
    return whole(len(session.scalars(delete(SignIn).where(SignIn.id.in_(old)).returning(SignIn.id)).all()))


def forget_card_requests(session: Session, _onward: str) -> Step:
    """Delete the questions of phones that scanned a card, a year after they could last be answered."""
    old = (
        select(CardRequest.id)
        .where(CardRequest.expires_at < clock.machine_now() - KEPT)
        .limit(MOST)
        .with_for_update(skip_locked=True)
    )
    gone = session.scalars(delete(CardRequest).where(CardRequest.id.in_(old)).returning(CardRequest.id)).all()
    return whole(len(gone))
