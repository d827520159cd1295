"""A page to serve, doubles of what lies behind the layer, and a look at what was counted."""

import gzip
import hashlib
from typing import Any

from sqlalchemy import text

from app.actor import SYSTEM
from app.db import Database
from app.front.scans import Scans
from app.front.spool import Tally
from app.front.stored import Away, Found

HTML = "<!doctype html><h1>Mã thật của lô này</h1>"
PACKED = gzip.compress(HTML.encode(), 9, mtime=0)
CODE = "0123456789ABY"
PATH = f"/t/{CODE}"
GTIN = "09520123456788"  # GS1's own example range
LOT = f"/01/{GTIN}/10/NA-1"


class Answer:
    """One answer of a WSGI application."""

    def __init__(self, app: Any, path: str = PATH, query: str = "", method: str = "GET", **headers: str) -> None:
        environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method}
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b"".join(app(environ, self._start))

    def _start(self, status: str, headers: list[tuple[str, str]], _info: Any = None) -> None:
        self.status = int(status[:3])
        self.headers = dict(headers)
        assert len(self.headers) == len(headers), "a header stands twice"


class Store:
    """Stands for the database: answers, is away, or has another page."""

    def __init__(self) -> None:
        self.pages = {(CODE, "vi"): ("tag1", PACKED), (f"{GTIN}/NA-1", "vi"): ("tag2", PACKED)}
        self.away = False
        self.asked = 0

    def __call__(self, code: str, language: str, etag: str) -> Found | None:
        self.asked += 1
        if self.away:
            raise Away
        found = self.pages.get((code, language))
        return None if found is None else Found(found[0], None if found[0] == etag else found[1])


def flask(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    status = "200 OK" if environ["PATH_INFO"] == "/t/ZZZZZZZZZZZZR" else "404 Not Found"
    start_response(status, [("X-From", "flask")])
    return [b"flask"]


def counted(scans: Scans, written: list[Tally]) -> dict[str, int]:
    assert scans.flush()
    found: dict[str, int] = {}
    for tally in written:
        found[tally.code] = found.get(tally.code, 0) + tally.scans
    return found


def put_page(database: Database, code: str, html: str = HTML, **more: Any) -> None:
    values = {
        "code": code,
        "body": gzip.compress(html.encode()),
        "etag": hashlib.sha256(html.encode()).hexdigest()[:24],
        "wanted": 1,
        "version": 1,
        "change": None,
    }
    with database.transaction(SYSTEM) as session:
        session.execute(
            text(
                "INSERT INTO public_pages (code, language, body, etag, wanted_version, body_version, next_change_at)"
                " VALUES (:code, 'vi', :body, :etag, :wanted, :version, :change)"
                " ON CONFLICT (code, language) DO UPDATE SET body = :body, etag = :etag, wanted_version = :wanted,"
                " body_version = :version, next_change_at = :change"
            ),
            values | more,
        )


def tallied(database: Database) -> dict[str, int]:
    with database.transaction(SYSTEM) as session:
        rows = session.execute(text("SELECT code, CAST(sum(scans) AS int) AS scans FROM scan_tallies GROUP BY code"))
        return {row.code: row.scans for row in rows}
