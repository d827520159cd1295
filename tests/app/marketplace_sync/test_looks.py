"""Looking follows the shop's word, is never overtaken by a push, and mends what was changed there a few times only."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, make_transient

from app import clock
from app.actor import SYSTEM
from app.db import new_id
from app.marketplace_sync import calls, credentials, looks, sightings, troubles
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.marketplace_sync.events import AccountSilent, LookWanted
from app.marketplace_sync.models import ChannelAccount, Listing, ListingObservation
from app.notices.models import Notice
from app.outbox import NotYet
from tests.worlds.shop import World


def observations(world: World) -> list[tuple[int | None, datetime]]:
    with world.database.transaction(SYSTEM) as session:
        rows = session.scalars(select(ListingObservation).order_by(ListingObservation.seen_at)).all()
        return [(row.price_dong, row.seen_at) for row in rows]


def due_look(world: World, listing_id: UUID) -> looks.Round:
    with world.database.transaction(SYSTEM) as session:
        one = looks._due_round(session, world.settings, listing_id, 10)
    assert one is not None
    return one


def read_there(world: World, one: looks.Round) -> list[RemoteStatus]:
    with credentials.open_sealed(world.settings, one.channel, one.sealed) as channel:
        return channel.status(list(one.remote))


def record(world: World, one: looks.Round, answers: list[RemoteStatus]) -> None:
    looks._record_look(world.database, world.settings, one, answers, 0.0)


def test_a_look_that_lost_its_lease_leaves_the_next_ones_alone(world: World, listing_id: UUID) -> None:
    late = due_look(world, listing_id)
    world.change(ChannelAccount, look_until=clock.machine_now() - timedelta(seconds=1))
    now = due_look(world, listing_id)
    record(world, late, read_there(world, late))
    held = world.account()
    assert (held.look_id, held.look_until is not None) == (now.look_id, True)
    record(world, now, read_there(world, now))
    assert (world.account().look_id, world.account().look_until) == (None, None)


def test_what_a_look_read_while_a_push_wrote_is_dropped_and_looked_at_again(world: World, listing_id: UUID) -> None:
    one = due_look(world, listing_id)
    old = read_there(world, one)
    world.new_price(190000)
    world.push(listing_id)
    before = observations(world)
    record(world, one, old)
    listing = world.read(listing_id)
    assert (observations(world), listing.wanted_version, listing.applied_version) == (before, 2, 2)
    assert listing.next_look_at is not None
    assert listing.next_look_at <= clock.machine_now() + calls.BUSY_WAIT


def test_what_a_look_read_while_a_push_is_under_way_is_dropped(world: World, listing_id: UUID) -> None:
    one = due_look(world, listing_id)
    world.change(Listing, lease_id=new_id(), lease_until=clock.machine_now() + timedelta(seconds=60))
    before = observations(world)
    record(world, one, read_there(world, one))
    assert observations(world) == before


def test_a_round_leaves_out_what_a_push_holds(world: World, listing_id: UUID) -> None:
    past, soon = (clock.machine_now() + timedelta(seconds=s) for s in (-1, 60))
    world.change(Listing, next_look_at=past, lease_id=new_id(), lease_until=soon)
    before = world.woo.calls()
    assert (looks.look(world.database, world.settings), world.woo.calls()) == (0, before)
    world.change(Listing, lease_until=past)
    assert looks.look(world.database, world.settings) == 1


def test_a_sighting_older_than_the_newest_decides_nothing(world: World, listing_id: UUID) -> None:
    first = due_look(world, listing_id)
    old = read_there(world, first)
    world.woo.staff(world.woo.items()[0].remote_id, "ban", reason="mẫu")
    world.change(ChannelAccount, look_until=None)
    assert world.look(listing_id).state == "blocked"
    told = world.events("listing_observed")
    record(world, first, old)
    assert (world.read(listing_id).state, world.events("listing_observed")) == ("blocked", told)
    assert len(observations(world)) == 2, "it says what was known of that moment already"


def test_an_older_sighting_does_not_bring_sold_packs_back(world: World, listing_id: UUID) -> None:
    first = due_look(world, listing_id)
    old = read_there(world, first)
    world.woo.order(world.woo.items()[0].remote_id, 3)
    world.change(ChannelAccount, look_until=None)
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
    world.another_pack()
    other = world.want()
    world.push(other)
    binned = world.read(other).remote_id
    assert binned is not None
    world.woo.staff(binned, "trash")
    world.woo.ask(
        "faults", [{"kind": "status", "status": 500, "method": "GET", "path": f"/products/{binned}$", "times": 1}]
    )
    world.change(Listing, next_look_at=clock.machine_now() - timedelta(seconds=1))
    before = len(observations(world))
    seen_before = {one: world.read(one).last_seen_at for one in (listing_id, other)}
    assert looks.look(world.database, world.settings) == 2
    assert (len(observations(world)), world.account().looks_failing_since) == (before, None)
    assert [world.read(one).last_seen_at == seen_before[one] for one in (listing_id, other)] == [False, True]
    late, soon = world.read(listing_id).next_look_at, world.read(other).next_look_at
    assert late is not None
    assert soon is not None
    assert soon < late, "what could not be seen comes first in the next round"


def test_an_account_that_cannot_be_looked_at_for_hours_is_told_once(
    world: World, listing_id: UUID, clock_at: Callable[[datetime], None]
) -> None:
    start = clock.now()
    clock_at(start)
    world.woo.fail("any", "status", status=503, times=-1)
    for hours, told in ((0, 0), (5.9, 0), (6, 1), (20, 1)):
        clock_at(start + timedelta(hours=hours))
        world.look(listing_id)
        assert world.events("account_silent") == told
    found = world.account()
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
    assert (world.account().looks_failing_since, world.account().error) == (None, None)


def test_pages_that_nobody_can_open_are_failed_looks_too(
    world: World, listing_id: UUID, clock_at: Callable[[datetime], None]
) -> None:
    start = clock.now()
    clock_at(start)
    world.woo.ask("faults", [{"kind": "status", "status": 503, "method": "*", "path": "^/san-pham/", "times": -1}])
    world.look(listing_id)
    clock_at(start + timedelta(hours=6))
    world.look(listing_id)
    assert (world.events("account_silent"), world.read(listing_id).state) == (1, "live")


def look_until(world: World, seconds: int | None) -> None:
    until = None if seconds is None else clock.machine_now() + timedelta(seconds=seconds)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(look_until=until))


def test_two_never_look_at_one_account_at_once(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    look_until(world, 60)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).values(next_look_at=clock.machine_now() - timedelta(seconds=1)))
    before = world.woo.calls()
    assert looks.look(world.database, world.settings) == 0
    with pytest.raises(NotYet):
        looks.look(world.database, world.settings, listing_id)
    assert world.woo.calls() == before
    look_until(world, -1)  # whoever looked died at it
    assert looks.look(world.database, world.settings) == 1
    with world.database.transaction(SYSTEM) as session:
        assert session.scalars(select(ChannelAccount.look_until)).all() == [None]
    assert looks.look(world.database, world.settings) == 0


def test_one_failed_look_changes_no_verdict(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.fail("any", "status", status=503, times=5)
    assert world.look(listing_id).state == "live"
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(ListingObservation)) == 1
    assert [e.state for e in world.evidence()] == ["live"]


def test_a_price_changed_there_is_sent_again(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "edit", regular_price="99000")
    listing = world.look(listing_id)
    assert (listing.wanted_version, listing.applied_version) == (2, 1)
    world.push(listing_id)
    assert [i.price for i in world.woo.items()] == ["185000"]


def test_a_shop_that_went_over_to_another_currency_is_no_longer_believed(world: World, listing_id: UUID) -> None:
    before = observations(world)
    world.woo.ask("settings", {"general/woocommerce_currency": "USD"})
    listing = world.look(listing_id)
    assert (observations(world), listing.state) == (before, "live")
    account = world.account()
    assert (account.state, world.events("account_broken")) == ("broken", 1)
    assert account.error is not None
    assert "bán bằng USD, không phải đồng" in account.error.vi


def due(world: World) -> None:
    world.change(Listing, next_look_at=clock.machine_now() - timedelta(seconds=1))


def currency_asked(world: World) -> int:
    return sum(n for what, n in world.woo.calls().items() if "woocommerce_currency" in what)


def test_the_currency_is_asked_once_a_day_and_whenever_a_person_waits(world: World, listing_id: UUID) -> None:
    before = currency_asked(world)
    for asked in (1, 1):
        due(world)
        assert looks.look(world.database, world.settings) == 1
        assert currency_asked(world) - before == asked
    world.change(ChannelAccount, currency_checked_at=clock.machine_now() - timedelta(days=1))
    due(world)
    looks.look(world.database, world.settings)
    assert currency_asked(world) - before == 2
    world.look(listing_id)
    assert currency_asked(world) - before == 3


def test_a_shop_that_fails_is_not_asked_about_its_other_listings_at_once(world: World, listing_id: UUID) -> None:
    world.another_pack()
    other = world.want()
    world.push(other)
    due(world)
    world.woo.fail("any", "status", status=503, times=-1)
    assert looks.look(world.database, world.settings, limit=1) == 1
    later = clock.machine_now() + timedelta(seconds=world.settings.look_seconds - 30)
    for one in (listing_id, other):
        when = world.read(one).next_look_at
        assert when is not None
        assert when > later
    assert looks.look(world.database, world.settings) == 0


def test_a_look_that_a_person_waits_for_comes_first_once_the_account_is_free(world: World, listing_id: UUID) -> None:
    world.another_pack()
    other = world.want()
    world.push(other)
    world.change(Listing, next_look_at=clock.machine_now() - timedelta(hours=5))
    look_until(world, 60)
    with pytest.raises(NotYet):
        looks.on_look_wanted(world.database, world.settings, LookWanted(listing_id=other))
    look_until(world, -1)
    with world.database.transaction(SYSTEM) as session:
        one = looks._due_round(session, world.settings, None, 1)
    assert one is not None
    assert [seat.listing_id for seat in one.remote.values()] == [other]


def test_a_turn_begins_no_round_after_its_time(world: World, listing_id: UUID) -> None:
    world.another_pack()
    world.push(world.want())
    due(world)
    assert looks.look(world.database, world.settings, limit=1, seconds=0) == 1
    assert looks.look(world.database, world.settings, limit=1) == 1


def test_the_account_is_free_for_pushes_while_sightings_are_recorded(
    world: World, listing_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(world)
    claimed: list[UUID] = []

    def record_sighting(session: Session, *given: Any) -> bool:
        with world.database.transaction(SYSTEM) as other:
            free = select(ChannelAccount.id).with_for_update(key_share=True, skip_locked=True)
            claimed.extend(other.scalars(free))
        return sightings.record_sighting(session, *given)

    monkeypatch.setattr(looks, "record_sighting", record_sighting)
    assert looks.look(world.database, world.settings) == 1
    assert claimed == [world.account_id]


def test_a_shop_that_hangs_holds_up_no_look_at_another(
    world: World, listing_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, enough = threading.Event(), threading.Event()
    with world.database.transaction(SYSTEM) as session:
        account = session.get_one(ChannelAccount, world.account_id)
        session.expunge(account)
        make_transient(account)
        del account.host_backwards  # PostgreSQL makes it
        account.id, account.name = new_id(), "Gian hàng khác"
        session.add(account)
        second = account.id
    other = world.want(second)
    world.change(Listing, remote_id=world.read(listing_id).remote_id, applied_version=1)
    due(world)
    opened = credentials.open_sealed

    @contextmanager
    def open_or_hang(*given: Any) -> Iterator[Any]:
        if not hanging.is_set():  # the first of the two
            hanging.set()
            enough.wait(60)
        with opened(*given) as channel:
            yield channel

    monkeypatch.setattr(looks, "open_sealed", open_or_hang)
    stuck = threading.Thread(target=looks.look, args=(world.database, world.settings), kwargs={"limit": 1})
    stuck.start()
    try:
        assert hanging.wait(30)
        assert looks.look(world.database, world.settings) == 1
        seen = {one: world.read(one).next_look_at for one in (listing_id, other)}
        assert all(when is not None and when > clock.machine_now() for when in seen.values())
        assert len([a for a in (world.account_id, second) if held(world, a)]) == 1
    finally:
        enough.set()
        stuck.join()


def held(world: World, account_id: UUID) -> bool:
    with world.database.transaction(SYSTEM) as session:
        return session.get_one(ChannelAccount, account_id).look_id is not None
