"""What is on sale where, by evidence only; and what an organisation wants of its accounts."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import Organisation
from app.actor import Actor
from app.db import Words, picked
from app.errors import not_found
from app.marketplace_sync.models import (
    ChannelAccount,
    ChannelCall,
    DeclaredConfirmation,
    DeclaredListing,
    Floor,
    FloorDecision,
    Listing,
    ListingObservation,
)
from app.products.models import Product, Variant
from app.trace import stock

OWN_SITE = Words(vi="trang bán hàng riêng", en="its own shop")
ADVERTISING = Words(vi="trang quảng cáo", en="an advertising page")
UNLISTED_BY_US = frozenset({"draft", "private", "hidden"})  # how a shop calls an item that we took off sale
JUST_NOW = timedelta(minutes=10)  # asked about "now" a moment ago


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one product in one place.

    state     live: seen on sale, recently enough; stale: seen, too long ago; no: not on sale, or never seen
    counted   the place is on the province's list of floors on the day; if not, `reason_*` says why it does not count
    expires_at when a live sighting becomes stale
    """

    product_id: UUID
    floor_name: Words
    counted: bool
    state: str
    seen_at: datetime | None
    expires_at: datetime | None
    witness: str
    url: str | None
    reason_vi: str
    reason_en: str
    listing_id: UUID | None = None
    declared_id: UUID | None = None
    price_dong: int | None = None


def floors(session: Session) -> list[Floor]:
    return list(session.scalars(select(Floor).order_by(Floor.created_at, Floor.key)))


def floor_of_host(session: Session, url: str) -> Floor | None:
    """The floor whose pages live at this address."""
    host = urlsplit(url).netloc.casefold().removeprefix("www.")
    return next((f for f in floors(session) if _belongs(host, f.hosts)), None)


def _belongs(host: str, hosts: Iterable[str]) -> bool:
    return any(host == h or host.endswith("." + h) for h in hosts)


def counted_floors(session: Session, *, as_of: date, known_at: datetime) -> dict[UUID, FloorDecision]:
    """The decision in force for each floor on a date, as known at a moment; only those that count it."""
    standing: dict[UUID, FloorDecision] = {}
    for row in session.scalars(
        select(FloorDecision)
        .where(FloorDecision.effective_on <= as_of, FloorDecision.recorded_at <= known_at)
        .order_by(FloorDecision.effective_on, FloorDecision.recorded_at, FloorDecision.id)
    ):
        standing[row.floor_id] = row
    return {floor_id: row for floor_id, row in standing.items() if row.counted}


def floor_decisions(session: Session) -> list[FloorDecision]:
    return list(session.scalars(select(FloorDecision).order_by(FloorDecision.recorded_at.desc())))


def live_evidence(
    session: Session,
    product_ids: Collection[UUID],
    *,
    as_of: date,
    known_at: datetime,
    max_age_hours: int = 48,
    declared_max_age_days: int = 30,
) -> dict[UUID, list[Evidence]]:
    """Everything known about where these products are on sale, as of the end of a date and as known at a moment.

    A marketplace's answer stays good for `max_age_hours`, a named person's look for `declared_max_age_days`.
    """
    if not product_ids:
        return {}
    # The future has not been seen: today is judged by now, an earlier day by its last moment.
    moment = min(known_at, clock.start_of_day(as_of + timedelta(days=1)) - timedelta(microseconds=1))
    # A pause is only known as it is now: of another day it says nothing.
    now = clock.now()
    current = as_of == clock.local(now).date() and moment >= now - JUST_NOW
    counted = counted_floors(session, as_of=as_of, known_at=known_at)
    names = {f.id: f for f in floors(session)}
    known = {i: f for i, f in names.items() if f.created_at <= known_at}
    found: dict[UUID, list[Evidence]] = defaultdict(list)
    for listing, account, seen in _listings_with_sightings(session, product_ids, moment):
        paused = listing.recall_paused and current
        found[listing.product_id].append(
            _of_listing(listing, account, seen, known, counted, moment, max_age_hours, paused=paused)
        )
    for declared, look in _declared_with_looks(session, product_ids, moment):
        found[declared.product_id].append(
            _of_declared(declared, look, names, counted, as_of, timedelta(days=declared_max_age_days))
        )
    return found


def _listings_with_sightings(
    session: Session, product_ids: Collection[UUID], moment: datetime
) -> list[tuple[Listing, ChannelAccount, ListingObservation | None]]:
    newest = (
        select(ListingObservation.listing_id, func.max(ListingObservation.seen_at).label("seen_at"))
        .where(ListingObservation.seen_at <= moment)
        .group_by(ListingObservation.listing_id)
        .subquery()
    )
    rows = session.execute(
        select(Listing, ChannelAccount, ListingObservation)
        .join(ChannelAccount, ChannelAccount.id == Listing.account_id)
        .outerjoin(newest, newest.c.listing_id == Listing.id)
        .outerjoin(
            ListingObservation,
            and_(ListingObservation.listing_id == Listing.id, ListingObservation.seen_at == newest.c.seen_at),
        )
        .where(Listing.product_id.in_(list(product_ids)), Listing.created_at <= moment)
        .order_by(Listing.created_at, Listing.id)
    )
    once: dict[UUID, tuple[Listing, ChannelAccount, ListingObservation | None]] = {}
    for listing, account, seen in rows:
        once.setdefault(listing.id, (listing, account, seen))
    return list(once.values())


def _of_listing(
    listing: Listing,
    account: ChannelAccount,
    seen: ListingObservation | None,
    names: dict[UUID, Floor],
    counted: dict[UUID, FloorDecision],
    moment: datetime,
    max_age_hours: int,
    *,
    paused: bool,
) -> Evidence:
    floor = names.get(account.floor_id) if account.floor_id else None
    place = floor.name if floor else ADVERTISING if account.legal_kind == "advertising" else OWN_SITE
    counts = account.floor_id in counted
    expires = seen.seen_at + timedelta(hours=max_age_hours) if seen is not None and seen.live else None
    state = "no" if expires is None else "live" if moment < expires else "stale"
    vi, en = _why(listing, account, seen, state, place, on_floor=floor is not None, counts=counts, paused=paused)
    return Evidence(
        product_id=listing.product_id,
        floor_name=place,
        counted=counts,
        state=state,
        seen_at=seen.seen_at if seen else None,
        expires_at=expires,
        witness="marketplace",
        url=seen.url if seen else None,
        reason_vi=vi,
        reason_en=en,
        listing_id=listing.id,
        price_dong=seen.price_dong if seen else None,
    )


def _why(
    listing: Listing,
    account: ChannelAccount,
    seen: ListingObservation | None,
    state: str,
    place: Words,
    *,
    on_floor: bool,
    counts: bool,
    paused: bool,
) -> tuple[str, str]:
    if not counts and state != "no":
        if not on_floor:
            return (
                f"Đang bán ở {place.vi} ({account.name}); trang riêng không phải là sàn nên không được tính.",
                f"On sale in {place.text('en')} ({account.name}); an own shop is no marketplace and does not count.",
            )
        return (
            f"Đang bán trên {place.vi}, sàn này không có trong danh sách được tính của tỉnh.",
            f"On sale on {place.text('en')}, which is not on the province's list.",
        )
    if state != "no":
        return f"Đang bán trên {place.vi}.", f"On sale on {place.text('en')}."
    # What we hide ourselves the shop calls hidden; any other reason is the shop's own and comes first.
    reasons = [r for r in seen.reasons if not (paused and r["code"] in UNLISTED_BY_US)] if seen is not None else []
    if paused and not reasons:
        return (
            f"Tạm ngưng bán trên {place.vi} vì thu hồi lô hàng.",
            f"Paused on {place.text('en')} by a recall.",
        )
    if reasons:
        return (
            f"{place.vi} không cho bán: " + " ".join(str(r["vi"]) for r in reasons),
            f"{place.text('en')} does not sell it: " + " ".join(str(r["en"]) for r in reasons),
        )
    if seen is not None:
        return f"Đã bị gỡ khỏi {place.vi}.", f"Taken off {place.text('en')}."
    if listing.error is not None:
        return (
            f"Chưa lên được {place.vi}: {listing.error.vi}",
            f"Not yet on {place.text('en')}: {listing.error.text('en')}",
        )
    return f"Đã gửi lên {place.vi}, chưa thấy đang bán.", f"Sent to {place.text('en')}, not seen on sale yet."


def _declared_with_looks(
    session: Session, product_ids: Collection[UUID], moment: datetime
) -> list[tuple[DeclaredListing, DeclaredConfirmation | None]]:
    rows = session.scalars(
        select(DeclaredListing).where(
            DeclaredListing.product_id.in_(list(product_ids)),
            DeclaredListing.declared_at <= moment,
            (DeclaredListing.withdrawn_at.is_(None)) | (DeclaredListing.withdrawn_at > moment),
        )
    ).all()
    looks: dict[UUID, DeclaredConfirmation] = {}
    for look in session.scalars(
        select(DeclaredConfirmation)
        .where(
            DeclaredConfirmation.declared_listing_id.in_([r.id for r in rows]),
            DeclaredConfirmation.recorded_at <= moment,
        )
        .order_by(DeclaredConfirmation.seen_on, DeclaredConfirmation.recorded_at)
    ):
        looks[look.declared_listing_id] = look
    return [(row, looks.get(row.id)) for row in rows]


def _of_declared(
    declared: DeclaredListing,
    look: DeclaredConfirmation | None,
    names: dict[UUID, Floor],
    counted: dict[UUID, FloorDecision],
    as_of: date,
    max_age: timedelta,
) -> Evidence:
    place = names[declared.floor_id].name
    counts = declared.floor_id in counted
    expires = None
    if look is None:
        state = "no"
        vi = f"Đã khai đang bán trên {place.vi}, chờ người thứ hai xem và xác nhận."
        en = f"Declared on {place.text('en')}; waits for a second person to look."
    elif not look.on_sale:
        state = "no"
        vi = f"Ngày {look.seen_on:%d/%m/%Y} có người xem, không thấy đang bán trên {place.vi}."
        en = f"Somebody looked on {look.seen_on:%d/%m/%Y} and did not find it on {place.text('en')}."
    else:
        state = "live" if as_of < look.seen_on + max_age else "stale"
        expires = clock.start_of_day(look.seen_on + max_age)
        vi = f"Đang bán trên {place.vi}, có người xác nhận ngày {look.seen_on:%d/%m/%Y}."
        en = f"On sale on {place.text('en')}, confirmed by a person on {look.seen_on:%d/%m/%Y}."
        if not counts:
            vi += " Sàn này không có trong danh sách được tính của tỉnh."
            en += " It is not on the province's list."
    return Evidence(
        product_id=declared.product_id,
        floor_name=place,
        counted=counts,
        state=state,
        seen_at=clock.start_of_day(look.seen_on) if look else None,
        expires_at=expires,
        witness="person",
        url=declared.url,
        reason_vi=vi,
        reason_en=en,
        declared_id=declared.id,
    )


def product_names(session: Session, product_ids: Collection[UUID]) -> dict[UUID, Words]:
    rows = session.execute(select(Product.id, Product.name).where(Product.id.in_(list(product_ids))))
    return dict(rows.all())


# --- an organisation's own ---------------------------------------------------------------------------------------


def accounts_of(session: Session, actor: Actor) -> list[ChannelAccount]:
    return list(
        session.scalars(
            select(ChannelAccount)
            .where(ChannelAccount.organisation_id.in_(actor.organisations))
            .order_by(ChannelAccount.created_at)
        )
    )


def account(session: Session, actor: Actor, account_id: UUID) -> ChannelAccount:
    """Raises NotFound for another organisation's account."""
    row = session.get(ChannelAccount, account_id)
    if row is None or not (actor.kind == "system" or row.organisation_id in actor.organisations):
        raise not_found("tài khoản bán hàng này", "this sales account")
    return row


def listing(session: Session, actor: Actor, listing_id: UUID) -> Listing:
    """Raises NotFound for another organisation's listing."""
    row = session.get(Listing, listing_id)
    if row is None or not (actor.kind == "system" or row.organisation_id in actor.organisations):
        raise not_found("tin bán này", "this listing")
    return row


def listings_of(session: Session, actor: Actor) -> list[tuple[Listing, ChannelAccount, ListingObservation | None]]:
    """Every listing of the actor's organisations with its account and its newest sighting."""
    products = set(session.scalars(select(Listing.product_id).where(Listing.organisation_id.in_(actor.organisations))))
    return [
        row
        for row in _listings_with_sightings(session, products, clock.now())
        if row[0].organisation_id in actor.organisations
    ]


@dataclass(frozen=True, slots=True)
class Offer:
    """A pack that may be put on sale on an account. `left`: how many may be sold now; None when nobody ever said."""

    variant: Variant
    left: int | None


def offers(session: Session, accounts: Iterable[ChannelAccount]) -> dict[UUID, list[Offer]]:
    """By account that works: the packs of its own organisation that are not wanted on sale there, those in stock first."""
    active = [a for a in accounts if a.state == "active"]
    packs = session.scalars(
        select(Variant)
        .join(Product, Product.id == Variant.product_id)
        .where(
            Variant.organisation_id.in_({a.organisation_id for a in active}),
            Variant.retired_on.is_(None),
            Product.retired_on.is_(None),
        )
        .order_by(Product.name_folded, Variant.sku, Variant.id)
    ).all()
    wanted = session.execute(
        select(Listing.account_id, Listing.variant_id).where(
            Listing.account_id.in_({a.id for a in active}), Listing.wanted == "live"
        )
    )
    taken = {(row.account_id, row.variant_id) for row in wanted}
    left = stock.on_hand(session, [p.id for p in packs])
    return {
        a.id: sorted(
            (
                Offer(p, left.get(p.id))
                for p in packs
                if p.organisation_id == a.organisation_id and (a.id, p.id) not in taken
            ),
            key=lambda offer: not offer.left,
        )
        for a in active
    }


def sightings(session: Session, listing_id: UUID, *, limit: int = 30) -> list[ListingObservation]:
    return list(
        session.scalars(
            select(ListingObservation)
            .where(ListingObservation.listing_id == listing_id)
            .order_by(ListingObservation.seen_at.desc())
            .limit(limit)
        )
    )


def calls(session: Session, listing_id: UUID, *, limit: int = 20) -> list[ChannelCall]:
    return list(
        session.scalars(
            select(ChannelCall).where(ChannelCall.listing_id == listing_id).order_by(ChannelCall.at.desc()).limit(limit)
        )
    )


def _declared_seen_by(actor: Actor) -> ColumnElement[bool]:
    """Open declared listings that the actor sees: own ones, and those of organisations in an official's places."""
    overseen = exists().where(
        Organisation.id == DeclaredListing.organisation_id,
        or_(Organisation.village_id.in_(actor.places), Organisation.commune_id.in_(actor.places)),
    )
    return and_(
        DeclaredListing.withdrawn_at.is_(None), or_(DeclaredListing.organisation_id.in_(actor.organisations), overseen)
    )


def declared_listing(session: Session, actor: Actor, declared_id: UUID) -> DeclaredListing:
    """Raises NotFound, also for one that was withdrawn or that the actor does not see."""
    found = session.scalar(select(DeclaredListing).where(DeclaredListing.id == declared_id, _declared_seen_by(actor)))
    if found is None:
        raise not_found("đường dẫn này", "this link")
    return found


def declared_of(session: Session, actor: Actor) -> list[tuple[DeclaredListing, DeclaredConfirmation | None]]:
    """Open declared listings that the actor sees, each with the newest look at it."""
    products = set(session.scalars(select(DeclaredListing.product_id).where(_declared_seen_by(actor))))
    return _declared_with_looks(session, products, clock.now()) if products else []


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """What this person declared, confirmed and decided about selling online, for the file of their own data."""
    me = actor.person_id
    pasted = session.scalars(
        select(DeclaredListing)
        .where(DeclaredListing.declared_by == me)
        .order_by(DeclaredListing.declared_at, DeclaredListing.id)
    )
    looked = session.execute(
        select(DeclaredConfirmation, DeclaredListing.url)
        .join(DeclaredListing, DeclaredListing.id == DeclaredConfirmation.declared_listing_id)
        .where(DeclaredConfirmation.confirmed_by == me)
        .order_by(DeclaredConfirmation.recorded_at, DeclaredConfirmation.id)
    )
    decided = session.scalars(
        select(FloorDecision).where(FloorDecision.person_id == me).order_by(FloorDecision.recorded_at, FloorDecision.id)
    )
    return {
        "declared": [picked(d, "id organisation_id product_id floor_id url declared_at withdrawn_at") for d in pasted],
        "confirmed": [
            picked(c, "id declared_listing_id organisation_id on_sale seen_on photo_sha256 recorded_at") | {"url": url}
            for c, url in looked
        ],
        "floor_decisions": [picked(f, "id floor_id counted effective_on legal_basis recorded_at") for f in decided],
    }
