"""Stored pages, read without an ORM: one prepared select, and soon an answer that the database is away.

They may be read from a replica, so that a province's scans cost the primary nothing. It is asked only while it is less than
LONGEST_LAG behind: a lot that is recalled must be seen by everybody within a minute, of which the copies in memory and those
of a proxy take their part. What it does not have, or cannot say, is the primary's to answer.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, NamedTuple

import psycopg
import structlog

from app import clock
from app.db import APP_ROLE
from app.logs import told
from app.settings import Settings

QUEUED = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
UNANSWERED_MS = 3000  # milliseconds without a sign of the server's machine, after which the line counts as dead
OUTAGE_SECONDS = 1.0  # after a failed question nobody asks again for this long
REPLICA_OUTAGE_SECONDS = 30.0  # the same of a replica: whoever asks it in vain may wait two seconds for nothing
LONGEST_LAG = timedelta(seconds=20)
log = structlog.get_logger()


class Away(Exception):
    """The database does not answer now."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page that may be served. `body` is None when the etag that was asked about is still right."""

    etag: str
    body: bytes | None


class Asked(NamedTuple):
    """A page, and the etag of the copy that one has already; empty without one."""

    code: str
    language: str
    etag: str = ""


SELECT = """
SELECT {more}page.etag, CASE WHEN page.etag = asked.etag THEN NULL ELSE page.body END
FROM unnest(%(codes)s::text[], %(languages)s::text[], %(etags)s::text[]) WITH ORDINALITY AS asked(code, language, etag, place)
LEFT JOIN public_pages page ON page.code = asked.code AND page.language = asked.language
  AND page.body_version = page.wanted_version
  AND (page.next_change_at IS NULL OR page.next_change_at > %(now)s
       + CASE WHEN %(movable)s THEN (SELECT shift FROM clock_shift) ELSE interval '0' END)
ORDER BY asked.place
"""
# The time of the newest commit that it has: where nothing is written it grows old too, and then nobody scans either, since scans
# are written. One that was promoted is no replica any more, and what it has is not what the primary has.
IS_FRESH = (
    """(pg_is_in_recovery() AND coalesce(clock_timestamp() - pg_last_xact_replay_timestamp() <= %(lag)s, false)), """
)


class Pages:
    """Reads stored pages, from the replica where there is one that keeps up, else from the primary."""

    def __init__(self, settings: Settings) -> None:
        self._primary = Primary(settings.database_url or "", SELECT.format(more=""))
        replica = settings.pages_database_url
        self._replica = Replica(replica, SELECT.format(more=IS_FRESH)) if replica else None
        self._movable = settings.clock_movable

    def find(self, asked: Sequence[Asked]) -> list[Found | None]:
        """The stored pages in this order; None where there is none that may be served. Raises Away, and what else the database refuses twice."""
        values = self._values(asked)
        found = self._replica.rows(values) if self._replica is not None else None
        if found is None:
            return self._primary.find(values)
        missing = [place for place, one in enumerate(found) if one is None]
        if missing:  # stored a moment ago, perhaps: rendering it again would cost a thousand times the question
            few = self._values([asked[place] for place in missing])
            for place, one in zip(missing, self._primary.find(few), strict=True):
                found[place] = one
        return found

    def _values(self, asked: Sequence[Asked]) -> dict[str, object]:
        return {
            "codes": [one.code for one in asked],
            "languages": [one.language for one in asked],
            "etags": [one.etag for one in asked],
            "now": clock.machine_now(),
            "movable": self._movable,
        }

    def close(self) -> None:
        """Close the connections of this thread."""
        for source in (self._primary, self._replica):
            if source is not None:
                source.forget_connection()


class Source:
    """One database to read pages from: one prepared select on a connection of this thread."""

    def __init__(self, url: str, select: str) -> None:
        self._url = url
        self._select = select
        self._local = threading.local()
        self._away_until = 0.0

    def ask(self, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            connection = connect(self._url, "hoi-front", "-c hoi.kind=public -c default_transaction_read_only=on")
            connection.prepare_threshold = 0
            cursor = self._local.cursor = connection.cursor(binary=True)
        rows: list[tuple[Any, ...]] = cursor.execute(self._select, values).fetchall()
        return rows

    def forget_connection(self) -> None:
        cursor = getattr(self._local, "cursor", None)
        self._local.cursor = None
        if cursor is not None:
            cursor.connection.close()


class Primary(Source):
    """Where pages are written: what it says is so, and while it says nothing nobody knows."""

    def find(self, values: Mapping[str, object]) -> list[Found | None]:
        if monotonic() < self._away_until:
            raise Away
        try:
            return found_in(self.ask(values))
        except QUEUED as error:  # it lives, and is held up: to ask again would hold this thread up twice
            raise self._away() from error
        except psycopg.Error:
            self.forget_connection()
        # A server that was restarted closes the connection we kept, a pooler or a changed table makes its prepared select
        # worthless: the second try opens another.
        try:
            return found_in(self.ask(values))
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self._away() from error
        except psycopg.Error:
            self.forget_connection()
            raise

    def _away(self) -> Away:
        self.forget_connection()
        self._away_until = monotonic() + OUTAGE_SECONDS
        return Away()


class Replica(Source):
    """A copy that follows the primary: asked while it keeps up, and left alone for a while when it does not."""

    def __init__(self, url: str, select: str) -> None:
        super().__init__(url, select)
        self._well = True

    def rows(self, values: Mapping[str, object]) -> list[Found | None] | None:
        """None where it is away, or too far behind."""
        if monotonic() < self._away_until:
            return None
        try:
            rows = self.ask({**values, "lag": LONGEST_LAG})
        except psycopg.Error as error:
            self.forget_connection()
            self._leave_alone(REPLICA_OUTAGE_SECONDS, **told(error))
            return None
        if not all(is_fresh for is_fresh, _, _ in rows):
            self._leave_alone(OUTAGE_SECONDS, error="it is behind, or no replica")
            return None
        self._well = True
        return found_in([(etag, body) for _, etag, body in rows])

    def _leave_alone(self, seconds: float, **why: str) -> None:
        self._away_until = monotonic() + seconds
        if self._well:  # once, until it is well again
            log.warning("pages are read from the primary, not from the replica", **why)
        self._well = False


def found_in(rows: Sequence[tuple[Any, ...]]) -> list[Found | None]:
    return [None if etag is None else Found(etag, body) for etag, body in rows]


def connect(url: str, application: str, options: str) -> "psycopg.Connection[Any]":
    """An autocommit connection in the application's role that gives up soon."""
    return psycopg.connect(
        url,
        autocommit=True,
        application_name=application,
        connect_timeout=2,
        tcp_user_timeout=UNANSWERED_MS,
        keepalives_idle=3,  # for a line that goes dead while the server still works on the question
        keepalives_interval=1,
        keepalives_count=3,
        options=f"-c role={APP_ROLE} -c timezone=UTC -c statement_timeout=2000 -c lock_timeout=1500 {options}",
    )
