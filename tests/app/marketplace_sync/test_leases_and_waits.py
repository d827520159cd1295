"""Who talks to a shop when: leases that outlast a conversation, looks that pushes overtake, peace that a shop asks for."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from marketplace_world import World
from sqlalchemy import func, select, update

from app import clock
from app.actor import SYSTEM
from app.db import new_id
from app.marketplace_sync import calls, credentials, listings, looks, pushes, troubles
from app.marketplace_sync.channels.base import RemoteStatus
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.events import AccountSilent, ListingTroubled
from app.marketplace_sync.models import ChannelAccount, Listing, ListingObservation
from app.notices.models import Notice
from app.outbox import NotYet, OutboxEvent
from app.products.models import Variant
from worker import reactions


@pytest.fixture
def listing_id(world: World) -> UUID:
    listing_id = world.want()
    world.push(listing_id)
    return listing_id


def change(world: World, what: Any, **values: Any) -> None:
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(what).values(**values))


def account(world: World) -> ChannelAccount:
    with world.database.transaction(SYSTEM) as session:
        return session.get_one(ChannelAccount, world.account_id)


def events(world: World, name: str) -> int:
    with world.database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).where(OutboxEvent.name == f"marketplace_sync.{name}")) or 0


def observations(world: World) -> list[tuple[int | None, datetime]]:
    with world.database.transaction(SYSTEM) as session:
        rows = session.scalars(select(ListingObservation).order_by(ListingObservation.seen_at)).all()
        return [(row.price_dong, row.seen_at) for row in rows]


def new_price(world: World, price: int) -> None:
    change(world, Variant, price_dong=price)
    with world.database.transaction(SYSTEM) as session:
        listings.refresh(session, SYSTEM, variant_ids=[world.variant_id])


def due_look(world: World, listing_id: UUID) -> looks.Round:
    with world.database.transaction(SYSTEM) as session:
        one = looks._due_round(session, world.settings, listing_id, 10)
    assert one is not None
    return one


def read_there(world: World, one: looks.Round) -> list[RemoteStatus]:
    with credentials.open_sealed(world.settings, one.channel, one.sealed) as channel:
        return channel.status(list(one.remote))


def record(world: World, one: looks.Round, answers: list[RemoteStatus]) -> None:
    with world.database.transaction(SYSTEM) as session:
        looks._record_look(session, world.settings, one, answers, 0.0)


# --- leases ------------------------------------------------------------------------------------------------------


def test_a_lease_outlasts_a_conversation_and_a_delivery_outlasts_the_lease() -> None:
    assert Timeouts().conversation < calls.LEASE.total_seconds() - 10
    for name in ("marketplace_sync.push", "marketplace_sync.look"):
        assert reactions.BY_NAME[name].lease_seconds > calls.LEASE.total_seconds()


def test_a_push_that_comes_back_after_its_lease_wants_one_more_push(world: World, listing_id: UUID) -> None:
    """The slow one writes the old price after the quick one wrote the new."""
    new_price(world, 190000)
    with world.database.transaction(SYSTEM) as session:
        slow = pushes._claim(session, world.settings, listing_id)
    assert slow is not None
    change(world, Listing, lease_until=clock.machine_now() - timedelta(seconds=1))
    new_price(world, 200000)
    assert world.push(listing_id).applied_version == 3
    with credentials.open_sealed(world.settings, slow.channel, slow.sealed) as channel:
        outcome = pushes._call(channel, slow)
    assert [i.price for i in world.woo.items()] == ["190000"]
    with world.database.transaction(SYSTEM) as session:
        pushes._record_push(session, world.settings, slow, outcome)
    listing = world.read(listing_id)
    assert (listing.wanted_version, listing.applied_version) == (4, 3)
    listing = world.push(listing_id)
    assert (listing.applied_version, [i.price for i in world.woo.items()]) == (4, ["200000"])


def test_a_look_that_lost_its_lease_leaves_the_next_ones_alone(world: World, listing_id: UUID) -> None:
    late = due_look(world, listing_id)
    change(world, ChannelAccount, look_until=clock.machine_now() - timedelta(seconds=1))
    now = due_look(world, listing_id)
    record(world, late, read_there(world, late))
    held = account(world)
    assert (held.look_id, held.look_until is not None) == (now.look_id, True)
    record(world, now, read_there(world, now))
    assert (account(world).look_id, account(world).look_until) == (None, None)


# --- looks and pushes overtake each other ------------------------------------------------------------------------


def test_what_a_look_read_while_a_push_wrote_is_dropped_and_looked_at_again(world: World, listing_id: UUID) -> None:
    one = due_look(world, listing_id)
    old = read_there(world, one)
    new_price(world, 190000)
    world.push(listing_id)
    before = observations(world)
    record(world, one, old)
    listing = world.read(listing_id)
    assert (observations(world), listing.wanted_version, listing.applied_version) == (before, 2, 2)
    assert listing.next_look_at is not None
    assert listing.next_look_at <= clock.machine_now() + calls.BUSY_WAIT


def test_what_a_look_read_while_a_push_is_under_way_is_dropped(world: World, listing_id: UUID) -> None:
    one = due_look(world, listing_id)
    change(world, Listing, lease_id=new_id(), lease_until=clock.machine_now() + timedelta(seconds=60))
    before = observations(world)
    record(world, one, read_there(world, one))
    assert observations(world) == before


def test_a_round_leaves_out_what_a_push_holds(world: World, listing_id: UUID) -> None:
    past, soon = (clock.machine_now() + timedelta(seconds=s) for s in (-1, 60))
    change(world, Listing, next_look_at=past, lease_id=new_id(), lease_until=soon)
    before = world.woo.calls()
    assert (looks.look(world.database, world.settings), world.woo.calls()) == (0, before)
    change(world, Listing, lease_until=past)
    assert looks.look(world.database, world.settings) == 1


def test_a_sighting_older_than_the_newest_decides_nothing(world: World, listing_id: UUID) -> None:
    first = due_look(world, listing_id)
    old = read_there(world, first)
    world.woo.staff(world.woo.items()[0].remote_id, "ban", reason="mẫu")
    change(world, ChannelAccount, look_until=None)
    assert world.look(listing_id).state == "blocked"
    told = events(world, "listing_observed")
    record(world, first, old)
    assert (world.read(listing_id).state, events(world, "listing_observed")) == ("blocked", told)
    assert len(observations(world)) == 3


def test_an_older_sighting_does_not_bring_sold_packs_back(world: World, listing_id: UUID) -> None:
    first = due_look(world, listing_id)
    old = read_there(world, first)
    world.woo.order(world.woo.items()[0].remote_id, 3)
    change(world, ChannelAccount, look_until=None)
    assert world.look(listing_id).sold_there == 3
    record(world, first, old)
    listing = world.read(listing_id)
    assert (listing.sold_there, listing.applied_stock, listing.note_code) == (3, 37, "sold_there")


def test_a_sighting_of_the_very_same_moment_decides_nothing(world: World, listing_id: UUID) -> None:
    one = due_look(world, listing_id)
    (seen,) = read_there(world, one)
    record(world, one, [seen])
    banned = RemoteStatus(**{name: getattr(seen, name) for name in seen.__slots__} | {"live": False, "raw": "private"})
    record(world, one, [banned])
    assert world.read(listing_id).state == "live"


def test_one_item_that_cannot_be_read_leaves_the_others_of_the_round_seen(world: World, listing_id: UUID) -> None:
    first = world.variant_id
    world.variant_id = new_id()
    with world.database.transaction(SYSTEM) as session:
        row = session.get_one(Variant, first)
        session.add(
            Variant(
                id=world.variant_id,
                organisation_id=row.organisation_id,
                product_id=row.product_id,
                sku="MO-1",
                name=row.name,
                price_dong=1000,
                created_at=row.created_at,
            )
        )
    other = world.want()
    world.push(other)
    binned = world.read(other).remote_id
    assert binned is not None
    world.woo.staff(binned, "trash")
    world.woo.ask(
        "faults", [{"kind": "status", "status": 500, "method": "GET", "path": f"/products/{binned}$", "times": 1}]
    )
    change(world, Listing, next_look_at=clock.machine_now() - timedelta(seconds=1))
    before = len(observations(world))
    assert looks.look(world.database, world.settings) == 2
    assert (len(observations(world)), account(world).looks_failing_since) == (before + 1, None)
    late, soon = world.read(listing_id).next_look_at, world.read(other).next_look_at
    assert late is not None
    assert soon is not None
    assert soon < late, "what could not be seen comes first in the next round"


# --- peace -------------------------------------------------------------------------------------------------------


def another_listing(world: World) -> UUID:
    world.variant_id = new_id()
    with world.database.transaction(SYSTEM) as session:
        row = session.scalars(select(Variant)).first()
        assert row is not None
        session.add(
            Variant(
                id=world.variant_id,
                organisation_id=row.organisation_id,
                product_id=row.product_id,
                sku=f"MO-{world.variant_id.hex[-6:]}",
                name=row.name,
                price_dong=1000,
                created_at=row.created_at,
            )
        )
    return world.want()


@pytest.mark.parametrize("by", ["push", "look"])
def test_a_shop_that_asks_for_peace_has_it_from_the_whole_account(world: World, listing_id: UUID, by: str) -> None:
    other = another_listing(world)
    world.woo.fail("any", "status", status=429, retry_after=60)
    started = clock.machine_now()
    if by == "push":
        assert world.push(other).error_code == "too_many_calls"
    else:
        world.look(listing_id)
    before = world.woo.calls()
    quiet = account(world).quiet_until
    assert quiet is not None
    assert timedelta(seconds=59) < quiet - started < timedelta(seconds=75)
    third = another_listing(world)
    change(world, Listing, next_look_at=clock.machine_now() - timedelta(seconds=1))
    for call in (lambda: world.push(other), lambda: world.push(third), lambda: world.look(listing_id)):
        with pytest.raises(NotYet) as later:
            call()
        assert timedelta(seconds=40) < later.value.wait <= timedelta(seconds=60)
    assert looks.look(world.database, world.settings) == 0
    assert world.woo.calls() == before
    change(world, ChannelAccount, quiet_until=clock.machine_now() - timedelta(seconds=1))
    assert world.push(other).state == "live"


# --- endless waiting ---------------------------------------------------------------------------------------------


def test_a_listing_that_waits_for_a_day_is_told_once(world: World, clock_at: Callable[[datetime], None]) -> None:
    start = clock.now()
    clock_at(start)
    listing_id = world.want()
    world.woo.fail("any", "status", status=503, times=-1)
    world.push(listing_id)
    clock_at(start + timedelta(hours=23, minutes=59))
    assert (world.push(listing_id).note, events(world, "listing_troubled")) == (None, 0)
    for hours in (24, 30):
        clock_at(start + timedelta(hours=hours))
        listing = world.push(listing_id)
        assert (listing.state, listing.note_code, events(world, "listing_troubled")) == ("waiting", "waiting_long", 1)
    assert listing.note is not None
    since = f"{clock.local(start):%H:%M ngày %d/%m/%Y}"
    assert listing.note.vi == (
        f"Thử gửi từ {since} mà sàn chưa nhận: Gian hàng đang trục trặc hoặc bảo trì. Hệ thống sẽ tự thử lại."
    )
    with world.database.transaction(SYSTEM) as session:
        troubles.tell_of_trouble(session, SYSTEM, ListingTroubled(listing_id=listing_id))
        troubles.tell_of_trouble(session, SYSTEM, ListingTroubled(listing_id=listing_id))
        assert session.scalar(select(func.count()).select_from(Notice)) == 2  # the two sellers
    world.woo.ask("faults", [])
    listing = world.push(listing_id)
    assert (listing.state, listing.note, listing.failing_since, listing.failures) == ("live", None, None, 0)


def test_a_listing_that_failed_many_times_is_told_once(world: World, listing_id: UUID) -> None:
    new_price(world, 190000)
    world.woo.fail("change", "drop_before_commit", times=-1)
    for failures in range(1, pushes.MANY_FAILURES + 2):
        listing = world.push(listing_id)
        assert (listing.state, listing.failures) == ("unknown", failures)
        assert (events(world, "listing_troubled"), listing.note is not None) == (
            (1, True) if failures >= pushes.MANY_FAILURES else (0, False)
        )


def test_an_account_that_cannot_be_looked_at_for_hours_is_told_once(
    world: World, listing_id: UUID, clock_at: Callable[[datetime], None]
) -> None:
    start = clock.now()
    clock_at(start)
    world.woo.fail("any", "status", status=503, times=-1)
    for hours, told in ((0, 0), (5.9, 0), (6, 1), (20, 1)):
        clock_at(start + timedelta(hours=hours))
        world.look(listing_id)
        assert events(world, "account_silent") == told
    found = account(world)
    assert (found.state, found.looks_failing_since) == ("active", start)
    for _ in range(2):
        with world.database.transaction(SYSTEM) as session:
            troubles.tell_of_silent_account(session, SYSTEM, AccountSilent(account_id=world.account_id))
    with world.database.transaction(SYSTEM) as session:
        told = session.scalars(select(Notice)).all()
    assert {n.person_id for n in told} == {world.manager.person_id, world.other.person_id}
    assert len(told) == 2
    assert told[0].title.vi == f"Không xem được Gian hàng tỉnh từ {clock.local(start):%H:%M ngày %d/%m/%Y}"
    assert told[0].link == f"/san/tai-khoan/{world.account_id}"
    world.woo.ask("faults", [])
    world.look(listing_id)
    assert (account(world).looks_failing_since, account(world).error) == (None, None)


def test_pages_that_nobody_can_open_are_failed_looks_too(
    world: World, listing_id: UUID, clock_at: Callable[[datetime], None]
) -> None:
    start = clock.now()
    clock_at(start)
    world.woo.ask("faults", [{"kind": "status", "status": 503, "method": "*", "path": "^/san-pham/", "times": -1}])
    world.look(listing_id)
    clock_at(start + timedelta(hours=6))
    world.look(listing_id)
    assert (events(world, "account_silent"), world.read(listing_id).state) == (1, "live")


# --- a SKU that was changed while the outcome was unknown --------------------------------------------------------


@pytest.mark.parametrize("wanted", ["live", "unlisted"])
def test_an_item_made_under_the_old_sku_is_found_again(world: World, wanted: str) -> None:
    listing_id = world.want()
    world.woo.fail("create", "timeout_after_commit")
    assert world.push(listing_id).state == "unknown"
    change(world, Variant, sku="MO-500-MOI")
    if wanted == "unlisted":
        with world.database.transaction(world.manager) as session:
            listings.want_unlisted(session, world.manager, listing_id)
    listing = world.push(listing_id)
    assert (listing.state, listing.sent_skus, world.woo.count("create")) == (wanted, [], 1)
    assert [(i.remote_id, i.sku, i.listed) for i in world.woo.items()] == [
        (listing.remote_id, "MO-500-MOI" if wanted == "live" else "MO-500", wanted == "live")
    ]


def test_a_push_killed_while_it_looks_for_the_old_sku_forgets_nothing(world: World) -> None:
    listing_id = world.want()
    world.woo.fail("create", "timeout_after_commit")
    world.push(listing_id)
    change(world, Variant, sku="MO-500-MOI")
    world.woo.fail("any", "status", status=503)
    assert world.push(listing_id).sent_skus == ["MO-500", "MO-500-MOI"]
    assert (world.push(listing_id).state, world.woo.count("create"), len(world.woo.items())) == ("live", 1, 1)
