"""Asks the database for public pages in threads of its own: those who wait are asked for together, in one select."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence

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
        self._asked: deque[tuple[Asked, Tell]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._some = threading.Semaphore(0)
        self._threads = threads

    def ask(self, asked: Asked, tell: Tell) -> None:
        """Call `tell` on the event loop, there is but one, when it is known. Raises Unavailable where too many wait."""
        if len(self._asked) >= MOST_WAITING:
            raise full()
        if self._loop is None:  # at the first question: this process may have been forked since
            self._loop = asyncio.get_running_loop()
            for number in range(self._threads):
                threading.Thread(target=self._work, name=f"hoi-lookup-{number}", daemon=True).start()
        self._asked.append((asked, tell))
        self._some.release()

    def _work(self) -> None:
        while True:
            self._some.acquire()
            taken: list[tuple[Asked, Tell]] = []
            while self._asked and len(taken) < MOST_TOGETHER:
                try:
                    taken.append(self._asked.popleft())
                except IndexError:  # the other thread took the last
                    break
            if taken:
                self._answer(taken)

    def _answer(self, taken: list[tuple[Asked, Tell]]) -> None:
        told_: Sequence[Told]
        answers: list[tuple[Tell, Told]]
        try:
            told_ = self._find([asked for asked, _ in taken])
            answers = [(tell, one) for (_, tell), one in zip(taken, told_, strict=True)]
        except Away as away:
            answers = [(tell, away) for _, tell in taken]
        except Exception as error:
            log.exception("looking for public pages", **told(error))
            answers = [(tell, Away()) for _, tell in taken]
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(deliver, answers)


def deliver(answers: Sequence[tuple[Tell, Told]]) -> None:
    """Tell each; where one breaks, the others are still told."""
    for tell, answer in answers:
        try:
            tell(answer)
        except Exception as error:
            log.exception("telling of a public page", **told(error))
