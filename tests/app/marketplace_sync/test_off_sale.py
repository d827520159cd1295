"""What is to be off sale goes off sale and stays so: taken off by the seller, retired, or emptied by a recall."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from marketplace_world import World
from sqlalchemy import func, select, update

from app import clock
from app.actor import SYSTEM
from app.db import Words, new_id
from app.errors import Invalid
from app.marketplace_sync import queries, service
from app.marketplace_sync.models import Listing, ListingObservation
from app.marketplace_sync.schemas import WantListing
from app.outbox import OutboxEvent
from app.products import service as products
from app.products.events import ProductChanged, ProductRetired
from app.products.models import Product, Variant
from app.trace import batch_events, stock
from app.trace.events import BatchChanged, RecallLaunched, StockMoved
from app.trace.models import Batch, BatchEventKind, MovementKind
from app.trace.schemas import BatchEventIn, Movement


@pytest.fixture
def listing_id(world: World) -> UUID:
    listing_id = world.want()
    world.push(listing_id)
    return listing_id


def listed(world: World) -> list[bool]:
    return [i.listed for i in world.woo.items()]


def events(world: World, name: str) -> int:
    with world.database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).where(OutboxEvent.name == f"marketplace_sync.{name}")) or 0


def react(world: World, verb: Any, event: Any) -> None:
    with world.database.transaction(SYSTEM) as session:
        verb(session, SYSTEM, event)


# --- by the seller -----------------------------------------------------------------------------------------------


def take_off(world: World, listing_id: UUID) -> None:
    with world.database.transaction(world.manager) as session:
        service.want_unlisted(session, world.manager, listing_id)
    world.push(listing_id)


def test_an_item_that_comes_back_is_taken_off_once_more_and_then_told(world: World, listing_id: UUID) -> None:
    take_off(world, listing_id)
    remote_id = world.woo.items()[0].remote_id
    world.woo.staff(remote_id, "edit", status="publish")
    assert world.look(listing_id).wanted_version == 3
    assert (world.push(listing_id).state, listed(world), events(world, "listing_troubled")) == ("unlisted", [False], 0)
    world.woo.staff(remote_id, "edit", status="publish")
    for _ in range(2):
        listing = world.look(listing_id)
        assert (listing.wanted_version, listing.state, listing.note_code) == (3, "live", "back_on_sale")
    assert (listed(world), events(world, "listing_troubled")) == ([True], 1)
    take_off(world, listing_id)
    listing = world.read(listing_id)
    assert (listing.state, listing.note, listing.mends, listed(world)) == ("unlisted", None, 0, [False])


# --- retired -----------------------------------------------------------------------------------------------------


def retire(world: World, what: str) -> None:
    with world.database.transaction(world.manager) as session:
        if what == "pack":
            products.retire_variant(session, world.manager, world.variant_id, 1)
        else:
            products.retire_product(session, world.manager, world.product_id, 1)


@pytest.mark.parametrize("what", ["pack", "product"])
def test_what_is_retired_cannot_be_put_on_sale(world: World, what: str) -> None:
    retire(world, what)
    with world.database.transaction(world.manager) as session, pytest.raises(Invalid) as caught:
        new = WantListing(id=new_id(), account_id=world.account_id, variant_id=world.variant_id)
        service.want_live(session, world.manager, new)
    assert caught.value.code == "retired"
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Listing)) == 0
    assert events(world, "listing_wanted") == 0


def test_a_retired_pack_goes_off_sale_and_the_other_stays(world: World, listing_id: UUID) -> None:
    first = world.variant_id
    world.variant_id = new_id()
    with world.database.transaction(SYSTEM) as session:
        session.add(
            Variant(
                id=world.variant_id,
                organisation_id=world.organisation_id,
                product_id=world.product_id,
                sku="MO-1000",
                name=Words(vi="chai 1 l"),
                price_dong=350000,
                weight_grams=1300,
                created_at=clock.now(),
            )
        )
    other = world.want()
    world.push(other)
    world.variant_id = first
    retire(world, "pack")
    react(world, service.after_product_changed, ProductChanged(product_id=world.product_id))
    assert [world.read(i).wanted for i in (listing_id, other)] == ["unlisted", "live"]
    assert [(world.push(i).wanted, world.read(i).state) for i in (listing_id, other)] == [
        ("unlisted", "unlisted"),
        ("live", "live"),
    ]
    assert {i.sku: i.listed for i in world.woo.items()} == {"MO-500": False, "MO-1000": True}


def test_a_retired_product_goes_off_sale(world: World, listing_id: UUID) -> None:
    retire(world, "product")
    react(world, service.after_product_retired, ProductRetired(product_id=world.product_id))
    listing = world.push(listing_id)
    assert (listing.wanted, listing.state, listed(world)) == ("unlisted", "unlisted", [False])


def test_a_push_that_was_already_due_does_not_put_what_is_retired_on_sale(world: World) -> None:
    listing_id = world.want()
    with world.database.transaction(SYSTEM) as session:
        session.get_one(Product, world.product_id).retired_on = clock.today()
    listing = world.push(listing_id)
    assert (listing.wanted, listing.state, world.woo.calls()) == ("unlisted", "unlisted", {})


# --- a recall ----------------------------------------------------------------------------------------------------


def first_lot(world: World) -> UUID:
    with world.database.transaction(SYSTEM) as session:
        return session.scalars(select(Batch.id).where(Batch.lot == "MO-01")).one()


def second_lot(world: World, units: int) -> None:
    lot = new_id()
    with world.database.transaction(SYSTEM) as session:
        first = session.get_one(Batch, first_lot(world))
        session.add(
            Batch(
                id=lot,
                organisation_id=first.organisation_id,
                product_id=first.product_id,
                variant_id=first.variant_id,
                lot="MO-02",
                harvested_on=first.harvested_on,
                quantity=50,
                unit="l",
                made_on=first.made_on,
                expires_on=None,
                created_at=clock.now(),
                person_id=first.person_id,
                content_sha256="1" * 64,
            )
        )
    with world.database.transaction(world.manager) as session:
        new = Movement(id=new_id(), variant_id=world.variant_id, batch_id=lot, kind=MovementKind.PACKED, units=units)
        stock.move(session, world.manager, new)
    react(world, service.after_stock_moved, StockMoved(variant_id=world.variant_id))


def decide(world: World, kind: BatchEventKind) -> None:
    """About the first lot; both reactions run, the later event's first."""
    lot = first_lot(world)
    with world.database.transaction(world.manager) as session:
        batch_events.record_batch_event(
            session, world.manager, lot, BatchEventIn(id=new_id(), kind=kind, reason="Mẫu thử")
        )
    if kind == BatchEventKind.RECALLED:
        react(world, service.after_recall_launched, RecallLaunched(batch_id=lot))
    react(world, service.after_batch_changed, BatchChanged(batch_id=lot))


def reason(world: World) -> list[tuple[str, str]]:
    with world.database.transaction(SYSTEM) as session:
        found = queries.live_evidence(session, [world.product_id], as_of=clock.today(), known_at=clock.now())
    return [(e.state, e.reason_vi) for e in found[world.product_id]]


def test_a_recall_that_leaves_other_packs_lowers_the_stock_only(world: World, listing_id: UUID) -> None:
    second_lot(world, 5)
    world.push(listing_id)
    decide(world, BatchEventKind.RECALLED)
    listing = world.push(listing_id)
    assert (listing.wanted, listing.state, listing.recall_paused) == ("live", "live", False)
    assert [(i.listed, i.stock) for i in world.woo.items()] == [(True, 5)]


def test_a_recall_of_the_only_lot_takes_it_off_and_lifting_it_brings_it_back(world: World, listing_id: UUID) -> None:
    decide(world, BatchEventKind.RECALLED)
    listing = world.push(listing_id)
    assert (listing.wanted, listing.state, listing.recall_paused, listed(world)) == (
        "unlisted",
        "unlisted",
        True,
        [False],
    )
    assert reason(world) == [("no", "Tạm ngưng bán trên Sàn nông sản tỉnh (mô phỏng) vì thu hồi lô hàng.")]
    decide(world, BatchEventKind.RECALL_LIFTED)
    listing = world.push(listing_id)
    assert (listing.wanted, listing.state, listing.recall_paused) == ("live", "live", False)
    assert [(i.listed, i.stock) for i in world.woo.items()] == [(True, 40)]
    assert reason(world) == [("live", "Đang bán trên Sàn nông sản tỉnh (mô phỏng).")]


def test_packs_of_another_lot_bring_it_back_while_the_recall_stands(world: World, listing_id: UUID) -> None:
    decide(world, BatchEventKind.RECALLED)
    world.push(listing_id)
    second_lot(world, 8)
    listing = world.push(listing_id)
    assert (listing.state, listing.recall_paused) == ("live", False)
    assert [(i.listed, i.stock) for i in world.woo.items()] == [(True, 8)]


def test_what_the_seller_took_off_stays_off_when_a_recall_is_lifted(world: World, listing_id: UUID) -> None:
    take_off(world, listing_id)
    decide(world, BatchEventKind.RECALLED)
    decide(world, BatchEventKind.RECALL_LIFTED)
    assert (world.push(listing_id).wanted, listed(world)) == ("unlisted", [False])


def test_the_seller_may_take_over_from_the_recall(world: World, listing_id: UUID) -> None:
    decide(world, BatchEventKind.RECALLED)
    world.push(listing_id)
    take_off(world, listing_id)
    decide(world, BatchEventKind.RECALL_LIFTED)
    listing = world.push(listing_id)
    assert (listing.wanted, listing.recall_paused, listed(world)) == ("unlisted", False, [False])


def test_a_recall_that_was_lifted_before_we_came_to_it_takes_nothing_off(world: World, listing_id: UUID) -> None:
    lot = first_lot(world)
    for kind in (BatchEventKind.RECALLED, BatchEventKind.RECALL_LIFTED):
        with world.database.transaction(world.manager) as session:
            new = BatchEventIn(id=new_id(), kind=kind, reason="Mẫu thử")
            batch_events.record_batch_event(session, world.manager, lot, new)
    react(world, service.after_recall_launched, RecallLaunched(batch_id=lot))
    assert (world.read(listing_id).wanted, world.read(listing_id).wanted_version) == ("live", 1)


# --- told again, and the reason that is told -----------------------------------------------------------------------


def test_that_it_is_back_on_sale_is_told_over_a_sale_to_record(world: World, listing_id: UUID) -> None:
    remote_id = world.woo.items()[0].remote_id
    world.woo.order(remote_id, 3)
    assert world.look(listing_id).note_code == "sold_there"
    take_off(world, listing_id)
    world.woo.staff(remote_id, "edit", status="publish")
    world.look(listing_id)
    world.push(listing_id)
    world.woo.staff(remote_id, "edit", status="publish")
    assert (world.look(listing_id).note_code, events(world, "listing_troubled")) == ("back_on_sale", 2)


def test_an_item_that_stayed_off_sale_is_taken_off_again_when_it_comes_back(world: World, listing_id: UUID) -> None:
    take_off(world, listing_id)
    remote_id = world.woo.items()[0].remote_id
    for _ in range(2):
        world.woo.staff(remote_id, "edit", status="publish")
        world.look(listing_id)
        assert world.read(listing_id).mends == 1
        world.push(listing_id)
        assert (world.look(listing_id).mends, listed(world)) == (0, [False])
    assert events(world, "listing_troubled") == 0


def test_a_pause_of_today_is_not_told_of_an_earlier_moment(world: World, listing_id: UUID) -> None:
    with world.database.transaction(SYSTEM) as session:
        for days in (3, 0):
            session.add(
                ListingObservation(
                    id=new_id(),
                    listing_id=listing_id,
                    organisation_id=world.organisation_id,
                    seen_at=clock.now() - timedelta(days=days),
                    live=False,
                    buyable=False,
                    raw_state="draft",
                    reasons=[],
                )
            )
        session.execute(update(Listing).values(recall_paused=True, created_at=clock.now() - timedelta(days=4)))
    told = []
    for days in (0, 1):
        with world.database.transaction(SYSTEM) as session:
            found = queries.live_evidence(
                session,
                [world.product_id],
                as_of=clock.today() - timedelta(days=days),
                known_at=clock.now(),
            )
        told.append([e.reason_vi for e in found[world.product_id]])
    assert told == [
        ["Tạm ngưng bán trên Sàn nông sản tỉnh (mô phỏng) vì thu hồi lô hàng."],
        ["Đã bị gỡ khỏi Sàn nông sản tỉnh (mô phỏng)."],
    ]


def test_the_marketplaces_own_reason_is_told_though_a_recall_paused_it(world: World, listing_id: UUID) -> None:
    world.woo.staff(world.woo.items()[0].remote_id, "ban", reason="Thiếu giấy")
    world.look(listing_id)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).values(recall_paused=True))
    ((state, why),) = reason(world)
    assert (state, "Thiếu giấy" in why, "thu hồi" in why) == ("no", True, False)
