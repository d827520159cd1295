"""Pushing what we want: claim, call, record; no transaction is open during a call."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.actor import SYSTEM
from app.db import Database, Words, new_id
from app.marketplace_sync import reckoning
from app.marketplace_sync.calls import (
    BUSY_WAIT,
    FIRST_WAIT,
    LEASE,
    break_account,
    lock_account_of,
    log_call,
    pause_account,
    unreadable,
)
from app.marketplace_sync.channels.base import Channel
from app.marketplace_sync.channels.drafts import ListingDraft, number_to_send
from app.marketplace_sync.channels.errors import (
    AuthExpired,
    AuthRevoked,
    ChannelError,
    Locked,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Retryable,
    WrongCurrency,
)
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.marketplace_sync.credentials import open_sealed
from app.marketplace_sync.events import ListingTroubled, ListingWanted
from app.marketplace_sync.models import TROUBLED, ChannelAccount, Listing
from app.marketplace_sync.notes import clear_note, set_note, want_again
from app.marketplace_sync.queries import is_retired
from app.marketplace_sync.siblings import after_reading, draft_of, lock_siblings, reckon
from app.marketplace_sync.sightings import record_sighting
from app.messages import N_, sentences
from app.outbox import NotYet
from app.products.models import Variant
from app.settings import Settings

CALLS_AT_ONCE = 2  # of one account; more would only queue up at the shop
LONGEST_WAIT = timedelta(hours=1)
MANY_FAILURES = 12  # in a row, which takes about three hours
LONG_FAILING = timedelta(hours=24)
BANNED = "banned"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one push carries out of the database: nothing in it changes while the call runs."""

    lease_id: UUID
    listing_id: UUID
    organisation_id: UUID
    account_id: UUID
    channel: str
    sealed: bytes
    remote_id: str | None
    wanted: str
    version: int
    draft: ListingDraft
    sent_skus: tuple[str, ...]
    sent_stocks: tuple[int, ...]


def push(database: Database, settings: Settings, listing_id: UUID) -> None:
    """Bring one listing to what we want of it now. Safe to repeat, to run twice at once, and to kill anywhere.

    The desired state is read at the claim, not when the event was written, so late and doubled events do no harm.
    Raises NotYet while the account's other calls are under way, or while the shop wants to be left in peace.
    """
    with database.transaction(SYSTEM) as session:
        claim = _claim(session, settings, listing_id)
    if claim is None:
        return
    started = monotonic()
    try:
        with open_sealed(settings, claim.channel, claim.sealed) as channel:
            outcome: RemoteStatus | ChannelError = _call(channel, claim)
    except ChannelError as error:
        outcome = error
    except Exception as error:  # noqa: BLE001 - whatever a foreign answer breaks must not strand the listing
        outcome = unreadable(error)
    with database.transaction(SYSTEM) as session:
        log_call(
            session,
            f"push:{claim.wanted}",
            outcome,
            started,
            account_id=claim.account_id,
            organisation_id=claim.organisation_id,
            listing_id=claim.listing_id,
        )
        _record_push(session, settings, claim, outcome)


def on_listing_wanted(database: Database, settings: Settings, event: ListingWanted) -> None:
    push(database, settings, event.listing_id)


def _claim(session: Session, settings: Settings, listing_id: UUID) -> Claim | None:
    lock_account_of(session, listing_id)
    siblings = lock_siblings(session, [listing_id])
    listing = session.get(Listing, listing_id)
    if listing is None or listing.applied_version >= listing.wanted_version:
        return None
    now = clock.machine_now()
    account = _account_for(session, listing, now)
    if account is None:
        return None
    variant = session.get_one(Variant, listing.variant_id)
    if listing.wanted == "live" and is_retired(session, variant):
        listing.wanted = "unlisted"
    # Only what was never sent is surely not there: in every other state an item may exist whose answer got lost.
    if listing.wanted == "unlisted" and listing.remote_id is None and listing.state == "draft":
        listing.applied_version, listing.state = listing.wanted_version, "unlisted"
        return None
    sold = reckon(session, siblings)
    draft = replace(
        draft_of(session, settings, listing, account),
        known_stock=reckoning.known_stock(listing),
        recorded_ahead=reckoning.recorded_ahead(listing, siblings, sold),
    )
    in_doubt = tuple(listing.sent_stocks)
    if listing.wanted == "live":
        if draft.stock not in listing.sent_stocks:
            listing.sent_stocks = [*listing.sent_stocks, draft.stock]
        if listing.remote_id is None and draft.sku not in listing.sent_skus:
            listing.sent_skus = [*listing.sent_skus, draft.sku]
    listing.lease_id = new_id()
    listing.lease_until = now + LEASE
    if listing.state in {"draft", "rejected", "waiting", "parked"}:
        listing.state = "submitting"
    return Claim(
        lease_id=listing.lease_id,
        listing_id=listing.id,
        organisation_id=listing.organisation_id,
        account_id=account.id,
        channel=account.channel,
        sealed=account.credentials_sealed,
        remote_id=listing.remote_id,
        wanted=listing.wanted,
        version=listing.wanted_version,
        draft=draft,
        sent_skus=tuple(listing.sent_skus),
        sent_stocks=in_doubt,
    )


def _account_for(session: Session, listing: Listing, now: datetime) -> ChannelAccount | None:
    """The account to push through; None where nobody may push now. Raises NotYet where the push has only to wait."""
    _one_of_few(session, listing, now)
    if listing.lease_until is not None and listing.lease_until > now:
        # Somebody is at it, or died at it: come back when the lease has ended.
        outbox.publish(
            session,
            SYSTEM,
            ListingWanted(listing_id=listing.id),
            due_at=clock.now() + (listing.lease_until - now) + timedelta(seconds=1),
        )
        return None
    account = session.get_one(ChannelAccount, listing.account_id)
    if account.state != "active":
        return None
    if account.quiet_until is not None and account.quiet_until > now:
        raise NotYet(account.quiet_until - now)
    return account


def _one_of_few(session: Session, listing: Listing, now: datetime) -> None:
    """Raise NotYet while the account has as many calls under way as it may: a shop that is slow delays only itself."""
    busy = session.scalar(
        select(func.count())
        .select_from(Listing)
        .where(Listing.account_id == listing.account_id, Listing.lease_until > now, Listing.id != listing.id)
    )
    if busy is not None and busy >= CALLS_AT_ONCE:
        raise NotYet(BUSY_WAIT)


def _call(channel: Channel, claim: Claim) -> RemoteStatus:
    if claim.wanted == "live":
        issues = channel.validate(claim.draft)
        if issues:
            raise Rejected(
                "not_acceptable",
                sentences(tuple(issues)),
            )
        channel.check_currency()
        return channel.publish(claim.draft, claim.remote_id or _made_before(channel, claim))
    remote_id = claim.remote_id or _made_before(channel, claim)
    if remote_id is None:
        found = channel.find_by_sku(claim.draft.sku)
        if found is None or found.listing_id not in {None, claim.draft.listing_id}:
            return _nothing_there(claim)
        remote_id = found.remote_id
    return channel.unlist(remote_id)


def _made_before(channel: Channel, claim: Claim) -> str | None:
    """The item that a lost answer left there under a SKU which the pack no longer has."""
    for sku in claim.sent_skus:
        found = channel.find_by_sku(sku) if sku != claim.draft.sku else None
        if found is not None and found.listing_id == claim.draft.listing_id:
            return found.remote_id
    return None


def _nothing_there(claim: Claim) -> RemoteStatus:
    return RemoteStatus(
        remote_id="",
        raw="gone",
        live=False,
        buyable=False,
        url=None,
        price_vnd=None,
        stock=None,
        reasons=(),
        seen_at=clock.now(),
        listing_id=claim.draft.listing_id,
    )


def _record_push(session: Session, settings: Settings, claim: Claim, outcome: RemoteStatus | ChannelError) -> None:
    lock_account_of(session, claim.listing_id)
    siblings = lock_siblings(session, [claim.listing_id])
    listing = session.get(Listing, claim.listing_id)
    if isinstance(outcome, RateLimited):
        pause_account(session, claim.account_id, outcome)
    if listing is None:
        return
    if listing.lease_id != claim.lease_id:
        # The lease ended and another push took over: its record is the newer one, but what this one wrote may have
        # arrived after it. Only one more push makes sure.
        if isinstance(outcome, RemoteStatus) and outcome.remote_id:
            listing.remote_id = listing.remote_id or outcome.remote_id
        want_again(session, listing)
        return
    listing.lease_id = listing.lease_until = None
    if isinstance(outcome, RemoteStatus):
        listing.remote_id = outcome.remote_id or listing.remote_id
        listing.applied_version = claim.version
        listing.failures, listing.failing_since, listing.error, listing.error_code = 0, None, None, None
        clear_note(listing, "waiting_long")
        listing.state = "waiting" if listing.wanted == "live" else "unlisted"
        if listing.remote_id is not None:
            listing.sent_skus = []
            _record_numbers(session, settings, listing, siblings, claim, outcome)
            record_sighting(session, settings, listing, outcome, pushed=True)
    else:
        if not isinstance(outcome, OutcomeUnknown) and not outcome.wrote:
            listing.sent_stocks = list(claim.sent_stocks)
        _record_failure(session, listing, outcome)
    if listing.wanted_version > claim.version:
        outbox.publish(session, SYSTEM, ListingWanted(listing_id=listing.id))


def _record_numbers(
    session: Session,
    settings: Settings,
    listing: Listing,
    siblings: Sequence[Listing],
    claim: Claim,
    outcome: RemoteStatus,
) -> None:
    """Count what the shop sold before the write, and after it. What we learned late is sent by one more push."""
    before = reckoning.not_recorded(siblings)
    sold = reckon(session, siblings)
    if claim.wanted != "live":
        if outcome.stock is not None:
            reckoning.read(listing, siblings, sold, outcome.stock, claim.draft.known_stock)
    else:
        expected = claim.draft.stock
        if outcome.stock_before is not None:
            reckoning.read(listing, siblings, sold, outcome.stock_before, claim.draft.known_stock)
            expected = number_to_send(claim.draft, outcome.stock_before)
        listing.sent_stocks = []
        if outcome.stock is not None:
            reckoning.read(listing, siblings, sold, outcome.stock, [expected])
        account = session.get_one(ChannelAccount, listing.account_id)
        offered = draft_of(session, settings, listing, account).stock
        if listing.wanted == "live" and max(expected, 0) != offered and outcome.stock != offered:
            want_again(session, listing)
    after_reading(session, listing, siblings, before)


def _record_failure(session: Session, listing: Listing, error: ChannelError) -> None:
    listing.error = Words.of(error.said)
    listing.error_code = error.code
    listing.failures += 1
    listing.failing_since = listing.failing_since or clock.now()
    before = listing.state
    match error:
        case OutcomeUnknown():
            listing.state = "unknown"
            _again(session, listing, FIRST_WAIT)
            _tell_of_waiting(session, listing, error)
        case Retryable():
            listing.state = "waiting" if listing.state == "submitting" else listing.state
            _again(session, listing, error.after)
            _tell_of_waiting(session, listing, error)
        case Locked():
            listing.state = "parked"
            wait = error.until - clock.now() if error.until else LONGEST_WAIT
            _again(session, listing, wait)
        case AuthRevoked() | AuthExpired() | WrongCurrency():
            listing.state = "parked"
            break_account(session, listing.account_id, error)
        case NotFound():
            listing.state = "gone"
        case Rejected():
            listing.state = "blocked" if error.code.startswith(BANNED) or error.reasons else "rejected"
        case _:
            listing.state = "rejected"
    if listing.state in TROUBLED and before != listing.state:
        outbox.publish(session, SYSTEM, ListingTroubled(listing_id=listing.id))


def _tell_of_waiting(session: Session, listing: Listing, error: ChannelError) -> None:
    since = listing.failing_since or clock.now()
    if listing.failures < MANY_FAILURES and clock.now() - since < LONG_FAILING:
        return
    start = clock.local(since)
    set_note(
        session,
        listing,
        "waiting_long",
        N_(
            "Thử gửi từ %(time)s ngày %(day)s mà sàn chưa nhận: %(why)s",
            time=f"{start:%H:%M}",
            day=f"{start:%d/%m/%Y}",
            why=error.said,
        ),
    )


def _again(session: Session, listing: Listing, after: timedelta | None) -> None:
    """Try again after what the shop asked for, else after a wait that doubles."""
    wait = after if after is not None else min(FIRST_WAIT * 2 ** min(listing.failures - 1, 12), LONGEST_WAIT)
    due = clock.now() + max(wait, timedelta(seconds=1))
    outbox.publish(session, SYSTEM, ListingWanted(listing_id=listing.id), due_at=due)
