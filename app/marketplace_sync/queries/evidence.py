"""Evidence of being on sale, and nothing else: what a marketplace answered, or what a named person from outside saw."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.db import Words
from app.marketplace_sync.models import (
    ChannelAccount,
    DeclaredConfirmation,
    DeclaredListing,
    Floor,
    FloorDecision,
    Listing,
)
from app.marketplace_sync.queries.declared import declared_with_looks
from app.marketplace_sync.queries.floors import floors_as_counted
from app.marketplace_sync.queries.listings import Sighting, listings_with_sightings
from app.messages import N_, Sentence, sentences

OWN_SITE = Words.of(N_("trang bán hàng riêng"))
ADVERTISING = Words.of(N_("trang quảng cáo"))
# Why a declared link does not count, by the legal kind of its place.
NOT_COUNTED = {
    "marketplace": N_("Sàn này không có trong danh sách được tính của tỉnh."),
    "own_site": N_("Trang riêng không phải là sàn nên không được tính."),
    "advertising": N_("Trang quảng cáo không phải là sàn nên không được tính."),
}
UNLISTED_BY_US = frozenset({"draft", "private", "hidden"})  # how a shop calls an item that we took off sale
JUST_NOW = timedelta(minutes=10)  # asked about "now" a moment ago


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one product in one place.

    state     live: seen on sale, recently enough; stale: seen, too long ago; no: not on sale, or never seen
    sold_out  live, and nothing was left to buy when it was last seen; a page like this is on sale all the same
    look_id   the named person's look that says so, of a declared link; without one a colleague's that says nothing yet
    counted   the place is on the province's list of floors on the day; if not, `reason` says why it does not count
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
    reason: Sentence
    listing_id: UUID | None = None
    declared_id: UUID | None = None
    look_id: UUID | None = None
    listing_state: str | None = None
    price_dong: int | None = None
    sold_out: bool = False


def live_evidence(
    session: Session,
    product_ids: Collection[UUID],
    *,
    as_of: date,
    known_at: datetime,
    max_age_hours: int = 48,
    declared_max_age_days: int = 30,
    colleagues_count: bool = False,
) -> dict[UUID, list[Evidence]]:
    """Everything known about where these products are on sale, as of the end of a date and as known at a moment.

    A marketplace's answer stays good for `max_age_hours`, a named person's look for `declared_max_age_days`.
    A look by somebody of the seller's own organisation says nothing, unless `colleagues_count`.
    """
    if not product_ids:
        return {}
    # The future has not been seen: today is judged by now, an earlier day by its last moment.
    moment = min(known_at, clock.start_of_day(as_of + timedelta(days=1)) - timedelta(microseconds=1))
    # A pause is only known as it is now: of another day it says nothing.
    now = clock.now()
    current = as_of == clock.local(now).date() and moment >= now - JUST_NOW
    names, counted = floors_as_counted(session, as_of=as_of, known_at=known_at)
    known = {i: f for i, f in names.items() if f.created_at <= known_at}
    found: dict[UUID, list[Evidence]] = defaultdict(list)
    for listing, account, seen in listings_with_sightings(session, product_ids, moment):
        paused = listing.recall_paused and current
        found[listing.product_id].append(
            _of_listing(listing, account, seen, known, counted, moment, max_age_hours, paused=paused)
        )
    max_age = timedelta(days=declared_max_age_days)
    for declared, looks in declared_with_looks(session, product_ids, moment):
        look = looks.that_counts(colleagues_count=colleagues_count)
        found[declared.product_id].append(
            _of_declared(declared, look, names, counted, as_of, max_age)
            if look is not None
            else _unconfirmed(declared, looks.colleague, names, counted)
        )
    return found


def _of_listing(
    listing: Listing,
    account: ChannelAccount,
    seen: Sighting | None,
    names: dict[UUID, Floor],
    counted: dict[UUID, FloorDecision],
    moment: datetime,
    max_age_hours: int,
    *,
    paused: bool,
) -> Evidence:
    floor = names.get(account.floor_id) if account.floor_id else None
    elsewhere = ADVERTISING if account.legal_kind == "advertising" else OWN_SITE
    place = floor.name if floor else elsewhere
    counts = account.floor_id in counted
    expires = seen.seen_at + timedelta(hours=max_age_hours) if seen is not None and seen.live else None
    state = "no"
    if expires is not None:
        state = "live" if moment < expires else "stale"
    why = _why(listing, account, seen, state, place, on_floor=floor is not None, counts=counts, paused=paused)
    sold_out = state == "live" and seen is not None and seen.sold_out
    if sold_out:
        why = sentences((why, N_("Đang hết hàng, khách chưa mua được.")))
    return Evidence(
        product_id=listing.product_id,
        floor_name=place,
        counted=counts,
        state=state,
        seen_at=seen.seen_at if seen else None,
        expires_at=expires,
        witness="marketplace",
        url=seen.url if seen else None,
        reason=why,
        listing_id=listing.id,
        listing_state=listing.state,
        price_dong=seen.price_dong if seen else None,
        sold_out=sold_out,
    )


def _why(
    listing: Listing,
    account: ChannelAccount,
    seen: Sighting | None,
    state: str,
    place: Words,
    *,
    on_floor: bool,
    counts: bool,
    paused: bool,
) -> Sentence:
    if not counts and state != "no":
        if on_floor:
            return N_("Đang bán trên %(place)s, sàn này không có trong danh sách được tính của tỉnh.", place=place)
        if account.legal_kind == "advertising":
            return N_(
                "Đang đăng ở %(place)s (%(account)s); trang quảng cáo không phải là sàn nên không được tính.",
                place=place,
                account=account.name,
            )
        return N_(
            "Đang bán ở %(place)s (%(account)s); trang riêng không phải là sàn nên không được tính.",
            place=place,
            account=account.name,
        )
    if state != "no":
        return N_("Đang bán trên %(place)s.", place=place)
    # What we hide ourselves the shop calls hidden; any other reason is the shop's own and comes first.
    reasons = [r.said for r in seen.reasons if not (paused and r.code in UNLISTED_BY_US)] if seen is not None else []
    if paused and not reasons:
        return N_("Tạm ngưng bán trên %(place)s vì thu hồi lô hàng.", place=place)
    if reasons:
        return N_("%(place)s không cho bán: %(why)s", place=place, why=sentences(reasons))
    if seen is not None:
        return N_("Đã bị gỡ khỏi %(place)s.", place=place)
    if listing.error is not None:
        return N_("Chưa lên được %(place)s: %(error)s", place=place, error=listing.error)
    return N_("Đã gửi lên %(place)s, chưa thấy đang bán.", place=place)


def _of_declared(
    declared: DeclaredListing,
    look: DeclaredConfirmation,
    names: dict[UUID, Floor],
    counted: dict[UUID, FloorDecision],
    as_of: date,
    max_age: timedelta,
) -> Evidence:
    floor = names[declared.floor_id]
    place = floor.name
    counts = declared.floor_id in counted
    expires = None
    day = f"{look.seen_on:%d/%m/%Y}"
    if not look.on_sale:
        state = "no"
        why = N_("Ngày %(day)s có người xem, không thấy đang bán trên %(place)s.", place=place, day=day)
    else:
        state = "live" if as_of < look.seen_on + max_age else "stale"
        expires = clock.start_of_day(look.seen_on + max_age)
        if look.by_colleague:
            why = N_("Đang bán trên %(place)s, có người cùng đơn vị xác nhận ngày %(day)s.", place=place, day=day)
        else:
            why = N_("Đang bán trên %(place)s, có người xác nhận ngày %(day)s.", place=place, day=day)
        if not counts:
            why = sentences((why, NOT_COUNTED[floor.kind]))
    return Evidence(
        product_id=declared.product_id,
        floor_name=place,
        counted=counts,
        state=state,
        seen_at=clock.start_of_day(look.seen_on),
        expires_at=expires,
        witness="person",
        url=declared.url,
        reason=why,
        declared_id=declared.id,
        look_id=look.id,
    )


def _unconfirmed(
    declared: DeclaredListing,
    colleague: DeclaredConfirmation | None,
    names: dict[UUID, Floor],
    counted: dict[UUID, FloorDecision],
) -> Evidence:
    """What is known of a link at which nobody from outside the seller has looked yet."""
    place = names[declared.floor_id].name
    why = N_("Đã khai đang bán trên %(place)s, chờ người ngoài đơn vị xem và xác nhận.", place=place)
    if colleague is not None:
        day = f"{colleague.seen_on:%d/%m/%Y}"
        why = sentences((why, N_("Người cùng đơn vị xem ngày %(day)s, chưa tính.", day=day)))
    return Evidence(
        product_id=declared.product_id,
        floor_name=place,
        counted=declared.floor_id in counted,
        state="no",
        seen_at=None,
        expires_at=None,
        witness="person",
        url=declared.url,
        reason=why,
        declared_id=declared.id,
        look_id=colleague.id if colleague is not None else None,
    )
