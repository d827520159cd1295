"""What people decide: which floors count, which accounts are connected, what is to be on sale where."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.accounts import queries as accounts
from app.actor import SYSTEM, Actor, Role
from app.db import Words, fold, insert_once, new_id, picked
from app.errors import Conflict, Forbidden, Invalid, InvalidMany, forbidden
from app.marketplace_sync import queries, sync
from app.marketplace_sync.channels.base import AuthRevoked, Credentials, Spec
from app.marketplace_sync.channels.registry import open_channel, specs
from app.marketplace_sync.events import (
    AccountBroken,
    AccountSilent,
    FloorListChanged,
    ListingObserved,
    ListingTroubled,
    ListingWanted,
    LookWanted,
)
from app.marketplace_sync.models import ChannelAccount, Floor, FloorDecision, Listing
from app.marketplace_sync.schemas import NewAccount, NewFloor, NewFloorDecision, WantListing, same_id
from app.notices import service as notices
from app.notices.models import Urgency
from app.products import queries as products
from app.products.events import PriceChanged, ProductChanged, ProductRetired
from app.products.models import Variant
from app.settings import Settings
from app.trace import queries as trace
from app.trace import stock
from app.trace.events import BatchChanged, RecallLaunched, StockMoved
from app.trace.models import Batch, StockMovement

SELLERS = (Role.COOPERATIVE_MANAGER, Role.PURCHASER)
HOST = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$")


# --- floors ------------------------------------------------------------------------------------------------------


def _province_only(actor: Actor) -> UUID:
    if actor.person_id is None or not actor.has(Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR):
        raise forbidden()
    return actor.person_id


def add_floor(session: Session, actor: Actor, new: NewFloor) -> UUID:
    """Write down a floor; it counts only after `decide_floor`. Sent again with the same content it answers the same.

    Raises Forbidden, Invalid (hosts), Conflict (name, or the same id with other content).
    """
    _province_only(actor)
    hosts = [h.casefold().removeprefix("www.") for h in re.split(r"[\s,;]+", new.hosts) if h]
    for host in hosts:
        if not HOST.match(host):
            raise Invalid(
                "bad_host",
                vi=f"“{host}” không phải tên miền. Viết như shopee.vn, không có https:// ở trước.",
                en=f"“{host}” is not a host name. Write shopee.vn, without https://.",
                field="hosts",
            )
    row = Floor(
        id=new.id,
        key="-".join(re.findall(r"[a-z0-9]+", fold(new.name))),
        name=Words(vi=new.name),
        hosts=hosts,
        kind=new.kind,
        created_at=clock.now(),
    )
    try:
        with session.begin_nested():
            added = insert_once(session, row)
    except IntegrityError:
        raise Conflict(
            "floor_exists",
            vi="Đã có sàn tên này trong danh sách.",
            en="A floor of this name is on the list already.",
        ) from None
    if not added:
        there = session.get(Floor, new.id)
        if there is None or (there.name.vi, there.hosts, there.kind) != (new.name, hosts, new.kind):
            raise same_id()
        return new.id
    audit.record(session, actor, "marketplace_sync:floor:add", subject_id=new.id)
    outbox.publish(session, actor, FloorListChanged(floor_id=new.id))
    return new.id


def decide_floor(session: Session, actor: Actor, new: NewFloorDecision) -> UUID:
    """Count a floor from a day on, or no longer, with the legal basis. Sent again it answers the same.

    Raises Forbidden, Invalid (kind of floor), Conflict (the same id with other content).
    """
    person_id = _province_only(actor)
    floor = session.get(Floor, new.floor_id)
    if floor is None or (new.counted and floor.kind != "marketplace"):
        raise Invalid(
            "not_a_marketplace",
            vi="Chỉ sàn thương mại điện tử mới được tính; website riêng và trang quảng cáo thì không.",
            en="Only marketplaces can count; own shops and advertising pages cannot.",
            field="floor_id",
        )
    content = {**new.model_dump(exclude={"id"}), "person_id": person_id}
    if not insert_once(session, FloorDecision(id=new.id, recorded_at=clock.now(), **content)):
        there = session.get(FloorDecision, new.id)
        if there is None or picked(there, " ".join(content)) != content:
            raise same_id()
        return new.id
    audit.record(session, actor, "marketplace_sync:floor:decide", subject_id=new.floor_id, counted=new.counted)
    start = clock.start_of_day(new.effective_on)
    outbox.publish(session, actor, FloorListChanged(floor_id=new.floor_id), due_at=max(start, clock.now()))
    return new.id


# --- accounts ----------------------------------------------------------------------------------------------------


def channel_specs() -> list[Spec]:
    return specs()


def check_seller(actor: Actor, organisation_id: UUID) -> None:
    """Raises Forbidden for anybody but the organisation's sellers."""
    if not actor.has(*SELLERS, organisation_id=organisation_id):
        raise forbidden()


def check_account(settings: Settings, new: NewAccount) -> str:
    """Ask the shop whether these keys work; returns its name. Call it before any transaction is open.

    Raises Validation, AuthRevoked, Retryable… of channels.base (all HoiErrors with a sentence for the form).
    """
    with open_channel(new.channel, Credentials(new.credentials), sandbox=settings.channel_sandbox) as channel:
        return channel.check().shop_name


def connect_account(session: Session, actor: Actor, settings: Settings, new: NewAccount) -> UUID:
    """Keep a checked account. On a floor's own address it is a marketplace account, anywhere else an own shop.

    Sent again with the same content it answers the same. Raises Forbidden for anybody but the organisation's sellers,
    Conflict for the same id with other content.
    """
    check_seller(actor, new.organisation_id)
    base_url = new.credentials.get("base_url") or new.credentials.get("url") or ""
    floor = queries.floor_of_host(session, base_url)
    content = {
        "organisation_id": new.organisation_id,
        "channel": new.channel,
        "name": new.name,
        "base_url": base_url,
        "stock_buffer": new.stock_buffer,
    }
    row = ChannelAccount(
        id=new.id,
        floor_id=floor.id if floor and floor.kind == "marketplace" else None,
        legal_kind=floor.kind if floor else "own_site",
        credentials_sealed=sync.seal(settings, Credentials(new.credentials)),
        state="active",
        error=None,
        created_at=clock.now(),
        **content,
    )
    if not insert_once(session, row):
        there = session.get(ChannelAccount, new.id)  # row-level security hides another organisation's
        if (
            there is None
            or picked(there, " ".join(content)) != content
            or dict(sync.unseal(settings, there.credentials_sealed).values) != new.credentials
        ):
            raise same_id()
        return new.id
    audit.record(
        session, actor, "marketplace_sync:account:connect", subject_id=new.id, organisation_id=new.organisation_id
    )
    return new.id


def known_credentials(settings: Settings, account: ChannelAccount) -> Mapping[str, str]:
    """What opens the account now; nothing when the installation's key is another than when it was connected."""
    try:
        return sync.unseal(settings, account.credentials_sealed).values
    except AuthRevoked:
        return {}


def reconnect_account(session: Session, actor: Actor, settings: Settings, account_id: UUID, fresh: Credentials) -> None:
    """Replace an account's keys and go on where it stopped."""
    account = _own_account(session, actor, account_id)
    account.credentials_sealed = sync.seal(settings, fresh)
    audit.record(session, actor, "marketplace_sync:account:reconnect", subject_id=account_id)
    _activate(session, account)


def pause_account(session: Session, actor: Actor, account_id: UUID) -> None:
    """Stop talking to the shop; listings and links stay."""
    account = _own_account(session, actor, account_id)
    account.state = "paused"
    audit.record(session, actor, "marketplace_sync:account:pause", subject_id=account_id)


def resume_account(session: Session, actor: Actor, account_id: UUID) -> None:
    account = _own_account(session, actor, account_id)
    audit.record(session, actor, "marketplace_sync:account:resume", subject_id=account_id)
    _activate(session, account)


def _activate(session: Session, account: ChannelAccount) -> None:
    account.state, account.error, account.looks_failing_since, account.quiet_until = "active", None, None, None
    for listing in session.scalars(select(Listing).where(Listing.account_id == account.id)):
        if listing.applied_version < listing.wanted_version or listing.state == "parked":
            listing.failures, listing.failing_since = 0, None
            sync.want_again(session, listing)
        listing.next_look_at = clock.machine_now()


def _own_account(session: Session, actor: Actor, account_id: UUID) -> ChannelAccount:
    account = queries.account(session, actor, account_id)
    if not actor.has(*SELLERS, organisation_id=account.organisation_id):
        raise forbidden()
    return account


# --- listings ----------------------------------------------------------------------------------------------------


def want_live(session: Session, actor: Actor, new: WantListing) -> UUID:
    """Put a variant on sale on an account; the worker does it and the marketplace's answer decides whether it is live.

    The same variant on the same account is one listing for ever. Raises Forbidden, NotFound, Invalid (another's, retired).
    """
    account = _own_account(session, actor, new.account_id)
    variant = products.variant(session, actor, new.variant_id)
    if variant.organisation_id != account.organisation_id:
        raise Invalid(
            "other_owner",
            vi="Sản phẩm này của chủ thể khác, không đăng bằng tài khoản này được.",
            en="This product belongs to somebody else and cannot be listed with this account.",
            field="variant_id",
        )
    if sync.is_retired(session, variant):
        raise Invalid(
            "retired",
            vi="Sản phẩm hoặc gói hàng này đã ngưng, không đăng bán được nữa.",
            en="This product or pack is retired and can no longer be put on sale.",
            field="variant_id",
        )
    listing = session.scalar(
        select(Listing).where(Listing.account_id == account.id, Listing.variant_id == variant.id).with_for_update()
    )
    if listing is None:
        listing = Listing(
            id=new.id,
            organisation_id=account.organisation_id,
            account_id=account.id,
            product_id=variant.product_id,
            variant_id=variant.id,
            wanted="live",
            wanted_version=1,
            applied_version=0,
            state="draft",
            failures=0,
            created_at=clock.now(),
        )
        session.add(listing)
        outbox.publish(session, actor, ListingWanted(listing_id=listing.id))
    else:
        if listing.state == "gone":
            # A person decided to start anew: the old item is no longer there to be written to.
            listing.remote_id, listing.applied_stock, listing.sent_stocks = None, None, []
        _decided_by_a_person(listing)
        listing.wanted, listing.failures, listing.failing_since = "live", 0, None
        if listing.state in sync.TROUBLED:
            listing.state = "submitting"
        sync.want_again(session, listing)
    audit.record(
        session,
        actor,
        "marketplace_sync:listing:want_live",
        subject_id=listing.id,
        organisation_id=listing.organisation_id,
    )
    return listing.id


def want_unlisted(session: Session, actor: Actor, listing_id: UUID) -> None:
    listing = _own_listing(session, actor, listing_id)
    _decided_by_a_person(listing)
    listing.wanted = "unlisted"
    sync.want_again(session, listing)
    audit.record(session, actor, "marketplace_sync:listing:want_unlisted", subject_id=listing_id)


def _decided_by_a_person(listing: Listing) -> None:
    """What we tried and told by ourselves begins anew; a recall no longer puts it back on sale."""
    listing.mends, listing.recall_paused = 0, False
    sync.clear_note(listing, "waiting_long", "drifts", "back_on_sale")


def look_now(session: Session, actor: Actor, listing_id: UUID) -> None:
    """Ask the worker to look at the marketplace at once."""
    listing = queries.listing(session, actor, listing_id)
    outbox.publish(session, actor, LookWanted(listing_id=listing.id))


def _own_listing(session: Session, actor: Actor, listing_id: UUID) -> Listing:
    queries.listing(session, actor, listing_id)
    listing = session.scalar(select(Listing).where(Listing.id == listing_id).with_for_update())
    if listing is None or not actor.has(*SELLERS, organisation_id=listing.organisation_id):
        raise forbidden()
    return listing


def refresh(
    session: Session, actor: Actor, *, variant_ids: Collection[UUID] = (), product_ids: Collection[UUID] = ()
) -> int:
    """Push again the listings of these variants or products that are wanted live. Returns how many."""
    if actor.kind != "system":
        raise Forbidden("system_only", vi="Việc này do máy chủ tự làm.", en="This is done by the server itself.")
    rows = session.scalars(
        select(Listing)
        .where(
            Listing.wanted == "live",
            (Listing.variant_id.in_(list(variant_ids))) | (Listing.product_id.in_(list(product_ids))),
        )
        .order_by(Listing.id)
        .with_for_update()
    ).all()
    for listing in rows:
        sync.want_again(session, listing)
    return len(rows)


def _take_off(session: Session, listings: Collection[Listing]) -> None:
    for listing in listings:
        listing.wanted, listing.mends = "unlisted", 0
        sync.want_again(session, listing)


def _listings_of(session: Session, product_id: UUID, *, wanted: str) -> list[Listing]:
    return list(
        session.scalars(
            select(Listing)
            .where(Listing.product_id == product_id, Listing.wanted == wanted)
            .order_by(Listing.id)
            .with_for_update()
        )
    )


def variants_to_list(session: Session, actor: Actor) -> list[Variant]:
    return list(
        session.scalars(select(Variant).where(Variant.organisation_id.in_(actor.organisations)).order_by(Variant.sku))
    )


def host_of(url: str) -> str:
    return urlsplit(unicodedata.normalize("NFC", url)).netloc.casefold()


def missing_credentials(new: NewAccount) -> None:
    """Raise InvalidMany for every required field of the channel that is empty."""
    spec = next((s for s in specs() if s.kind == new.channel), None)
    if spec is None:
        raise Invalid("unknown_channel", vi="Chọn một kênh trong danh sách.", en="Choose a channel.", field="channel")
    lacking = [
        Invalid("missing", vi=f"Còn thiếu: {f.vi}.", en=f"Missing: {f.en}.", field=f.name)
        for f in spec.fields
        if f.required and not new.credentials.get(f.name, "").strip()
    ]
    if lacking:
        raise InvalidMany(lacking)


def install_floor(session: Session, *, key: str, name: Words, hosts: list[str], kind: str = "marketplace") -> UUID:
    """For set-up only: a floor of the reference data; repeated calls change its hosts and nothing else."""
    floor = session.scalar(select(Floor).where(Floor.key == key))
    if floor is None:
        floor = Floor(id=new_id(), key=key, name=name, hosts=hosts, kind=kind, created_at=clock.now())
        session.add(floor)
    elif floor.hosts == hosts:
        return floor.id
    floor.hosts = hosts
    outbox.publish(session, SYSTEM, FloorListChanged(floor_id=floor.id))
    return floor.id


# --- reactions to what happens below -----------------------------------------------------------------------------


def after_product_changed(session: Session, actor: Actor, event: ProductChanged) -> None:
    """What is sold in another way is sent anew; packs that were retired go off sale."""
    listings = _listings_of(session, event.product_id, wanted="live")
    retired = set(
        session.scalars(
            select(Variant.id).where(Variant.product_id == event.product_id, Variant.retired_on.is_not(None))
        )
    )
    _take_off(session, [listing for listing in listings if listing.variant_id in retired])
    refresh(session, actor, product_ids=[event.product_id])


def after_price_changed(session: Session, actor: Actor, event: PriceChanged) -> None:
    refresh(session, actor, variant_ids=[event.variant_id])


def after_stock_moved(session: Session, actor: Actor, event: StockMoved) -> None:
    product_id = session.scalar(select(Variant.product_id).where(Variant.id == event.variant_id))
    if product_id is None:
        return
    listings = session.scalars(
        select(Listing).where(Listing.product_id == product_id).order_by(Listing.id).with_for_update()
    ).all()
    siblings = [listing for listing in listings if listing.variant_id == event.variant_id]
    if siblings:
        sync.reckon(session, siblings)
    refresh(session, actor, variant_ids=[event.variant_id])
    _end_recall_pauses(session, product_id)


def after_product_retired(session: Session, _actor: Actor, event: ProductRetired) -> None:
    _take_off(session, _listings_of(session, event.product_id, wanted="live"))


def after_batch_changed(session: Session, actor: Actor, event: BatchChanged) -> None:
    """A lot on hold or recalled is no longer counted in what may be sold: its packs' stock is sent anew."""
    variants = session.scalars(
        select(StockMovement.variant_id).where(StockMovement.batch_id == event.batch_id).distinct()
    ).all()
    refresh(session, actor, variant_ids=variants)
    _end_recall_pauses(session, session.get_one(Batch, event.batch_id).product_id)


def after_recall_launched(session: Session, _actor: Actor, event: RecallLaunched) -> None:
    """Packs of which the recall leaves none to sell go off sale until it is lifted or there are some again."""
    if trace.standing(session, event.batch_id).state != "recalled":
        return  # lifted before we came to it
    listings = _listings_of(session, session.get_one(Batch, event.batch_id).product_id, wanted="live")
    left = stock.on_hand(session, [listing.variant_id for listing in listings])
    empty = [listing for listing in listings if not left.get(listing.variant_id)]
    _take_off(session, empty)
    for listing in empty:
        listing.recall_paused = True


def _end_recall_pauses(session: Session, product_id: UUID) -> None:
    """Back on sale goes what a recall took off, not what the seller took off: when no lot is recalled any more, or some are left."""
    paused = [x for x in _listings_of(session, product_id, wanted="unlisted") if x.recall_paused]
    if not paused:
        return
    lots = session.scalars(select(Batch.id).where(Batch.product_id == product_id)).all()
    recalled = any(s.state == "recalled" for s in trace.standings(session, lots).values())
    left = stock.on_hand(session, [listing.variant_id for listing in paused])
    for listing in paused:
        if left.get(listing.variant_id) or not recalled:
            listing.wanted, listing.recall_paused, listing.mends = "live", False, 0
            sync.want_again(session, listing)


def judge_accounts(session: Session, actor: Actor, event: FloorListChanged) -> None:
    """An account at an address that a floor has meanwhile been written down for is an account on that floor.

    What is known of earlier days stays: a floor counts only from the day of the province's decision, and only for whoever
    asks as of a time when it was on the list.
    """
    floor = session.get_one(Floor, event.floor_id)
    for account in session.scalars(
        select(ChannelAccount).where(ChannelAccount.floor_id.is_(None)).order_by(ChannelAccount.id).with_for_update()
    ):
        there = queries.floor_of_host(session, account.base_url)
        if there is None or there.id != floor.id or account.legal_kind == floor.kind:
            continue
        account.legal_kind = floor.kind
        account.floor_id = floor.id if floor.kind == "marketplace" else None
        audit.record(
            session,
            actor,
            "marketplace_sync:account:judge",
            subject_id=account.id,
            organisation_id=account.organisation_id,
            legal_kind=floor.kind,
        )
        for listing in session.scalars(select(Listing).where(Listing.account_id == account.id)):
            outbox.publish(session, actor, ListingObserved(listing_id=listing.id, product_id=listing.product_id))


def tell_of_trouble(session: Session, actor: Actor, event: ListingTroubled) -> None:
    """Tell the sellers that a listing needs them, with the reason; once for each new trouble and each new note."""
    listing = session.get(Listing, event.listing_id)
    if listing is None:
        return
    product = queries.product_names(session, [listing.product_id])[listing.product_id]
    account = session.get_one(ChannelAccount, listing.account_id)
    told: list[tuple[Words, Words, str]] = []
    if listing.state in sync.TROUBLED:
        title = Words(
            vi=f"“{product.vi}” chưa bán được ở {account.name}",
            en=f"“{product.text('en')}” is not on sale at {account.name}",
        )
        reason = listing.error or Words(vi="Sàn không nêu lý do.", en="The marketplace gave no reason.")
        told.append((title, reason, f"{listing.state}:{listing.wanted_version}:{clock.today().isoformat()}"))
    if listing.note is not None and listing.note_at is not None:
        title = Words(
            vi=f"Xem lại “{product.vi}” ở {account.name}", en=f"Look at “{product.text('en')}” at {account.name}"
        )
        told.append((title, listing.note, f"{listing.note_code}:{listing.note_at.isoformat()}"))
    for title, body, key in told:
        notices.tell(
            session,
            actor,
            person_ids=accounts.people_of(session, listing.organisation_id, SELLERS),
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
        person_ids=accounts.people_of(session, account.organisation_id, SELLERS),
        reason="account_broken",
        urgency=Urgency.HIGH,
        title=Words(vi=f"Cần nối lại {account.name}", en=f"Connect {account.name} again"),
        body=account.error or Words(vi="Sàn không nhận khóa nữa.", en="The shop no longer accepts the keys."),
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
        person_ids=accounts.people_of(session, account.organisation_id, SELLERS),
        reason="account_silent",
        urgency=Urgency.HIGH,
        title=Words(
            vi=f"Không xem được {account.name} từ {since:%H:%M ngày %d/%m/%Y}",
            en=f"{account.name} could not be looked at since {since:%H:%M on %d/%m/%Y}",
        ),
        body=account.error or Words(vi="Gian hàng không trả lời.", en="The shop does not answer."),
        link=f"/san/tai-khoan/{account.id}",
        key=f"account:{account.id}:silent:{account.looks_failing_since.isoformat()}",
    )
