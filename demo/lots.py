"""The demo's lots: harvests packed, sold from, put on hold by the diary's own rule, and one recalled."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from app.actor import Actor
from app.trace import batch_events, batches, stock
from app.trace.models import BatchEventKind, MovementKind
from app.trace.schemas import BatchEventIn, Movement, NewBatch, SourceIn
from app.trace.steps import HARVESTS
from demo.goods import CROPS, LIGHTER
from demo.names import key
from demo.season import HOUSEHOLDS, manager_of, steps_of, work_id
from demo.stage import Stage
from demo.trade import ALL_GOODS


@dataclass(frozen=True, slots=True)
class Lot:
    """`sources`: household and step of its season. `sold`: days ago and packs. `out`: what came out, when less than went in."""

    good: str
    lot: str
    sources: tuple[tuple[str, int], ...]
    unit: str = "kg"
    out: str | None = None
    packed: int = 0
    sold: tuple[tuple[int, int], ...] = ()
    code: bool = True
    recall: str | None = None


NA_MAIN, NA_LATE = 9, 14  # harvests among the steps of a na orchard: in August, and household 1's in autumn

LOTS: tuple[Lot, ...] = (
    Lot(
        "na",
        "NA-VU-01",
        (("household-story-1", NA_MAIN), ("household-story-2", NA_MAIN)),
        packed=310,
        sold=((96, 120), (93, 130), (90, 60)),
    ),
    Lot("na", "NA-RAI-01", (("household-story-1", NA_LATE),), packed=70, sold=((1, 10),)),
    Lot("na", "NA-RAI-02", (("household-story-7", 13),), code=False),
    Lot(
        "mat-na-mau",
        "MAT-01",
        (("household-story-2", 2), ("household-story-2", 3)),
        unit="l",
        packed=150,
        sold=((150, 80),),
        recall="Đo lại thấy độ ẩm mật cao hơn mức công bố, có thể lên men. Ai đã mua xin mang trả nơi bán.",
    ),
    Lot(
        "hoi-kho",
        "HOI-VU-01",
        tuple((f"household-passing-{n}", 4) for n in (0, 1, 2, 3)),
        out="210",
        packed=400,
        sold=((80, 120), (40, 90)),
    ),
    Lot(
        "tinh-dau",
        "TD-VU-01",
        tuple((f"household-passing-{n}", 7) for n in (1, 2, 3, 4)),
        unit="l",
        out="14",
        packed=260,
        sold=((35, 60), (12, 25)),
    ),
    Lot("thach-den", "THACH-01", (("household-failing-0", 5),), out="170", packed=160, sold=((70, 45),)),
    Lot("mat-po-pan", "MAT-PP-01", (("household-failing-2", 2),), unit="l", packed=96, sold=((100, 30),)),
)


@dataclass(frozen=True, slots=True)
class _Reaped:
    """A harvest that the demo's diaries hold."""

    log: SourceIn
    day: date
    quantity: Decimal
    unit: str


def load_lots(stage: Stage) -> None:
    reaped = _harvests(stage)
    for lot in LOTS:
        _load_lot(stage, lot, [reaped[source] for source in lot.sources])
    for one in LIGHTER:
        own = [(k, r) for k, r in reaped.items() if k[0] == f"household-{one.company.key}-0"]
        for source, harvest in own[:1]:
            _load_lot(stage, Lot(one.good.key, "LO-MAU-01", (source,), unit=harvest.unit), [harvest])


def _harvests(stage: Stage) -> dict[tuple[str, int], _Reaped]:
    """Household and step to the harvest; of a household with two crops the numbers of harvests differ."""
    found: dict[tuple[str, int], _Reaped] = {}
    for home in HOUSEHOLDS:
        for crop in home.crops:
            for index, day, work in steps_of(stage, home, CROPS[crop], is_main=crop == home.crops[0]):
                amount = work.amount()
                if work.kind in HARVESTS and amount is not None and work.unit is not None:
                    source = SourceIn(care_log_id=work_id(home, crop, index))
                    found[home.key, index] = _Reaped(source, day, amount, work.unit)
    return found


def _load_lot(stage: Stage, lot: Lot, harvests: list[_Reaped]) -> None:
    good = next(g for g in ALL_GOODS if g.key == lot.good)
    made = max(h.day for h in harvests) + timedelta(days=1)
    manager, batch_id = manager_of(good.holder), key("batch", lot.good, lot.lot)
    with stage.at(made, 9):
        actor = stage.act(manager)
        batches.create_batch(
            stage.session,
            actor,
            NewBatch(
                id=batch_id,
                product_id=key("product", lot.good),
                variant_id=key("variant", lot.good),
                lot=lot.lot,
                quantity=Decimal(lot.out) if lot.out else sum((h.quantity for h in harvests), Decimal(0)),
                unit=lot.unit,
                made_on=made,
                sources=tuple(h.log for h in harvests),
            ),
        )
        if lot.code:
            batches.issue_code(stage.session, actor, batch_id)
        if lot.packed:
            _move(stage, actor, lot, MovementKind.PACKED, lot.packed, 0)
    for ago, units in lot.sold:
        with stage.at(max(stage.today - timedelta(days=ago), made), 15):
            _move(stage, actor, lot, MovementKind.SOLD, units, ago)
    if lot.recall:
        with stage.at(stage.today - timedelta(days=20), 10):
            recall = BatchEventIn(id=key("recall", lot.lot), kind=BatchEventKind.RECALLED, reason=lot.recall)
            batch_events.record_batch_event(stage.session, actor, batch_id, recall)


def _move(stage: Stage, actor: Actor, lot: Lot, kind: MovementKind, units: int, ago: int) -> None:
    stock.move(
        stage.session,
        actor,
        Movement(
            id=key("movement", lot.good, lot.lot, kind, ago),
            variant_id=key("variant", lot.good),
            batch_id=key("batch", lot.good, lot.lot),
            kind=kind,
            units=units,
        ),
    )
