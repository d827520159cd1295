"""An organisation's accounts."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actor import Actor
from app.errors import not_found
from app.marketplace_sync.models import AccountCheck, ChannelAccount


def accounts_of(session: Session, actor: Actor) -> list[ChannelAccount]:
    return list(
        session.scalars(
            select(ChannelAccount)
            .where(ChannelAccount.organisation_id.in_(actor.organisations))
            .order_by(ChannelAccount.created_at)
        )
    )


def account_check(session: Session, actor: Actor, check_id: UUID) -> AccountCheck:
    """Raises NotFound for another organisation's check."""
    row = session.get(AccountCheck, check_id)
    if row is None or not (actor.kind == "system" or row.organisation_id in actor.organisations):
        raise not_found("lần hỏi thử này", "this check")
    return row


def account(session: Session, actor: Actor, account_id: UUID) -> ChannelAccount:
    """Raises NotFound for another organisation's account."""
    row = session.get(ChannelAccount, account_id)
    if row is None or not (actor.kind == "system" or row.organisation_id in actor.organisations):
        raise not_found("tài khoản bán hàng này", "this sales account")
    return row
