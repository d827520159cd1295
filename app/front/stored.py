"""Stored pages, read without an ORM: one prepared select, and soon an answer that the database is away."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, NamedTuple

import psycopg

from app import clock
from app.db import APP_ROLE
from app.settings import Settings

QUEUED = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
UNANSWERED_MS = 3000  # milliseconds without a sign of the server's machine, after which the line counts as dead
OUTAGE_SECONDS = 1.0  # after a failed question nobody asks again for this long


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
SELECT page.etag, CASE WHEN page.etag = asked.etag THEN NULL ELSE page.body END
FROM unnest(%(codes)s::text[], %(languages)s::text[], %(etags)s::text[]) WITH ORDINALITY AS asked(code, language, etag, place)
LEFT JOIN public_pages page ON page.code = asked.code AND page.language = asked.language
  AND page.body_version = page.wanted_version
  AND (page.next_change_at IS NULL OR page.next_change_at > %(now)s
       + CASE WHEN %(movable)s THEN (SELECT shift FROM clock_shift) ELSE interval '0' END)
ORDER BY asked.place
"""


class Pages:
    """Reads stored pages: one prepared select on a connection of this thread."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.database_url or ""
        self._local = threading.local()
        self._away_until = 0.0
        self._movable = settings.clock_movable

    def find(self, asked: Sequence[Asked]) -> list[Found | None]:
        """The stored pages in this order; None where there is none that may be served. Raises Away, and what else the database refuses twice."""
        if monotonic() < self._away_until:
            raise Away
        try:
            return self._ask(asked)
        except QUEUED as error:  # it lives, and is held up: to ask again would hold this thread up twice
            raise self._away() from error
        except psycopg.Error:
            self._forget_connection()
        # A server that was restarted closes the connection we kept, a pooler or a changed table makes its prepared select
        # worthless: the second try opens another.
        try:
            return self._ask(asked)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self._away() from error
        except psycopg.Error:
            self._forget_connection()
            raise

    def _away(self) -> Away:
        self._forget_connection()
        self._away_until = monotonic() + OUTAGE_SECONDS
        return Away()

    def _ask(self, asked: Sequence[Asked]) -> list[Found | None]:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            connection = connect(self._url, "hoi-front", "-c hoi.kind=public -c default_transaction_read_only=on")
            connection.prepare_threshold = 0
            cursor = self._local.cursor = connection.cursor(binary=True)
        values = {
            "codes": [one.code for one in asked],
            "languages": [one.language for one in asked],
            "etags": [one.etag for one in asked],
            "now": clock.machine_now(),
            "movable": self._movable,
        }
        rows = cursor.execute(SELECT, values).fetchall()
        return [None if etag is None else Found(etag, body) for etag, body in rows]

    def _forget_connection(self) -> None:
        cursor = getattr(self._local, "cursor", None)
        self._local.cursor = None
        if cursor is not None:
            cursor.connection.close()


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
