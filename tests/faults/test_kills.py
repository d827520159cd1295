"""kill -9 of worker, relay and web at random points: nothing acknowledged is lost, nothing happens twice."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.field import (
    Farm,
    Phones,
    Settling,
    check_books,
    children_of,
    fanned_out,
    kill,
    paid,
    remember_versions,
    start_phones,
)

SEED = 20261123
KINDS = ("worker", "relay", "web")


class Killer:
    """Waits until the victim has really worked since its last death, then a random instant more, and kills it.

    Of worker and web now the leading process dies, now the child that does the work.
    """

    def __init__(self, running: Any, farm: Farm, phones: Phones, seed: int) -> None:
        self.running = running
        self.phones = phones
        self.random = random.Random(seed)
        self.killed: Counter[str] = Counter()
        database = farm.database
        self._settling = Settling(database, running)
        self._progress: dict[str, Callable[[], int]] = {
            "worker": lambda: paid(database),
            "relay": lambda: fanned_out(database),
            "web": phones.acknowledged,
        }

    def tend(self) -> None:
        """Restarts the dead, and lets the leases of their work end when nobody pays any more."""
        self._settling()
        self.phones.hold_back()

    def strike(self, name: str, wait_for: Any) -> None:
        goal = self._progress[name]() + self.random.randint(1, 15)

        def works() -> bool:
            self.tend()
            return name in self.running.keeper.pids() and self._progress[name]() >= goal

        wait_for(works, 75, f"{name} to work again after {dict(self.killed)}")
        threading.Event().wait(self.random.uniform(0, 0.04))
        leader = self.running.pid(name)
        below = children_of(leader)
        child = name != "relay" and below and self.random.random() < 0.5
        kill(self.random.choice(below) if child else leader)
        self.killed[name] += 1


@pytest.mark.faults
def test_nothing_acknowledged_is_lost_or_doubled_when_processes_are_killed(
    farm: Farm, run_processes: Any, wait_for: Any, counts: Callable[[int, int], int]
) -> None:
    running = run_processes("web", "relay", "worker", "bulk", "caller")
    wait_for(Settling(farm.database, running), 60, "the farm's own events to be paid")
    remember_versions(farm)
    phones = start_phones(running.url, farm, count=3, seed=SEED)
    killer = Killer(running, farm, phones, SEED)
    rounds = [name for _ in range(counts(2, 50)) for name in KINDS]
    killer.random.shuffle(rounds)
    for name in rounds:
        killer.strike(name, wait_for)
    phones.finish(tend=killer.tend)
    wait_for(Settling(farm.database, running), 120, "everything to be paid after the last kill")
    figures = check_books(phones)
    assert killer.killed == Counter(rounds)
    assert (figures["lost"], figures["doubled"]) == (0, 0)
    assert figures["logs"] >= len(rounds)
    print(f"kills {dict(killer.killed)}, answers {dict(phones.answers())}, {figures}")  # noqa: T201 - the figures
