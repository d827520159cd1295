"""From granian's RSGI to Flask's WSGI and back: the environ of a request, and its answer taken in whole."""

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

import structlog
from granian.rsgi import ProtocolClosed, ProtocolError  # type: ignore[attr-defined]  # its own names for them, not re-exported

from app.logs import told

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

MOST_IN_MEMORY = 256 * 1024  # an answer longer than this waits for its reader in a file
PART_BYTES = 64 * 1024
READER_SECONDS = 60.0  # a reader who takes no part for so long is gone
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


class Transport(Protocol):
    async def send_bytes(self, data: bytes) -> None: ...


class Proto(Protocol):
    """Granian's side of a request: its body in pieces, and the ways to answer. None of these waits but the transport."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_empty(self, status: int, headers: HeaderList) -> None: ...
    def response_bytes(self, status: int, headers: HeaderList, body: bytes) -> None: ...
    def response_stream(self, status: int, headers: HeaderList) -> Transport: ...


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
    """Let Flask answer, in this thread, and take the whole of it: nobody's slow line holds the thread."""
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
            return Answer(int(status[:3]), headers, cast("IO[bytes]", taken))
        body = taken.read()
    except BaseException:
        taken.close()
        raise
    taken.close()
    return Answer(int(status[:3]), headers, body)


async def send(proto: Proto, answer: Answer, method: str) -> None:
    """Send it at the reader's pace. A reader who goes away, or takes nothing for a minute, is let go."""
    if isinstance(answer.body, bytes):
        with contextlib.suppress(ProtocolClosed):
            if method == "HEAD" or not answer.body:
                proto.response_empty(answer.status, answer.headers)
            else:
                proto.response_bytes(answer.status, answer.headers, answer.body)
        return
    try:
        if method == "HEAD":
            proto.response_empty(answer.status, answer.headers)
            return
        transport = proto.response_stream(answer.status, answer.headers)
        while part := answer.body.read(PART_BYTES):
            async with asyncio.timeout(READER_SECONDS):
                await transport.send_bytes(part)
    except (ProtocolClosed, ProtocolError, TimeoutError) as error:
        log.info("the reader of a long answer is gone", **told(error))
    finally:
        answer.body.close()
