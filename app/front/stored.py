"""Stored pages, read without an ORM: one prepared select, and soon an answer that the database is away."""

import threading
from dataclasses import dataclass
from time import monotonic
from typing import Any

import psycopg

from app import clock
from app.db import APP_ROLE
from app.settings import Settings

OUTAGE_SECONDS = 1.0  # after a failed question nobody asks again for this long


class Away(Exception):
    """The database does not answer now."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page that may be served. `body` is None when the etag that was asked about is still right."""

    etag: str
    body: bytes | None


SELECT = """
SELECT etag, CASE WHEN etag = %(etag)s THEN NULL ELSE body END FROM public_pages
WHERE code = %(code)s AND language = %(language)s AND body_version = wanted_version
  AND (next_change_at IS NULL OR next_change_at > %(now)s
       + CASE WHEN %(movable)s THEN (SELECT shift FROM clock_shift) ELSE interval '0' END)
"""


class Pages:
    """Reads stored pages: one prepared select on a connection of this thread."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.database_url or ""
        self._local = threading.local()
        self._away_until = 0.0
        self._movable = settings.clock_movable

    def find(self, code: str, language: str, etag: str = "") -> Found | None:
        """The stored page, or None when there is none that may be served. Raises Away."""
        if monotonic() < self._away_until:
            raise Away
        try:
            return self._ask(code, language, etag)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            self._forget_connection()
        try:  # a server that was restarted closes the connection we kept: the second try opens another
            return self._ask(code, language, etag)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self._forget_connection()
            self._away_until = monotonic() + OUTAGE_SECONDS
            raise Away from error

    def _ask(self, code: str, language: str, etag: str) -> Found | None:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            connection = connect(self._url, "hoi-front", "-c hoi.kind=public -c default_transaction_read_only=on")
            connection.prepare_threshold = 0
            cursor = self._local.cursor = connection.cursor(binary=True)
        asked = {"code": code, "language": language, "etag": etag, "now": clock.machine_now(), "movable": self._movable}
        row = cursor.execute(SELECT, asked).fetchone()
        return None if row is None else Found(row[0], row[1])

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
        options=f"-c role={APP_ROLE} -c timezone=UTC -c statement_timeout=2000 {options}",
    )
