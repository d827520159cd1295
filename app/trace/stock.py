"""The one ledger of packs: what was packed, promised, sold, returned, lost and counted, and what is left of it.

Signed lines are added up by the database as they are written (`StockTotal`), so that a sale costs the same however many were
before it. The pack's row is locked while a line is added, so that two buyers never get the last one.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts.queries import among
from app.actor import Actor, Right, check_may
from app.db import canonical_json, insert_once, lock_ids
from app.errors import Conflict, Invalid, not_found
from app.messages import N_, Sentence
from app.outbox import publish
from app.products import queries as products
from app.products.models import Variant
from app.trace import queries
from app.trace.events import StockMoved
from app.trace.lot_room import MAKES, check_mass, more_than_batch, room_of
from app.trace.models import Batch, MovementKind, StockMovement, StockTotal
from app.trace.queries.batches import BatchStanding
from app.trace.schemas import Movement, ReverseMovement

_ADDS = {MovementKind.PACKED, MovementKind.RELEASED, MovementKind.RETURNED}
_PROMISES = {MovementKind.RESERVED, MovementKind.RELEASED}
_TO_BUYERS = {MovementKind.RESERVED, MovementKind.SOLD}
_WITH_BUYERS = {MovementKind.SOLD, MovementKind.RETURNED}


@dataclass(frozen=True, slots=True)
class Level:
    """One pack, of one lot or of all. `there`: in the house; `promised`: of these, for known buyers; `left`: the rest.

    `sold`: with buyers, without what they brought back.
    """

    there: int
    promised: int
    sold: int = 0

    @property
    def left(self) -> int:
        return self.there - self.promised

    def __add__(self, other: "Level") -> "Level":
        return Level(self.there + other.there, self.promised + other.promised, self.sold + other.sold)


NOTHING = Level(0, 0)


def levels(
    session: Session, variant_ids: Collection[UUID], *, lot: UUID | None = None
) -> dict[UUID, dict[UUID | None, Level]]:
    """Pack to lot to level, of one lot if named; lines without a lot stand under None. What never moved is missing."""
    found: dict[UUID, dict[UUID | None, Level]] = defaultdict(dict)
    query = (
        select(
            StockTotal.variant_id,
            StockTotal.batch_id,
            func.sum(StockTotal.units).filter(StockTotal.kind.not_in(_PROMISES)).label("there"),
            func.sum(StockTotal.units).filter(StockTotal.kind.in_(_PROMISES)).label("promised"),
            func.sum(StockTotal.units).filter(StockTotal.kind.in_(_WITH_BUYERS)).label("sold"),
        )
        .where(among(StockTotal.variant_id, variant_ids))
        .group_by(StockTotal.variant_id, StockTotal.batch_id)
    )
    for row in session.execute(query if lot is None else query.where(StockTotal.batch_id == lot)):
        found[row.variant_id][row.batch_id] = Level(int(row.there or 0), -int(row.promised or 0), -int(row.sold or 0))
    return found


@dataclass(frozen=True, slots=True)
class InHouse:
    """What there is of some packs, lot by lot, and how each lot stands of which something is left."""

    levels: Mapping[UUID, Mapping[UUID | None, Level]]
    standings: Mapping[UUID, BatchStanding]

    def is_open(self, lot: UUID | None) -> bool:
        """Packs without a lot are stopped by nothing, and of what is used up there is nothing to stop."""
        return lot is None or lot not in self.standings or self.standings[lot].state == "open"

    def on_hand(self) -> dict[UUID, int]:
        """How many of each pack may be sold now: there, promised to nobody, and not in a lot that is on hold or recalled.

        What never moved is missing: nobody has said that there is none.
        """
        answer: dict[UUID, int] = {}
        for variant_id, by_lot in self.levels.items():
            total = sum(level.left for level in by_lot.values())
            stopped = sum(level.left for lot, level in by_lot.items() if not self.is_open(lot))
            answer[variant_id] = max(total - stopped, 0)
        return answer


def in_house(session: Session, variant_ids: Collection[UUID]) -> InHouse:
    found = levels(session, variant_ids)
    lots = {lot for by_lot in found.values() for lot, level in by_lot.items() if lot is not None and level.left > 0}
    return InHouse(found, queries.standings(session, lots))


def on_hand(session: Session, variant_ids: Collection[UUID]) -> dict[UUID, int]:
    """See `InHouse.on_hand`."""
    return in_house(session, variant_ids).on_hand()


def recorded_sales(session: Session, variant_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many of each pack were ever recorded as sold, less what was recorded by mistake; brought back is sold all the same."""
    rows = session.execute(
        select(StockTotal.variant_id, func.sum(StockTotal.units).label("units"))
        .where(among(StockTotal.variant_id, variant_ids), StockTotal.kind == MovementKind.SOLD)
        .group_by(StockTotal.variant_id)
    )
    return dict.fromkeys(variant_ids, 0) | {row.variant_id: -int(row.units) for row in rows}


def rebuild_totals(session: Session) -> int:
    """Add up the whole ledger anew, as SYSTEM. Returns how many totals there are. Who moves stock meanwhile waits."""
    return int(session.scalar(select(func.hoi_rebuild_stock_totals())) or 0)


def move(session: Session, actor: Actor, new: Movement) -> UUID:
    """Add a line. Sent again with the same content it answers the same.

    Raises Conflict with the number left when there is not enough, when more would come back than buyers have or be there than the
    lot's harvest allows, when the lot is on hold or recalled and goods would go to a buyer (not when they were sold before), or
    when the id holds other content; NotFound, Forbidden, Invalid.
    """
    variant = products.variant(session, actor, new.variant_id, lock=True)
    _require(actor, variant)
    digest = hashlib.sha256(canonical_json(new)).hexdigest()
    if _is_there(session, new.id, digest):
        return new.id
    by_lot = levels(session, [variant.id]).get(variant.id, {})
    lot = by_lot.get(new.batch_id, NOTHING)
    total = sum(by_lot.values(), NOTHING)
    batch = _batch(session, actor, variant, new)
    if new.happened_at is not None and new.happened_at > clock.now() + timedelta(minutes=10):
        raise Invalid(
            "in_future",
            N_("Ngày giờ này chưa tới. Hãy chọn lại."),
            field="happened_at",
        )
    counted = lot if new.batch_id else total
    if new.kind == MovementKind.COUNTED:
        units = new.units - counted.there
        _check_count(new.units, counted, total, units)
    else:
        units = new.units if new.kind in _ADDS else -new.units
        _check_enough(new, counted, total)
    if batch is not None and new.kind in MAKES:
        check_mass(session, variant, batch, new, units)
    return _add(session, actor, variant, new, units, digest)


def reverse(session: Session, actor: Actor, movement_id: UUID, asked: ReverseMovement) -> UUID:
    """Take a whole line back by a new one. Raises Conflict when it was taken back before or packs of it are gone already."""
    old = session.scalar(select(StockMovement).where(StockMovement.id == movement_id))
    if old is None:
        raise not_found(N_("dòng kho này"))
    variant = products.variant(session, actor, old.variant_id, lock=True)
    _require(actor, variant)
    digest = hashlib.sha256(canonical_json([asked, movement_id])).hexdigest()
    if _is_there(session, asked.id, digest):
        return asked.id
    taken_back = session.scalar(select(StockMovement.id).where(StockMovement.corrects_id == old.id))
    if taken_back is not None or old.corrects_id is not None:
        raise Conflict("reversed_before", N_("Dòng này đã được hoàn lại rồi. Hãy tải lại trang."))
    _check_gone(old, levels(session, [variant.id]).get(variant.id, {}))
    if old.kind == MovementKind.COUNTED and old.batch_id is not None:  # a later count may have found the missing packs
        lock_ids(session, [old.batch_id])
        batch = session.get_one(Batch, old.batch_id)
        room = room_of(session, variant, batch, MovementKind.COUNTED)
        if room is not None and -old.units > room:
            raise more_than_batch(batch, room)
    row = StockMovement(
        id=asked.id,
        organisation_id=variant.organisation_id,
        variant_id=variant.id,
        batch_id=old.batch_id,
        kind=old.kind,
        units=-old.units,
        asked=old.asked,
        happened_at=clock.now(),
        recorded_at=clock.now(),
        person_id=actor.person_id,
        reason=asked.reason,
        corrects_id=old.id,
        content_sha256=digest,
    )
    return _write(session, actor, row, "reverse")


# --- rules -------------------------------------------------------------------------------------------------------


def _require(actor: Actor, variant: Variant) -> None:
    check_may(actor, Right.HANDLE_GOODS, variant.organisation_id)


def _is_there(session: Session, movement_id: UUID, digest: str) -> bool:
    there = session.scalar(select(StockMovement.content_sha256).where(StockMovement.id == movement_id))
    if there is not None and there != digest:
        raise _other_content()
    return there is not None


def _other_content() -> Conflict:
    return Conflict(
        "same_id_other_content",
        N_("Dòng kho này đã ghi một lần với nội dung khác. Hãy tải lại trang để xem bản đã ghi."),
    )


def _not_enough(left: int) -> Conflict:
    return Conflict(
        "not_enough",
        N_("Không đủ hàng: chỉ còn %(max)s. Hãy giảm số lượng, hoặc ghi thêm đóng gói trước.", max=max(left, 0)),
        field="units",
    )


def _not_promised(promised: int) -> Conflict:
    return Conflict(
        "not_promised",
        N_("Chỉ có %(max)s gói đang giữ cho khách, không bỏ giữ nhiều hơn được.", max=max(promised, 0)),
        field="units",
    )


def _not_sold(sold: int) -> Conflict:
    if sold <= 0:
        return Conflict(
            "nothing_sold",
            N_("Không có gói nào như vậy đang ở chỗ khách, nên không có gì trả lại. Hãy xem lại lô và gói đã chọn."),
            field="units",
        )
    return Conflict(
        "more_than_sold",
        N_("Khách chỉ còn giữ %(sold)s gói đã mua, không trả lại nhiều hơn được. Hãy xem lại số gói và lô.", sold=sold),
        field="units",
    )


def _check_enough(new: Movement, lot: Level, total: Level) -> None:
    """Never below zero, neither in the named lot nor in all lots together; and back comes only what is with buyers."""
    if new.kind == MovementKind.RETURNED:
        if new.units > min(lot.sold, total.sold):
            raise _not_sold(min(lot.sold, total.sold))
    elif new.kind == MovementKind.RELEASED:
        if new.units > min(lot.promised, total.promised):
            raise _not_promised(min(lot.promised, total.promised))
    elif new.kind not in _ADDS and new.units > min(lot.left, total.left):
        raise _not_enough(min(lot.left, total.left))


def _check_gone(old: StockMovement, by_lot: Mapping[UUID | None, Level]) -> None:
    """Without the line neither its lot nor all lots together are below zero, unless they were before."""
    total = sum(by_lot.values(), NOTHING)
    lot = by_lot.get(old.batch_id, NOTHING) if old.batch_id else total
    promised = old.kind in _PROMISES
    sold = old.units if old.kind in _WITH_BUYERS else 0
    change = Level(0, old.units) if promised else Level(-old.units, 0, sold)
    for level in (lot + change, total + change):
        if level.sold < 0 and change.sold < 0:
            raise _not_sold(level.sold - change.sold)
        if level.left < 0 and change.left < 0:
            raise _not_enough(level.left - change.left)
        if level.promised < 0:
            raise _not_promised(0)


def _check_count(found: int, lot: Level, total: Level, units: int) -> None:
    promised = max(lot.promised, 0)
    if found < promised or total.left + units < 0:
        needed = max(promised, lot.there - total.left)
        raise Conflict(
            "count_below_promised",
            N_(
                "Đang giữ %(needed)s gói cho khách mà chỉ đếm được %(found)s. Hãy bỏ giữ đơn chưa giao trước, rồi "
                "ghi kiểm đếm.",
                needed=needed,
                found=found,
            ),
            field="units",
        )


def _batch(session: Session, actor: Actor, variant: Variant, new: Movement) -> Batch | None:
    if new.batch_id is None:
        return None
    batch = queries.batch(session, actor, new.batch_id)
    if batch.organisation_id != variant.organisation_id or batch.product_id != variant.product_id:
        raise Invalid(
            "other_product",
            N_("Lô này không phải của sản phẩm đang chọn. Hãy chọn lại lô."),
            field="batch_id",
        )
    lock_ids(session, [batch.id])
    if new.kind in _TO_BUYERS:
        state = queries.standing(session, batch.id).state
        if state != "open" and not _was_sold_while_open(session, batch, new):
            raise Conflict("batch_stopped", _stopped(batch.lot, state), field="batch_id")
    return batch


def _stopped(lot: str, state: str) -> Sentence:
    if state == "recalled":
        return N_(
            "Lô %(lot)s đang thu hồi, chưa bán được. Gói nào đã bán từ trước đó thì ghi ngày giờ đã bán.", lot=lot
        )
    return N_("Lô %(lot)s đang tạm giữ, chưa bán được. Gói nào đã bán từ trước đó thì ghi ngày giờ đã bán.", lot=lot)


def _was_sold_while_open(session: Session, batch: Batch, new: Movement) -> bool:
    """Whether the line only writes down late what left the house before the lot was stopped.

    - is it a sale, with its time? (a promise is made now, whatever its time)
    - was the lot made by then?
    - was it neither on hold nor recalled at that time?
    """
    if new.kind != MovementKind.SOLD or new.happened_at is None or new.happened_at < clock.start_of_day(batch.made_on):
        return False
    return queries.standing(session, batch.id, new.happened_at).state == "open"


def _add(session: Session, actor: Actor, variant: Variant, new: Movement, units: int, digest: str) -> UUID:
    row = StockMovement(
        id=new.id,
        organisation_id=variant.organisation_id,
        variant_id=variant.id,
        batch_id=new.batch_id,
        kind=new.kind,
        units=units,
        asked=new.units,
        happened_at=new.happened_at or clock.now(),
        recorded_at=clock.now(),
        person_id=actor.person_id,
        reason=new.reason,
        corrects_id=None,
        content_sha256=digest,
    )
    return _write(session, actor, row, new.kind)


def _write(session: Session, actor: Actor, row: StockMovement, verb: str) -> UUID:
    if not insert_once(session, row):  # the id belongs to somebody whose rows this actor cannot see
        raise _other_content()
    audit.record(
        session,
        actor,
        f"trace:stock:{verb}",
        subject_id=row.variant_id,
        organisation_id=row.organisation_id,
        units=row.units,
    )
    publish(session, actor, StockMoved(variant_id=row.variant_id))
    return row.id
