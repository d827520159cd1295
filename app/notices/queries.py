"""What a person was told."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, and_, case, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from app.accounts.models import RoleOffer
from app.actor import Actor
from app.db import picked
from app.errors import not_found
from app.notices.models import Notice, NoticeDelivery, Urgency

ROLE_OFFER = "role_offer"
# A notice is never rewritten: whether it still asks for an answer is seen from the offer it tells of.
_SETTLED_OFFER = and_(
    RoleOffer.id == case((Notice.reason == ROLE_OFFER, cast(func.split_part(Notice.key, ":", 2), Uuid))),
    or_(RoleOffer.answered_at.is_not(None), RoleOffer.withdrawn_at.is_not(None)),
)
_WANTS_EYES = and_(Notice.seen_at.is_(None), ~exists().where(_SETTLED_OFFER))


def inbox(session: Session, actor: Actor, *, limit: int = 100) -> Sequence[Notice]:
    """The actor's own notices, those that still want to be seen first, then the newest."""
    return session.scalars(
        select(Notice)
        .where(Notice.person_id == actor.person_id)
        .order_by(_WANTS_EYES.desc(), Notice.created_at.desc(), Notice.id.desc())
        .limit(limit)
    ).all()


def unseen_count(session: Session, actor: Actor) -> int:
    """How many notices still want to be seen: what the bell shows."""
    query = select(func.count()).select_from(Notice).where(Notice.person_id == actor.person_id, _WANTS_EYES)
    return int(session.scalar(query) or 0)


def settled_offers(session: Session, notices: Collection[Notice]) -> dict[UUID, RoleOffer]:
    """Notice id to the offer it told of, where that was answered or taken back since: it asks for nothing any more."""
    rows = session.execute(
        select(Notice.id, RoleOffer)
        .join(RoleOffer, _SETTLED_OFFER)
        .where(Notice.id.in_([n.id for n in notices if n.reason == ROLE_OFFER]))
    )
    return dict(rows.all())


def unseen_urgent(session: Session, actor: Actor) -> Notice | None:
    """The newest one that cannot wait until somebody looks for it."""
    return session.scalar(
        select(Notice)
        .where(Notice.person_id == actor.person_id, Notice.seen_at.is_(None), Notice.urgency == Urgency.HIGH)
        .order_by(Notice.created_at.desc(), Notice.id.desc())
        .limit(1)
    )


def own_notice(session: Session, actor: Actor, notice_id: UUID) -> Notice:
    """Raises NotFound for somebody else's."""
    found = session.scalar(select(Notice).where(Notice.id == notice_id, Notice.person_id == actor.person_id))
    if found is None:
        raise not_found("tin báo này", "this notice")
    return found


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """What this person was told and by which carrier, for the file of their own data. Needs a session of SYSTEM."""
    told = session.scalars(
        select(Notice).where(Notice.person_id == actor.person_id).order_by(Notice.created_at, Notice.id)
    ).all()
    sent = session.scalars(
        select(NoticeDelivery)
        .join(Notice, Notice.id == NoticeDelivery.notice_id)
        .where(Notice.person_id == actor.person_id)
        .order_by(Notice.created_at, Notice.id, NoticeDelivery.carrier)
    )
    return {
        "told": [picked(n, "id reason urgency title body link created_at seen_at") for n in told],
        "deliveries": [picked(d, "notice_id carrier state attempts sent_at") for d in sent],
    }
