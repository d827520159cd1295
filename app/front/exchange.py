"""From granian's RSGI to Flask's WSGI and back: the environ of a request, and its answer taken in whole."""

import asyncio
import errno
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

import structlog

from app.logs import told

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

MOST_IN_MEMORY = 256 * 1024  # an answer longer than this waits for its reader in a file
OPEN_SECONDS = 5.0  # our hold on such a file, until granian has its own
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})  # on the disk, or for one more open file
BROKEN = "Có trục trặc phía chúng tôi. Something went wrong on our side.\n".encode()
HeaderList = list[tuple[str, str]]


class Scope(Protocol):
    """What granian tells of a request. `path` is decoded; `query_string` stands as it was sent."""

    client: str
    server: str
    scheme: str
    http_version: str
    method: str
    path: str
    query_string: str
    authority: str | None
    headers: Any


class Proto(Protocol):
    """Granian's side of a request: its body in pieces, and the ways to answer, none of which waits.

    Not its `response_stream`: that takes whatever it is given into memory, however slow the reader.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_empty(self, status: int, headers: HeaderList) -> None: ...
    def response_bytes(self, status: int, headers: HeaderList, body: bytes) -> None: ...
    def response_file(self, status: int, headers: HeaderList, file: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What Flask answered: in memory when it is short, else in a file that is closed once it was sent."""

    status: int
    headers: HeaderList
    body: bytes | IO[bytes]


def environ_of(scope: Scope, body: IO[bytes], length: int | None) -> "WSGIEnvironment":
    """The WSGI environ of a request whose body lies ready. PEP 3333 wants its texts as latin-1."""
    host, _, port = scope.server.rpartition(":")
    path = _latin(scope.path)
    query = _latin(scope.query_string)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": host.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": peer_of(scope),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if scope.authority:
        environ["HTTP_HOST"] = scope.authority
    for name, value in scope.headers.items():
        if "_" in name:  # it would pass for the header of the same name with a dash, which a proxy may have set
            continue
        if name == "host" and scope.authority:  # HTTP/2 may send both; an address made of two is nobody's
            continue
        key = "HTTP_" + name.upper().replace("-", "_")
        joined = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{joined}{_latin(value)}" if key in environ else _latin(value)
    environ.pop("HTTP_CONTENT_LENGTH", None)
    if "HTTP_CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    if length is not None:  # chunks are put together by now
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def _latin(sent: str) -> str:
    return sent if sent.isascii() else sent.encode("utf-8", "surrogatepass").decode("latin-1")


def peer_of(scope: Scope) -> str:
    """The address at the other end of the connection, without its port."""
    return scope.client.rpartition(":")[0].strip("[]")


def call(wsgi: "WSGIApplication", environ: "WSGIEnvironment") -> Answer:
    """Let Flask answer, in this thread, and take the whole of it: nobody's slow line holds the thread.

    Flask renders its own errors; what still comes out of it is answered in one line. Raises OSError where there is no room to
    take the answer of one who only reads (NO_ROOM).
    """
    started: list[tuple[str, HeaderList]] = []
    taken = tempfile.SpooledTemporaryFile(max_size=MOST_IN_MEMORY)  # noqa: SIM115 - a long one is closed by its sender

    def start_response(status: str, headers: HeaderList, _info: object = None) -> Any:  # noqa: ANN401 - WSGI's own shape
        started[:] = [(status, headers)]
        return taken.write

    try:
        chunks: Iterable[bytes] = wsgi(environ, cast("Any", start_response))
        try:
            for chunk in chunks:
                taken.write(chunk)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = started[0]
        length = taken.tell()
        taken.seek(0)
        if length > MOST_IN_MEMORY:
            headers = [*(h for h in headers if h[0].lower() != "content-length"), ("Content-Length", str(length))]
            return Answer(int(status[:3]), headers, cast("IO[bytes]", taken))
        body = taken.read()
    except Exception as error:
        with suppress(OSError):  # it tries once more to write what it could not
            taken.close()
        reads = environ.get("REQUEST_METHOD") in {"GET", "HEAD"}  # what changed something may have been saved
        if reads and isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        log.exception("an error that Flask did not render", **told(error))
        return Answer(500, [("Content-Type", "text/plain; charset=utf-8")], BROKEN)
    taken.close()
    return Answer(int(status[:3]), headers, body)


def send(proto: Proto, answer: Answer, method: str) -> None:
    """Hand the answer to granian, which sends it at the reader's pace: a long one from its file, so that it is nowhere in memory."""
    if isinstance(answer.body, bytes):
        if method == "HEAD" or not answer.body:
            proto.response_empty(answer.status, answer.headers)
        else:
            proto.response_bytes(answer.status, answer.headers, answer.body)
    elif method == "HEAD":
        proto.response_empty(answer.status, answer.headers)
        answer.body.close()
    else:
        proto.response_file(answer.status, answer.headers, f"/proc/self/fd/{answer.body.fileno()}")
        # Granian opens it for itself after we are gone from here; nameless as it is, nothing is left of it when a process is killed.
        asyncio.get_running_loop().call_later(OPEN_SECONDS, answer.body.close)
