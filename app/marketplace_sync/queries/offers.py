"""Packs that may be put on sale on an account, and those of which there is nothing to sell now, and why."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db import Words, fold, keyset
from app.db.keyset import Count, Listed
from app.marketplace_sync.models import ChannelAccount, Listing
from app.messages import N_
from app.products.models import Product, Variant
from app.trace import queries as trace
from app.trace import stock
from app.trace.models import Batch

RETIRED = Words.of(N_("Sản phẩm hoặc gói hàng này đã ngưng, không đăng bán được nữa."))


@dataclass(frozen=True, slots=True)
class Offer:
    """A pack that is not wanted on sale on an account.

    left     how many may be sold now; None when nobody ever said
    obstacle why it cannot be put on sale now, and what to do; None when it can
    """

    variant: Variant
    left: int | None
    obstacle: Words | None


def is_retired(session: Session, variant: Variant) -> bool:
    """Whether the pack, or the whole product, is no longer sold."""
    return variant.retired_on is not None or session.get_one(Product, variant.product_id).retired_on is not None


BY_PRODUCT = keyset.Order((Product.name_sorted, str), (Variant.sku, str), (Variant.id, UUID), joined=True)


@dataclass(frozen=True, slots=True)
class OfferList:
    """One page of what may be put on sale on an account, what is in stock first on it, and how many packs there are in all."""

    lines: Sequence[Offer]
    page: Listed
    total: Count


def offer_list(
    session: Session, account: ChannelAccount, *, search: str = "", mark: str = "", size: int = keyset.PAGE
) -> OfferList:
    """The packs of the account's organisation that are not wanted on sale there, by product. Raises BadAddress for a bad mark.

    A search finds a part of the product's Vietnamese name or of the SKU.
    """
    query = _offered(account)
    if search:
        named = Product.name_folded.contains(fold(search), autoescape=True)
        query = query.where(or_(named, Variant.sku.contains(search.strip().upper(), autoescape=True)))
    found = keyset.listed(session, query, BY_PRODUCT, mark, size=size)
    packs = [row.Variant for row in found.rows]
    return OfferList(_offers(session, [(account, packs)])[account.id], found, keyset.count(session, query))


@dataclass(frozen=True, slots=True)
class FirstOffers:
    """The first packs that may be put on sale on an account, and whether there are `more`."""

    lines: Sequence[Offer]
    more: bool


def first_offers(session: Session, accounts: Iterable[ChannelAccount], most: int) -> dict[UUID, FirstOffers]:
    """By account that works, the first of the packs that `offer_list` gives; in as many statements for many accounts as for one."""
    active = [a for a in accounts if a.state == "active"]
    if not active:
        return {}
    numbered = (
        select(
            ChannelAccount.id.label("account_id"),
            Variant.id.label("variant_id"),
            func.row_number().over(partition_by=ChannelAccount.id, order_by=BY_PRODUCT.by()).label("place"),
        )
        .join(Variant, Variant.organisation_id == ChannelAccount.organisation_id)
        .join(Product, Product.id == Variant.product_id)
        .where(ChannelAccount.id.in_([a.id for a in active]), *_may_be_offered(ChannelAccount.id))
        .subquery()
    )
    rows = session.execute(
        select(numbered.c.account_id, Variant)
        .join(Variant, Variant.id == numbered.c.variant_id)
        .where(numbered.c.place <= most + 1)
        .order_by(numbered.c.account_id, numbered.c.place)
    ).all()
    packs: dict[UUID, list[Variant]] = {a.id: [] for a in active}
    for account_id, pack in rows:
        packs[account_id].append(pack)
    found = _offers(session, [(a, packs[a.id][:most]) for a in active])
    return {a.id: FirstOffers(found[a.id], more=len(packs[a.id]) > most) for a in active}


def _offered(account: ChannelAccount) -> Select[Variant]:
    return (
        select(Variant)
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.organisation_id == account.organisation_id, *_may_be_offered(literal(account.id)))
    )


def _may_be_offered(account_id: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> tuple[ColumnElement[bool], ...]:
    """Still sold, and not wanted on sale on that account."""
    wanted = exists().where(
        Listing.account_id == account_id, Listing.variant_id == Variant.id, Listing.wanted == "live"
    )
    return Variant.retired_on.is_(None), Product.retired_on.is_(None), ~wanted


def _offers(session: Session, wanted: Sequence[tuple[ChannelAccount, Sequence[Variant]]]) -> dict[UUID, list[Offer]]:
    """By account what is known of each of these packs, those in stock first."""
    shelves = _shelves(session, {p.id for _account, packs in wanted for p in packs})
    return {
        a.id: sorted(
            (Offer(p, shelves[p.id].left, _obstacle(shelves[p.id], a.stock_buffer)) for p in packs),
            key=lambda offer: offer.obstacle is not None,
        )
        for a, packs in wanted
    }


def obstacle(session: Session, account: ChannelAccount, variant: Variant) -> Words | None:
    """Why a pack cannot be put on sale on an account now, and what to do about it; None when it can."""
    if is_retired(session, variant):
        return RETIRED
    return _obstacle(_shelves(session, [variant.id])[variant.id], account.stock_buffer)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What there is of one pack. `left`: to sell now, None when nothing ever moved; `ahead`: sold by shops, not recorded yet;
    `recalled`, `held`: the lots that stop what is there, by their codes.
    """

    left: int | None
    ahead: int
    recalled: tuple[str, ...]
    held: tuple[str, ...]


def _shelves(session: Session, variant_ids: Collection[UUID]) -> dict[UUID, _Shelf]:
    left = stock.on_hand(session, variant_ids)
    levels = stock.levels(session, [v for v in variant_ids if not left.get(v)])
    lots = {lot for by_lot in levels.values() for lot, level in by_lot.items() if lot is not None and level.left > 0}
    states = trace.standings(session, lots) if lots else {}
    named = session.execute(select(Batch.id, Batch.lot).where(Batch.id.in_(lots))) if lots else ()
    codes = {row.id: row.lot for row in named}
    ahead = {
        row.variant_id: int(row.sold)
        for row in session.execute(
            select(Listing.variant_id, func.sum(Listing.sold_there).label("sold"))
            .where(Listing.variant_id.in_(list(variant_ids)))
            .group_by(Listing.variant_id)
        )
    }

    def stopped(variant_id: UUID, state: str) -> tuple[str, ...]:
        there = {lot for lot, level in levels.get(variant_id, {}).items() if level.left > 0}
        return tuple(sorted(code for lot, code in codes.items() if lot in there and states[lot].state == state))

    return {
        v: _Shelf(left.get(v), ahead.get(v, 0), recalled=stopped(v, "recalled"), held=stopped(v, "held"))
        for v in variant_ids
    }


def _obstacle(shelf: _Shelf, buffer: int) -> Words | None:
    """What would be on offer is what is left, less what the shops sold unrecorded, less what the account keeps back."""
    if shelf.left is None:
        return Words.of(N_("Chưa đóng gói nào. Hãy tạo lô rồi ghi đóng gói vào sổ kho, sau đó mới đăng bán được."))
    if shelf.recalled:
        lots = ", ".join(shelf.recalled)
        return Words.of(
            N_(
                "Lô %(lots)s đang thu hồi nên không còn gói nào bán được. Hết thu hồi mới bán được, hoặc đóng gói "
                "lô khác.",
                lots=lots,
            )
        )
    if shelf.held:
        lots = ", ".join(shelf.held)
        return Words.of(
            N_(
                "Lô %(lots)s đang tạm giữ nên không còn gói nào bán được. Hãy mở lô xem vì sao; gỡ tạm giữ thì bán được.",
                lots=lots,
            )
        )
    if shelf.left == 0:
        return Words.of(N_("Trong kho đã hết gói này. Hãy ghi đóng gói thêm vào sổ kho rồi đăng bán."))
    if shelf.left <= shelf.ahead:
        return Words.of(
            N_(
                "Sàn đã bán %(ahead)s gói mà sổ kho chưa ghi nên không còn gói nào. Hãy ghi bán vào sổ kho trước.",
                ahead=shelf.ahead,
            )
        )
    if shelf.left - shelf.ahead <= buffer:
        return Words.of(
            N_(
                "Kho còn %(left)s gói, tài khoản này giữ lại %(buffer)s gói không đăng bán. Hãy ghi đóng gói "
                "thêm rồi đăng bán.",
                left=shelf.left - shelf.ahead,
                buffer=buffer,
            )
        )
    return None
