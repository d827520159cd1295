"""What people decide: which floors count, which accounts are connected, what is to be on sale where."""

import re
import unicodedata
from collections.abc import Collection
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.accounts import queries as accounts
from app.actor import Actor, Role
from app.db import Words, fold, new_id
from app.errors import Conflict, Forbidden, Invalid, InvalidMany, forbidden
from app.marketplace_sync import queries, sync
from app.marketplace_sync.channels.base import Credentials, Spec
from app.marketplace_sync.channels.registry import open_channel, specs
from app.marketplace_sync.events import AccountBroken, FloorListChanged, ListingTroubled, ListingWanted, LookWanted
from app.marketplace_sync.models import ChannelAccount, Floor, FloorDecision, Listing
from app.marketplace_sync.schemas import NewAccount, NewFloor, NewFloorDecision, WantListing
from app.notices import service as notices
from app.notices.models import Urgency
from app.products import queries as products
from app.products.events import PriceChanged, ProductChanged, ProductRetired
from app.products.models import Variant
from app.settings import Settings
from app.trace.events import BatchChanged, StockMoved
from app.trace.models import StockMovement

SELLERS = (Role.COOPERATIVE_MANAGER, Role.PURCHASER)
HOST = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$")


# --- floors ------------------------------------------------------------------------------------------------------


def _province_only(actor: Actor) -> UUID:
    if actor.person_id is None or not actor.has(Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR):
        raise forbidden()
    return actor.person_id


def add_floor(session: Session, actor: Actor, new: NewFloor) -> UUID:
    """Write down a floor; it counts only after `decide_floor`. Raises Forbidden, Invalid (hosts), Conflict (name)."""
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
    if session.get(Floor, new.id) is not None:
        return new.id
    try:
        with session.begin_nested():
            session.add(
                Floor(
                    id=new.id,
                    key="-".join(re.findall(r"[a-z0-9]+", fold(new.name))),
                    name=Words(vi=new.name),
                    hosts=hosts,
                    kind=new.kind,
                    created_at=clock.now(),
                )
            )
    except IntegrityError:
        raise Conflict(
            "floor_exists",
            vi="Đã có sàn tên này trong danh sách.",
            en="A floor of this name is on the list already.",
        ) from None
    audit.record(session, actor, "marketplace_sync:floor:add", subject_id=new.id)
    return new.id


def decide_floor(session: Session, actor: Actor, new: NewFloorDecision) -> UUID:
    """Count a floor from a day on, or no longer, with the legal basis. Raises Forbidden, Invalid (kind of floor)."""
    person_id = _province_only(actor)
    floor = session.get(Floor, new.floor_id)
    if floor is None or (new.counted and floor.kind != "marketplace"):
        raise Invalid(
            "not_a_marketplace",
            vi="Chỉ sàn thương mại điện tử mới được tính; website riêng và trang quảng cáo thì không.",
            en="Only marketplaces can count; own shops and advertising pages cannot.",
            field="floor_id",
        )
    if session.get(FloorDecision, new.id) is None:
        session.add(
            FloorDecision(
                id=new.id,
                floor_id=new.floor_id,
                counted=new.counted,
                effective_on=new.effective_on,
                legal_basis=new.legal_basis,
                recorded_at=clock.now(),
                person_id=person_id,
            )
        )
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

    Raises Forbidden for anybody but the organisation's sellers, Conflict for the same id with another address.
    """
    check_seller(actor, new.organisation_id)
    base_url = new.credentials.get("base_url") or new.credentials.get("url") or ""
    stored = session.get(ChannelAccount, new.id)
    if stored is not None:
        if stored.base_url != base_url:
            raise _same_id()
        return stored.id
    floor = queries.floor_of_host(session, base_url)
    session.add(
        ChannelAccount(
            id=new.id,
            organisation_id=new.organisation_id,
            channel=new.channel,
            floor_id=floor.id if floor and floor.kind == "marketplace" else None,
            legal_kind=floor.kind if floor else "own_site",
            name=new.name,
            base_url=base_url,
            credentials_sealed=sync.seal(settings, Credentials(new.credentials)),
            stock_buffer=new.stock_buffer,
            state="active",
            error=None,
            created_at=clock.now(),
        )
    )
    audit.record(
        session, actor, "marketplace_sync:account:connect", subject_id=new.id, organisation_id=new.organisation_id
    )
    return new.id


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
    account.state, account.error = "active", None
    for listing in session.scalars(select(Listing).where(Listing.account_id == account.id)):
        if listing.applied_version < listing.wanted_version or listing.state == "parked":
            listing.failures = 0
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

    The same variant on the same account is one listing for ever. Raises Forbidden, NotFound, Invalid (retired product).
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
            listing.remote_id = None
        listing.wanted, listing.failures = "live", 0
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
    listing.wanted = "unlisted"
    sync.want_again(session, listing)
    audit.record(session, actor, "marketplace_sync:listing:want_unlisted", subject_id=listing_id)


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


def pause_product(session: Session, product_id: UUID) -> int:
    """Take every listing of a product off sale (a recall). Returns how many."""
    rows = session.scalars(
        select(Listing)
        .where(Listing.product_id == product_id, Listing.wanted == "live")
        .order_by(Listing.id)
        .with_for_update()
    ).all()
    for listing in rows:
        listing.wanted = "unlisted"
        sync.want_again(session, listing)
    return len(rows)


def variants_to_list(session: Session, actor: Actor) -> list[Variant]:
    return list(
        session.scalars(select(Variant).where(Variant.organisation_id.in_(actor.organisations)).order_by(Variant.sku))
    )


def host_of(url: str) -> str:
    return urlsplit(unicodedata.normalize("NFC", url)).netloc.casefold()


def _same_id() -> Conflict:
    return Conflict(
        "same_id_other_content",
        vi="Biểu mẫu này đã gửi với nội dung khác. Bác mở lại trang rồi gửi lại.",
        en="This form was sent already with other content. Open the page again and send anew.",
    )


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
    floor.hosts = hosts
    return floor.id


# --- reactions to what happens below -----------------------------------------------------------------------------


def after_product_changed(session: Session, actor: Actor, event: ProductChanged) -> None:
    refresh(session, actor, product_ids=[event.product_id])


def after_price_changed(session: Session, actor: Actor, event: PriceChanged) -> None:
    refresh(session, actor, variant_ids=[event.variant_id])


def after_stock_moved(session: Session, actor: Actor, event: StockMoved) -> None:
    refresh(session, actor, variant_ids=[event.variant_id])


def after_product_retired(session: Session, _actor: Actor, event: ProductRetired) -> None:
    pause_product(session, event.product_id)


def after_batch_changed(session: Session, actor: Actor, event: BatchChanged) -> None:
    """A lot on hold or recalled is no longer counted in what may be sold: its packs' stock is sent anew."""
    variants = session.scalars(
        select(StockMovement.variant_id).where(StockMovement.batch_id == event.batch_id).distinct()
    ).all()
    refresh(session, actor, variant_ids=variants)


def tell_of_trouble(session: Session, actor: Actor, event: ListingTroubled) -> None:
    """Tell the sellers that a listing needs them, with the marketplace's reason; once for each new trouble."""
    listing = session.get(Listing, event.listing_id)
    if listing is None or listing.state not in sync.TROUBLED:
        return
    product = queries.product_names(session, [listing.product_id])[listing.product_id]
    account = session.get_one(ChannelAccount, listing.account_id)
    reason = listing.error or Words(vi="Sàn không nêu lý do.", en="The marketplace gave no reason.")
    notices.tell(
        session,
        actor,
        person_ids=accounts.people_of(session, listing.organisation_id, SELLERS),
        reason="listing_troubled",
        urgency=Urgency.HIGH,
        title=Words(
            vi=f"“{product.vi}” chưa bán được ở {account.name}",
            en=f"“{product.text('en')}” is not on sale at {account.name}",
        ),
        body=reason,
        link=f"/san/tin/{listing.id}",
        key=f"listing:{listing.id}:{listing.state}:{listing.wanted_version}:{clock.today().isoformat()}",
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
