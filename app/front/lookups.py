"""Asks the database for public pages in threads of its own: those who wait are asked for together, in one select."""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import structlog

from app.front.refusals import full
from app.front.stored import Asked, Away, Found
from app.logs import told

log = structlog.get_logger()

THREADS = 2  # one may hang while the other finds out that the database is away
MOST_TOGETHER = 64
MOST_WAITING = 2048
Find = Callable[[Sequence[Asked]], Sequence[Found | None]]
Told = Found | Away | None
Tell = Callable[[Told], None]


class Lookups:
    """A question at a time for each thread; whatever is asked meanwhile goes into the next."""

    def __init__(self, find: Find, *, threads: int = THREADS) -> None:
        self._find = find
        self._asked: SimpleQueue[tuple[Asked, Tell]] = SimpleQueue()
        self._threads = threads
        self._started = False
        self._starting = threading.Lock()

    def ask(self, asked: Asked, tell: Tell) -> None:
        """Call `tell` in a thread of this when it is known. Any thread may ask. Raises Unavailable where too many wait."""
        if self._asked.qsize() >= MOST_WAITING:
            raise full()
        if not self._started:
            self._start()
        self._asked.put((asked, tell))

    def _start(self) -> None:
        """At the first question and not before: this process may have been forked since it was made."""
        with self._starting:
            if self._started:
                return
            for number in range(self._threads):
                threading.Thread(target=self._work, name=f"hoi-lookup-{number}", daemon=True).start()
            self._started = True

    def _work(self) -> None:
        while True:
            taken = [self._asked.get()]
            try:
                while len(taken) < MOST_TOGETHER:
                    taken.append(self._asked.get_nowait())
            except Empty:
                pass
            deliver(self._answers(taken))

    def _answers(self, taken: list[tuple[Asked, Tell]]) -> list[tuple[Tell, Told]]:
        try:
            told_ = self._find([asked for asked, _ in taken])
            return [(tell, one) for (_, tell), one in zip(taken, told_, strict=True)]
        except Away as away:
            return [(tell, away) for _, tell in taken]
        except Exception as error:
            log.exception("looking for public pages", **told(error))
            return [(tell, Away()) for _, tell in taken]


def deliver(answers: Sequence[tuple[Tell, Told]]) -> None:
    """Tell each; where one breaks, the others are still told."""
    for tell, answer in answers:
        try:
            tell(answer)
        except Exception as error:
            log.exception("telling of a public page", **told(error))
