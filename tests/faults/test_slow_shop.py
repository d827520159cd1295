"""A shop that does not answer holds its own calls, and nothing else."""

import os
import signal
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app import clock, outbox
from app.accounts.events import OrganisationChanged
from app.actor import SYSTEM
from app.marketplace_sync.models import Listing
from app.outbox import Delivery
from tests.worlds.shop import World
from worker import celery_app, reactions, relay, schedule


def paid(world: World, event_id: UUID) -> set[str]:
    with world.database.transaction(SYSTEM) as session:
        return set(
            session.scalars(
                select(Delivery.reaction).where(Delivery.event_id == event_id, Delivery.done_at.is_not(None))
            )
        )


@pytest.mark.faults
def test_work_goes_on_while_a_shop_holds_every_call(world: World, run_processes: Any, wait_for: Any) -> None:
    running = run_processes("relay", "worker", "bulk", "caller", caller_threads=1)
    world.woo.fail("create", "hang_after_commit")
    listing_id = world.want()
    wait_for(lambda: all(f["remaining"] == 0 for f in world.woo.state()["faults"]), 60, "the shop to be asked")
    with world.database.transaction(SYSTEM) as session:
        event = outbox.publish(session, SYSTEM, OrganisationChanged(organisation_id=world.organisation_id))
    work = {r.name for r in reactions.BY_EVENT[OrganisationChanged.name]}
    assert {reactions.BY_NAME[name].queue for name in work} == {schedule.WORK}
    wait_for(lambda: paid(world, event) == work, 25, "the work of the house to be done")
    listing = world.read(listing_id)
    assert (listing.state, listing.lease_until is None) == ("submitting", False), "the shop still holds the only caller"
    os.kill(running.pid("caller"), signal.SIGKILL)


@pytest.mark.faults
def test_a_push_begins_though_the_queue_of_looks_is_full_and_every_page_hangs(
    world: World, run_processes: Any, wait_for: Any
) -> None:
    world.push(world.want())
    world.woo.ask("faults", [{"kind": "slow", "seconds": 30, "method": "*", "path": "^/san-pham/", "times": -1}])
    world.change(Listing, next_look_at=clock.machine_now() - timedelta(seconds=1))
    broker = celery_app.make(world.settings)
    for _ in range(relay.MOST_QUEUED):
        broker.send_task("hoi.scheduled", args=("look_at_listings",), queue=schedule.LOOKS)
    running = run_processes("relay", "caller", "looker", looker_threads=2)
    wait_for(lambda: world.account().look_id is not None, 40, "the look to hang at the page")
    world.another_pack("MO-2")
    world.want()
    wait_for(lambda: world.woo.count("create") == 2, 20, "the new listing to be made at the shop")
    assert world.account().look_id is not None, "the look hangs still"
    for name in ("caller", "looker"):
        os.kill(running.pid(name), signal.SIGKILL)
