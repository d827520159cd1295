"""One question for each page at a time, however many wait for its answer, and nobody waits longer than their patience."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import structlog

from app.front.lookups import Lookups, Told
from app.front.memory import Kept
from app.front.stored import Asked
from app.logs import told

log = structlog.get_logger()

SWEEP_SECONDS = 0.05  # one look at all who wait costs less than a timer for each of them

Key = tuple[str, str]
Then = Callable[[Kept | None], None]


@dataclass(slots=True)
class Flight:
    """A question under way. Who waits for it is told once: by its answer, or when it comes too late."""

    due: float
    late: Callable[[], Kept | None]
    waiting: list[Then] = field(default_factory=list)
    is_late: bool = False


class Flights:
    """Asks `lookups`, and tells everybody who waits for the same page what came of it, in a thread of its own."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._flights: dict[Key, Flight] = {}
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._sweeps = False

    def ask(
        self,
        key: Key,
        asked: Asked,
        then: Then,
        *,
        patience: float,
        arrived: Callable[[Told], Kept | None],
        late: Callable[[], Kept | None],
    ) -> None:
        """Call `then` once: with what `arrived` makes of the answer, or after `patience` seconds with what `late` says.

        Who joins a question under way waits as long as its first asker. Raises Unavailable where too many wait; then nobody is called.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and not flight.is_late:
                flight.waiting.append(then)
                return
            if flight is None:
                self._lookups.ask(asked, lambda found: self._land(key, arrived, found))  # its answer waits at the lock
                self._flights[key] = Flight(monotonic() + patience, late, [then])
                self._watch()
                return
        then(late())

    def waiting(self) -> int:
        """How many wait."""
        with self._lock:
            return sum(len(one.waiting) for one in self._flights.values())

    def _land(self, key: Key, arrived: Callable[[Told], Kept | None], found: Told) -> None:
        outcome: Kept | None = None
        try:
            outcome = arrived(found)
        finally:
            with self._lock:
                flight = self._flights.pop(key)
            self._call(flight.waiting, outcome)

    def _watch(self) -> None:
        if not self._sweeps:
            self._sweeps = True
            threading.Thread(target=self._sweep, name="hoi-flights", daemon=True).start()
        if not self._some.is_set():
            self._some.set()

    def _sweep(self) -> None:
        while True:
            self._some.wait()
            threading.Event().wait(SWEEP_SECONDS)
            now = monotonic()
            with self._lock:
                overdue = [one for one in self._flights.values() if not one.is_late and one.due <= now]
                called = [(one.waiting, one.late) for one in overdue]
                for one in overdue:
                    one.is_late, one.waiting = True, []
                if not self._flights:
                    self._some.clear()
            for waiting, late in called:
                self._call(waiting, late())

    @staticmethod
    def _call(waiting: list[Then], outcome: Kept | None) -> None:
        """Tell each; where one breaks, the others are still told."""
        for then in waiting:
            try:
                then(outcome)
            except Exception as error:
                log.exception("telling of a public page", **told(error))
