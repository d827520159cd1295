"""The ledger under many hands: it never oversells, and counts every line once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from app.actor import SYSTEM
from app.db import Database, new_id
from app.errors import Conflict
from app.trace import stock
from app.trace.models import MovementKind, StockMovement, StockTotal
from tests import filled
from tests.app.trace.shelf import a_batch, left, move, take_back
from tests.conftest import owner_of
from tests.worlds.farm import World, a_pack, a_product, build

KINDS = [k.value for k in MovementKind]


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


def totals(session: Session) -> dict[tuple[UUID, UUID | None, str], int]:
    rows = session.execute(select(StockTotal.variant_id, StockTotal.batch_id, StockTotal.kind, StockTotal.units))
    return {(row.variant_id, row.batch_id, row.kind): row.units for row in rows}


def added_up(session: Session) -> dict[tuple[UUID, UUID | None, str], int]:
    """The ledger line by line."""
    found: Counter[tuple[UUID, UUID | None, str]] = Counter()
    for line in session.scalars(select(StockMovement)):
        found[line.variant_id, line.batch_id, line.kind] += line.units
    return dict(found)


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
            there += sign * {"packed": units, "returned": units, "sold": -units, "lost": -units}.get(kind, 0)
            promised += sign * {"reserved": units, "released": -units}.get(kind, 0)
            sold += sign * {"sold": units, "returned": -units}.get(kind, 0)
            lost[lot] += sign * units if kind == "lost" else 0
        with database.transaction(SYSTEM) as session:
            by_lot = stock.levels(session, [variant]).get(variant, {})
            on_hand = stock.on_hand(session, [variant]).get(variant, 0)
            assert totals(session) == added_up(session)
        assert sum(level.there for level in by_lot.values()) == there
        assert sum(level.sold for level in by_lot.values()) == sold >= 0
        assert on_hand == there - promised >= 0
        assert 0 <= promised <= there
        for batch in lots:
            level = by_lot.get(batch, stock.NOTHING)
            assert level.sold >= 0
            assert level.there + level.sold + lost[batch] <= 20


def test_the_totals_are_made_anew_from_the_ledger_and_by_the_system_alone(fresh_database: Database) -> None:
    world = build(fresh_database)
    product = a_product(fresh_database, world)
    variant = a_pack(fresh_database, world, product)
    batch = a_batch(fresh_database, world, product)
    for kind, units, lot in (("packed", 10, batch), ("sold", 3, batch), ("counted", 6, None), ("reserved", 2, None)):
        move(fresh_database, world.manager, variant, kind, units, batch_id=lot)
    with fresh_database.transaction(SYSTEM) as session:
        before = totals(session)
    assert before == {
        (variant, batch, "packed"): 10,
        (variant, batch, "sold"): -3,
        (variant, None, "counted"): -1,
        (variant, None, "reserved"): -2,
    }
    with psycopg.connect(owner_of(fresh_database.url), autocommit=True) as owner:
        owner.execute("UPDATE stock_totals SET units = units + 1")
    with fresh_database.transaction(SYSTEM) as session:
        assert stock.rebuild_totals(session) == 4
        assert totals(session) == before == added_up(session)
    for actor in (world.manager, world.official):
        with pytest.raises(ProgrammingError), fresh_database.transaction(actor) as session:
            stock.rebuild_totals(session)
        with pytest.raises(ProgrammingError), fresh_database.transaction(actor) as session:
            session.execute(text("UPDATE stock_totals SET units = 0"))


def test_what_is_left_is_told_without_reading_the_lines_again(fresh_database: Database) -> None:
    world = build(fresh_database)
    product = a_product(fresh_database, world)
    variant = a_pack(fresh_database, world, product)
    batch = a_batch(fresh_database, world, product)
    move(fresh_database, world.manager, variant, "packed", 10, batch_id=batch)

    def touched() -> int:
        with fresh_database.transaction(world.manager) as session:
            return filled.buffers(
                fresh_database,
                session,
                lambda: (stock.on_hand(session, [variant]), stock.recorded_sales(session, [variant])),
            )

    before = touched()
    for _ in range(100):
        move(fresh_database, world.manager, variant, "sold", 1, batch_id=batch)
        move(fresh_database, world.manager, variant, "returned", 1, batch_id=batch)
    with psycopg.connect(owner_of(fresh_database.url), autocommit=True) as owner:
        owner.execute("VACUUM stock_totals")
    assert touched() <= before + 4
