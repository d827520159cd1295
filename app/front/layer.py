"""Who answers: the pages in memory, the database, or Flask; and the process that granian loads."""

from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from app import settings as settings_module
from app.factory import create_app
from app.front.memory import Headers, Kept, Memory
from app.front.scans import Scans, TallyWriter
from app.front.spool import spool_in
from app.front.static import STATIC, StaticText, static_texts
from app.front.stored import Away, Found, Pages
from app.settings import Settings
from app.trace import pages, scan_addresses
from app.web import SECURITY_HEADERS, is_https, takes_html

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CHECK_SECONDS = 2.0  # how long a page is served without asking the database whether it is still the wanted one
OLD_SECONDS = 3 * CHECK_SECONDS  # older than this, nobody gets the copy while another asks; in an outage it is marked
KEEP_SECONDS = 24 * 3600.0  # how long the last copy is served while the database is away


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
        query = environ.get("QUERY_STRING", "")
        if (
            method not in {"GET", "HEAD"}
            or not takes_html(environ.get("HTTP_ACCEPT", ""))
            or (query and not scan_addresses.query_is_right(path, query))
        ):
            return self._flask(environ, start_response)
        language = language_of(query) if query else "vi"
        key = (path, language)
        kept = self._memory.get(key)
        now = monotonic()
        if kept is None or now - kept.checked > CHECK_SECONDS or now - kept.known_good > OLD_SECONDS:
            code = scan_addresses.code_of_path(path) if kept is None else kept.code
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
