"""A shop that does not answer holds its own calls, and nothing else."""

import os
import signal
from typing import Any
from uuid import UUID

import pytest
from marketplace_world import World
from sqlalchemy import select

from app import outbox
from app.accounts.events import OrganisationChanged
from app.actor import SYSTEM
from app.outbox import Delivery
from worker import reactions, schedule


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
