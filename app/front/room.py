"""Flask's room: so many threads, so many who wait for one, and not for long."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog

from app.front.exchange import Answer, call
from app.front.refusals import full
from app.logs import told

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

WAIT_SECONDS = 10.0
WAITING_FOR_EACH = 8  # for each thread


class Room:
    """Runs Flask in threads of its own. Used from the event loop only."""

    def __init__(self, wsgi: "WSGIApplication", threads: int, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wsgi = wsgi
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hoi-flask")
        self._free = asyncio.Semaphore(threads)
        self._most_waiting = WAITING_FOR_EACH * threads
        self._wait_seconds = wait_seconds
        self._waiting = 0

    async def answer(self, environ: "WSGIEnvironment") -> Answer:
        """Flask's answer. Raises Unavailable where too many wait, nobody left a thread in time, or the disk is full."""
        await self._enter()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, call, self._wsgi, environ)
        except OSError as error:
            log.exception("no room for an answer", **told(error))
            raise full() from error
        finally:
            self._free.release()

    async def _enter(self) -> None:
        if self._waiting >= self._most_waiting:
            raise full()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise full() from None
        finally:
            self._waiting -= 1
