"""A page to serve, doubles of what lies behind the layer, and a look at what was counted."""

import asyncio
import gzip
import hashlib
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.actor import SYSTEM
from app.db import Database
from app.front.layer import Front
from app.front.scans import Scans
from app.front.spool import Tally
from app.front.stored import Asked, Away, Found

HTML = "<!doctype html><h1>Mã thật của lô này</h1>"
PACKED = gzip.compress(HTML.encode(), 9, mtime=0)
CODE = "0123456789ABY"
PATH = f"/t/{CODE}"
GTIN = "09520123456788"  # GS1's own example range
LOT = f"/01/{GTIN}/10/NA-1"


class Headers(dict[str, str]):
    """What granian gives: `items` may name a header twice, `get` gives one, `get_all` all. Lines are told apart by a line's end."""

    def get(self, name: str, default: Any = None) -> Any:
        return self[name].split("\n")[0] if name in self else default

    def get_all(self, name: str) -> list[str]:
        return self[name].split("\n") if name in self else []


class Request:
    """A request as granian tells it. `chunks` come one after the other; None among them comes never."""

    client = "192.0.2.7:40000"
    server = "127.0.0.1:8000"
    scheme = "http"
    http_version = "1.1"
    authority: str | None = None

    def __init__(self, path: str, query: str, method: str, headers: dict[str, str]) -> None:
        self.path, self.query_string, self.method = path, query, method
        self.headers = Headers({name.replace("_", "-").lower(): value for name, value in headers.items()})


class Protocol:
    """Keeps what was answered."""

    def __init__(self, chunks: Iterable[bytes | None] = ()) -> None:
        self.chunks = list(chunks)
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if chunk is None:
                await asyncio.Event().wait()
            else:
                yield chunk

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status, headers

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def response_file(self, status: int, headers: list[tuple[str, str]], file: str) -> None:
        self.status, self.headers, self.body = status, headers, Path(file).read_bytes()


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One event loop for all answers, as a process has it."""
    made = asyncio.new_event_loop()
    threading.Thread(target=made.run_forever, name="loop of the tests", daemon=True).start()
    return made


class Answer:
    """One answer of the front."""

    def __init__(
        self,
        app: Front,
        path: str = PATH,
        query: str = "",
        method: str = "GET",
        *,
        chunks: Iterable[bytes | None] = (),
        **headers: str,
    ) -> None:
        proto = Protocol(chunks)
        asyncio.run_coroutine_threadsafe(app.__rsgi__(Request(path, query, method, headers), proto), loop()).result(30)
        self.status = proto.status
        self.headers = dict(proto.headers)
        self.body = proto.body
        assert len(self.headers) == len(proto.headers), "a header stands twice"


class Store:
    """Stands for the database: answers, is away, or has another page."""

    def __init__(self) -> None:
        self.pages = {(CODE, "vi"): ("tag1", PACKED), (f"{GTIN}/NA-1", "vi"): ("tag2", PACKED)}
        self.away = False
        self.asked = 0
        self.goes_on = threading.Event()  # cleared, it hangs
        self.goes_on.set()

    def __call__(self, asked: Sequence[Asked]) -> list[Found | None]:
        self.asked += 1
        assert self.goes_on.wait(30)
        if self.away:
            raise Away
        return [self._find(one) for one in asked]

    def _find(self, asked: Asked) -> Found | None:
        found = self.pages.get((asked.code, asked.language))
        if found is None:
            return None
        return Found(found[0], None if found[0] == asked.etag else found[1])


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
