"""The room of a lot: nobody packs or counts more than was harvested."""

from collections import defaultdict
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import Conflict
from app.messages import N_
from app.products.models import Variant
from app.trace import queries
from app.trace.models import Batch, MovementKind
from app.trace.schemas import Movement, factor

MAKES = {
    MovementKind.PACKED,
    MovementKind.COUNTED,
}  # the lines that say that there are packs which were not there before


def room_of(session: Session, variant: Variant, batch: Batch, kind: MovementKind) -> int | None:
    """How many packs more than the ledger says the batch's mass allows; None where pack and batch measure different things.

    What counts found above the ledger takes room like packing; what they found missing gives none back to packing, but may be
    found again by a count.
    """
    rate = factor(variant.net_unit, batch.unit) if variant.net_unit else None
    if rate is None or variant.net_quantity is None:
        return None
    packed: dict[UUID, int] = defaultdict(int)
    counted: dict[UUID, int] = defaultdict(int)
    weights: dict[UUID, Decimal] = {}
    for row, pack in queries.totals_of(session, batch.id):
        other = factor(pack.net_unit, batch.unit) if pack.net_unit else None
        if row.kind in MAKES and other is not None and pack.net_quantity is not None:
            weights[pack.id] = pack.net_quantity * other
            (packed if row.kind == MovementKind.PACKED else counted)[pack.id] += row.units
    used = sum((weight * (packed[p] + max(counted[p], 0)) for p, weight in weights.items()), Decimal(0))
    room = max(int((batch.quantity - used) // (variant.net_quantity * rate)), 0)
    return room + max(-counted[variant.id], 0) if kind == MovementKind.COUNTED else room


def check_mass(session: Session, variant: Variant, batch: Batch, new: Movement, units: int) -> None:
    room = room_of(session, variant, batch, new.kind)
    if room is None or units <= room:
        return
    if new.kind == MovementKind.PACKED:
        raise more_than_batch(batch, room)
    most = new.units - units + room
    raise Conflict(
        "count_above_batch",
        N_(
            "Theo khối lượng đã thu hoạch, lô %(lot)s nhiều nhất còn %(most)s gói, mà đếm được %(units)s. Hãy "
            "đếm lại, xem có gói của lô khác lẫn vào không; dòng bán hoặc hao hụt nào ghi nhầm thì hoàn lại "
            "dòng đó.",
            lot=batch.lot,
            most=most,
            units=new.units,
        ),
        field="units",
    )


def more_than_batch(batch: Batch, room: int) -> Conflict:
    return Conflict(
        "more_than_batch",
        N_(
            "Lô %(lot)s chỉ đủ đóng thêm %(room)s gói. Hãy xem lại số gói hoặc khối lượng lô.", lot=batch.lot, room=room
        ),
        field="units",
    )
