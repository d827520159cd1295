"""Looking at what is there, one account after the other: claim, call, record; no transaction is open during a call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import clock, outbox
from app.actor import SYSTEM
from app.db import Database, Words, new_id
from app.marketplace_sync import reckoning
from app.marketplace_sync.calls import BUSY_WAIT, LEASE, break_account, keep_quiet, log_call, unreadable
from app.marketplace_sync.channels.errors import AuthExpired, AuthRevoked, ChannelError, RateLimited, WrongCurrency
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.marketplace_sync.credentials import open_sealed
from app.marketplace_sync.events import AccountSilent, LookWanted
from app.marketplace_sync.models import ChannelAccount, Listing, ListingObservation
from app.marketplace_sync.notes import clear_note, set_note, want_again
from app.marketplace_sync.siblings import after_reading, draft_of, lock_siblings, reckon
from app.marketplace_sync.sightings import take_in
from app.outbox import NotYet
from app.settings import Settings

LONG_SILENT = timedelta(hours=6)  # well before a sighting is too old to count
LOOKS_AT_ONCE = 100  # one page of a shop's list, and a conversation that fits its lease
# How often in a row we put right what was changed there before a person must see why it does not last.
MOST_MENDS = {"live": 3, "unlisted": 1}
TWICE = 2
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seat:
    """A listing of a round, as it was when the round was claimed."""

    listing_id: UUID
    applied_version: int


@dataclass(frozen=True, slots=True)
class Round:
    """Listings of one account, by their number there, to look at in one conversation."""

    look_id: UUID
    account_id: UUID
    organisation_id: UUID
    channel: str
    sealed: bytes
    remote: dict[str, Seat]


def look(database: Database, settings: Settings, listing_id: UUID | None = None, *, limit: int = LOOKS_AT_ONCE) -> int:
    """Look at one listing, or at all whose time has come, one account after the other. Returns how many were asked about.

    One failed look changes no verdict: what was seen keeps its age. An account that is being looked at elsewhere, or that
    asked for peace, is left alone; when one listing was asked for, raises NotYet instead.
    """
    asked = 0
    while True:
        with database.transaction(SYSTEM) as session:
            one = _due_round(session, settings, listing_id, limit)
        if one is None:
            return asked
        started = monotonic()
        try:
            with open_sealed(settings, one.channel, one.sealed) as channel:
                channel.check_currency()  # else the price that is read would be kept as so many đồng
                answers: list[RemoteStatus] | ChannelError = channel.status(list(one.remote))
        except ChannelError as error:
            answers = error
        except Exception as error:  # noqa: BLE001 - one odd shop must not keep the others from being seen
            answers = unreadable(error)
        with database.transaction(SYSTEM) as session:
            _record_look(session, settings, one, answers, started)
        asked += len(one.remote)
        if listing_id is not None:
            return asked


def on_look_wanted(database: Database, settings: Settings, event: LookWanted) -> None:
    look(database, settings, event.listing_id)


def _due_round(session: Session, settings: Settings, listing_id: UUID | None, limit: int) -> Round | None:
    """Claim one account and its listings that are due; None when there is nothing to look at."""
    now = clock.machine_now()
    due = (
        (Listing.id == listing_id) if listing_id else and_(Listing.next_look_at <= now, _over(Listing.lease_until, now))
    )
    there = (Listing.account_id == ChannelAccount.id, Listing.remote_id.is_not(None), due)
    account = session.scalar(
        select(ChannelAccount)
        .join(Listing, and_(*there))
        .where(ChannelAccount.state == "active")
        .where(*(() if listing_id else (_over(ChannelAccount.look_until, now), _over(ChannelAccount.quiet_until, now))))
        .order_by(Listing.next_look_at)
        .limit(1)
        .with_for_update(of=ChannelAccount, key_share=True, skip_locked=listing_id is None)
    )
    if account is None:
        return None
    if account.look_until is not None and account.look_until > now:
        raise NotYet(BUSY_WAIT)
    if account.quiet_until is not None and account.quiet_until > now:
        raise NotYet(account.quiet_until - now)
    oldest = (
        select(Listing.id)
        .where(*there, Listing.account_id == account.id)
        .order_by(Listing.next_look_at)
        .limit(limit)
        .scalar_subquery()
    )
    listings = session.scalars(
        select(Listing).where(Listing.id.in_(oldest)).order_by(Listing.id).with_for_update(key_share=True)
    ).all()
    account.look_id, account.look_until = new_id(), now + LEASE
    for listing in listings:
        listing.next_look_at = now + timedelta(seconds=settings.look_seconds)
    remote = {str(listing.remote_id): Seat(listing.id, listing.applied_version) for listing in listings}
    return Round(
        account.look_id, account.id, account.organisation_id, account.channel, account.credentials_sealed, remote
    )


def _over(until: InstrumentedAttribute[datetime | None], now: datetime) -> ColumnElement[bool]:
    """A lease ends by itself when its holder died, as the peace that a shop asked for does."""
    return or_(until.is_(None), until <= now)


def _record_look(
    session: Session, settings: Settings, one: Round, answers: list[RemoteStatus] | ChannelError, started: float
) -> None:
    log_call(session, "look", answers, started, account_id=one.account_id, organisation_id=one.organisation_id)
    account = session.scalar(
        select(ChannelAccount).where(ChannelAccount.id == one.account_id).with_for_update(key_share=True)
    )
    if account is None:
        return
    if account.look_id == one.look_id:  # else the lease ended, and somebody else looks by now
        account.look_id = account.look_until = None
    _follow_looks(session, account, answers)
    if isinstance(answers, ChannelError):
        if isinstance(answers, AuthRevoked | AuthExpired | WrongCurrency):
            break_account(session, one.account_id, answers)
        elif isinstance(answers, RateLimited):
            keep_quiet(session, one.account_id, answers)
        log.info("look failed", account=str(one.account_id), code=answers.code)
        return
    locked = lock_siblings(session, [seat.listing_id for seat in one.remote.values()])
    for seen in answers:
        seat = one.remote.get(seen.remote_id)
        listing = session.get(Listing, seat.listing_id) if seat else None
        if seat is None or listing is None or listing.remote_id != seen.remote_id:
            continue
        if listing.lease_id is not None or listing.applied_version != seat.applied_version:
            # A push wrote while we read: nobody knows which of the two came first.
            listing.next_look_at = clock.machine_now() + BUSY_WAIT
            continue
        if take_in(session, settings, listing, seen):
            _count(session, settings, listing, [x for x in locked if x.variant_id == listing.variant_id], seen)
            _mend(session, settings, listing, seen)


def _count(
    session: Session, settings: Settings, listing: Listing, siblings: Sequence[Listing], seen: RemoteStatus
) -> None:
    """Count what was sold there, while buyers could buy it: a number that is changed on a hidden item is no sale."""
    if seen.stock is None or not (seen.live or listing.wanted == "live"):
        return
    before = reckoning.not_recorded(siblings)
    sold = reckon(session, siblings)
    known = reckoning.known_stock(listing)
    if not known:
        account = session.get_one(ChannelAccount, listing.account_id)
        known = (draft_of(session, settings, listing, account).stock,)
    reckoning.read(listing, siblings, sold, seen.stock, known)
    after_reading(session, listing, siblings, before)


def _follow_looks(session: Session, account: ChannelAccount, answers: list[RemoteStatus] | ChannelError) -> None:
    """Tell the sellers once when no look has brought anything for hours: soon what was seen is too old to count."""
    if account.state != "active" or answers == []:
        return
    failed = isinstance(answers, ChannelError) or not any(seen.verified for seen in answers)
    if not failed:
        account.looks_failing_since = account.error = None
        return
    account.looks_failing_since = account.looks_failing_since or clock.now()
    if account.error is None and clock.now() - account.looks_failing_since >= LONG_SILENT:
        why = answers if isinstance(answers, ChannelError) else answers[0].reasons[0]
        account.error = Words(vi=why.vi, en=why.en)
        outbox.publish(session, SYSTEM, AccountSilent(account_id=account.id))


def _mend(session: Session, settings: Settings, listing: Listing, seen: RemoteStatus) -> None:
    """Put right what was changed there, a few times in a row, then tell the seller.

    - taken off sale by us, and seen on sale: it is taken off again
    - another price than ours: ours is sent again
    - more stock than we have: ours is sent again; less was sold there, and is never put up again
    """
    settled = listing.applied_version >= listing.wanted_version and listing.lease_id is None
    if not settled:
        return
    if not seen.live:
        clear_note(listing, "back_on_sale")
        if listing.wanted == "unlisted" and listing.mends and _stays_off(session, listing):
            listing.mends = 0
        return
    if listing.wanted == "live":
        account = session.get_one(ChannelAccount, listing.account_id)
        ours = draft_of(session, settings, listing, account)
        if seen.price_vnd == ours.price_vnd and (seen.stock is None or seen.stock <= ours.stock):
            listing.mends = 0
            clear_note(listing, "drifts")
            return
    if listing.mends < MOST_MENDS[listing.wanted]:
        log.info("listing drifted", listing=str(listing.id), price=seen.price_vnd, stock=seen.stock)
        listing.mends += 1
        want_again(session, listing)
    elif listing.wanted == "live":
        set_note(
            session,
            listing,
            "drifts",
            vi="Giá hoặc số lượng trên sàn cứ bị đổi khác sổ của bác, gửi lại mấy lần không giữ được."
            " Bác hỏi người quản trị gian hàng xem ai hay phần mềm nào sửa.",
            en="The price or stock there keeps being changed, though yours was sent several times."
            " Ask the shop's administrator who or which program changes it.",
        )
    else:
        set_note(
            session,
            listing,
            "back_on_sale",
            vi="Bác đã ngưng bán mà tin này lại hiện trên sàn. Hệ thống đã gỡ lại một lần; bác xem ai mở bán ở đó,"
            " rồi bấm Ngưng bán.",
            en="You took this off sale, but it is on sale there again. It was taken off once more already; see who puts"
            " it on sale there, then press Stop selling.",
        )


def _stays_off(session: Session, listing: Listing) -> bool:
    """Whether it was off sale both times it was last seen: whoever puts it on sale now does so anew."""
    if listing.last_seen_at != listing.kept_at:
        return not listing.last_live  # nothing had changed, or this sighting were kept
    session.flush()
    last = session.scalars(
        select(ListingObservation.live)
        .where(ListingObservation.listing_id == listing.id)
        .order_by(ListingObservation.seen_at.desc())
        .limit(TWICE)
    ).all()
    return len(last) == TWICE and not any(last)
