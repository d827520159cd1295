"""Batches made from harvests: nobody gets more out than was harvested."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.actor import SYSTEM
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, HoiError, Invalid, NotFound
from app.products.models import Product
from app.trace import batches, codes, queries
from app.trace.models import Batch, BatchEvent, BatchSource, CodeKind, TraceCode
from tests.worlds.farm import World, a_log, a_pack, a_product, a_site, build, write
from tests.worlds.lots import harvest, make


def test_a_batch_knows_its_harvests_days_and_lot(database: Database, world: World, site: UUID, product: UUID) -> None:
    pack = a_pack(database, world, product)
    theirs = a_site(database, world.neighbour, world.other, world.village)
    first, second = harvest(database, world.farmer, site, 4), harvest(database, world.neighbour, theirs, 2)
    batch = make(
        database, world.manager, product, first, second, variant_id=pack, quantity="15", made_on="2026-11-19",
        sources=[{"care_log_id": first.id}, {"care_log_id": second.id, "quantity": "5"}],
    )  # fmt: skip
    with database.transaction(world.manager) as session:
        row = queries.batch(session, world.manager, batch)
        sources = {s.log_organisation_id: s.quantity for s in session.scalars(select(BatchSource))}
        left = {h.id: h.left for h in queries.harvests(session, world.manager, product_id=product).lines}
        lot = queries.next_lot(session, session.get_one(Product, product), date(2026, 11, 18))
    assert (row.harvested_on, row.made_on, row.expires_on) == (
        date(2026, 11, 18),
        date(2026, 11, 19),
        date(2026, 11, 24),
    )
    assert sources == {world.household: Decimal(10), world.other: Decimal(5)}
    assert left == {second.id: Decimal(5)}
    assert lot == "NA-1126-01"
    # The one who gave the harvest sees where it went, though not the cooperative's batch itself.
    with database.transaction(world.farmer) as session:
        assert [s.batch_id for s in session.scalars(select(BatchSource))] == [batch]
        assert session.get(Batch, batch) is None


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"quantity": "10.5"}, "more_than_harvested"),
        ({"quantity": "10001", "unit": "g"}, "more_than_harvested"),
        ({"made_on": "2026-11-17"}, "made_before_harvest"),
        ({"made_on": "2026-11-21"}, "in_future"),
        ({"variant_id": new_id()}, "not_found"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_taken(
    database: Database, world: World, site: UUID, product: UUID, facts: dict[str, Any], code: str
) -> None:
    log = harvest(database, world.farmer, site)
    with pytest.raises(HoiError) as refused:
        make(database, world.manager, product, log, **facts)
    assert refused.value.code == code
    with database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Batch)) == 0
        assert session.scalar(select(func.count()).select_from(BatchSource)) == 0
    make(database, world.manager, product, log)


def test_kilograms_into_bottles_cannot_be_compared_and_grams_can(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    log = harvest(database, world.farmer, site)
    make(
        database,
        world.manager,
        product,
        log,
        quantity="400",
        unit="bottle",
        sources=[{"care_log_id": log.id, "quantity": "4"}],
    )
    make(database, world.manager, product, log, quantity="6000", unit="g")
    with pytest.raises(Invalid, match="harvest_used_up"):
        make(database, world.manager, product, log, quantity="1")


def test_only_harvests_with_a_quantity_can_be_used(database: Database, world: World, site: UUID, product: UUID) -> None:
    weeding, bare = a_log(site), a_log(site, "harvesting")
    write(database, world.farmer, weeding, bare)
    with pytest.raises(Invalid, match="not_a_harvest"):
        make(database, world.manager, product, weeding)
    with pytest.raises(Invalid, match="harvest_without_quantity"):
        make(database, world.manager, product, bare)


def test_two_batches_at_once_do_not_share_a_harvest(fresh_database: Database) -> None:
    world = build(fresh_database)
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    product = a_product(fresh_database, world)
    log = harvest(fresh_database, world.farmer, site)

    def take(_: int) -> str:
        try:
            make(
                fresh_database,
                world.manager,
                product,
                log,
                quantity="3",
                sources=[{"care_log_id": log.id, "quantity": "3"}],
            )
        except Invalid as error:
            return error.code
        return "made"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(take, range(8)))
    assert (answers.count("made"), answers.count("harvest_used_up")) == (3, 5)


def test_the_same_batch_again_and_a_taken_lot(database: Database, world: World, site: UUID, product: UUID) -> None:
    log, other = harvest(database, world.farmer, site), harvest(database, world.farmer, site)
    batch = new_id()
    for _ in range(2):
        assert make(database, world.manager, product, log, id=batch, lot="NA-1126-01") == batch
    with pytest.raises(Conflict, match="same_id_other_content"):
        make(database, world.manager, product, log, id=batch, lot="NA-1126-02")
    with pytest.raises(Conflict) as taken:
        make(database, world.manager, product, other, lot="na-1126-01")
    assert "NA-1126-02" in taken.value.text("vi")
    with database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(BatchEvent)) == 1


def test_who_makes_batches_and_of_whose_harvests(database: Database, world: World, site: UUID, product: UUID) -> None:
    log = harvest(database, world.farmer, site)
    for actor, error in ((world.farmer, Forbidden), (world.stranger, NotFound), (world.official, Forbidden)):
        with pytest.raises(error):
            make(database, actor, product, log)
    theirs = a_site(database, world.stranger, world.foreign, world.village)
    foreign = harvest(database, world.stranger, theirs)
    with pytest.raises(NotFound):
        make(database, world.manager, product, foreign)
    with pytest.raises(NotFound):  # a purchaser acts for no household
        make(database, world.purchaser, product, log)
    bought = a_site(database, world.manager, world.cooperative, world.village)
    make(database, world.purchaser, product, harvest(database, world.manager, bought))


def test_a_batch_keeps_its_code_and_a_gs1_code_needs_a_gtin(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site))
    with database.transaction(world.manager) as session:
        code = batches.issue_code(session, world.manager, batch)
        assert batches.issue_code(session, world.manager, batch) == code
        with pytest.raises(Invalid, match="no_gtin"):
            batches.issue_code(session, world.manager, batch, CodeKind.GS1)
    assert codes.is_canonical(code)
    with database.transaction(SYSTEM) as session:
        assert [(c.code, c.batch_id) for c in session.scalars(select(TraceCode))] == [(code, batch)]
