"""An end for what people were told."""

from datetime import timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.notices.models import Notice, NoticeDelivery
from app.retention import MOST, Step, whole

SEEN_KEPT = timedelta(days=731)
UNSEEN_KEPT = timedelta(days=1827)  # nobody has read it: it stays as long as the longest of the records it may speak of


def forget_old(session: Session, _onward: str) -> Step:
    """Delete notices that were seen, two years after they were told, and any after five; with what carriers owe of them."""
    now = clock.machine_now()
    old = (
        select(Notice.id)
        .where(
            Notice.created_at < now - SEEN_KEPT,
            or_(Notice.seen_at.is_not(None), Notice.created_at < now - UNSEEN_KEPT),
        )
        .order_by(Notice.created_at)
        .limit(MOST)
        .with_for_update(skip_locked=True)
    )
    chosen = list(session.scalars(old))
    session.execute(delete(NoticeDelivery).where(NoticeDelivery.notice_id.in_(chosen)))
    session.execute(delete(Notice).where(Notice.id.in_(chosen)))
    return whole(len(chosen))
