"""The WSGI layer before Flask: serves stored public pages and counts scans."""

import gzip
import hashlib
import mimetypes
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import util as process_exit
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from uuid import UUID

import psycopg
import structlog

from app import clock
from app import settings as settings_module
from app.db import APP_ROLE, new_id
from app.factory import create_app
from app.settings import Settings
from app.trace import pages
from app.web import SECURITY_HEADERS, is_https

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CHECK_SECONDS = 2.0  # how long a page is served without asking the database whether it is still the wanted one
OLD_SECONDS = 3 * CHECK_SECONDS  # older than this, nobody gets the copy while another asks; in an outage it is marked
KEEP_SECONDS = 24 * 3600.0  # how long the last copy is served while the database is away
FLUSH_SECONDS = 0.4
MOST_PAGES = 2000
MOST_BYTES = 32 * 1024 * 1024
OUTAGE_SECONDS = 1.0  # after a failed question nobody asks again for this long
STATIC = Path(__file__).resolve().parent / "static"

Headers = list[tuple[str, str]]
log = structlog.get_logger()


# --- the database, without an ORM --------------------------------------------------------------------------------


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


# --- counting ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """Scans of one code that are on their way to the database. Sent again under the same id when the answer was lost."""

    id: UUID
    received_at: datetime
    code: str
    scans: int


class Scans:
    """Counts in memory and writes twice a second; while the database is away, goes on counting.

    Not more than one flush is under way, and it keeps its ids until the database has said yes: a flush whose outcome is unknown is
    repeated without counting twice. What is in memory is bounded by the number of codes that exist.
    """

    def __init__(self, write: Callable[[list[Tally]], None], *, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._write = write
        self._flush_seconds = flush_seconds
        self._new: deque[str] = deque()
        self._waiting: dict[str, int] = {}
        self._sending: list[Tally] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.count = self._new.append  # the one call in a request: atomic, no lock

    def start(self) -> None:
        """Begin to write in the background, and on an orderly end of this process write what is left."""
        self._thread = threading.Thread(target=self._run, name="hoi-scans", daemon=True)
        self._thread.start()
        # Processes of granian are forked by multiprocessing, which skips atexit but runs its own finalizers.
        process_exit.Finalize(None, self.stop, exitpriority=100)

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=3)
        self.flush()

    def flush(self) -> bool:
        """Write what was counted. False when the database did not take it; it then stays here."""
        with self._lock:
            while self._new:
                code = self._new.popleft()
                self._waiting[code] = self._waiting.get(code, 0) + 1
            while self._sending or self._waiting:
                if not self._sending:
                    now = clock.now()
                    self._sending = [Tally(new_id(), now, code, n) for code, n in self._waiting.items()]
                    self._waiting = {}
                try:
                    self._write(self._sending)
                except psycopg.Error as error:
                    log.warning("scans wait for the database", codes=len(self._sending), error=type(error).__name__)
                    return False
                self._sending = []
            return True

    def _run(self) -> None:
        pause = self._flush_seconds
        while not self._stop.wait(pause):
            pause = self._flush_seconds if self.flush() else min(pause * 2, 5.0)


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


# --- pages in memory ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Kept:
    """A page in this process, with its answers ready to send."""

    code: str
    etag: str
    body: bytes
    packed: Headers
    checked: float
    known_good: float
    plain: bytes | None = None


class Memory:
    """The pages asked for last, bounded in number and bytes."""

    def __init__(self, most_pages: int = MOST_PAGES, most_bytes: int = MOST_BYTES) -> None:
        self._pages: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._most_pages = most_pages
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> Kept | None:
        return self._pages.get(key)

    def put(self, key: tuple[str, str], kept: Kept) -> None:
        with self._lock:
            self._take_out(key)
            self._pages[key] = kept
            self._bytes += len(kept.body)
            while self._pages and (len(self._pages) > self._most_pages or self._bytes > self._most_bytes):
                self._take_out(next(iter(self._pages)))

    def touch(self, key: tuple[str, str]) -> None:
        """Count the page as asked for now. Called when it is checked, not at every scan: near enough, and free."""
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)

    def drop(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._take_out(key)

    def _take_out(self, key: tuple[str, str]) -> None:
        old = self._pages.pop(key, None)
        if old is not None:
            self._bytes -= len(old.body)


# --- static text -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StaticText:
    """A style sheet, script or drawing, compressed once: Flask would send it as it is, three times as long."""

    body: bytes
    headers: Headers
    version: str
    etag: str = field(default="")

    @classmethod
    def read(cls, file: Path) -> "StaticText":
        raw = file.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        headers = [
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Encoding", "gzip"),
            ("Vary", "Accept-Encoding"),
            ("ETag", f'"{digest[:24]}-gz"'),
            *SECURITY_HEADERS.items(),
        ]
        return cls(gzip.compress(raw, 9, mtime=0), headers, digest[:10], f'"{digest[:24]}-gz"')


def static_texts(folder: Path) -> dict[str, StaticText]:
    """Every text file under static/ by its address."""
    return {
        f"/static/{file.relative_to(folder).as_posix()}": StaticText.read(file)
        for suffix in ("css", "js", "svg")
        for file in folder.rglob(f"*.{suffix}")
    }


# --- the layer ---------------------------------------------------------------------------------------------------


class Front:
    """Answers public pages and static texts itself; everything else is Flask's."""

    def __init__(
        self, settings: Settings, flask: "WSGIApplication", find: Callable[[str, str, str], Found | None], scans: Scans
    ) -> None:
        self._flask = flask
        self._find = find
        self._scans = scans
        self._memory = Memory()
        self._base = settings.printed_base()
        self._common: Headers = list(SECURITY_HEADERS.items())
        if is_https(settings):
            self._common.append(("Strict-Transport-Security", "max-age=31536000"))
        self._static = static_texts(STATIC)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(("/t/", "/01/")):
            return self._page(path, environ, start_response)
        if path in self._static and "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
            return self._text(self._static[path], environ, start_response)
        return self._flask(environ, start_response)

    def _page(self, path: str, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        accept = environ.get("HTTP_ACCEPT", "")
        if method not in {"GET", "HEAD"} or (accept and "html" not in accept and "*/*" not in accept):
            return self._flask(environ, start_response)
        query = environ.get("QUERY_STRING", "")
        language = language_of(query) if query else "vi"
        key = (path, language)
        kept = self._memory.get(key)
        now = monotonic()
        if kept is None or now - kept.checked > CHECK_SECONDS or now - kept.known_good > OLD_SECONDS:
            code = pages.code_of_path(path) if kept is None else kept.code
            if code is None:
                return self._flask(environ, start_response)
            kept = self._look(key, code, kept, now)
            if kept is None:
                return self._render(code, environ, start_response)
        if method == "GET":
            self._scans.count(kept.code)
        return self._send(kept, now, environ, start_response)

    def _look(self, key: tuple[str, str], code: str, kept: Kept | None, now: float) -> Kept | None:
        """The page as the database has it now; while the database is away, the last copy."""
        if kept is not None:
            kept.checked = now  # one thread asks, the others go on with the copy
        try:
            found = self._find(code, key[1], "" if kept is None else kept.etag)
        except Away:
            return kept if kept is not None and now - kept.known_good < KEEP_SECONDS else None
        if found is None:
            self._memory.drop(key)
            return None
        if found.body is None and kept is not None:
            kept.known_good = now
            self._memory.touch(key)
            return kept
        body = found.body or b""
        headers = [*pages.headers(code, key[1], f"{found.etag}-gz", self._base), *self._common]
        headers += [("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))]
        fresh = Kept(code, found.etag, body, headers, checked=now, known_good=now)
        self._memory.put(key, fresh)
        return fresh

    def _send(
        self, kept: Kept, now: float, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        headers, body = kept.packed, kept.body
        if "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", ""):
            if kept.plain is None:
                kept.plain = gzip.decompress(kept.body)
            body = kept.plain
            headers = [(n, v) for n, v in headers if n not in {"Content-Encoding", "Content-Length", "ETag"}]
            headers += [("ETag", f'"{kept.etag}"'), ("Content-Length", str(len(body)))]
        if now - kept.known_good > OLD_SECONDS:
            headers = [*headers, ("X-Hoi-Stale", str(int(now - kept.known_good)))]
        asked = environ.get("HTTP_IF_NONE_MATCH")
        if asked is not None and (kept.etag in asked or asked == "*"):
            start_response("304 Not Modified", [h for h in headers if not h[0].startswith("Content-")])
            return []
        start_response("200 OK", headers)
        return [body] if environ["REQUEST_METHOD"] == "GET" else []

    def _render(self, code: str, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Let Flask render and store the page, and count the scan when it had one."""

        def started(status: str, headers: Headers, exc_info: Any = None) -> Any:  # noqa: ANN401 - WSGI's own shapes
            if environ["REQUEST_METHOD"] == "GET" and status[:3] in {"200", "304"}:
                self._scans.count(code)
            return start_response(status, headers, exc_info)

        return self._flask(environ, started)

    def _text(self, text: StaticText, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        for_ever = environ.get("QUERY_STRING", "") == f"v={text.version}"
        age = "public, max-age=31536000, immutable" if for_ever else "public, max-age=300"
        headers = [*text.headers, ("Cache-Control", age)]
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return self._flask(environ, start_response)
        if text.etag in environ.get("HTTP_IF_NONE_MATCH", ""):
            start_response("304 Not Modified", [h for h in headers if not h[0].startswith("Content-")])
            return []
        start_response("200 OK", [*headers, ("Content-Length", str(len(text.body)))])
        return [text.body] if environ["REQUEST_METHOD"] == "GET" else []


def language_of(query: str) -> str:
    """The language that an address asks for; what else stands in it, such as a campaign's marks, is nobody's business."""
    asked = next((value for name, value in parse_qsl(query) if name == "lang"), "vi")
    return asked if asked in pages.LANGUAGES else "vi"


def create() -> "WSGIApplication":
    """What granian loads in each web process."""
    settings = settings_module.load()
    scans = Scans(TallyWriter(settings))
    front = Front(settings, create_app(settings), Pages(settings).find, scans)
    scans.start()
    return front
