"""A batch's stock: late sales, and a line taken back."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select

from app.actor import SYSTEM
from app.db import Database, new_id
from app.trace.models import StockMovement
from tests.app.trace.desk import MakeClient, a_batch, count
from tests.worlds.farm import NOON, World


def test_packs_sold_before_a_hold_are_written_down_with_the_day_and_hour_of_the_sale(
    client_of: MakeClient, database: Database, world: World, clock_at: Callable[[datetime], None]
) -> None:
    client = client_of(world.manager)
    batch, variant = a_batch(client, database, world)
    clock_at(NOON + timedelta(hours=1))
    client.post(f"/lo/{batch}/quyet-dinh", data={"id": new_id(), "kind": "held", "reason": "kiểm tra lại"})
    clock_at(NOON + timedelta(days=1, hours=-2))
    page = client.get(f"/lo/{batch}").text
    assert [re.search(rf'<input[^>]*name="{n}"', page) is not None for n in ("day", "hour")] == [True] * 2
    sale = {"variant_id": variant, "kind": "sold", "units": "3"}
    for when in ({}, {"day": "2026-11-21"}, {"hour": "09:00"}, {"day": "2026-11-20", "hour": "13:00"}):
        refused = client.post(f"/lo/{batch}/kho", data={"id": new_id(), **sale, **when})
        assert (refused.status_code, "ghi ngày giờ đã bán" in refused.text) == (409, True)
    assert count(database, StockMovement) == 1
    late = {"id": new_id(), **sale, "day": "2026-11-20", "hour": "12:59"}
    assert client.post(f"/lo/{batch}/kho", data=late).status_code == 303
    with database.transaction(SYSTEM) as session:
        line = session.scalars(select(StockMovement).where(StockMovement.kind == "sold")).one()
    assert (line.units, line.happened_at) == (-3, NOON + timedelta(minutes=59))
    # Without a time it is now, and the same form sent again later is the same line.
    broken = {"id": new_id(), "variant_id": variant, "kind": "lost", "units": "1", "reason": "vỡ", "day": "2026-11-21"}
    for minutes in (0, 5):
        clock_at(NOON + timedelta(days=1, hours=-2, minutes=minutes))
        assert client.post(f"/lo/{batch}/kho", data=broken).status_code == 303
    with database.transaction(SYSTEM) as session:
        line = session.scalars(select(StockMovement).where(StockMovement.kind == "lost")).one()
    assert line.happened_at == NOON + timedelta(days=1, hours=-2)


def test_a_stock_line_is_taken_back_once_and_under_its_own_batch(
    client_of: MakeClient, database: Database, world: World
) -> None:
    client = client_of(world.manager)
    first, _ = a_batch(client, database, world, "MOT")
    second, _ = a_batch(client, database, world, "HAI")
    with database.transaction(SYSTEM) as session:
        line = session.scalars(select(StockMovement.id).where(StockMovement.batch_id == first)).one()
    back = {"id": new_id(), "reason": "ghi nhầm lô"}
    assert client.get(f"/lo/{second}/kho/{line}/hoan").status_code == 404
    assert client.post(f"/lo/{second}/kho/{line}/hoan", data=back).status_code == 404
    assert count(database, StockMovement) == 2
    assert f"/lo/{first}/kho/{line}/hoan" in client.get(f"/lo/{first}").text
    assert client.post(f"/lo/{first}/kho/{line}/hoan", data=back).status_code == 303
    assert "Hoàn lại</a>" not in client.get(f"/lo/{first}").text
    assert "đã hoàn lại rồi" in client.get(f"/lo/{first}/kho/{line}/hoan").text
