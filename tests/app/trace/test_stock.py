"""The ledger never goes below zero, never sells a lot that is stopped, and never counts a line twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import func, select

from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.products.models import Variant
from app.trace import batch_events, batches, stock
from app.trace.models import MovementKind, StockMovement
from app.trace.schemas import BatchEventIn, Movement, NewBatch, ReverseMovement, SourceIn
from tests.app.trace.farm import NOON, World, a_log, a_pack, a_product, a_site, build, write


def a_batch(database: Database, world: World, product: UUID, kilograms: int = 100, lot: str = "NA-1126-01") -> UUID:
    site = a_site(database, world.farmer, world.household, world.village)
    harvest = a_log(site, "harvesting", 2, quantity=kilograms, unit="kg")
    assert write(database, world.farmer, harvest) == ["stored"]
    with database.transaction(world.manager) as session:
        return batches.create_batch(
            session,
            world.manager,
            NewBatch(
                id=new_id(),
                product_id=product,
                lot=lot,
                quantity=Decimal(kilograms),
                unit="kg",
                sources=(SourceIn(care_log_id=harvest.id),),
            ),
        )


def move(database: Database, actor: Actor, variant: UUID, kind: str, units: int, **facts: Any) -> UUID:
    whole = {"id": new_id(), "variant_id": variant, "kind": kind, "units": units} | facts
    if kind in {"lost", "counted"}:
        whole.setdefault("reason", "kiểm kho")
    with database.transaction(actor) as session:
        return stock.move(session, actor, Movement.model_validate(whole))


def take_back(database: Database, world: World, line: UUID) -> None:
    with database.transaction(world.manager) as session:
        stock.reverse(session, world.manager, line, ReverseMovement(id=new_id(), reason="ghi nhầm"))


def left(database: Database, variant: UUID) -> int | None:
    with database.transaction(SYSTEM) as session:
        return stock.on_hand(session, [variant]).get(variant)


def lines(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(StockMovement)) or 0


@pytest.fixture
def pack(database: Database, world: World) -> tuple[UUID, UUID]:
    """A pack and a lot of it with 10 packs."""
    product = a_product(database, world)
    variant = a_pack(database, world, product)
    batch = a_batch(database, world, product)
    move(database, world.manager, variant, "packed", 10, batch_id=batch)
    return variant, batch


def test_what_never_moved_is_missing_and_not_zero(database: Database, world: World) -> None:
    variant = a_pack(database, world, a_product(database, world))
    assert left(database, variant) is None


def test_every_kind_of_line_changes_what_is_left(database: Database, world: World, pack: tuple[UUID, UUID]) -> None:
    variant, batch = pack
    seen = []
    for kind, units in (("reserved", 4), ("sold", 1), ("released", 4), ("sold", 3), ("returned", 1), ("lost", 2)):
        move(database, world.manager, variant, kind, units, batch_id=batch)
        seen.append(left(database, variant))
    assert seen == [6, 5, 9, 6, 7, 5]
    move(database, world.manager, variant, "counted", 8, batch_id=batch)
    assert left(database, variant) == 8


def test_a_count_is_of_what_is_there_promised_packs_included(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "reserved", 4, batch_id=batch)
    move(database, world.manager, variant, "counted", 9, batch_id=batch)
    assert left(database, variant) == 5
    with pytest.raises(Conflict) as refused:
        move(database, world.manager, variant, "counted", 3, batch_id=batch)
    assert refused.value.code == "count_below_promised"
    assert "4 gói" in refused.value.vi
    assert left(database, variant) == 5
    # Counted without naming a lot: all lots together.
    move(database, world.manager, variant, "counted", 7)
    assert left(database, variant) == 3


@pytest.mark.parametrize("kind", ["sold", "reserved", "lost"])
def test_below_zero_is_refused_with_the_number_left(
    database: Database, world: World, pack: tuple[UUID, UUID], kind: str
) -> None:
    variant, batch = pack
    before = lines(database)
    for more in ({"batch_id": batch}, {}):
        with pytest.raises(Conflict) as refused:
            move(database, world.manager, variant, kind, 11, **more)
        assert refused.value.code == "not_enough"
        assert "chỉ còn 10" in refused.value.vi
    assert (left(database, variant), lines(database)) == (10, before)


def test_no_more_is_released_than_was_promised(database: Database, world: World, pack: tuple[UUID, UUID]) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "reserved", 2, batch_id=batch)
    with pytest.raises(Conflict, match="not_promised"):
        move(database, world.manager, variant, "released", 3, batch_id=batch)
    assert left(database, variant) == 8


def test_a_lot_gives_only_what_it_has_also_when_others_have_more(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    with database.transaction(SYSTEM) as session:
        product = session.execute(select(StockMovement.batch_id)).scalars().first()
    assert product == batch
    with pytest.raises(Conflict, match="more_than_batch"):
        move(database, world.manager, variant, "packed", 91, batch_id=batch)
    move(database, world.manager, variant, "packed", 90, batch_id=batch)
    assert left(database, variant) == 100


def test_only_what_buyers_have_comes_back_and_into_its_own_lot(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    with database.transaction(SYSTEM) as session:
        product = session.get_one(Variant, variant).product_id
    other = a_batch(database, world, product, lot="NA-1126-02")
    before = lines(database)
    for lot in (batch, other, None):
        with pytest.raises(Conflict) as refused:
            move(database, world.manager, variant, "returned", 1, batch_id=lot)
        assert refused.value.code == "nothing_sold"
        assert "không có gì trả lại" in refused.value.vi
    move(database, world.manager, variant, "sold", 4, batch_id=batch)
    move(database, world.manager, variant, "returned", 1, batch_id=batch)
    for lot in (batch, None):
        with pytest.raises(Conflict) as refused:
            move(database, world.manager, variant, "returned", 4, batch_id=lot)
        assert refused.value.code == "more_than_sold"
        assert "chỉ còn giữ 3 gói" in refused.value.vi
    with pytest.raises(Conflict, match="nothing_sold"):
        move(database, world.manager, variant, "returned", 1, batch_id=other)
    assert (left(database, variant), lines(database)) == (7, before + 2)
    move(database, world.manager, variant, "returned", 3)
    assert left(database, variant) == 10


def test_a_sale_whose_packs_came_back_is_not_taken_back(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    sold = move(database, world.manager, variant, "sold", 3, batch_id=batch)
    returned = move(database, world.manager, variant, "returned", 1, batch_id=batch)
    with pytest.raises(Conflict, match="more_than_sold"):
        take_back(database, world, sold)
    assert left(database, variant) == 8
    take_back(database, world, returned)
    take_back(database, world, sold)
    assert left(database, variant) == 10


def test_no_count_finds_more_than_was_harvested(database: Database, world: World) -> None:
    product = a_product(database, world)
    variant = a_pack(database, world, product)
    batch = a_batch(database, world, product, kilograms=20)
    move(database, world.manager, variant, "packed", 18, batch_id=batch)
    move(database, world.manager, variant, "sold", 5, batch_id=batch)
    before = lines(database)
    with pytest.raises(Conflict) as refused:
        move(database, world.manager, variant, "counted", 16, batch_id=batch)
    assert refused.value.code == "count_above_batch"
    assert "nhiều nhất còn 15 gói, bác đếm được 16" in refused.value.vi
    assert (left(database, variant), lines(database)) == (13, before)
    missing = move(database, world.manager, variant, "counted", 10, batch_id=batch)
    move(database, world.manager, variant, "counted", 15, batch_id=batch)
    with pytest.raises(Conflict, match="more_than_batch"):
        take_back(database, world, missing)
    with pytest.raises(Conflict, match="more_than_batch"):
        move(database, world.manager, variant, "packed", 1, batch_id=batch)
    assert left(database, variant) == 15


def test_stopped_lots_are_not_sold_and_not_counted_as_on_hand(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "sold", 2, batch_id=batch)

    def decide(kind: str) -> None:
        with database.transaction(world.manager) as session:
            event = BatchEventIn.model_validate({"id": new_id(), "kind": kind, "reason": "kiểm tra lại"})
            batch_events.record_batch_event(session, world.manager, batch, event)

    for stop, go in (("held", "released"), ("recalled", "recall_lifted")):
        decide(stop)
        assert left(database, variant) == 0
        for kind in ("sold", "reserved"):
            with pytest.raises(Conflict, match="batch_stopped"):
                move(database, world.manager, variant, kind, 1, batch_id=batch)
        move(database, world.manager, variant, "returned", 1, batch_id=batch)
        decide(go)
    assert left(database, variant) == 10


def test_what_was_sold_before_the_lot_was_stopped_can_still_be_written_down(
    database: Database, world: World, pack: tuple[UUID, UUID], clock_at: Callable[[datetime], None]
) -> None:
    """A marketplace sells without asking us: the sale is learned of when the lot is on hold already."""
    variant, batch = pack

    def decide(kind: str, hour: int) -> datetime:
        clock_at(NOON + timedelta(hours=hour))
        with database.transaction(world.manager) as session:
            event = BatchEventIn.model_validate({"id": new_id(), "kind": kind, "reason": "kiểm tra lại"})
            batch_events.record_batch_event(session, world.manager, batch, event)
        return NOON + timedelta(hours=hour)

    held = decide("held", 1)
    released = decide("released", 2)
    recalled = decide("recalled", 3)
    decide("held", 4)  # the later stop does not move the beginning of the earlier one
    clock_at(NOON + timedelta(hours=5))
    before = lines(database)
    moment = timedelta(microseconds=1)
    long_ago = NOON - timedelta(days=3)  # the lot was not made yet
    sale_refused = (held, released - moment, recalled, NOON + timedelta(hours=3, minutes=30), long_ago, None)
    for kind, when in [("sold", w) for w in sale_refused] + [("reserved", held - moment)]:
        with pytest.raises(Conflict, match="batch_stopped") as refused:
            move(database, world.manager, variant, kind, 1, batch_id=batch, happened_at=when)
    assert refused.value.vi == (
        "Lô NA-1126-01 đang thu hồi, chưa bán được. Gói nào đã bán từ trước đó thì bác ghi ngày giờ đã bán."
    )
    assert lines(database) == before
    for when in (held - moment, released, recalled - moment):
        move(database, world.manager, variant, "sold", 2, batch_id=batch, happened_at=when)
    with pytest.raises(Conflict, match="not_enough"):
        move(database, world.manager, variant, "sold", 5, batch_id=batch, happened_at=released)
    with database.transaction(SYSTEM) as session:
        assert stock.levels(session, [variant])[variant][batch] == stock.Level(there=4, promised=0, sold=6)
    assert left(database, variant) == 0


def test_the_same_line_again_is_answered_once_and_other_content_is_refused(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    line = new_id()
    for _ in range(2):
        assert move(database, world.manager, variant, "sold", 3, batch_id=batch, id=line) == line
    with pytest.raises(Conflict, match="same_id_other_content"):
        move(database, world.manager, variant, "sold", 4, batch_id=batch, id=line)
    assert left(database, variant) == 7


def test_a_line_is_taken_back_once_and_whole(database: Database, world: World, pack: tuple[UUID, UUID]) -> None:
    variant, batch = pack
    sold = move(database, world.manager, variant, "sold", 3, batch_id=batch)
    packed_after = move(database, world.manager, variant, "packed", 2, batch_id=batch)

    take_back(database, world, sold)
    assert left(database, variant) == 12
    with pytest.raises(Conflict, match="reversed_before"):
        take_back(database, world, sold)
    move(database, world.manager, variant, "sold", 11, batch_id=batch)
    with pytest.raises(Conflict, match="not_enough"):
        take_back(database, world, packed_after)
    assert left(database, variant) == 1


def test_who_may_move_stock(database: Database, world: World, pack: tuple[UUID, UUID]) -> None:
    variant, batch = pack
    move(database, world.purchaser, variant, "sold", 1, batch_id=batch)
    before = lines(database)
    with pytest.raises(NotFound):
        move(database, world.stranger, variant, "sold", 1, batch_id=batch)
    for actor in (world.farmer, world.official):
        with pytest.raises(Forbidden):
            move(database, actor, variant, "sold", 1, batch_id=batch)
    assert (left(database, variant), lines(database)) == (9, before)


def test_lines_that_make_no_sense_are_refused_at_the_edge() -> None:
    base = {"id": new_id(), "variant_id": new_id()}
    for facts in (
        {"kind": "sold", "units": 0},
        {"kind": "sold", "units": -1},
        {"kind": "packed", "units": 1},
        {"kind": "lost", "units": 1},
        {"kind": "stolen", "units": 1},
        {"kind": "sold", "units": "1.5"},
    ):
        with pytest.raises(ValidationError):
            Movement.model_validate(base | facts)
    assert Movement.model_validate(base | {"kind": "sold", "units": "1.500"}).units == 1500


def test_a_lot_of_another_product_is_refused(database: Database, world: World, pack: tuple[UUID, UUID]) -> None:
    _, batch = pack
    other = a_pack(database, world, a_product(database, world, name_vi="Mật ong"), sku="MAT-500")
    with pytest.raises(Invalid, match="other_product"):
        move(database, world.manager, other, "packed", 1, batch_id=batch)


def test_twenty_buyers_of_ten_packs_get_ten(fresh_database: Database) -> None:
    world = build(fresh_database)
    product = a_product(fresh_database, world)
    variant = a_pack(fresh_database, world, product)
    batch = a_batch(fresh_database, world, product)
    move(fresh_database, world.manager, variant, "packed", 10, batch_id=batch)

    def buy(number: int) -> str:
        try:
            move(fresh_database, world.manager, variant, "sold" if number % 2 else "reserved", 1, batch_id=batch)
        except Conflict as error:
            return error.code
        return "bought"

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(buy, range(20)))
    assert (answers.count("bought"), answers.count("not_enough")) == (10, 10)
    assert left(fresh_database, variant) == 0


def test_one_line_sent_ten_times_at_once_counts_once(fresh_database: Database) -> None:
    world = build(fresh_database)
    product = a_product(fresh_database, world)
    variant = a_pack(fresh_database, world, product)
    batch = a_batch(fresh_database, world, product)
    move(fresh_database, world.manager, variant, "packed", 10, batch_id=batch)
    line = new_id()
    with ThreadPoolExecutor(10) as pool:
        answers = set(
            pool.map(
                lambda _: move(fresh_database, world.manager, variant, "sold", 3, batch_id=batch, id=line), range(10)
            )
        )
    assert answers == {line}
    assert left(fresh_database, variant) == 7


KINDS = [k.value for k in MovementKind]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from([*KINDS, "taken back"]), st.integers(0, 12), st.sampled_from([0, 1, None])),
        max_size=14,
    )
)
def test_the_ledger_agrees_with_a_simple_shelf_and_never_oversells(
    database: Database, world: World, moves: list[tuple[str, int, int | None]]
) -> None:
    """Packs there, promised and with buyers add up; no lot gives out more packs than its 20 kg, whatever came back or was found."""
    product = a_product(database, world, name_vi="Na thử")
    variant = a_pack(database, world, product, sku=f"T{new_id().hex[:12]}")
    lots = [a_batch(database, world, product, kilograms=20, lot=f"L{new_id().hex[:12]}") for _ in range(2)]
    there, promised, sold, lost = 0, 0, 0, dict.fromkeys([*lots, None], 0)
    written: list[tuple[UUID, str, int, UUID | None]] = []
    for kind, units, which in moves:
        lot = None if which is None else lots[which]
        sign, line = 1, None
        try:
            if kind == "taken back":
                if units >= len(written):
                    continue
                line, kind, units, lot = written[units]  # noqa: PLW2901 - the line that is taken back says what moves
                sign = -1
                take_back(database, world, line)
            else:
                line = move(database, world.manager, variant, kind, units, batch_id=lot)
                written.append((line, kind, units, lot))
        except (Conflict, ValidationError):
            pass
        else:
            if kind == "counted":
                with database.transaction(SYSTEM) as session:
                    there = sum(level.there for level in stock.levels(session, [variant])[variant].values())
            elif kind in {"packed", "returned"}:
                there += sign * units
            elif kind in {"sold", "lost"}:
                there -= sign * units
            else:
                promised += sign * (units if kind == "reserved" else -units)
            sold += sign * {"sold": units, "returned": -units}.get(kind, 0)
            lost[lot] += sign * units if kind == "lost" else 0
        with database.transaction(SYSTEM) as session:
            by_lot = stock.levels(session, [variant]).get(variant, {})
            on_hand = stock.on_hand(session, [variant]).get(variant, 0)
        assert sum(level.there for level in by_lot.values()) == there
        assert sum(level.sold for level in by_lot.values()) == sold >= 0
        assert on_hand == there - promised >= 0
        assert 0 <= promised <= there
        for batch in lots:
            level = by_lot.get(batch, stock.NOTHING)
            assert level.sold >= 0
            assert level.there + level.sold + lost[batch] <= 20
