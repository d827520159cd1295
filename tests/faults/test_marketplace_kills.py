"""The process that calls shops is killed while it publishes: one item in the shop, whatever the shop did with the call of the dead."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app import clock
from tests.faults.field import end_leases, kill
from tests.worlds.shop import World

# What the shop is doing at the moment of death. A slow shop finishes what a dead caller asked, after another may have come.
MOMENTS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("create", "hang_after_commit", {}),
    ("create", "slow", {"seconds": 3}),
    ("read", "slow", {"seconds": 1}),
)


@pytest.mark.faults
def test_a_caller_killed_while_publishing_leaves_one_item_and_it_ends_live(
    world: World,
    run_processes: Any,
    wait_for: Any,
    move_clock: Callable[[timedelta], None],
    counts: Callable[[int, int], int],
) -> None:
    running = run_processes("relay", "worker", "bulk", "caller")
    kills: Counter[str] = Counter()
    wanted: dict[str, int] = {}
    for number in range(counts(3, 50)):
        operation, kind, details = MOMENTS[number % len(MOMENTS)]
        world.woo.fail(operation, kind, **details)
        sku = f"MO-{number:03d}"
        wanted[sku] = 185000 + number
        world.another_pack(sku, price_dong=wanted[sku])
        listing_id = world.want()

        def under_way() -> bool:
            running.tend()
            return all(f["remaining"] == 0 for f in world.woo.state()["faults"])

        wait_for(under_way, 60, f"the shop to be asked about {sku} ({kind})")
        kill(running.pid("caller"))
        kills[kind] += 1
        calm = [clock.machine_now()]

        def live(listing_id: Any = listing_id, calm: list[Any] = calm) -> bool:
            running.tend()
            if clock.machine_now() - calm[0] > timedelta(seconds=2):  # the leases of the dead end, seen from here
                calm[0] = clock.machine_now()
                end_leases(world.database)
                move_clock(timedelta(seconds=95))
            return world.read(listing_id).state == "live"

        wait_for(live, 90, f"{sku} to be live after the kill ({kind})")
    wait_for(
        lambda: Counter(i.sku for i in world.woo.items()) == Counter(wanted.keys()), 10, "the slow calls to have ended"
    )
    assert {i.sku: (i.price, i.listed) for i in world.woo.items()} == {s: (str(p), True) for s, p in wanted.items()}
    assert sum(kills.values()) == counts(3, 50)
    print(f"kills {dict(kills)}, items {len(wanted)}, doubled 0")  # noqa: T201 - the figures
