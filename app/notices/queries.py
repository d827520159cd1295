"""Notices as their person reads them."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, and_, case, cast, exists, func, literal_column, or_, select
from sqlalchemy.orm import Session

from app.accounts.models import RoleOffer
from app.actor import Actor
from app.db import keyset, picked
from app.errors import not_found
from app.messages import N_
from app.notices.models import Notice, NoticeDelivery, Urgency

ROLE_OFFER = "role_offer"
# A notice is never rewritten: whether it still asks for an answer is seen from the offer it tells of.
_SETTLED_OFFER = and_(
    RoleOffer.person_id == Notice.person_id,  # by an index: under a row's rule the cast of the key may use none
    RoleOffer.id == case((Notice.reason == ROLE_OFFER, cast(func.split_part(Notice.key, ":", 2), Uuid))),
    or_(RoleOffer.answered_at.is_not(None), RoleOffer.withdrawn_at.is_not(None)),
)
_WANTS_EYES = and_(Notice.seen_at.is_(None), or_(Notice.reason != ROLE_OFFER, ~exists().where(_SETTLED_OFFER)))


NEWEST = keyset.Order((Notice.created_at, datetime), (Notice.id, UUID), newest_first=True)
# A mark of the inbox begins with its part: what still wants to be seen, then the rest.
_WAITING, _REST = "m", "c"
_END_OF_WAITING = _WAITING + NEWEST.mark(keyset.BEFORE, (datetime.min.replace(tzinfo=UTC), UUID(int=0)))
MOST_UNSEEN = 99  # told apart by the bell
_HIGH: ColumnElement[str] = literal_column(
    f"'{Urgency.HIGH}'"
)  # spelled out: the index of those is of no use to a plan for any urgency


def inbox(session: Session, actor: Actor, mark: str = "") -> keyset.Paged[Notice]:
    """A page of the actor's own notices, those that still want to be seen first, then the newest; and how many they are.

    Raises BadAddress for a mark that is none.
    """
    mine = select(Notice).where(Notice.person_id == actor.person_id)
    if mark.startswith(_REST):
        found = _rest(session, mine, mark[1:])
    else:
        found = _waiting(session, mine, mark.removeprefix(_WAITING))
    return keyset.Paged([row[0] for row in found.rows], found, keyset.count(session, mine))


def _waiting(session: Session, mine: Select[Notice], mark: str) -> keyset.Listed:
    """The last page of them is filled up with the newest of the rest, for whom reads on from there."""
    found = keyset.listed(session, mine.where(_WANTS_EYES), NEWEST, mark)
    beyond = mark.startswith(keyset.AFTER) and not found.rows
    previous = _END_OF_WAITING if beyond else None
    if found.previous:
        previous = _WAITING + found.previous
    if found.next:
        return keyset.Listed(found.rows, previous, _WAITING + found.next)
    room = keyset.PAGE - len(found.rows)
    more = keyset.listed(session, mine.where(~_WANTS_EYES), NEWEST, size=room or 1)
    if not room:
        return keyset.Listed(found.rows, previous, _REST if more.rows else None)
    return keyset.Listed([*found.rows, *more.rows], previous, more.next and _REST + more.next)


def _rest(session: Session, mine: Select[Notice], mark: str) -> keyset.Listed:
    found = keyset.listed(session, mine.where(~_WANTS_EYES), NEWEST, mark)
    return keyset.Listed(
        found.rows,
        _REST + found.previous if found.previous else _END_OF_WAITING,
        found.next and _REST + found.next,
    )


def unseen_count(session: Session, actor: Actor) -> int:
    """How many notices still want to be seen: what the bell shows. MOST_UNSEEN + 1 stands for any number above it."""
    found = keyset.count(session, *unseen(actor))
    return found.number + found.more


def unseen(actor: Actor) -> tuple[keyset.Query, int]:
    """The notices that still want to be seen, and up to how many are told apart."""
    return select(Notice.id).where(Notice.person_id == actor.person_id, _WANTS_EYES), MOST_UNSEEN


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
        .where(Notice.person_id == actor.person_id, Notice.seen_at.is_(None), Notice.urgency == _HIGH)
        .order_by(Notice.created_at.desc(), Notice.id.desc())
        .limit(1)
    )


def own_notice(session: Session, actor: Actor, notice_id: UUID) -> Notice:
    """Raises NotFound for somebody else's."""
    found = session.scalar(select(Notice).where(Notice.id == notice_id, Notice.person_id == actor.person_id))
    if found is None:
        raise not_found(N_("tin báo này"))
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
