"""What is to be on sale where: decided by the sellers, and taken off when retired or emptied by a recall."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app import clock
from app.actor import SYSTEM
from app.db import new_id
from app.errors import Conflict, Invalid, NotFound
from app.marketplace_sync import listings, queries
from app.marketplace_sync.models import ChannelAccount, Listing
from app.marketplace_sync.schemas import WantListing
from app.products import service as products
from app.products.events import ProductChanged, ProductRetired
from app.products.models import Product
from app.trace import batch_events, stock
from app.trace.events import BatchChanged, RecallLaunched, StockMoved
from app.trace.models import Batch, BatchEventKind, MovementKind
from app.trace.schemas import BatchEventIn, Movement
from tests.worlds.shop import World


def test_another_organisation_cannot_list_or_see(world: World) -> None:
    stranger = type(world.manager)(
        kind="person", person_id=new_id(), memberships=(), organisations=frozenset({new_id()})
    )
    listing_id = world.want()
    with world.database.transaction(stranger) as session:
        with pytest.raises(NotFound):
            queries.listing(session, stranger, listing_id)
        with pytest.raises(NotFound):
            listings.want_unlisted(session, stranger, listing_id)
        assert session.scalars(select(Listing)).all() == []
    assert world.read(listing_id).wanted == "live"


def test_a_listing_of_somebody_elses_product_is_refused(world: World) -> None:
    with world.database.transaction(world.manager) as session, pytest.raises((Invalid, NotFound)):
        listings.want_live(
            session, world.manager, WantListing(id=new_id(), account_id=world.account_id, variant_id=new_id())
        )
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Listing)) == 0


def test_unlisting_takes_it_off_sale_and_is_seen(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    with world.database.transaction(world.manager) as session:
        listings.want_unlisted(session, world.manager, listing_id)
    assert world.push(listing_id).state == "unlisted"
    assert [(i.listed) for i in world.woo.items()] == [False]
    assert [e.state for e in world.evidence()] == ["no"]


def test_an_item_deleted_there_is_gone_until_a_person_starts_anew(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "delete")
    assert world.look(listing_id).state == "gone"
    assert world.woo.items() == []
    world.want()
    assert (world.push(listing_id).state, len(world.woo.items())) == ("live", 1)


def test_a_ban_is_seen_named_and_never_overwritten(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "ban", reason="thiếu giấy an toàn thực phẩm")
    listing = world.look(listing_id)
    assert listing.state == "blocked"
    assert world.events("listing_troubled") == 1
    (seen,) = world.evidence()
    assert seen.state == "no"
    assert "thiếu giấy an toàn thực phẩm" in seen.reason.text("vi")
    with world.database.transaction(world.manager) as session:
        listings.want_live(
            session, world.manager, WantListing(id=new_id(), account_id=world.account_id, variant_id=world.variant_id)
        )
    assert world.push(listing_id).state == "blocked"
    assert [i.listed for i in world.woo.items()] == [False]
    world.woo.staff(world.woo.items()[0].remote_id, "unban")
    assert world.look(listing_id).state == "live"
    assert [e.state for e in world.evidence()] == ["live"]


def listed(world: World) -> list[bool]:
    return [i.listed for i in world.woo.items()]


def react(world: World, verb: Any, event: Any) -> None:
    with world.database.transaction(SYSTEM) as session:
        verb(session, SYSTEM, event)


def take_off(world: World, listing_id: UUID) -> None:
    with world.database.transaction(world.manager) as session:
        listings.want_unlisted(session, world.manager, listing_id)
    world.push(listing_id)


def test_an_item_that_comes_back_is_taken_off_once_more_and_then_told(world: World, listing_id: UUID) -> None:
    take_off(world, listing_id)
    remote_id = world.woo.items()[0].remote_id
    world.woo.staff(remote_id, "edit", status="publish")
    assert world.look(listing_id).wanted_version == 3
    assert (world.push(listing_id).state, listed(world), world.events("listing_troubled")) == ("unlisted", [False], 0)
    world.woo.staff(remote_id, "edit", status="publish")
    for _ in range(2):
        listing = world.look(listing_id)
        assert (listing.wanted_version, listing.state, listing.note_code) == (3, "live", "back_on_sale")
    assert (listed(world), world.events("listing_troubled")) == ([True], 1)
    take_off(world, listing_id)
    listing = world.read(listing_id)
    assert (listing.state, listing.note, listing.mends, listed(world)) == ("unlisted", None, 0, [False])


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
        listings.want_live(session, world.manager, new)
    assert caught.value.code == "retired"
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Listing)) == 0
    assert world.events("listing_wanted") == 0


def test_a_retired_pack_goes_off_sale_and_the_other_stays(world: World, listing_id: UUID) -> None:
    first = world.variant_id
    world.another_pack("MO-1000")
    other = world.want()
    world.push(other)
    world.variant_id = first
    retire(world, "pack")
    react(world, listings.after_product_changed, ProductChanged(product_id=world.product_id))
    assert [world.read(i).wanted for i in (listing_id, other)] == ["unlisted", "live"]
    assert [(world.push(i).wanted, world.read(i).state) for i in (listing_id, other)] == [
        ("unlisted", "unlisted"),
        ("live", "live"),
    ]
    assert {i.sku: i.listed for i in world.woo.items()} == {"MO-500": False, "MO-1000": True}


def test_a_retired_product_goes_off_sale(world: World, listing_id: UUID) -> None:
    retire(world, "product")
    react(world, listings.after_product_retired, ProductRetired(product_id=world.product_id))
    listing = world.push(listing_id)
    assert (listing.wanted, listing.state, listed(world)) == ("unlisted", "unlisted", [False])


def test_a_push_that_was_already_due_does_not_put_what_is_retired_on_sale(world: World) -> None:
    listing_id = world.want()
    with world.database.transaction(SYSTEM) as session:
        session.get_one(Product, world.product_id).retired_on = clock.today()
    listing = world.push(listing_id)
    assert (listing.wanted, listing.state, world.woo.calls()) == ("unlisted", "unlisted", {})


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
    react(world, listings.after_stock_moved, StockMoved(variant_id=world.variant_id))


def decide(world: World, kind: BatchEventKind) -> None:
    """About the first lot; both reactions run, the later event's first."""
    lot = first_lot(world)
    with world.database.transaction(world.manager) as session:
        batch_events.record_batch_event(
            session, world.manager, lot, BatchEventIn(id=new_id(), kind=kind, reason="Mẫu thử")
        )
    if kind == BatchEventKind.RECALLED:
        react(world, listings.after_recall_launched, RecallLaunched(batch_id=lot))
    react(world, listings.after_batch_changed, BatchChanged(batch_id=lot))


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
    assert [(e.state, e.reason.text("vi")) for e in world.evidence()] == [
        ("no", "Tạm ngưng bán trên Sàn nông sản tỉnh (mô phỏng) vì thu hồi lô hàng.")
    ]
    decide(world, BatchEventKind.RECALL_LIFTED)
    listing = world.push(listing_id)
    assert (listing.wanted, listing.state, listing.recall_paused) == ("live", "live", False)
    assert [(i.listed, i.stock) for i in world.woo.items()] == [(True, 40)]
    assert [(e.state, e.reason.text("vi")) for e in world.evidence()] == [
        ("live", "Đang bán trên Sàn nông sản tỉnh (mô phỏng).")
    ]


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
    react(world, listings.after_recall_launched, RecallLaunched(batch_id=lot))
    assert (world.read(listing_id).wanted, world.read(listing_id).wanted_version) == ("live", 1)


def test_that_it_is_back_on_sale_is_told_over_a_sale_to_record(world: World, listing_id: UUID) -> None:
    remote_id = world.woo.items()[0].remote_id
    world.woo.order(remote_id, 3)
    assert world.look(listing_id).note_code == "sold_there"
    take_off(world, listing_id)
    world.woo.staff(remote_id, "edit", status="publish")
    world.look(listing_id)
    world.push(listing_id)
    world.woo.staff(remote_id, "edit", status="publish")
    assert (world.look(listing_id).note_code, world.events("listing_troubled")) == ("back_on_sale", 2)


def test_an_item_that_stayed_off_sale_is_taken_off_again_when_it_comes_back(world: World, listing_id: UUID) -> None:
    take_off(world, listing_id)
    remote_id = world.woo.items()[0].remote_id
    for _ in range(2):
        world.woo.staff(remote_id, "edit", status="publish")
        world.look(listing_id)
        assert world.read(listing_id).mends == 1
        world.push(listing_id)
        assert (world.look(listing_id).mends, listed(world)) == (0, [False])
    assert world.events("listing_troubled") == 0


# --- nothing to sell ---------------------------------------------------------------------------------------------


def sell(world: World, units: int) -> None:
    with world.database.transaction(world.manager) as session:
        new = Movement(
            id=new_id(), variant_id=world.variant_id, batch_id=first_lot(world), kind=MovementKind.SOLD, units=units
        )
        stock.move(session, world.manager, new)
    react(world, listings.after_stock_moved, StockMoved(variant_id=world.variant_id))


def make_unsellable(world: World, why: str) -> None:
    match why:
        case "recalled":
            decide(world, BatchEventKind.RECALLED)
        case "held":
            decide(world, BatchEventKind.HELD)
        case "sold":
            sell(world, 40)
        case "unpacked":
            world.another_pack(units=0)
        case "kept back":
            world.change(ChannelAccount, stock_buffer=40)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (
            "recalled",
            "Lô MO-01 đang thu hồi nên không còn gói nào bán được. Hết thu hồi mới bán được, hoặc đóng gói lô khác.",
        ),
        (
            "held",
            "Lô MO-01 đang tạm giữ nên không còn gói nào bán được. Hãy mở lô xem vì sao; gỡ tạm giữ thì bán được.",
        ),
        ("sold", "Trong kho đã hết gói này. Hãy ghi đóng gói thêm vào sổ kho rồi đăng bán."),
        ("unpacked", "Chưa đóng gói nào. Hãy tạo lô rồi ghi đóng gói vào sổ kho, sau đó mới đăng bán được."),
        (
            "kept back",
            "Kho còn 40 gói, tài khoản này giữ lại 40 gói không đăng bán. Hãy ghi đóng gói thêm rồi đăng bán.",
        ),
    ],
)
def test_what_there_is_nothing_of_to_sell_is_not_put_on_sale(world: World, why: str, said: str) -> None:
    make_unsellable(world, why)
    with pytest.raises(Conflict) as caught:
        world.want()
    assert (caught.value.code, caught.value.text("vi")) == ("nothing_to_sell", said)
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Listing)) == 0
    assert world.events("listing_wanted") == 0


def test_a_recall_of_what_is_sold_out_is_not_the_reason(world: World) -> None:
    first = world.variant_id
    sell(world, 40)
    world.another_pack()
    decide(world, BatchEventKind.RECALLED)
    said = []
    for pack in (first, world.variant_id):
        world.variant_id = pack
        with pytest.raises(Conflict) as caught:
            world.want()
        said.append(caught.value.text("vi").split(".")[0])
    assert said == ["Trong kho đã hết gói này", "Lô MO-01 đang thu hồi nên không còn gói nào bán được"]


def test_what_shops_sold_and_nobody_recorded_is_not_sold_again(world: World, listing_id: UUID) -> None:
    world.woo.order(world.woo.items()[0].remote_id, 40)
    world.look(listing_id)
    take_off(world, listing_id)
    before = world.read(listing_id)
    with pytest.raises(Conflict) as caught:
        world.want()
    assert caught.value.text("vi") == (
        "Sàn đã bán 40 gói mà sổ kho chưa ghi nên không còn gói nào. Hãy ghi bán vào sổ kho trước."
    )
    after = world.read(listing_id)
    assert (after.wanted, after.wanted_version, after.state) == ("unlisted", before.wanted_version, before.state)


def test_an_id_that_another_listing_uses_is_a_conflict(world: World, listing_id: UUID) -> None:
    pack = world.another_pack()
    wanted = world.events("listing_wanted")
    with pytest.raises(Conflict) as caught:
        world.do(listings.want_live, WantListing(id=listing_id, account_id=world.account_id, variant_id=pack))
    assert caught.value.code == "same_id_other_content"
    with world.database.transaction(SYSTEM) as session:
        (only,) = session.scalars(select(Listing)).all()
    assert (only.id, only.variant_id == pack, only.wanted_version) == (listing_id, False, 1)
    assert world.events("listing_wanted") == wanted
