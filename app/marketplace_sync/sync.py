"""Pushing what we want and looking at what is there: claim, call, record; no transaction is open during a call."""

import base64
import hashlib
import html
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import clock, outbox
from app.actor import SYSTEM
from app.db import Database, Words, new_id
from app.errors import HoiError, SetupError
from app.marketplace_sync import reckoning
from app.marketplace_sync.channels.base import (
    AuthExpired,
    AuthRevoked,
    Channel,
    ChannelError,
    Credentials,
    Image,
    ListingDraft,
    Locked,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RemoteStatus,
    Retryable,
    number_to_send,
)
from app.marketplace_sync.channels.registry import open_channel
from app.marketplace_sync.events import (
    AccountBroken,
    AccountSilent,
    ListingObserved,
    ListingTroubled,
    ListingWanted,
    LookWanted,
)
from app.marketplace_sync.models import ChannelAccount, ChannelCall, Listing, ListingObservation
from app.outbox import NotYet
from app.products.models import Product, Variant
from app.settings import Settings
from app.trace import stock

LEASE = timedelta(seconds=90)  # longer than one conversation may take (channels.http.Timeouts)
CALLS_AT_ONCE = 2  # of one account; more would only queue up at the shop
BUSY_WAIT = timedelta(seconds=2)
FIRST_WAIT = timedelta(seconds=4)
LONGEST_WAIT = timedelta(hours=1)
MANY_FAILURES = 12  # in a row, which takes about three hours
LONG_FAILING = timedelta(hours=24)
LONG_SILENT = timedelta(hours=6)  # well before a sighting is too old to count
LOOKS_AT_ONCE = 100  # one page of a shop's list, and a conversation that fits its lease
# How often in a row we put right what was changed there before a person must see why it does not last.
MOST_MENDS = {"live": 3, "unlisted": 1}
TWICE = 2
ANNOUNCE_AGAIN = timedelta(hours=6)
TROUBLED = frozenset({"rejected", "blocked", "gone", "parked"})
BANNED = "banned"

log = structlog.get_logger()


# --- secrets -----------------------------------------------------------------------------------------------------


def _box(settings: Settings) -> Fernet:
    secret = settings.credentials_key or settings.secret_key
    if secret is None:
        raise SetupError(
            "no_secret_key",
            vi="Chưa có HOI_SECRET_KEY nên không giữ kín được khóa của sàn. Đặt biến này rồi chạy lại.",
            en="HOI_SECRET_KEY is not set, so channel keys cannot be sealed. Set it and start again.",
        )
    digest = hashlib.sha256(b"channel-credentials:" + secret.get_secret_value().encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def seal(settings: Settings, credentials: Credentials) -> bytes:
    """The credentials as they are stored: encrypted and authenticated."""
    return _box(settings).encrypt(json.dumps(dict(credentials.values), sort_keys=True).encode())


def unseal(settings: Settings, sealed: bytes) -> Credentials:
    """Raises AuthRevoked when the installation's key is another than when the account was connected."""
    try:
        return Credentials(json.loads(_box(settings).decrypt(sealed)))
    except InvalidToken:
        raise AuthRevoked(
            "sealed_with_another_key",
            vi="Khóa của hệ thống đã đổi nên không đọc được khóa của sàn. Hãy kết nối lại tài khoản này.",
            en="The installation's key has changed, so this account's keys cannot be read. Connect the account again.",
        ) from None


def _open(settings: Settings, channel: str, sealed: bytes) -> Channel:
    return open_channel(channel, unseal(settings, sealed), sandbox=settings.channel_sandbox)


# --- pushing -----------------------------------------------------------------------------------------------------


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
        with _open(settings, claim.channel, claim.sealed) as channel:
            outcome: RemoteStatus | ChannelError = _call(channel, claim)
    except ChannelError as error:
        outcome = error
    except Exception as error:  # noqa: BLE001 - whatever a foreign answer breaks must not strand the listing
        outcome = _unreadable(error)
    with database.transaction(SYSTEM) as session:
        _log_call(session, claim, "push:" + claim.wanted, outcome, started)
        _record_push(session, settings, claim, outcome)


def on_listing_wanted(database: Database, settings: Settings, event: ListingWanted) -> None:
    push(database, settings, event.listing_id)


def _unreadable(error: Exception) -> ChannelError:
    """A shop's answer that our reading of it did not survive: nobody knows what happened there."""
    log.error("channel answer not understood", error=type(error).__name__, exc_info=error)
    return OutcomeUnknown(
        "answer_unreadable",
        vi="Gian hàng trả lời điều không đọc được. Hồi sẽ hỏi lại; nếu vẫn vậy, báo người quản lý gian hàng.",
        en="The shop's answer could not be read. We will ask again; if it stays, tell the shop's administrator.",
        raw=type(error).__name__,
    )


def _claim(session: Session, settings: Settings, listing_id: UUID) -> Claim | None:
    _lock_account_of(session, listing_id)
    siblings = lock_siblings(session, [listing_id])
    listing = session.get(Listing, listing_id)
    if listing is None or listing.applied_version >= listing.wanted_version:
        return None
    now = clock.machine_now()
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


def _lock_account_of(session: Session, listing_id: UUID) -> None:
    """Before the listing's own row, always: pushes and looks take both, and must not wait for each other in a ring."""
    account = select(Listing.account_id).where(Listing.id == listing_id).scalar_subquery()
    session.execute(select(ChannelAccount.id).where(ChannelAccount.id == account).with_for_update(key_share=True))


def _one_of_few(session: Session, listing: Listing, now: datetime) -> None:
    """Raise NotYet while the account has as many calls under way as it may: a shop that is slow delays only itself."""
    busy = session.scalar(
        select(func.count())
        .select_from(Listing)
        .where(Listing.account_id == listing.account_id, Listing.lease_until > now, Listing.id != listing.id)
    )
    if busy is not None and busy >= CALLS_AT_ONCE:
        raise NotYet(BUSY_WAIT)


def is_retired(session: Session, variant: Variant) -> bool:
    """Whether the pack, or the whole product, is no longer sold."""
    return variant.retired_on is not None or session.get_one(Product, variant.product_id).retired_on is not None


def lock_siblings(session: Session, listing_ids: Collection[UUID]) -> list[Listing]:
    """These listings and all others of their packs: one shop's sale changes what the others are offered.

    Always all at once and in one order, before any of them is read: pushes and looks must not wait for each other in a ring.
    """
    packs = select(Listing.variant_id).where(Listing.id.in_(list(listing_ids)))
    return list(
        session.scalars(select(Listing).where(Listing.variant_id.in_(packs)).order_by(Listing.id).with_for_update())
    )


def reckon(session: Session, siblings: Sequence[Listing]) -> int:
    """Let the listings of one pack, all of them and locked, follow the ledger; returns its recorded sales."""
    sold = stock.recorded_sales(session, siblings[0].variant_id)
    reckoning.settle(siblings, sold)
    for listing in siblings:
        _tell_sold(session, listing)
    return sold


def draft_of(session: Session, settings: Settings, listing: Listing, account: ChannelAccount) -> ListingDraft:
    """What the listing should say now: texts of the product, price of the variant, and the stock less the account's
    buffer and less what any shop sold of it that the ledger does not know yet.
    """
    variant = session.get_one(Variant, listing.variant_id)
    product = session.get_one(Product, listing.product_id)
    left = stock.on_hand(session, [variant.id]).get(variant.id, 0)
    siblings = session.scalars(select(Listing).where(Listing.variant_id == variant.id)).all()
    name = product.name.vi if variant.name.vi in product.name.vi else f"{product.name.vi}, {variant.name.vi}"
    images = (
        (Image(product.photo_sha256, f"{settings.printed_base()}/anh/{product.photo_sha256}.jpg"),)
        if product.photo_sha256 and settings.public_url
        else ()
    )
    return ListingDraft(
        listing_id=str(listing.id),
        sku=variant.sku,
        name=name,
        description_html=_paragraphs(product.description.vi if product.description else ""),
        price_vnd=variant.price_dong,
        stock=max(left - account.stock_buffer - reckoning.not_recorded(siblings), 0),
        weight_grams=variant.weight_grams,
        images=images,
        gtin=variant.gtin,
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{html.escape(part)}</p>" for part in text.splitlines() if part.strip())


def _call(channel: Channel, claim: Claim) -> RemoteStatus:
    if claim.wanted == "live":
        issues = channel.validate(claim.draft)
        if issues:
            raise Rejected(
                "not_acceptable",
                vi=" ".join(i.vi for i in issues),
                en=" ".join(i.en for i in issues),
            )
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
    _lock_account_of(session, claim.listing_id)
    siblings = lock_siblings(session, [claim.listing_id])
    listing = session.get(Listing, claim.listing_id)
    if isinstance(outcome, RateLimited):
        _keep_quiet(session, claim.account_id, outcome)
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
            take_in(session, settings, listing, outcome)
    else:
        if not isinstance(outcome, OutcomeUnknown) and not outcome.wrote:
            listing.sent_stocks = list(claim.sent_stocks)
        _record_failure(session, listing, outcome)
    if listing.wanted_version > claim.version:
        outbox.publish(session, SYSTEM, ListingWanted(listing_id=listing.id))


def _keep_quiet(session: Session, account_id: UUID, error: RateLimited) -> None:
    """The shop asks for peace: none of the account's calls may break it."""
    account = session.get_one(ChannelAccount, account_id)
    until = clock.machine_now() + (error.after or FIRST_WAIT)
    account.quiet_until = max(until, account.quiet_until or until)


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
    _after_reading(session, listing, siblings, before)


def _after_reading(session: Session, listing: Listing, siblings: Sequence[Listing], before: int) -> None:
    """Tell of what is to be recorded, and send the other shops less, or more, where this one's sales changed."""
    for sibling in siblings:
        _tell_sold(session, sibling)
        if sibling is not listing and sibling.wanted == "live" and reckoning.not_recorded(siblings) != before:
            want_again(session, sibling)


def _tell_sold(session: Session, listing: Listing) -> None:
    if not listing.sold_there:
        clear_note(listing, "sold_there")
        return
    number = listing.sold_there
    set_note(
        session,
        listing,
        "sold_there",
        vi=f"Sàn đã bán {number} gói mà sổ kho chưa ghi. Bác ghi bán {number} gói vào sổ kho."
        " Nếu chưa bán mà có người sửa số trên sàn thì sửa lại ở đó.",
        en=f"The shop sold {number} packs that your stock ledger does not have. Record the sale of {number} packs."
        " If somebody only changed the number there, change it back there.",
    )


def set_note(session: Session, listing: Listing, code: str, *, vi: str, en: str) -> None:
    """Leave the seller a note and tell it once.

    One at a time: the first stands until its cause ends, nothing goes on, or buyers can buy what is to be off sale.
    """
    if listing.note_code not in {None, code} and code not in {"waiting_long", "back_on_sale"}:
        return
    if listing.note_code != code:
        listing.note_code, listing.note_at = code, clock.now()
        outbox.publish(session, SYSTEM, ListingTroubled(listing_id=listing.id))
    listing.note = Words(vi=vi, en=en)


def clear_note(listing: Listing, *codes: str) -> None:
    if listing.note_code in codes:
        listing.note_code = listing.note = listing.note_at = None


def _record_failure(session: Session, listing: Listing, error: ChannelError) -> None:
    listing.error = Words(vi=error.vi, en=error.en)
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
        case AuthRevoked() | AuthExpired():
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
        vi=f"Thử gửi từ {start:%H:%M ngày %d/%m/%Y} mà sàn chưa nhận: {error.vi}",
        en=f"Tried since {start:%H:%M on %d/%m/%Y} and the shop has not taken it: {error.en}",
    )


def _again(session: Session, listing: Listing, after: timedelta | None) -> None:
    """Try again after what the shop asked for, else after a wait that doubles."""
    wait = after if after is not None else min(FIRST_WAIT * 2 ** min(listing.failures - 1, 12), LONGEST_WAIT)
    due = clock.now() + max(wait, timedelta(seconds=1))
    outbox.publish(session, SYSTEM, ListingWanted(listing_id=listing.id), due_at=due)


def break_account(session: Session, account_id: UUID, error: HoiError) -> None:
    account = session.scalar(select(ChannelAccount).where(ChannelAccount.id == account_id).with_for_update())
    if account is not None and account.state == "active":
        account.state, account.error = "broken", Words(vi=error.vi, en=error.en)
        outbox.publish(session, SYSTEM, AccountBroken(account_id=account.id))


# --- looking -----------------------------------------------------------------------------------------------------


def take_in(session: Session, settings: Settings, listing: Listing, seen: RemoteStatus) -> bool:
    """Keep what the marketplace said, and let the listing's state follow it: its word wins over ours.

    False when it decides nothing: it was no observation, or something newer was seen meanwhile.
    """
    # What could not be seen is due again before what could: it comes first in the next round.
    wait = settings.look_seconds if seen.verified else settings.look_seconds / 2
    listing.next_look_at = clock.machine_now() + timedelta(seconds=wait)
    if not seen.verified:
        return False
    before = session.scalar(
        select(ListingObservation)
        .where(ListingObservation.listing_id == listing.id)
        .order_by(ListingObservation.seen_at.desc())
        .limit(1)
    )
    row = ListingObservation(
        id=new_id(),
        listing_id=listing.id,
        organisation_id=listing.organisation_id,
        seen_at=seen.seen_at,
        live=seen.live,
        buyable=seen.buyable,
        raw_state=seen.raw,
        url=seen.url,
        price_dong=seen.price_vnd,
        stock=seen.stock,
        reasons=[{"code": r.code, "vi": r.vi, "en": r.en} for r in seen.reasons],
    )
    session.add(row)
    if before is not None and seen.seen_at <= before.seen_at:
        return False  # it stands in the history
    was = listing.state
    _follow(listing, seen)
    if listing.state in TROUBLED and was != listing.state:
        outbox.publish(session, SYSTEM, ListingTroubled(listing_id=listing.id))
    news = before is None or (before.live, before.raw_state, before.url, before.reasons) != (
        row.live,
        row.raw_state,
        row.url,
        row.reasons,
    )
    # A sighting ages: say now and then that it was seen again, so that what rests on it is counted from the new look.
    stale = listing.announced_at is None or clock.now() - listing.announced_at > ANNOUNCE_AGAIN
    if news or stale:
        listing.announced_at = clock.now()
        outbox.publish(session, SYSTEM, ListingObserved(listing_id=listing.id, product_id=listing.product_id))
    return True


def _follow(listing: Listing, seen: RemoteStatus) -> None:
    if seen.raw == "gone":
        listing.state = "gone" if listing.wanted == "live" else "unlisted"
    elif seen.live:
        listing.state = "live"
        if listing.applied_version >= listing.wanted_version:
            listing.error = listing.error_code = None
    elif listing.wanted == "unlisted":
        listing.state = "unlisted"
    elif seen.reasons:
        listing.state = "blocked"
        listing.error_code = seen.reasons[0].code
        listing.error = Words(vi=" ".join(r.vi for r in seen.reasons), en=" ".join(r.en for r in seen.reasons))
    elif listing.state == "live":
        listing.state = "blocked"
        listing.error_code = "taken_off_there"
        listing.error = Words(vi="Có người đã ẩn tin này trên sàn.", en="Somebody took this listing off sale there.")


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
            with _open(settings, one.channel, one.sealed) as channel:
                answers: list[RemoteStatus] | ChannelError = channel.status(list(one.remote))
        except ChannelError as error:
            answers = error
        except Exception as error:  # noqa: BLE001 - one odd shop must not keep the others from being seen
            answers = _unreadable(error)
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
    _log_call(session, one, "look", answers, started)
    account = session.scalar(
        select(ChannelAccount).where(ChannelAccount.id == one.account_id).with_for_update(key_share=True)
    )
    if account is None:
        return
    if account.look_id == one.look_id:  # else the lease ended, and somebody else looks by now
        account.look_id = account.look_until = None
    _follow_looks(session, account, answers)
    if isinstance(answers, ChannelError):
        if isinstance(answers, AuthRevoked | AuthExpired):
            break_account(session, one.account_id, answers)
        elif isinstance(answers, RateLimited):
            _keep_quiet(session, one.account_id, answers)
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
    _after_reading(session, listing, siblings, before)


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
    session.flush()
    last = session.scalars(
        select(ListingObservation.live)
        .where(ListingObservation.listing_id == listing.id)
        .order_by(ListingObservation.seen_at.desc())
        .limit(TWICE)
    ).all()
    return len(last) == TWICE and not any(last)


def want_again(session: Session, listing: Listing, *, due_at: datetime | None = None) -> None:
    """Step the version that is wanted, and ring for a push."""
    listing.wanted_version += 1
    outbox.publish(session, SYSTEM, ListingWanted(listing_id=listing.id), due_at=due_at)


def _log_call(
    session: Session,
    about: Claim | Round,
    verb: str,
    outcome: RemoteStatus | list[RemoteStatus] | ChannelError,
    started: float,
) -> None:
    failed = isinstance(outcome, ChannelError)
    session.add(
        ChannelCall(
            id=new_id(),
            at=clock.now(),
            account_id=about.account_id,
            organisation_id=about.organisation_id,
            listing_id=about.listing_id if isinstance(about, Claim) else None,
            verb=verb,
            outcome=outcome.code if isinstance(outcome, ChannelError) else "ok",
            milliseconds=round((monotonic() - started) * 1000),
            detail=outcome.raw[:500] if isinstance(outcome, ChannelError) and failed else "",
        )
    )
