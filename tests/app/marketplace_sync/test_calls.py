"""Who talks to a shop when: leases that outlast a conversation, few calls at once, and the peace that a shop asks for."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from app import clock
from app.actor import SYSTEM
from app.db import new_id
from app.marketplace_sync import calls, looks, pushes
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.models import ChannelAccount, Listing
from app.outbox import NotYet
from tests.worlds.shop import World
from worker import reactions


def test_a_lease_outlasts_a_conversation_and_a_delivery_outlasts_the_lease() -> None:
    assert Timeouts().conversation < calls.LEASE.total_seconds() - 10
    for name in ("marketplace_sync.push", "marketplace_sync.look"):
        assert reactions.BY_NAME[name].lease_seconds > calls.LEASE.total_seconds()


def more_packs(world: World, count: int) -> list[UUID]:
    """Listings of so many further packs on the same account."""
    wanted = []
    for _ in range(count):
        world.another_pack()
        wanted.append(world.want())
    return wanted


def hold(world: World, listing_ids: list[UUID], seconds: int) -> None:
    until = clock.machine_now() + timedelta(seconds=seconds)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).where(Listing.id.in_(listing_ids)).values(lease_until=until, lease_id=new_id()))


def test_an_account_has_few_calls_at_once_and_the_next_waits_without_a_trace(world: World) -> None:
    *busy, next_one = more_packs(world, pushes.CALLS_AT_ONCE + 1)
    hold(world, busy, 60)
    with pytest.raises(NotYet) as later:
        pushes.push(world.database, world.settings, next_one)
    assert later.value.wait == timedelta(seconds=2)
    assert (world.read(next_one).state, world.read(next_one).lease_until, world.woo.calls()) == ("draft", None, {})
    hold(world, busy[:1], -1)
    assert world.push(next_one).state == "live"


@pytest.mark.parametrize("by", ["push", "look"])
def test_a_shop_that_asks_for_peace_has_it_from_the_whole_account(world: World, listing_id: UUID, by: str) -> None:
    (other,) = more_packs(world, 1)
    world.woo.fail("any", "status", status=429, retry_after=60)
    started = clock.machine_now()
    if by == "push":
        assert world.push(other).error_code == "too_many_calls"
    else:
        world.look(listing_id)
    before = world.woo.calls()
    quiet = world.account().quiet_until
    assert quiet is not None
    assert timedelta(seconds=59) < quiet - started < timedelta(seconds=75)
    (third,) = more_packs(world, 1)
    world.change(Listing, next_look_at=clock.machine_now() - timedelta(seconds=1))
    for call in (lambda: world.push(other), lambda: world.push(third), lambda: world.look(listing_id)):
        with pytest.raises(NotYet) as later:
            call()
        assert timedelta(seconds=40) < later.value.wait <= timedelta(seconds=60)
    assert looks.look(world.database, world.settings) == 0
    assert world.woo.calls() == before
    world.change(ChannelAccount, quiet_until=clock.machine_now() - timedelta(seconds=1))
    assert world.push(other).state == "live"
