"""The two things that the scan page is measured against, as granian loads them."""

import threading
from typing import TYPE_CHECKING

import psycopg

from app import settings as settings_module
from app.front import connect
from app.settings import Settings
from app.trace import pages
from app.web import SECURITY_HEADERS

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SELECT = "SELECT code, etag, body FROM public_pages WHERE code = %s AND language = 'vi'"
Row = tuple[str, str, bytes]


def answer(row: Row, settings: Settings) -> tuple[list[tuple[str, str]], bytes]:
    """The same headers and bytes that the front sends for a stored page."""
    code, etag, body = row
    headers = [*pages.headers(code, "vi", f"{etag}-gz", settings.printed_base()), *SECURITY_HEADERS.items()]
    headers += [("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))]
    return headers, bytes(body)


def bare() -> "WSGIApplication":
    """A WSGI function that knows one page and nothing else."""
    settings = settings_module.load()
    with connect(settings.database_url or "", "bench", "-c hoi.kind=public") as connection:
        row = connection.execute("SELECT code, etag, body FROM public_pages ORDER BY code LIMIT 1").fetchone()
    assert row is not None
    headers, body = answer(row, settings)

    def application(_environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        start_response("200 OK", headers)
        return [body]

    return application


def one_select() -> "WSGIApplication":
    """A WSGI function that does one prepared select on a connection of its thread, and nothing else."""
    settings = settings_module.load()
    local = threading.local()

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        cursor: psycopg.Cursor[Row] | None = getattr(local, "cursor", None)
        if cursor is None:
            connection = connect(settings.database_url or "", "bench", "-c hoi.kind=public")
            connection.prepare_threshold = 0
            cursor = local.cursor = connection.cursor(binary=True)
        row = cursor.execute(SELECT, (environ["PATH_INFO"].removeprefix("/t/"),)).fetchone()
        if row is None:
            start_response("404 Not Found", [])
            return []
        headers, body = answer(row, settings)
        start_response("200 OK", headers)
        return [body]

    return application
