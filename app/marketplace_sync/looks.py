"""Looking at what is there, one account after the other: claim, call, record; no transaction is open during a call."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, case, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import clock, outbox
from app.accounts.queries import among
from app.actor import SYSTEM
from app.db import Database, Words, new_id
from app.marketplace_sync import reckoning
from app.marketplace_sync.calls import BUSY_WAIT, LEASE, break_account, log_call, pause_account, unreadable
from app.marketplace_sync.channels.errors import AuthExpired, AuthRevoked, ChannelError, RateLimited, WrongCurrency
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.marketplace_sync.credentials import open_sealed
from app.marketplace_sync.events import AccountSilent, LookWanted
from app.marketplace_sync.models import ChannelAccount, Listing, ListingObservation
from app.marketplace_sync.notes import clear_note, set_note, want_again
from app.marketplace_sync.siblings import after_reading, lock_siblings, on_offer, reckon
from app.marketplace_sync.sightings import record_sighting
from app.messages import N_
from app.outbox import NotYet
from app.products.models import Variant
from app.settings import Settings
from app.trace import stock

LONG_SILENT = timedelta(hours=6)  # well before a sighting is too old to count
LOOKS_AT_ONCE = 100  # one page of a shop's list, and a conversation that fits its lease
FEW_AT_ONCE = (
    10  # where the last conversation failed: a list too long to answer in time, or one item that nobody can read
)
RECORDED_AT_ONCE = 20
TURN_SECONDS = 60.0
TOGETHER = 3  # what is due within a third of the shortest pause is looked at in the same conversation
CURRENCY_EVERY = timedelta(days=1)
PATIENCE = Timeouts(connect=5, read=10, total=15, conversation=60)
FIRST_OF_ALL = datetime(2000, 1, 1, tzinfo=UTC)
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
    asks_currency: bool
    remote: dict[str, Seat]


def look(
    database: Database,
    settings: Settings,
    listing_id: UUID | None = None,
    *,
    limit: int = LOOKS_AT_ONCE,
    seconds: float = TURN_SECONDS,
) -> int:
    """Look at one listing, or at those whose time has come, one account after the other. Returns how many were asked about.

    Ends when nothing is due, and begins no round after so many seconds: whoever rings next goes on. Several may look at
    once, each at another account. One failed look changes no verdict: what was seen keeps its age. An account that is being
    looked at elsewhere, or that asked for peace, is left alone; when one listing was asked for, raises NotYet instead.
    """
    asked, end = 0, monotonic() + seconds
    while True:
        with database.transaction(SYSTEM) as session:
            one = _due_round(session, settings, listing_id, limit)
        if one is None:
            return asked
        started = monotonic()
        try:
            with open_sealed(settings, one.channel, one.sealed, PATIENCE) as channel:
                if one.asks_currency:
                    channel.check_currency()  # else the price that is read would be kept as so many đồng
                answers: list[RemoteStatus] | ChannelError = channel.status(list(one.remote))
        except ChannelError as error:
            answers = error
        except Exception as error:  # noqa: BLE001 - one odd shop must not keep the others from being seen
            answers = unreadable(error)
        _record_look(database, settings, one, answers, started)
        asked += len(one.remote)
        if listing_id is not None or monotonic() > end:
            return asked


def on_look_wanted(database: Database, settings: Settings, event: LookWanted) -> None:
    """A person waits for it. While the account is being looked at, the listing is put first for whoever looks next there."""
    try:
        look(database, settings, event.listing_id)
    except NotYet:
        with database.transaction(SYSTEM) as session:
            session.execute(update(Listing).where(Listing.id == event.listing_id).values(next_look_at=FIRST_OF_ALL))
        raise


def _due_round(session: Session, settings: Settings, listing_id: UUID | None, limit: int) -> Round | None:
    """Claim one account and its listings that are due, or nearly so; None when there is nothing to look at."""
    now = clock.machine_now()
    free = _over(Listing.lease_until, now)
    soon = now + timedelta(seconds=settings.look_seconds / TOGETHER)
    due = (Listing.id == listing_id) if listing_id else and_(Listing.next_look_at <= now, free)
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
    if account.looks_failing_since is not None:
        limit = min(limit, FEW_AT_ONCE)
    listings = session.execute(
        select(Listing.id, Listing.remote_id, Listing.applied_version)
        .where(Listing.account_id == account.id, Listing.remote_id.is_not(None))
        # One conversation for what is due and what will be in a moment.
        .where((Listing.id == listing_id) if listing_id else and_(Listing.next_look_at <= soon, free))
        .order_by(Listing.next_look_at)
        .limit(limit)
    ).all()
    account.look_id, account.look_until = new_id(), now + LEASE
    _look_again(session, now + timedelta(seconds=settings.look_seconds), [row.id for row in listings])
    checked = account.currency_checked_at
    return Round(
        account.look_id,
        account.id,
        account.organisation_id,
        account.channel,
        account.credentials_sealed,
        asks_currency=listing_id is not None or checked is None or now - checked >= CURRENCY_EVERY,
        remote={str(row.remote_id): Seat(row.id, row.applied_version) for row in listings},
    )


def _look_again(session: Session, at: datetime, listing_ids: Sequence[UUID], others: Sequence[UUID] = ()) -> None:
    """Look at these again at that moment, after the others, which come then too.

    Locked in one order, as everybody locks listings: the packs of two shops may be looked at side by side.
    """
    every = [*listing_ids, *others]
    session.execute(
        select(Listing.id).where(Listing.id.in_(every)).order_by(Listing.id).with_for_update(key_share=True)
    ).all()
    late = at + timedelta(seconds=1) if others else at
    session.execute(
        update(Listing)
        .where(Listing.id.in_(every))
        .values(next_look_at=case((Listing.id.in_(listing_ids), late), else_=at))
        .execution_options(synchronize_session=False)
    )


def _over(until: InstrumentedAttribute[datetime | None], now: datetime) -> ColumnElement[bool]:
    """A lease ends by itself when its holder died, as the peace that a shop asked for does."""
    return or_(until.is_(None), until <= now)


def _record_look(
    database: Database, settings: Settings, one: Round, answers: list[RemoteStatus] | ChannelError, started: float
) -> None:
    """Keep what was seen, a few listings in a transaction and the account in the last: pushes wait for these rows."""
    if not isinstance(answers, ChannelError):
        of_us = [(one.remote[seen.remote_id], seen) for seen in answers if seen.remote_id in one.remote]
        for first in range(0, len(of_us), RECORDED_AT_ONCE):
            with database.transaction(SYSTEM) as session:
                _record_some(session, settings, of_us[first : first + RECORDED_AT_ONCE])
    with database.transaction(SYSTEM) as session:
        _record_account(session, settings, one, answers, started)


def _record_account(
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
    if not isinstance(answers, ChannelError):
        if one.asks_currency:
            account.currency_checked_at = clock.machine_now()
        return
    if isinstance(answers, AuthRevoked | AuthExpired | WrongCurrency):
        break_account(session, one.account_id, answers)
    elif isinstance(answers, RateLimited):
        pause_account(session, one.account_id, answers)
    # Whoever keeps us waiting is not asked about its other listings one after the other: it would hold a thread for hours. Then
    # these come after those, which need not share their fault; and the rounds there are small until one succeeds.
    later = clock.machine_now() + timedelta(seconds=settings.look_seconds)
    tried = [seat.listing_id for seat in one.remote.values()]
    others = session.scalars(
        select(Listing.id).where(
            Listing.account_id == one.account_id, Listing.next_look_at < later, Listing.id.not_in(tried)
        )
    ).all()
    _look_again(session, later, tried, others)
    log.info("look failed", account=str(one.account_id), code=answers.code)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Of one pack: its listings everywhere, locked, with its recorded sales, how many may be sold, and its price."""

    siblings: list[Listing]
    sold: int
    left: int
    price_dong: int


def _record_some(session: Session, settings: Settings, answers: Sequence[tuple[Seat, RemoteStatus]]) -> None:
    locked = {listing.id: listing for listing in lock_siblings(session, [seat.listing_id for seat, _ in answers])}
    taken: list[tuple[Listing, RemoteStatus]] = []
    for seat, seen in answers:
        listing = locked.get(seat.listing_id)
        if listing is None or listing.remote_id != seen.remote_id:
            continue
        if listing.lease_id is not None or listing.applied_version != seat.applied_version:
            # A push wrote while we read: nobody knows which of the two came first.
            listing.next_look_at = clock.machine_now() + BUSY_WAIT
            continue
        if record_sighting(session, settings, listing, seen):
            taken.append((listing, seen))
    shelves = _shelves(session, {listing.variant_id for listing, _ in taken}, locked.values())
    accounts = _accounts(session, {listing.account_id for listing, _ in taken})
    for listing, seen in taken:
        shelf, account = shelves[listing.variant_id], accounts[listing.account_id]
        _count(session, listing, shelf, account, seen)
        _mend(session, listing, shelf, account, seen)


def _shelves(session: Session, packs: set[UUID], listings: Iterable[Listing]) -> dict[UUID, Shelf]:
    siblings: dict[UUID, list[Listing]] = {pack: [] for pack in packs}
    for listing in listings:
        if listing.variant_id in siblings:
            siblings[listing.variant_id].append(listing)
    sold, left = stock.recorded_sales(session, packs), stock.on_hand(session, packs)
    prices = session.execute(select(Variant.id, Variant.price_dong).where(among(Variant.id, packs)))
    return {row.id: Shelf(siblings[row.id], sold[row.id], left.get(row.id, 0), row.price_dong) for row in prices}


def _accounts(session: Session, account_ids: set[UUID]) -> dict[UUID, ChannelAccount]:
    return {a.id: a for a in session.scalars(select(ChannelAccount).where(ChannelAccount.id.in_(account_ids)))}


def _count(session: Session, listing: Listing, shelf: Shelf, account: ChannelAccount, seen: RemoteStatus) -> None:
    """Count what was sold there, while buyers could buy it: a number that is changed on a hidden item is no sale."""
    if seen.stock is None or not (seen.live or listing.wanted == "live"):
        return
    before = reckoning.not_recorded(shelf.siblings)
    sold = reckon(session, shelf.siblings, shelf.sold)
    known = reckoning.known_stock(listing) or (on_offer(shelf.left, account, shelf.siblings),)
    reckoning.read(listing, shelf.siblings, sold, seen.stock, known)
    after_reading(session, listing, shelf.siblings, before)


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
        account.error = Words.of(why.said)
        outbox.publish(session, SYSTEM, AccountSilent(account_id=account.id))


def _mend(session: Session, listing: Listing, shelf: Shelf, account: ChannelAccount, seen: RemoteStatus) -> None:
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
        ours = on_offer(shelf.left, account, shelf.siblings)
        if seen.price_vnd == shelf.price_dong and (seen.stock is None or seen.stock <= ours):
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
            N_(
                "Giá hoặc số lượng trên sàn cứ bị đổi khác sổ của đơn vị, gửi lại mấy lần không giữ được. Hãy hỏi "
                "người quản trị gian hàng xem ai hay phần mềm nào sửa."
            ),
        )
    else:
        set_note(
            session,
            listing,
            "back_on_sale",
            N_(
                "Đã ngưng bán mà tin này lại hiện trên sàn. Hệ thống đã gỡ lại một lần; hãy xem ai mở bán ở đó, "
                "rồi bấm Ngưng bán."
            ),
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
