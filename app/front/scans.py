"""Counts scans in memory and writes them, exactly once, twice a second."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing import util as process_exit
from time import monotonic
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter

from app import clock
from app.db import new_id
from app.front.spool import Spool, Tally
from app.front.stored import connect
from app.logs import told
from app.settings import Settings

log = structlog.get_logger()

FLUSH_SECONDS = 0.4
SAVE_SECONDS = (
    0.25  # counted, flushed, looked at, kept on disk: 0.9 s at most, and a killed process may lose one second
)
ADOPT_SECONDS = 5.0
SCANS = Counter("hoi_scans_total", "Scans answered with a page")


class Scans:
    """Counts in memory and writes twice a second; what the database does not take within that time goes to the spool.

    Not more than one flush is under way, and it keeps its ids until the database has said yes: a flush whose outcome is unknown is
    repeated without counting twice. What is in memory is bounded by the number of codes that exist.
    """

    def __init__(
        self,
        write: Callable[[list[Tally]], None],
        *,
        flush_seconds: float = FLUSH_SECONDS,
        spool: Spool | None = None,
    ) -> None:
        self._write = write
        self._flush_seconds = flush_seconds
        self._spool = spool
        self._new: deque[str] = deque()
        self._waiting: dict[str, Tally] = {}  # never sent: may still grow
        self._sending: list[Tally] = []  # perhaps arrived: stays as it is
        self._since: float | None = None  # when the oldest of these was counted
        self._kept = False  # the spool has some of them
        self._changed = False  # since then
        self._away = False
        self._adopted = -ADOPT_SECONDS
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.count = self._new.append  # the one call in a request: atomic, no lock

    def start(self) -> None:
        """Begin to write in the background, and on an orderly end of this process write what is left."""
        # Two threads: a database that hangs must not keep counts from the disk.
        for work, pause in ((self._flush_and_adopt, self._flush_seconds), (self.save, SAVE_SECONDS)):
            thread = threading.Thread(target=self._repeat, args=(work, pause), name="hoi-scans", daemon=True)
            thread.start()
            self._threads.append(thread)
        # Processes of granian are forked by multiprocessing, which skips atexit but runs its own finalizers.
        process_exit.Finalize(None, self.stop, exitpriority=100)

    def stop(self) -> None:
        """Write what is left, or leave it in the spool: it is there before the database is asked, which may take too long."""
        self._stop.set()
        last = partial(self.save, after_seconds=0)
        self._survive(last)
        for thread in self._threads:
            thread.join(timeout=3)
        self._survive(self.flush)
        self._survive(last)
        if self._spool is not None:
            self._spool.close()

    def flush(self) -> bool:
        """Write what was counted. False when the database did not take it; it then stays here."""
        with self._flushing:
            with self._lock:
                self._gather()
            while True:
                with self._lock:
                    if not self._sending:
                        self._sending, self._waiting = list(self._waiting.values()), {}
                    if not self._sending:
                        self._forget()
                        return True
                try:
                    self._write(self._sending)
                except psycopg.Error as error:
                    if not self._away:
                        log.warning("scans wait for the database", codes=len(self._sending), **told(error))
                    self._away = True
                    return False
                with self._lock:
                    self._sending, self._away = [], False

    def save(self, after_seconds: float = SAVE_SECONDS) -> None:
        """Put on disk what has waited for the database so long."""
        with self._lock:
            if after_seconds and (self._since is None or monotonic() - self._since < after_seconds):
                return
            self._gather()
            if self._spool is not None and self._changed:
                self._spool.keep([*self._sending, *self._waiting.values()])
                self._kept, self._changed = True, False

    def _gather(self) -> None:
        fresh: dict[str, int] = {}
        while self._new:
            code = self._new.popleft()
            fresh[code] = fresh.get(code, 0) + 1
        if not fresh:
            return
        now = clock.now()
        for code, scans in fresh.items():
            old = self._waiting.get(code) or Tally(new_id(), now, code, 0)
            self._waiting[code] = replace(old, scans=old.scans + scans)
        self._changed = True
        if self._since is None:
            self._since = monotonic()
        SCANS.inc(sum(fresh.values()))  # last: where the figures lie the disk may be full

    def _forget(self) -> None:
        """The database has everything."""
        self._since, self._changed = None, False
        if self._spool is not None and self._kept:
            self._spool.clear()
            self._kept = False

    def _flush_and_adopt(self) -> None:
        if self.flush() and self._spool is not None and monotonic() - self._adopted >= ADOPT_SECONDS:
            self._adopted = monotonic()
            with self._flushing:
                self._spool.adopt(self._write)

    def _repeat(self, work: Callable[[], object], pause: float) -> None:
        well = True
        while not self._stop.wait(pause):
            well = self._survive(work, quiet=not well)

    def _survive(self, work: Callable[[], object], *, quiet: bool = False) -> bool:
        """Whatever it was, counting goes on. Tells whether it went well."""
        try:
            work()
        except Exception as error:
            if not quiet:  # twice a second the same would fill the log
                log.exception("counting scans", **told(error))
            return False
        return True


class TallyWriter:
    """Inserts tallies by one statement on a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.database_url or ""
        self._connection: psycopg.Connection[Any] | None = None

    def __call__(self, tallies: list[Tally]) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, "hoi-scans", "-c hoi.kind=system")
        try:
            self._connection.execute(
                "INSERT INTO scan_tallies (id, received_at, code, scans)"
                " SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::int[]) ON CONFLICT DO NOTHING",
                (
                    [t.id for t in tallies],
                    [t.received_at for t in tallies],
                    [t.code for t in tallies],
                    [t.scans for t in tallies],
                ),
            )
        except psycopg.Error:
            self._connection.close()
            raise
