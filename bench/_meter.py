"""What one request or reaction costs: statements, buffers of PostgreSQL, and processor time on both sides.

Everything runs in this process, one after the other, on connections of its own: nothing else is counted.
"""

import contextlib
import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event
from sqlalchemy.engine import make_url

from app import local
from app.db import Database, Patience

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(slots=True)
class Cost:
    """`buffers`: pages of PostgreSQL that were looked at; `heaviest`: the statement with most of them; `written`: rows.

    `wal`: bytes of the log that is written ahead.
    """

    statements: int = 0
    buffers: int = 0
    written: int = 0
    wal: int = 0
    heaviest: str = ""
    heaviest_buffers: int = 0
    web_ms: float = 0.0
    database_ms: float = 0.0

    @property
    def cpu_ms(self) -> float:
        return self.web_ms + self.database_ms


def count_buffers(owner_url: str) -> None:
    """Start the embedded PostgreSQL anew with the library that counts buffers of each statement, and create its extension."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        row = owner.execute("SHOW data_directory").fetchone()
        assert row is not None
        owner.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        owner.execute("ALTER SYSTEM SET max_wal_size = '4GB'")
    directory = Path(str(row[0])).parent
    local.stop(directory)
    local.start(directory, durable=False)


class Meter:
    """Measures what `database` is asked."""

    def __init__(self, database_url: str, owner_url: str) -> None:
        self.database = Database(
            database_url, application="hoi-bench", pool_size=2, patience=Patience(lock=4, statement=60, connection=5)
        )
        self._owner: Connection = psycopg.connect(owner_url, autocommit=True)
        self._owner.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        self._statements = 0
        self._backends: set[int] = set()
        event.listen(self.database.engine, "before_cursor_execute", self._count)
        event.listen(self.database.engine, "connect", self._connected)

    def _connected(self, connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's own
        """Remember which processes of PostgreSQL answer. On a busy machine they wait longer for us than a page would let them."""
        self._backends.add(connection.info.backend_pid)
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.commit()

    def close(self) -> None:
        self._owner.close()
        self.database.dispose()

    def _count(self, *_: object) -> None:
        self._statements += 1

    def cost(self, act: Callable[[], object], times: int) -> Cost:
        """Of `act`, after it has run once: the counts of one run, the processor time as the mean of so many."""
        act()
        found = self.counted(act)
        if times:
            gc.collect()  # else the garbage of all pages before is swept in the time of whichever comes then
            web, database = zip(*(self.processor(act) for _ in range(times)), strict=True)
            found.web_ms, found.database_ms = statistics.mean(web), statistics.mean(database)
        return found

    def counted(self, act: Callable[[], object]) -> Cost:
        """The counts of one run. Its transaction may have begun before and may go on."""
        self._owner.execute("SELECT pg_stat_statements_reset()")
        self._statements = 0
        act()
        found = Cost(statements=self._statements)
        rows = self._owner.execute(
            "SELECT s.query, s.shared_blks_hit + s.shared_blks_read + s.local_blks_hit + s.local_blks_read"
            " + s.temp_blks_read + s.temp_blks_written, s.rows, s.wal_bytes FROM pg_stat_statements s"
            " WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 2 DESC"
        ).fetchall()
        found.buffers = sum(int(r[1]) for r in rows)
        found.written = sum(int(r[2]) for r in rows if str(r[0]).lstrip().startswith(("INSERT", "UPDATE", "DELETE")))
        found.wal = sum(int(r[3]) for r in rows)
        if rows:
            found.heaviest, found.heaviest_buffers = " ".join(str(rows[0][0]).split()), int(rows[0][1])
        return found

    def processor(self, act: Callable[[], object]) -> tuple[float, float]:
        """Milliseconds of this process and of PostgreSQL's in one run."""
        before, spent = self.database_ms(), time.process_time()
        act()
        return (time.process_time() - spent) * 1000, self.database_ms() - before

    def database_ms(self) -> float:
        """The backends' time on a core so far, which the kernel knows to the microsecond."""
        spent = 0
        for pid in self._backends:
            with contextlib.suppress(OSError):  # one whose connection was closed
                spent += int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0])
        return spent / 1e6


class Undone(Exception):
    """What was measured is rolled back."""


def beside(url: str, name: str) -> str:
    """The same server's other database."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)
