"""What goes to Flask goes whole, what comes from it is sent as it is, and those who find no thread are told when to come back."""

import asyncio
import errno
import json
import tempfile
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # its own names for them, not exported anew

from app.factory import create_app
from app.front.exchange import MOST_IN_MEMORY
from app.front.layer import Front
from app.front.refusals import Refusals, crowded, cut_off, full, no_length, slow
from app.front.room import Room
from app.front.scans import Scans
from app.settings import Settings
from app.web import most_bytes
from tests.app.front.pages import Answer, Protocol, Request, Store, loop


class Wsgi:
    """Keeps the environ, reads the body, and answers as it is told."""

    def __init__(self, *body: bytes, status: str = "200 OK", headers: list[tuple[str, str]] | None = None) -> None:
        self.answers, self.status, self.headers = body, status, headers or []
        self.environ: dict[str, Any] = {}
        self.read = b""
        self.closed = False
        self.goes_on = threading.Event()
        self.goes_on.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> "Wsgi":
        self.environ = environ
        self.read = environ["wsgi.input"].read()
        assert self.goes_on.wait(30)
        start_response(self.status, self.headers)
        return self

    def __iter__(self) -> Any:
        return iter(self.answers)

    def close(self) -> None:
        self.closed = True


def front(settings: Settings, wsgi: Any, **more: Any) -> Front:
    return Front(settings, wsgi, Store(), Scans(lambda _tallies: None), **more)


def test_the_environ_is_what_pep_3333_wants(settings: Settings) -> None:
    wsgi = Wsgi(b"done")
    answer = Answer(
        front(settings, wsgi),
        "/xã/%2F",
        "q=%C3%A9[&é",
        "POST",
        chunks=(b"ab", b"cde"),
        content_length="5",
        content_type="text/plain",
        cookie="a=1",
        host="hoi.vn",
        x_forwarded_for="198.51.100.1",
    )
    assert (answer.status, answer.body, wsgi.read, wsgi.closed) == (200, b"done", b"abcde", True)
    named = {name: value for name, value in wsgi.environ.items() if isinstance(value, str)}
    assert named == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/xã/%2F".encode().decode("latin-1"),
        "QUERY_STRING": "q=%C3%A9[&é".encode().decode("latin-1"),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "wsgi.url_scheme": "http",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "5",
        "HTTP_COOKIE": "a=1",
        "HTTP_HOST": "hoi.vn",
        "HTTP_X_FORWARDED_FOR": "198.51.100.1",
    }


def test_a_body_that_is_too_long_is_not_read_and_flask_says_so(settings: Settings) -> None:
    wsgi = Wsgi(b"too long", status="413 Too large")
    declared = Answer(
        front(settings, wsgi, longest=lambda *_: 10), "/x", method="POST", chunks=(None,), content_length="11"
    )
    assert (declared.status, wsgi.environ["CONTENT_LENGTH"], wsgi.read) == (413, "11", b"")
    chunked = Answer(
        front(settings, wsgi, longest=lambda *_: 10),
        "/x",
        chunks=(b"x" * 11, None),
        transfer_encoding="chunked",
    )
    assert (chunked.status, wsgi.environ["CONTENT_LENGTH"], wsgi.read) == (413, "11", b"")


@pytest.mark.parametrize("arrived", [(), (b"x" * 50,), (b"x" * 60, b"y" * 39), (b"x" * 101,)])
def test_a_body_that_is_not_as_long_as_announced_never_comes_to_flask(
    settings: Settings, arrived: tuple[bytes, ...]
) -> None:
    wsgi = Wsgi(b"done")
    own = front(settings, wsgi)
    answer = Answer(own, "/x", method="POST", chunks=arrived, content_length="100", accept="application/json")
    assert (answer.status, wsgi.environ) == (400, {})
    assert (own._bodies.coming, own._bodies.bytes) == (set(), 0)
    whole = Answer(own, "/x", method="POST", chunks=(b"x" * 50, b"y" * 50), content_length="100")
    assert (whole.status, wsgi.environ["CONTENT_LENGTH"], wsgi.read) == (200, "100", b"x" * 50 + b"y" * 50)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("length", [{}, {"content_length": "3"}, {"content_length": "3, 3"}])
def test_what_changes_something_says_its_length_beforehand(
    settings: Settings, method: str, length: dict[str, str]
) -> None:
    """The last chunk and a broken line look the same from here."""
    wsgi = Wsgi(b"done")
    sent = Answer(
        front(settings, wsgi), "/x", method=method, chunks=(b"abc",), transfer_encoding="chunked", accept="", **length
    )
    assert (sent.status, wsgi.environ) == (411, {})


def test_a_client_that_went_away_before_its_refusal_breaks_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise ProtocolClosed

    monkeypatch.setattr(Protocol, "response_bytes", gone)
    assert Answer(front(settings, Wsgi()), "/x", method="POST", chunks=(b"x",), content_length="2").status == 0


@pytest.mark.parametrize(
    ("authority", "host"), [(None, "hoi.vn"), ("hoi.vn", ""), ("hoi.vn", "hoi.vn"), ("hoi.vn", "x")]
)
def test_the_host_is_told_once(settings: Settings, authority: str | None, host: str) -> None:
    wsgi = Wsgi()
    request = Request("/x", "", "GET", {"host": host} if host else {})
    request.authority = authority
    asyncio.run_coroutine_threadsafe(front(settings, wsgi).__rsgi__(request, Protocol()), loop()).result(30)
    assert wsgi.environ["HTTP_HOST"] == "hoi.vn"


@pytest.mark.parametrize(
    ("hops", "lines", "address"),
    [
        (0, "198.51.100.1", "192.0.2.7"),
        (1, "", "192.0.2.7"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.9\n198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        (2, "203.0.113.9\n198.51.100.1\n192.0.2.1", "198.51.100.1"),
        (2, "203.0.113.9", "192.0.2.7"),
    ],
)
def test_the_address_of_a_body_is_what_the_trusted_proxies_tell(
    settings: Settings, hops: int, lines: str, address: str
) -> None:
    own = front(settings.model_copy(update={"trusted_proxies": hops}), Wsgi())
    sent = {"x_forwarded_for": lines} if lines else {}
    assert own._address(Request("/x", "", "POST", sent)) == address


def test_every_route_takes_its_own_length(settings: Settings) -> None:
    app = create_app(settings)
    form, megabyte = 1024 * 1024, 1024 * 1024
    assert most_bytes(app, "POST", "/dang-nhap") == form
    assert most_bytes(app, "POST", "/khong-co") == form
    assert most_bytes(app, "POST", "/nong-dan/ghi/weeding") == form + 32 * megabyte
    told = Answer(
        front(settings, app, longest=lambda m, p: most_bytes(app, m, p)),
        "/dang-nhap",
        method="POST",
        content_length=str(form + 1),
        content_type="application/x-www-form-urlencoded",
        accept="text/html",
    )
    assert (told.status, "Gửi lên quá lớn" in told.body.decode()) == (413, True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_long_answer_waits_for_its_reader_in_a_file(settings: Settings, method: str) -> None:
    wsgi = Wsgi(b"x" * MOST_IN_MEMORY, b"y")
    answer = Answer(front(settings, wsgi), "/tep", method=method)
    assert answer.headers == {"Content-Length": str(MOST_IN_MEMORY + 1)}
    assert len(answer.body) == (MOST_IN_MEMORY + 1 if method == "GET" else 0)
    assert wsgi.closed


def test_an_answer_without_a_body_has_none(settings: Settings) -> None:
    wsgi = Wsgi(status="304 Not Modified", headers=[("ETag", '"a"')])
    answer = Answer(front(settings, wsgi), "/x")
    assert (answer.status, answer.headers, answer.body) == (304, {"ETag": '"a"'}, b"")


def test_an_error_that_nobody_rendered_is_one_line(settings: Settings) -> None:
    def breaks(_environ: Any, _start: Any) -> Any:
        raise ZeroDivisionError

    answer = Answer(front(settings, breaks), "/x")
    assert (answer.status, "Có trục trặc phía chúng tôi" in answer.body.decode()) == (500, True)


def full_disk(*_args: object, **_more: object) -> Any:
    """A file on a disk that is full: what does not fit into memory cannot be written."""
    file = tempfile.SpooledTemporaryFile(max_size=8)  # noqa: SIM115 - closed by whom it is given to
    file.rollover = no_room  # type: ignore[method-assign]  # as it fails there
    return file


def no_room() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_where_the_disk_is_full_an_answer_comes_later(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.front.exchange.tempfile", types.SimpleNamespace(SpooledTemporaryFile=full_disk))
    wsgi = Wsgi(b"x" * 9)
    own = front(settings, wsgi)
    answer = Answer(own, "/x")
    assert (answer.status, answer.headers["Retry-After"], wsgi.closed) == (503, "10", True)
    assert Answer(front(settings, Wsgi(b"x" * 8)), "/x").body == b"x" * 8
    assert own._room._free._value == settings.web_threads


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.EDQUOT, errno.EIO])
def test_only_a_lack_of_room_is_told_as_such(settings: Settings, number: int) -> None:
    def breaks(_environ: Any, _start: Any) -> Any:
        raise OSError(number, "x")

    own = front(settings, breaks)
    assert Answer(own, "/x").status == (500 if number == errno.EIO else 503)
    assert Answer(own, "/x", method="POST").status == 500, "nobody knows whether it was saved"


def test_where_the_disk_is_full_a_body_comes_later(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.front.bodies.tempfile", types.SimpleNamespace(SpooledTemporaryFile=full_disk))
    wsgi = Wsgi(b"done")
    own = front(settings, wsgi)
    answer = Answer(own, "/x", method="POST", chunks=(b"x" * 9,), content_length="9")
    assert (answer.status, answer.headers["Retry-After"], wsgi.environ) == (503, "10", {})
    assert (own._bodies.coming, own._bodies.bytes) == (set(), 0)


def test_who_finds_no_thread_is_told_when_to_come_back(settings: Settings) -> None:
    wsgi = Wsgi(b"done")
    wsgi.goes_on.clear()
    own = front(settings.model_copy(update={"web_threads": 1}), wsgi)
    own._room._wait_seconds = 0.2
    with ThreadPoolExecutor(2) as askers:
        first = askers.submit(Answer, own, "/x")
        second = askers.submit(Answer, own, "/x", accept="application/json").result(30)
        assert (second.status, second.headers["Retry-After"]) == (503, "10")
        assert Answer(own, "/healthz").body == b"ok\n", "it needs no thread"
        own._room._most_waiting = 0
        assert Answer(own, "/x").status == 503
        wsgi.goes_on.set()
        assert first.result(30).status == 200
    own._room._most_waiting = 1
    assert Answer(own, "/x").status == 200, "the thread is free again"


def test_a_thread_is_given_back_whatever_happens() -> None:
    async def work() -> None:
        room = Room(Wsgi(b"x"), 1)
        assert [(await room.answer({})).status for _ in range(3)] == [500] * 3, (
            "without a body it breaks before it answers"
        )
        assert room._free._value == 1

    asyncio.run(work())


def test_refusals_are_rendered_beforehand_as_the_application_renders_its_errors(settings: Settings) -> None:
    refusals = Refusals.rendered(create_app(settings))
    wsgi = Wsgi(b"x")
    own = front(settings, wsgi, refusals=refusals)
    own._room._most_waiting = 0
    vietnamese = Answer(own, "/x", accept="text/html").body.decode()
    assert "Máy chủ đang có quá nhiều việc cùng lúc" in vietnamese
    assert '<html lang="vi"' in vietnamese
    for query, cookie in (("lang=en", ""), ("", "x=1; hoi_lang=en")):
        english = Answer(own, "/x", query, accept="text/html", cookie=cookie).body.decode()
        assert '<html lang="en"' in english
        assert "The server has too much to do at the moment" in english
    machine = Answer(own, "/api/v1/items", method="POST")
    told = json.loads(machine.body)
    assert machine.headers["Content-Type"] == "application/problem+json"
    assert (told["status"], told["code"]) == (503, "web_busy")
    assert {error.code for error in (slow(), cut_off(), no_length(), crowded(), full())} == {
        code for code, _ in refusals.pages
    }
