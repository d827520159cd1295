"""What a shop sold is never put up again by us: our number goes there only downwards until the ledger knows of the sale."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update
from woo_double import WooDouble

from app import clock
from app.actor import SYSTEM
from app.db import new_id
from app.marketplace_sync import credentials, listings, looks, troubles
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.events import ListingTroubled
from app.marketplace_sync.models import ChannelAccount, Listing
from app.notices.models import Notice
from app.trace import stock
from app.trace.events import StockMoved
from app.trace.models import Batch, MovementKind, StockMovement
from app.trace.schemas import Movement, ReverseMovement
from tests.worlds.shop import World

WHY = "Mẫu thử"


def there(world: World) -> list[int | None]:
    return [i.stock for i in world.woo.items()]


def order(world: World, quantity: int) -> None:
    world.woo.order(world.woo.items()[0].remote_id, quantity)


def move(world: World, kind: MovementKind, units: int) -> None:
    """A line of the ledger, and the reaction to it."""
    with world.database.transaction(world.manager) as session:
        lot = session.scalars(select(Batch.id)).one()
        new = Movement(id=new_id(), variant_id=world.variant_id, batch_id=lot, kind=kind, units=units, reason=WHY)
        stock.move(session, world.manager, new)
    with world.database.transaction(SYSTEM) as session:
        listings.after_stock_moved(session, SYSTEM, StockMoved(variant_id=world.variant_id))


def test_what_was_sold_there_stays_sold_through_looks_and_a_new_price(world: World, listing_id: UUID) -> None:
    order(world, 3)
    for _ in range(3):
        listing = world.look(listing_id)
        assert (listing.wanted_version, listing.sold_there, there(world)) == (1, 3, [37])
    assert listing.note is not None
    assert listing.note.vi.startswith("Sàn đã bán 3 gói mà sổ kho chưa ghi. Hãy ghi bán 3 gói vào sổ kho.")
    assert world.events("listing_troubled") == 1
    world.new_price(190000)
    world.push(listing_id)
    assert [(i.price, i.stock) for i in world.woo.items()] == [("190000", 37)]
    assert (world.look(listing_id).wanted_version, there(world), world.events("listing_troubled")) == (2, [37], 1)


def test_a_sale_that_nobody_has_looked_at_yet_is_not_undone_by_a_new_price(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.new_price(190000)
    listing = world.push(listing_id)
    assert [(i.price, i.stock) for i in world.woo.items()] == [("190000", 37)]
    assert (listing.sold_there, listing.applied_stock, listing.note_code, world.events("listing_troubled")) == (
        3,
        37,
        "sold_there",
        1,
    )


def test_when_the_sale_is_recorded_both_agree_and_the_note_goes(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    move(world, MovementKind.SOLD, 3)
    listing = world.push(listing_id)
    assert (there(world), listing.sold_there, listing.note_code, listing.note) == ([37], 0, None, None)
    assert (world.look(listing_id).wanted_version, world.events("listing_troubled")) == (2, 1)


def test_a_sale_recorded_before_we_saw_it_is_not_taken_off_twice(world: World, listing_id: UUID) -> None:
    order(world, 3)
    move(world, MovementKind.SOLD, 3)
    listing = world.push(listing_id)
    assert (there(world), listing.sold_there, world.events("listing_troubled")) == ([37], 0, 0)
    order(world, 2)
    move(world, MovementKind.SOLD, 1)
    listing = world.push(listing_id)
    assert (there(world), listing.sold_there) == ([35], 1)


def test_new_packs_are_put_up_less_what_was_sold_there(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    move(world, MovementKind.PACKED, 20)
    assert (world.push(listing_id).sold_there, there(world)) == (3, [57])
    move(world, MovementKind.SOLD, 5)
    assert (world.push(listing_id).sold_there, there(world)) == (0, [55])


def test_a_cancelled_order_there_is_no_sale_any_more(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "edit", stock_quantity="40")
    listing = world.look(listing_id)
    assert (listing.sold_there, listing.note, listing.wanted_version, there(world)) == (0, None, 1, [40])


def test_more_than_we_have_is_sent_down_again(world: World, listing_id: UUID) -> None:
    world.woo.staff(world.woo.items()[0].remote_id, "edit", stock_quantity="99")
    assert world.look(listing_id).wanted_version == 2
    world.push(listing_id)
    assert there(world) == [40]


def test_orders_beyond_the_stock_are_remembered_in_full(world: World, listing_id: UUID) -> None:
    order(world, 43)
    listing = world.look(listing_id)
    assert (listing.sold_there, listing.wanted_version, there(world)) == (43, 1, [-3])
    move(world, MovementKind.PACKED, 10)
    assert (world.push(listing_id).sold_there, there(world)) == (43, [7])


def test_a_write_whose_answer_got_lost_is_neither_a_sale_nor_undone(world: World, listing_id: UUID) -> None:
    move(world, MovementKind.SOLD, 10)
    world.woo.fail("change", "timeout_after_commit")
    assert (world.push(listing_id).state, there(world)) == ("unknown", [30])
    order(world, 2)
    listing = world.push(listing_id)
    assert (listing.state, listing.sold_there, listing.sent_stocks, there(world)) == ("live", 2, [], [28])


def test_an_order_between_a_lost_creation_and_its_adoption_is_kept(world: World) -> None:
    listing_id = world.want()
    world.woo.fail("create", "timeout_after_commit")
    assert world.push(listing_id).state == "unknown"
    order(world, 4)
    listing = world.push(listing_id)
    assert (listing.state, listing.sold_there, there(world), world.woo.count("create")) == ("live", 4, [36], 1)


def test_a_shop_that_does_not_count_stock_is_left_so_and_not_asked_for_ever(world: World, listing_id: UUID) -> None:
    with world.woo.open() as channel:
        channel._api.call("PUT", f"/products/{world.woo.items()[0].remote_id}", body={"manage_stock": False})
    for _ in range(2):
        listing = world.look(listing_id)
        assert (listing.wanted_version, listing.applied_version, there(world)) == (1, 1, [None])


def test_a_listing_of_before_is_reckoned_from_the_ledger(world: World, listing_id: UUID) -> None:
    """Made when nothing was remembered yet."""
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).values(applied_stock=None, spot_sales=None))
    order(world, 3)
    assert (world.look(listing_id).sold_there, there(world)) == (3, [37])


def record(world: World, kind: MovementKind, units: int) -> UUID:
    """A line of the ledger whose reaction has not run yet."""
    with world.database.transaction(world.manager) as session:
        lot = session.scalars(select(Batch.id)).one()
        new = Movement(id=new_id(), variant_id=world.variant_id, batch_id=lot, kind=kind, units=units, reason=WHY)
        return stock.move(session, world.manager, new)


def test_a_look_between_a_sale_on_the_spot_and_its_push_takes_it_for_no_order(world: World, listing_id: UUID) -> None:
    record(world, MovementKind.SOLD, 5)
    listing = world.look(listing_id)
    assert (listing.sold_there, listing.note, there(world)) == (0, None, [40])
    order(world, 2)
    listing = world.push(listing_id)
    assert (listing.sold_there, listing.note_code, there(world)) == (2, "sold_there", [33])


def test_a_price_that_keeps_being_changed_there_is_told_once_and_left(world: World, listing_id: UUID) -> None:
    remote_id = world.woo.items()[0].remote_id
    for _ in range(looks.MOST_MENDS["live"]):
        world.woo.staff(remote_id, "edit", regular_price="99000")
        world.look(listing_id)
        world.push(listing_id)
        assert [i.price for i in world.woo.items()] == ["185000"]
    pushed = world.read(listing_id).wanted_version
    world.woo.staff(remote_id, "edit", regular_price="99000")
    for _ in range(3):
        listing = world.look(listing_id)
        world.push(listing_id)
    assert (listing.wanted_version, listing.note_code, world.events("listing_troubled")) == (pushed, "drifts", 1)
    world.woo.staff(remote_id, "edit", regular_price="185000")
    assert (world.look(listing_id).note_code, world.read(listing_id).mends) == (None, 0)


def test_the_sellers_are_told_once_to_record_the_sale(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    for _ in range(2):
        with world.database.transaction(SYSTEM) as session:
            troubles.tell_of_trouble(session, SYSTEM, ListingTroubled(listing_id=listing_id))
    with world.database.transaction(SYSTEM) as session:
        told = session.execute(select(Notice.person_id, Notice.title, Notice.body, Notice.created_at)).all()
    assert sorted(t.person_id for t in told) == sorted([world.manager.person_id, world.other.person_id])
    assert told[0].title.vi == "Xem lại “Mật ong rừng” ở Gian hàng tỉnh"
    assert told[0].body.text("en").startswith("The shop sold 3 packs that your stock ledger does not have.")
    assert told[0].created_at <= clock.now()


def test_a_sale_recorded_after_the_listing_was_taken_off_ends_the_note(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    with world.database.transaction(world.manager) as session:
        listings.want_unlisted(session, world.manager, listing_id)
    assert world.push(listing_id).note_code == "sold_there"
    move(world, MovementKind.SOLD, 2)
    assert (world.read(listing_id).sold_there, world.read(listing_id).note_code) == (1, "sold_there")
    move(world, MovementKind.SOLD, 1)
    assert (world.read(listing_id).sold_there, world.read(listing_id).note) == (0, None)
    world.want()
    assert (world.push(listing_id).state, there(world)) == ("live", [37])


# --- what the ledger says meanwhile --------------------------------------------------------------------------------


def lines(world: World) -> list[UUID]:
    with world.database.transaction(SYSTEM) as session:
        return list(session.scalars(select(StockMovement.id).order_by(StockMovement.recorded_at)))


def test_packs_that_are_promised_and_released_leave_what_the_shop_sold_as_it_is(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    move(world, MovementKind.RESERVED, 3)
    assert (world.push(listing_id).sold_there, there(world)) == (3, [34])
    move(world, MovementKind.RELEASED, 3)
    listing = world.push(listing_id)
    assert (listing.sold_there, listing.note_code, there(world)) == (3, "sold_there", [37])


def test_a_recorded_sale_that_is_taken_back_is_asked_for_again(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    move(world, MovementKind.SOLD, 3)
    assert world.push(listing_id).note_code is None
    with world.database.transaction(world.manager) as session:
        stock.reverse(session, world.manager, lines(world)[-1], ReverseMovement(id=new_id(), reason="Ghi nhầm"))
    with world.database.transaction(SYSTEM) as session:
        listings.after_stock_moved(session, SYSTEM, StockMoved(variant_id=world.variant_id))
    listing = world.push(listing_id)
    assert (listing.sold_there, listing.note_code, there(world)) == (3, "sold_there", [37])


def test_packs_that_buyers_bring_back_are_no_sale_taken_back(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    move(world, MovementKind.SOLD, 3)
    world.push(listing_id)
    move(world, MovementKind.RETURNED, 1)
    listing = world.push(listing_id)
    assert (listing.sold_there, listing.note, there(world)) == (0, None, [38])


def test_a_sale_recorded_along_with_new_packs_is_recorded(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    record(world, MovementKind.SOLD, 3)
    move(world, MovementKind.PACKED, 10)
    listing = world.push(listing_id)
    assert (listing.sold_there, listing.note, there(world)) == (0, None, [47])


def test_a_push_that_failed_invents_no_sale(world: World, listing_id: UUID) -> None:
    order(world, 20)
    move(world, MovementKind.SOLD, 20)
    move(world, MovementKind.SOLD, 10)
    world.woo.fail("change", "status", status=503)
    assert (world.push(listing_id).failures, there(world)) == (1, [20])
    listing = world.push(listing_id)
    assert (listing.failures, listing.sold_there, listing.note, there(world)) == (0, 0, None, [10])


def test_an_order_after_a_refused_write_is_an_order(world: World, listing_id: UUID) -> None:
    move(world, MovementKind.LOST, 5)
    world.woo.fail("change", "status", status=503)
    assert (world.push(listing_id).sent_stocks, there(world)) == ([], [40])
    order(world, 5)
    listing = world.push(listing_id)
    assert (listing.sold_there, there(world)) == (5, [30])


def test_an_order_cancelled_before_a_push_is_no_sale_any_more(world: World, listing_id: UUID) -> None:
    order(world, 3)
    world.look(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "edit", stock_quantity="40")
    world.new_price(190000)
    listing = world.push(listing_id)
    assert (listing.sold_there, listing.note, listing.wanted_version) == (0, None, 3)
    assert (world.push(listing_id).sold_there, there(world)) == (0, [40])


# --- two accounts --------------------------------------------------------------------------------------------------


@pytest.fixture
def second(world: World, tmp_path: Path, pictures: str) -> Iterator[WooDouble]:
    (tmp_path / "second").mkdir()
    double = WooDouble(tmp_path / "second", pictures)
    yield double
    double.stop()


@pytest.fixture
def sibling_id(world: World, second: WooDouble) -> UUID:
    """The same pack on a shop of its own."""
    account_id = new_id()
    with world.database.transaction(SYSTEM) as session:
        first = session.get_one(ChannelAccount, world.account_id)
        session.add(
            ChannelAccount(
                id=account_id,
                organisation_id=world.organisation_id,
                channel="woocommerce",
                floor_id=None,
                legal_kind="own_site",
                name="Trang riêng",
                base_url=second.url,
                credentials_sealed=credentials.seal(world.settings, Credentials(second.credentials().values)),
                stock_buffer=0,
                state="active",
                error=None,
                created_at=first.created_at,
            )
        )
    listing_id = world.want(account_id)
    world.push(listing_id)
    return listing_id


def test_what_one_shop_sold_is_offered_nowhere_else(
    world: World, second: WooDouble, listing_id: UUID, sibling_id: UUID
) -> None:
    assert [i.stock for i in second.items()] == [40]
    order(world, 40)
    world.look(listing_id)
    assert world.read(sibling_id).wanted_version == 2
    world.push(sibling_id)
    assert (there(world), [i.stock for i in second.items()]) == ([0], [0])


def test_one_recording_counts_for_one_shop(world: World, second: WooDouble, listing_id: UUID, sibling_id: UUID) -> None:
    order(world, 3)
    second.order(second.items()[0].remote_id, 2)
    for each in (listing_id, sibling_id):
        world.look(each)
    move(world, MovementKind.SOLD, 3)
    assert sorted(world.push(each).sold_there for each in (listing_id, sibling_id)) == [0, 2]
    assert (there(world), [i.stock for i in second.items()]) == ([35], [35])
    move(world, MovementKind.SOLD, 2)
    assert [world.push(each).note for each in (listing_id, sibling_id)] == [None, None]
    assert (there(world), [i.stock for i in second.items()]) == ([35], [35])
