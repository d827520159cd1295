"""The two things that the scan page is measured against, as granian loads them."""

import threading
from typing import TYPE_CHECKING

import psycopg
from flask import Flask, Response

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


def raw_select() -> Flask:
    """A Flask view that does one raw select on a connection of its thread, and nothing else."""
    settings = settings_module.load()
    flask = Flask(__name__)
    local = threading.local()

    @flask.get("/t/<code>")
    def page(code: str) -> Response:
        cursor: psycopg.Cursor[Row] | None = getattr(local, "cursor", None)
        if cursor is None:
            connection = connect(settings.database_url or "", "bench", "-c hoi.kind=public")
            connection.prepare_threshold = 0
            cursor = local.cursor = connection.cursor(binary=True)
        row = cursor.execute(SELECT, (code,)).fetchone()
        if row is None:
            return Response(status=404)
        headers, body = answer(row, settings)
        return Response(body, headers=headers)

    return flask
