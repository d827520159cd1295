"""Which packs may be put on sale on an account, and of which there is nothing to sell now, and why."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Words, numbered
from app.marketplace_sync.models import ChannelAccount, Listing
from app.products.models import Product, Variant
from app.trace import queries as trace
from app.trace import stock
from app.trace.models import Batch

RETIRED = Words(
    vi="Sản phẩm hoặc gói hàng này đã ngưng, không đăng bán được nữa.",
    en="This product or pack is retired and can no longer be put on sale.",
)


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
        .order_by(numbered(Product.name_folded), Variant.sku, Variant.id)
    ).all()
    wanted = session.execute(
        select(Listing.account_id, Listing.variant_id).where(
            Listing.account_id.in_({a.id for a in active}), Listing.wanted == "live"
        )
    )
    taken = {(row.account_id, row.variant_id) for row in wanted}
    shelves = _shelves(session, [p.id for p in packs])
    return {
        a.id: sorted(
            (
                Offer(p, shelves[p.id].left, _obstacle(shelves[p.id], a.stock_buffer))
                for p in packs
                if p.organisation_id == a.organisation_id and (a.id, p.id) not in taken
            ),
            key=lambda offer: offer.obstacle is not None,
        )
        for a in active
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
    states = trace.standings(session, lots)
    codes = {row.id: row.lot for row in session.execute(select(Batch.id, Batch.lot).where(Batch.id.in_(lots)))}
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
        return Words(
            vi="Chưa đóng gói nào. Bác lập lô rồi ghi đóng gói vào sổ kho, sau đó mới đưa lên được.",
            en="None was packed yet. Make a batch, record the packing in the stock ledger, then put it on sale.",
        )
    if shelf.recalled:
        lots = ", ".join(shelf.recalled)
        return Words(
            vi=f"Lô {lots} đang thu hồi nên không còn gói nào bán được. Bác bán khi hết thu hồi, hoặc đóng gói lô khác.",
            en=f"Batch {lots} is recalled, so there is nothing to sell. Sell once the recall is lifted, or pack another batch.",
        )
    if shelf.held:
        lots = ", ".join(shelf.held)
        return Words(
            vi=f"Lô {lots} đang tạm giữ nên không còn gói nào bán được. Bác mở lô xem vì sao; thôi giữ thì bán được.",
            en=f"Batch {lots} is on hold, so there is nothing to sell. Open the batch to see why; released, it can be sold.",
        )
    if shelf.left == 0:
        return Words(
            vi="Trong kho đã hết gói này. Bác ghi đóng gói thêm vào sổ kho rồi đưa lên.",
            en="There is none of this pack left. Record more packing in the stock ledger, then put it on sale.",
        )
    if shelf.left <= shelf.ahead:
        return Words(
            vi=f"Sàn đã bán {shelf.ahead} gói mà sổ kho chưa ghi nên không còn gói nào. Bác ghi bán vào sổ kho trước.",
            en=f"Shops sold {shelf.ahead} packs that the stock ledger does not have, so none is left. Record the sale first.",
        )
    if shelf.left - shelf.ahead <= buffer:
        return Words(
            vi=f"Kho còn {shelf.left - shelf.ahead} gói, tài khoản này giữ lại {buffer} gói không đưa lên sàn."
            " Bác ghi đóng gói thêm rồi đưa lên.",
            en=f"{shelf.left - shelf.ahead} packs are left and this account keeps {buffer} back."
            " Record more packing, then put it on sale.",
        )
    return None
