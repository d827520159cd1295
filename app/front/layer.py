"""The front: answers from the pages in memory, the database, or Flask; and the application that granian loads."""

import asyncio
import io
import resource
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from flask import Flask
from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]  # its own names for them, not exported anew

from app import settings as settings_module
from app.errors import HoiError, Unavailable
from app.factory import create_app
from app.front import exchange
from app.front.bodies import Bodies, TooLong
from app.front.exchange import Answer, Proto, Scope, peer_of
from app.front.flights import Flights, Key, Then
from app.front.lookups import Find, Lookups, Told
from app.front.memory import Headers, Kept, Memory
from app.front.refusals import Refusals, cut_off, no_length
from app.front.room import Room
from app.front.scans import Scans, TallyWriter
from app.front.shortcut import Handed, answer_before_the_loop
from app.front.spool import spool_in
from app.front.static import STATIC, StaticText, static_texts
from app.front.stored import Asked, Away, Pages
from app.languages import LANGUAGES, SOURCE
from app.settings import Settings
from app.trace import pages, scan_addresses
from app.web import MAX_FORM_BYTES, SECURITY_HEADERS, is_https, most_bytes, takes_html

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CHECK_SECONDS = 2.0  # how long a page is served without asking the database whether it is still the wanted one
OLD_SECONDS = 3 * CHECK_SECONDS  # older than this, nobody gets the copy while another asks; in an outage it is marked
KEEP_SECONDS = 24 * 3600.0  # how long the last copy is served while the database is away
PATIENCE_SECONDS = 0.5  # a question that takes longer is an outage to whoever has a copy
SWITCH_SECONDS = (
    0.0005  # how long a thread of Flask's computes before the event loop has its turn; Python's own is ten times that
)
WAIT_SECONDS = 5.0  # so long waits who has no copy; then it is Flask's, which says that the database is away
MOST_FILES = 65536
GONE = (ProtocolClosed, ProtocolError)  # the client went away while it sent
PAGES = ("/t/", "/01/")
READING = frozenset({"GET", "HEAD"})
HEALTHZ: Headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]


class Front:
    """Answers public pages, static texts and /healthz itself, on the event loop; everything else is Flask's, in threads.

    Nothing here waits for Flask's threads, connections or locks but what is Flask's.
    """

    def __init__(
        self,
        settings: Settings,
        flask: "WSGIApplication",
        find: Find,
        scans: Scans,
        *,
        refusals: Refusals | None = None,
        longest: Callable[[str, str], int] = lambda _method, _path: MAX_FORM_BYTES,
    ) -> None:
        self._room = Room(flask, settings.web_threads)
        self._bodies = Bodies()
        self._longest = longest
        self._refusals = refusals or Refusals()
        self._hops = settings.trusted_proxies
        self._flights = Flights(Lookups(find))
        self._scans = scans
        self._memory = Memory()
        self._base = settings.printed_base()
        self._common: Headers = list(SECURITY_HEADERS.items())
        if is_https(settings):
            self._common.append(("Strict-Transport-Security", "max-age=31536000"))
        self._static = static_texts(STATIC)

    # --- what granian calls

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (min(hard, MOST_FILES), hard)
        )  # a thousand idle connections are nothing
        answer_before_the_loop(loop, self.at_once, self.take)

    async def __rsgi__(self, scope: Scope, proto: Proto) -> None:
        await self._guarded(self._answer(scope, proto), scope, proto)

    async def _guarded(self, answer: Coroutine[Any, Any, None], scope: Scope, proto: Proto) -> None:
        with suppress(*GONE):
            try:
                await answer
            except HoiError as refused:
                exchange.send(proto, self._refusals.answer(refused, scope), scope.method)

    async def _answer(self, scope: Scope, proto: Proto) -> None:
        if self.at_once(scope, proto):
            return
        if scope.path.startswith(PAGES) and is_page(scope):
            await self._page(scope, proto)
        else:
            exchange.send(proto, await self._flask(scope, proto), scope.method)

    def at_once(self, scope: Scope, proto: Proto) -> bool:
        """Answer what this process knows without asking anybody. False when it does not. Any thread may call it."""
        path = scope.path
        if path.startswith(PAGES):
            return self._known_page(path, scope, proto)
        if path in self._static and scope.method in READING and "gzip" in scope.headers.get("accept-encoding", ""):
            self._text(self._static[path], scope, proto)
            return True
        if path == "/healthz" and scope.method in READING:
            proto.response_bytes(200, [*self._common, *HEALTHZ], b"ok\n")
            return True
        return False

    def take(self, scope: Scope, proto: Proto, rest: Handed) -> bool:
        """Ask for a page without the event loop, and answer it in the thread that hears of it. False where it is none."""
        if not scope.path.startswith(PAGES) or not is_page(scope):
            return False
        now = monotonic()

        def then(kept: Kept | None) -> None:
            if kept is None:
                rest.on_the_loop(self._guarded(self._render(scope, proto), scope, proto))
                return
            try:
                with suppress(*GONE):
                    self._send_page(kept, now, scope, proto)
            finally:
                rest.answered()

        try:
            return self._look(scope, now, then)
        except Unavailable:
            return False  # the loop says so

    # --- public pages

    def _known_page(self, path: str, scope: Scope, proto: Proto) -> bool:
        kept = self._memory.get((path, language_of(scope.query_string)))
        now = monotonic()
        if kept is None or must_check(kept, now) or not is_page(scope):
            return False
        self._send_page(kept, now, scope, proto)
        return True

    async def _page(self, scope: Scope, proto: Proto) -> None:
        """The same on the loop, for a request that nobody took before it."""
        loop, now = asyncio.get_running_loop(), monotonic()
        found: asyncio.Future[Kept | None] = loop.create_future()

        def then(kept: Kept | None) -> None:
            loop.call_soon_threadsafe(settle, found, kept)

        kept = await found if self._look(scope, now, then) else None
        if kept is None:
            await self._render(scope, proto)
        else:
            self._send_page(kept, now, scope, proto)

    def _look(self, scope: Scope, now: float, then: Then) -> bool:
        """Call `then`, maybe in another thread, with the page as the database has it now; while it does not say so in time,
        with the last copy; with None, where there is nothing to send. False, and nobody is called, where the address is of no page.
        Raises Unavailable where too many wait and there is no copy.
        """
        key = (scope.path, language_of(scope.query_string))
        kept = self._memory.get(key)
        code = scan_addresses.code_of_path(scope.path) if kept is None else kept.code
        if code is None:
            return False
        if kept is not None:
            kept.checked = now  # one asks, the others go on with the copy
        try:
            self._flights.ask(
                key,
                Asked(code, key[1], "" if kept is None else kept.etag),
                then,
                patience=WAIT_SECONDS if kept is None else PATIENCE_SECONDS,
                arrived=lambda found: self._arrived(key, code, kept, found, now),
                late=lambda: good_enough(kept, now),
            )
        except Unavailable:
            if good_enough(kept, now) is None:
                raise
            then(kept)
        return True

    def _arrived(self, key: Key, code: str, kept: Kept | None, found: Told, now: float) -> Kept | None:
        if isinstance(found, Away):
            return good_enough(kept, now)
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

    def _send_page(self, kept: Kept, now: float, scope: Scope, proto: Proto) -> None:
        if scope.method == "GET":
            self._scans.count(kept.code)
        headers, body = kept.packed, kept.body
        if "gzip" not in scope.headers.get("accept-encoding", ""):
            key = (scope.path, language_of(scope.query_string))
            body = kept.plain or self._memory.unpack(key, kept)
            headers = [(n, v) for n, v in headers if n not in {"Content-Encoding", "Content-Length", "ETag"}]
            headers += [("ETag", f'"{kept.etag}"'), ("Content-Length", str(len(body)))]
        if now - kept.known_good > OLD_SECONDS:
            headers = [*headers, ("X-Hoi-Stale", str(int(now - kept.known_good)))]
        asked = scope.headers.get("if-none-match")
        if asked is not None and (kept.etag in asked or asked == "*"):
            proto.response_empty(304, [h for h in headers if not h[0].startswith("Content-")])
        elif scope.method == "GET":
            proto.response_bytes(200, headers, body)
        else:
            proto.response_empty(200, headers)

    async def _render(self, scope: Scope, proto: Proto) -> None:
        """Let Flask answer; where that is a page of a code, it renders and stores it, and the scan counts."""
        answer = await self._flask(scope, proto)
        if scope.method == "GET" and answer.status in {200, 304}:
            code = scan_addresses.code_of_path(scope.path)
            if code is not None:
                self._scans.count(code)
        exchange.send(proto, answer, scope.method)

    # --- static texts

    def _text(self, text: StaticText, scope: Scope, proto: Proto) -> None:
        for_ever = scope.query_string == f"v={text.version}"
        age = "public, max-age=31536000, immutable" if for_ever else "public, max-age=300"
        headers = [*text.headers, ("Cache-Control", age)]
        if text.etag in scope.headers.get("if-none-match", ""):
            proto.response_empty(304, [h for h in headers if not h[0].startswith("Content-")])
            return
        headers.append(("Content-Length", str(len(text.body))))
        if scope.method == "GET":
            proto.response_bytes(200, headers, text.body)
        else:
            proto.response_empty(200, headers)

    # --- Flask

    async def _flask(self, scope: Scope, proto: Proto) -> Answer:
        """What Flask answers. Raises TooSlow, CutOff, NoLength, and Unavailable where too much is under way.

        Granian's pieces end in the same way when the body is whole and when the line broke, so that a body counts as whole only
        where it has the length that was announced (RFC 9112, 6.3 and 8). One in chunks announces none.
        """
        declared = scope.headers.get("content-length")
        chunked = scope.headers.get("transfer-encoding") is not None
        if declared is None and not chunked:
            return await self._room.answer(exchange.environ_of(scope, io.BytesIO(), None))
        longest = self._longest(scope.method, scope.path)
        length = int(declared) if declared is not None and declared.isdigit() and not chunked else None
        if length is None and scope.method not in READING:
            raise no_length()
        if length is not None and length > longest:  # Flask reads the length alone and says so in its own words
            return await self._room.answer(exchange.environ_of(scope, io.BytesIO(), length))
        try:
            body = await self._bodies.take(proto, self._address(scope), longest)
        except TooLong:
            return await self._room.answer(exchange.environ_of(scope, io.BytesIO(), longest + 1))
        try:
            if length is not None and body.received != length:
                raise cut_off()
            return await self._room.answer(exchange.environ_of(scope, body.file, body.received))
        finally:
            body.close()

    def _address(self, scope: Scope) -> str:
        """Of the client, as the trusted proxies tell it: a proxy may add a line of its own to the one that it got."""
        told_ = [one.strip() for one in ",".join(scope.headers.get_all("x-forwarded-for")).split(",")]
        told_by_ours = told_[-self._hops] if self._hops and len(told_) >= self._hops else ""
        return told_by_ours or peer_of(scope)


def must_check(kept: Kept, now: float) -> bool:
    return now - kept.checked > CHECK_SECONDS or now - kept.known_good > OLD_SECONDS


def settle(future: "asyncio.Future[Kept | None]", kept: Kept | None) -> None:
    """Unless who waited for it has left."""
    if not future.done():
        future.set_result(kept)


def good_enough(kept: Kept | None, now: float) -> Kept | None:
    """The copy, while it may be served without the database."""
    return kept if kept is not None and now - kept.known_good < KEEP_SECONDS else None


def is_page(scope: Scope) -> bool:
    """Whether the page itself is asked for, by somebody who reads HTML and at an address that says nothing wrong."""
    query = scope.query_string
    return (
        scope.method in READING
        and takes_html(scope.headers.get("accept", ""))
        and (not query or scan_addresses.query_is_right(scope.path, query))
    )


def language_of(query: str) -> str:
    """The language that an address asks for; what else stands in it, such as a campaign's marks, is nobody's business."""
    if not query:
        return SOURCE
    asked = next((value for name, value in parse_qsl(query) if name == "lang"), SOURCE)
    return asked if asked in LANGUAGES else SOURCE


def create(make: Callable[[Settings], Flask] = create_app) -> Front:
    """What granian loads in each web process. `make` makes the application behind the front."""
    settings = settings_module.load()
    flask = make(settings)
    scans = Scans(TallyWriter(settings), spool=spool_in(settings.var / "scans"))
    front = Front(
        settings,
        flask,
        Pages(settings).find,
        scans,
        refusals=Refusals.rendered(flask),
        longest=lambda method, path: most_bytes(flask, method, path),
    )
    scans.start()
    return front
