"""The WSGI layer before Flask: serves stored public pages and counts scans."""

import fcntl
import gzip
import hashlib
import json
import mimetypes
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from multiprocessing import util as process_exit
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from uuid import UUID

import psycopg
import structlog
from prometheus_client import Counter

from app import clock
from app import settings as settings_module
from app.db import APP_ROLE, new_id
from app.factory import create_app
from app.logs import told
from app.settings import Settings
from app.trace import pages
from app.web import SECURITY_HEADERS, is_https

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CHECK_SECONDS = 2.0  # how long a page is served without asking the database whether it is still the wanted one
OLD_SECONDS = 3 * CHECK_SECONDS  # older than this, nobody gets the copy while another asks; in an outage it is marked
KEEP_SECONDS = 24 * 3600.0  # how long the last copy is served while the database is away
FLUSH_SECONDS = 0.4
SAVE_SECONDS = (
    0.25  # counted, flushed, looked at, kept on disk: 0.9 s at most, and a killed process may lose one second
)
ADOPT_SECONDS = 5.0
MOST_PAGES = 2000
MOST_BYTES = 32 * 1024 * 1024
OUTAGE_SECONDS = 1.0  # after a failed question nobody asks again for this long
STATIC = Path(__file__).resolve().parent / "static"

Headers = list[tuple[str, str]]
log = structlog.get_logger()

SCANS = Counter("hoi_scans_total", "Scans answered with a page")


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


class Spool:
    """Counts that the database has not taken yet, on disk: one file for each process, locked while it lives.

    A process that was killed, or stopped while the database was away, leaves its file; any other adopts it. Tallies carry their
    ids, so what had arrived after all counts once.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        name = str(new_id())
        self._file, self._lock = folder / f"{name}.json", folder / f"{name}.lock"
        unlocked = folder / f"{name}.new"
        self._handle: int | None = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        unlocked.rename(self._lock)  # others see it only now

    def keep(self, tallies: list[Tally]) -> None:
        """Put these in the place of what was kept."""
        rows = [(str(t.id), t.received_at.isoformat(), t.code, t.scans) for t in tallies]
        new = self._file.with_suffix(".part")
        new.write_text(json.dumps(rows), encoding="utf-8")
        new.replace(self._file)

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave what is kept to others. Again does nothing."""
        if self._handle is None:
            return
        if not self._file.exists():
            self._lock.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None

    def adopt(self, write: Callable[[list[Tally]], None]) -> None:
        """Write what processes that are gone have left. What `write` raises passes in the end; that file stays."""
        refused: psycopg.Error | None = None
        for lock in sorted(self._folder.glob("*.lock")):
            try:
                handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:  # another process was faster
                continue
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._write_orphan(lock.with_suffix(".json"), write)
                lock.unlink(missing_ok=True)
            except BlockingIOError:  # its process lives
                continue
            except psycopg.Error as error:
                refused = error
            finally:
                os.close(handle)
        if refused is not None:
            raise refused

    def _write_orphan(self, file: Path, write: Callable[[list[Tally]], None]) -> None:
        try:
            rows = json.loads(file.read_text(encoding="utf-8"))
            tallies = [Tally(UUID(i), datetime.fromisoformat(at), code, int(scans)) for i, at, code, scans in rows]
        except FileNotFoundError:
            return
        except (ValueError, TypeError):
            log.error("counts of scans cannot be read", file=file.name)  # noqa: TRY400 - the file is what somebody must look at
            file.replace(file.with_suffix(".broken"))
            return
        if tallies:
            write(tallies)
        file.unlink(missing_ok=True)
        log.info("counts of a process that is gone are written", codes=len(tallies))


def spool_in(folder: Path) -> Spool | None:
    """None where nothing can be written: pages are served all the same, and counts wait in memory only."""
    try:
        return Spool(folder)
    except OSError as error:
        log.exception(
            "no place on disk for counts of scans: an outage that ends this process loses them", **told(error)
        )
        return None


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

    def size(self) -> int:
        return len(self.body) + len(self.plain or b"")


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
            self._bytes += kept.size()
            self._shrink()

    def unpack(self, key: tuple[str, str], kept: Kept) -> bytes:
        """The page as text, for those who read no compressed ones. It counts as much as its length."""
        plain = gzip.decompress(kept.body)
        with self._lock:
            if self._pages.get(key) is kept and kept.plain is None:
                kept.plain = plain
                self._bytes += len(plain)
                self._shrink()
        return plain

    def touch(self, key: tuple[str, str]) -> None:
        """Count the page as asked for now. Called when it is checked, not at every scan: near enough, and free."""
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)

    def drop(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._take_out(key)

    def _shrink(self) -> None:
        while self._pages and (len(self._pages) > self._most_pages or self._bytes > self._most_bytes):
            self._take_out(next(iter(self._pages)))

    def _take_out(self, key: tuple[str, str]) -> None:
        old = self._pages.pop(key, None)
        if old is not None:
            self._bytes -= old.size()


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
        return self._send(key, kept, now, environ, start_response)

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
        self, key: tuple[str, str], kept: Kept, now: float, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        headers, body = kept.packed, kept.body
        if "gzip" not in environ.get("HTTP_ACCEPT_ENCODING", ""):
            body = kept.plain or self._memory.unpack(key, kept)
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
    flask = create_app(settings)
    scans = Scans(TallyWriter(settings), spool=spool_in(settings.var / "scans"))
    front = Front(settings, flask, Pages(settings).find, scans)
    scans.start()
    return front
