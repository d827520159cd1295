"""An organisation's accounts."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actor import Actor, Right, check_may
from app.errors import not_found
from app.marketplace_sync.models import AccountCheck, ChannelAccount
from app.messages import N_


def accounts_of(session: Session, actor: Actor) -> list[ChannelAccount]:
    return list(
        session.scalars(
            select(ChannelAccount)
            .where(ChannelAccount.organisation_id.in_(actor.where(Right.SELL)))
            .order_by(ChannelAccount.created_at, ChannelAccount.id)
        )
    )


def account_check(session: Session, actor: Actor, check_id: UUID) -> AccountCheck:
    """Raises NotFound for another organisation's check."""
    row = session.get(AccountCheck, check_id)
    if row is None or not actor.reads(row.organisation_id):
        raise not_found(N_("lần hỏi thử này"))
    return row


def account(session: Session, actor: Actor, account_id: UUID) -> ChannelAccount:
    """Raises NotFound for another organisation's account, Forbidden for anybody but the sellers."""
    row = session.get(ChannelAccount, account_id)
    if row is None or not actor.reads(row.organisation_id):
        raise not_found(N_("tài khoản bán hàng này"))
    check_may(actor, Right.SELL, row.organisation_id)
    return row
