"""Troubles that sellers are told of: listings that need them, and accounts that no longer answer."""

from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.accounts.named_rights import roles_giving
from app.actor import Actor, Right
from app.db import Words
from app.marketplace_sync import queries
from app.marketplace_sync.events import AccountBroken, AccountSilent, ListingTroubled
from app.marketplace_sync.models import TROUBLED, ChannelAccount, Listing
from app.messages import N_
from app.notices import service as notices
from app.notices.models import Urgency


def tell_of_trouble(session: Session, actor: Actor, event: ListingTroubled) -> None:
    """Tell the sellers that a listing needs them, with the reason; once for each new trouble and each new note."""
    listing = session.get(Listing, event.listing_id)
    if listing is None:
        return
    product = queries.product_names(session, [listing.product_id])[listing.product_id]
    account = session.get_one(ChannelAccount, listing.account_id)
    told: list[tuple[Words, Words, str]] = []
    if listing.state in TROUBLED:
        title = Words.of(N_("“%(product)s” chưa bán được ở %(name)s", product=product, name=account.name))
        reason = listing.error or Words.of(N_("Sàn không nêu lý do."))
        told.append((title, reason, f"{listing.state}:{listing.wanted_version}:{clock.today().isoformat()}"))
    if listing.note is not None and listing.note_at is not None:
        title = Words.of(N_("Xem lại “%(product)s” ở %(name)s", product=product, name=account.name))
        told.append((title, listing.note, f"{listing.note_code}:{listing.note_at.isoformat()}"))
    for title, body, key in told:
        notices.tell(
            session,
            actor,
            person_ids=accounts.people_of(session, listing.organisation_id, roles_giving(Right.SELL)),
            reason="listing_troubled",
            urgency=Urgency.HIGH,
            title=title,
            body=body,
            link=f"/san/tin/{listing.id}",
            key=f"listing:{listing.id}:{key}",
        )


def tell_of_broken_account(session: Session, actor: Actor, event: AccountBroken) -> None:
    account = session.get(ChannelAccount, event.account_id)
    if account is None or account.state != "broken":
        return
    notices.tell(
        session,
        actor,
        person_ids=accounts.people_of(session, account.organisation_id, roles_giving(Right.SELL)),
        reason="account_broken",
        urgency=Urgency.HIGH,
        title=Words.of(N_("Cần kết nối lại %(name)s", name=account.name)),
        body=account.error or Words.of(N_("Sàn không nhận khóa nữa.")),
        link=f"/san/tai-khoan/{account.id}",
        key=f"account:{account.id}:{account.version}:{clock.today().isoformat()}",
    )


def tell_of_silent_account(session: Session, actor: Actor, event: AccountSilent) -> None:
    account = session.get(ChannelAccount, event.account_id)
    if account is None or account.state != "active" or account.looks_failing_since is None:
        return
    since = clock.local(account.looks_failing_since)
    notices.tell(
        session,
        actor,
        person_ids=accounts.people_of(session, account.organisation_id, roles_giving(Right.SELL)),
        reason="account_silent",
        urgency=Urgency.HIGH,
        title=Words.of(
            N_(
                "Không xem được %(account)s từ %(time)s ngày %(day)s",
                account=account.name,
                time=f"{since:%H:%M}",
                day=f"{since:%d/%m/%Y}",
            )
        ),
        body=account.error or Words.of(N_("Gian hàng không trả lời.")),
        link=f"/san/tai-khoan/{account.id}",
        key=f"account:{account.id}:silent:{account.looks_failing_since.isoformat()}",
    )
