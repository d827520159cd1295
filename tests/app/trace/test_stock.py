"""The ledger of packs: what is left, what is refused, what is taken back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.products.models import Variant
from app.trace import batch_events, stock
from app.trace.models import StockMovement
from app.trace.schemas import BatchEventIn, Movement
from tests.app.trace.shelf import a_batch, left, lines, move, take_back
from tests.worlds.farm import NOON, World, a_pack, a_product
from tests.worlds.lots import decide


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
    assert "4 gói" in refused.value.text("vi")
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
        assert "chỉ còn 10" in refused.value.text("vi")
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


def test_the_level_of_one_lot_is_told_without_the_others(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "sold", 3, batch_id=batch)
    with database.transaction(SYSTEM) as session:
        product = session.get_one(Variant, variant).product_id
    other = a_batch(database, world, product, lot="NA-1126-02")
    move(database, world.manager, variant, "packed", 4, batch_id=other)
    with database.transaction(world.manager) as session:
        every = stock.levels(session, [variant])
        one, none = (stock.levels(session, [variant], lot=lot) for lot in (other, new_id()))
    assert every == {variant: {batch: stock.Level(7, 0, 3), other: stock.Level(4, 0)}}
    assert (one, none) == ({variant: {other: stock.Level(4, 0)}}, {})


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
        assert "không có gì trả lại" in refused.value.text("vi")
    move(database, world.manager, variant, "sold", 4, batch_id=batch)
    move(database, world.manager, variant, "returned", 1, batch_id=batch)
    for lot in (batch, None):
        with pytest.raises(Conflict) as refused:
            move(database, world.manager, variant, "returned", 4, batch_id=lot)
        assert refused.value.code == "more_than_sold"
        assert "chỉ còn giữ 3 gói" in refused.value.text("vi")
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
    assert refused.value.text("vi") == (
        "Lô NA-1126-01 đang thu hồi, chưa bán được. Gói nào đã bán từ trước đó thì ghi ngày giờ đã bán."
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
    sold = Movement.model_validate(base | {"kind": "sold", "units": "1.500"}, context={"language": "vi"})
    assert sold.units == 1500


def test_a_lot_of_another_product_is_refused(database: Database, world: World, pack: tuple[UUID, UUID]) -> None:
    _, batch = pack
    other = a_pack(database, world, a_product(database, world, name_vi="Mật ong"), sku="MAT-500")
    with pytest.raises(Invalid, match="other_product"):
        move(database, world.manager, other, "packed", 1, batch_id=batch)


# --- all lots together: a line that names no lot takes from the house, and no lot gives what the house has not ---------


@pytest.mark.parametrize("kind", ["sold", "reserved", "lost"])
def test_a_lot_gives_no_more_than_the_whole_house_has_left(
    database: Database, world: World, pack: tuple[UUID, UUID], kind: str
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "sold", 8)
    before = lines(database)
    with pytest.raises(Conflict, match="not_enough") as refused:
        move(database, world.manager, variant, kind, 3, batch_id=batch)
    assert "chỉ còn 2." in refused.value.text("vi")
    assert (left(database, variant), lines(database)) == (2, before)
    move(database, world.manager, variant, kind, 2, batch_id=batch)
    assert left(database, variant) == 0


def test_a_lot_releases_and_takes_back_no_more_than_the_whole_house_has_with_buyers(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "reserved", 3, batch_id=batch)
    move(database, world.manager, variant, "released", 1)
    move(database, world.manager, variant, "sold", 3, batch_id=batch)
    move(database, world.manager, variant, "returned", 1)
    before = lines(database)
    for kind, code, words in (
        ("released", "not_promised", "Chỉ có 2 gói đang giữ"),
        ("returned", "more_than_sold", "chỉ còn giữ 2 gói"),
    ):
        with pytest.raises(Conflict, match=code) as refused:
            move(database, world.manager, variant, kind, 3, batch_id=batch)
        assert (words in refused.value.text("vi"), lines(database)) == (True, before)
        move(database, world.manager, variant, kind, 2, batch_id=batch)
        before = lines(database)
    assert left(database, variant) == 10


def test_a_promise_whose_packs_were_released_is_not_taken_back(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    first = move(database, world.manager, variant, "reserved", 4, batch_id=batch)
    released = move(database, world.manager, variant, "released", 1, batch_id=batch)
    before = lines(database)
    with pytest.raises(Conflict) as refused:
        take_back(database, world, first)
    assert (refused.value.code, lines(database), left(database, variant)) == ("not_promised", before, 7)
    take_back(database, world, released)
    take_back(database, world, first)
    assert left(database, variant) == 10


def test_a_count_of_a_lot_leaves_what_the_house_sold_without_a_lot(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "sold", 8)
    before = lines(database)
    with pytest.raises(Conflict) as refused:
        move(database, world.manager, variant, "counted", 7, batch_id=batch)
    assert (refused.value.code, "Đang giữ 8 gói" in refused.value.text("vi")) == ("count_below_promised", True)
    assert (left(database, variant), lines(database)) == (2, before)
    move(database, world.manager, variant, "counted", 8, batch_id=batch)
    assert left(database, variant) == 0


def test_a_count_of_just_what_is_promised_leaves_nothing_to_sell(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "reserved", 4, batch_id=batch)
    move(database, world.manager, variant, "counted", 4, batch_id=batch)
    assert left(database, variant) == 0


def test_a_line_is_of_ten_minutes_from_now_at_the_latest(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    latest, before = NOON + timedelta(minutes=10), lines(database)
    with pytest.raises(Invalid, match="in_future"):
        move(
            database, world.manager, variant, "sold", 1, batch_id=batch, happened_at=latest + timedelta(microseconds=1)
        )
    assert lines(database) == before
    move(database, world.manager, variant, "sold", 1, batch_id=batch, happened_at=latest)
    assert left(database, variant) == 9


def test_recorded_sales_are_of_one_pack_less_what_was_recorded_by_mistake(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    other = a_pack(database, world, a_product(database, world, name_vi="Mật ong"), sku="MAT-500")

    def sales() -> list[int]:
        with database.transaction(SYSTEM) as session:
            sold = stock.recorded_sales(session, [variant, other])
            return [sold[one] for one in (variant, other)]

    assert sales() == [0, 0]
    for kind, units in (("reserved", 2), ("sold", 3), ("returned", 1), ("lost", 1)):
        move(database, world.manager, variant, kind, units, batch_id=batch)
    mistaken = move(database, world.manager, variant, "sold", 2, batch_id=batch)
    assert sales() == [5, 0]
    take_back(database, world, mistaken)
    assert sales() == [3, 0]


def test_a_lot_of_which_nothing_was_sold_takes_nothing_from_what_another_sold(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    """And a promise that names no lot is of no packs that would be there without one."""
    variant, batch = pack
    with database.transaction(SYSTEM) as session:
        product = session.get_one(Variant, variant).product_id
    other = a_batch(database, world, product, lot="NA-1126-02")
    move(database, world.manager, variant, "packed", 5, batch_id=other)
    move(database, world.manager, variant, "reserved", 4)
    assert left(database, variant) == 11
    move(database, world.manager, variant, "sold", 3, batch_id=batch)
    move(database, world.manager, variant, "returned", 3, batch_id=batch)
    assert left(database, variant) == 11


def test_a_stopped_lot_of_which_nothing_is_left_takes_nothing_from_the_others(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    with database.transaction(SYSTEM) as session:
        product = session.get_one(Variant, variant).product_id
    other = a_batch(database, world, product, lot="NA-1126-02")
    move(database, world.manager, variant, "packed", 5, batch_id=other)
    move(database, world.manager, variant, "sold", 10, batch_id=batch)
    decide(database, world.manager, batch, "held")
    assert left(database, variant) == 5


def test_the_last_pack_of_a_stopped_lot_is_not_for_sale(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "sold", 9, batch_id=batch)
    assert left(database, variant) == 1
    decide(database, world.manager, batch, "held")
    assert left(database, variant) == 0


def test_nothing_may_be_found_and_never_less_than_the_lot_has_promised(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    """Also where the other lots have enough for all buyers."""
    variant, batch = pack
    with database.transaction(SYSTEM) as session:
        product = session.get_one(Variant, variant).product_id
    other = a_batch(database, world, product, lot="NA-1126-02")
    move(database, world.manager, variant, "packed", 10, batch_id=other)
    move(database, world.manager, variant, "reserved", 4, batch_id=batch)
    before = lines(database)
    with pytest.raises(Conflict, match="count_below_promised") as refused:
        move(database, world.manager, variant, "counted", 3, batch_id=batch)
    assert ("Đang giữ 4 gói cho khách mà chỉ đếm được 3." in refused.value.text("vi"), lines(database)) == (
        True,
        before,
    )
    move(database, world.manager, variant, "counted", 0, batch_id=other)
    assert left(database, variant) == 6


def test_one_pack_with_a_buyer_is_named_and_not_called_none(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    move(database, world.manager, variant, "sold", 1, batch_id=batch)
    with pytest.raises(Conflict, match="more_than_sold") as refused:
        move(database, world.manager, variant, "returned", 2, batch_id=batch)
    assert "Khách chỉ còn giữ 1 gói đã mua" in refused.value.text("vi")


def test_a_sale_of_the_first_moment_of_the_day_of_making_can_be_written_down_late(
    database: Database, world: World, pack: tuple[UUID, UUID]
) -> None:
    variant, batch = pack
    decide(database, world.manager, batch, "held")
    made = clock.start_of_day(NOON.date() - timedelta(days=2))
    with pytest.raises(Conflict, match="batch_stopped"):
        move(database, world.manager, variant, "sold", 1, batch_id=batch, happened_at=made - timedelta(microseconds=1))
    move(database, world.manager, variant, "sold", 1, batch_id=batch, happened_at=made)
    with database.transaction(SYSTEM) as session:
        assert stock.levels(session, [variant])[variant][batch] == stock.Level(there=9, promised=0, sold=1)


def test_adding_up_the_ledger_anew_says_how_many_totals_there_are(
    database: Database, world: World, product: UUID
) -> None:
    variant = a_pack(database, world, product)
    with database.transaction(SYSTEM) as session:
        assert stock.rebuild_totals(session) == 0
    for kind, units in (("counted", 9), ("sold", 2), ("sold", 1), ("lost", 1)):
        move(database, world.manager, variant, kind, units)
    with database.transaction(SYSTEM) as session:
        assert stock.rebuild_totals(session) == 3
    assert left(database, variant) == 5
