"""Rules of every conversation with a shop: its lease, the peace that the shop asked for, and the log of calls."""

from datetime import timedelta
from time import monotonic
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.actor import SYSTEM
from app.db import Words, new_id
from app.errors import HoiError
from app.marketplace_sync.channels.errors import ChannelError, OutcomeUnknown, RateLimited
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.marketplace_sync.events import AccountBroken
from app.marketplace_sync.models import ChannelAccount, ChannelCall, Listing
from app.messages import N_

LEASE = timedelta(seconds=90)  # longer than one conversation may take (channels.http.Timeouts)
BUSY_WAIT = timedelta(seconds=2)
FIRST_WAIT = timedelta(seconds=4)
log = structlog.get_logger()


def lock_account_of(session: Session, listing_id: UUID) -> None:
    """Before the listing's own row, always: pushes and looks take both, and must not wait for each other in a ring."""
    account = select(Listing.account_id).where(Listing.id == listing_id).scalar_subquery()
    session.execute(select(ChannelAccount.id).where(ChannelAccount.id == account).with_for_update(key_share=True))


def pause_account(session: Session, account_id: UUID, error: RateLimited) -> None:
    """The shop asks for peace: none of the account's calls may break it."""
    account = session.get_one(ChannelAccount, account_id)
    until = clock.machine_now() + (error.after or FIRST_WAIT)
    account.quiet_until = max(until, account.quiet_until or until)


def break_account(session: Session, account_id: UUID, error: HoiError) -> None:
    account = session.scalar(select(ChannelAccount).where(ChannelAccount.id == account_id).with_for_update())
    if account is not None and account.state == "active":
        account.state, account.error = "broken", Words.of(error.said)
        outbox.publish(session, SYSTEM, AccountBroken(account_id=account.id))


def unreadable(error: Exception) -> ChannelError:
    """A shop's answer that our reading of it did not survive: nobody knows what happened there."""
    log.error("channel answer not understood", error=type(error).__name__, exc_info=error)
    return OutcomeUnknown(
        "answer_unreadable",
        N_("Gian hàng trả lời điều không đọc được. Hồi sẽ hỏi lại; nếu vẫn vậy, báo người quản lý gian hàng."),
        raw=type(error).__name__,
    )


def log_call(
    session: Session,
    verb: str,
    outcome: RemoteStatus | list[RemoteStatus] | ChannelError,
    started: float,
    *,
    account_id: UUID,
    organisation_id: UUID,
    listing_id: UUID | None = None,
) -> None:
    """Keep that one conversation was had and how it ended, without secrets. `started`: monotonic seconds at its begin."""
    session.add(
        ChannelCall(
            id=new_id(),
            at=clock.now(),
            account_id=account_id,
            organisation_id=organisation_id,
            listing_id=listing_id,
            verb=verb,
            outcome=outcome.code if isinstance(outcome, ChannelError) else "ok",
            milliseconds=round((monotonic() - started) * 1000),
            detail=outcome.raw[:500] if isinstance(outcome, ChannelError) else "",
        )
    )
