"""What the layer serves, and what it lets through."""

import asyncio
import gzip
import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from app.front.layer import Front
from app.front.lookups import Lookups, Told, deliver
from app.front.scans import Scans
from app.front.shortcut import Handed
from app.front.spool import Tally
from app.front.stored import Asked, Away, Found
from app.trace import codes, scan_addresses
from tests.app.front.pages import CODE, GTIN, HTML, LOT, PACKED, PATH, Answer, Protocol, Request, Store, counted, loop


def test_a_stored_page_is_served_compressed_or_plain_with_its_headers(app: Front) -> None:
    packed = Answer(app, accept_encoding="gzip, br", accept="text/html")
    assert (packed.status, packed.body) == (200, PACKED)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["ETag"] == '"tag1-gz"'
    assert packed.headers["Vary"] == "Accept, Accept-Encoding"
    assert packed.headers["Content-Language"] == "vi"
    assert packed.headers["Content-Length"] == str(len(PACKED))
    assert "default-src 'none'" in packed.headers["Content-Security-Policy"]
    plain = Answer(app)
    assert plain.body.decode() == HTML
    assert plain.headers["ETag"] == '"tag1"'
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Content-Length"] == str(len(HTML.encode()))


def test_a_page_that_the_browser_has_is_not_sent_again_but_counted(
    app: Front, scans: Scans, written: list[Tally]
) -> None:
    for tag in ('"tag1-gz"', 'W/"tag1-gz"', '"other", "tag1-gz"', "*"):
        answer = Answer(app, accept_encoding="gzip", if_none_match=tag)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == '"tag1-gz"'
    assert Answer(app, accept_encoding="gzip", if_none_match='"other"').status == 200
    assert counted(scans, written) == {CODE: 5}


def test_head_gives_headers_only_and_is_no_scan(app: Front, scans: Scans, written: list[Tally]) -> None:
    answer = Answer(app, method="HEAD", accept_encoding="gzip")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(PACKED))
    assert counted(scans, written) == {}


@pytest.mark.parametrize(
    ("path", "query", "method", "accept"),
    [
        ("/", "", "GET", ""),
        ("/t/0123456789ab0", "", "GET", ""),
        ("/t/0123456789AB0", "", "GET", ""),
        (f"{PATH}/bao-van-de", "", "GET", ""),
        (PATH, "", "POST", ""),
        (PATH, "", "GET", "application/json"),
        (PATH, "", "GET", "image/png"),
        (PATH, "", "GET", "text/html;q=0, image/png"),
        (LOT, "10=X", "GET", ""),
        (LOT, "lang=vi&17=269999", "GET", "text/html"),
        (f"{LOT}/21/S1", "37=5", "GET", ""),
        (f"/01/{GTIN}", "", "GET", ""),
        (PATH, "lang=en", "GET", ""),
        ("/01/09520123456789/10/A", "", "GET", ""),
        ("/static/../settings.py", "", "GET", ""),
    ],
)
def test_everything_else_is_flasks_and_no_scan(
    app: Front, scans: Scans, written: list[Tally], path: str, query: str, method: str, accept: str
) -> None:
    answer = Answer(app, path, query, method, accept=accept, accept_encoding="gzip")
    assert answer.headers == {"X-From": "flask"}
    assert counted(scans, written) == {}


def test_a_page_that_flask_renders_first_is_counted_too(app: Front, scans: Scans, written: list[Tally]) -> None:
    assert Answer(app, "/t/ZZZZZZZZZZZZR").headers == {"X-From": "flask"}
    assert counted(scans, written) == {"ZZZZZZZZZZZZR": 1}


def test_campaign_marks_in_the_address_change_nothing(app: Front, store: Store) -> None:
    for query in ("utm_source=zalo", "lang=vi", "lang=fr", "fbclid=1&lang=vi"):
        assert Answer(app, query=query).status == 200
    assert store.asked == 1


def test_a_gs1_address_is_served_from_memory_with_what_others_and_gs1_hang_on_it(app: Front, store: Store) -> None:
    for query in ("", "fbclid=1", "17=261231", "17=261231&utm_source=zalo"):
        assert Answer(app, LOT, query, accept="text/html, */*;q=0.8").status == 200
    assert store.asked == 1
    for path in (f"/01/{GTIN}/22/V1/10/NA-1", f"{LOT}/21/S1", f"{LOT}/"):
        assert Answer(app, path).status == 200


def test_the_database_is_asked_at_most_every_two_seconds(
    app: Front, store: Store, seconds: Callable[[float], None]
) -> None:
    for _ in range(100):
        assert Answer(app).status == 200
    assert store.asked == 1
    seconds(2.1)
    store.pages[CODE, "vi"] = ("tag2", gzip.compress(b"recalled"))
    assert Answer(app).body == b"recalled"
    assert store.asked == 2


def test_a_page_that_may_no_longer_be_served_is_flasks_again(
    app: Front, store: Store, seconds: Callable[[float], None]
) -> None:
    assert Answer(app).status == 200
    store.pages.clear()
    seconds(2.1)
    assert Answer(app).headers == {"X-From": "flask"}


def test_without_the_database_the_last_copy_is_served_marked_for_a_day(
    app: Front, store: Store, seconds: Callable[[float], None], scans: Scans, written: list[Tally]
) -> None:
    assert "X-Hoi-Stale" not in Answer(app).headers
    store.away = True
    seconds(60)
    stale = Answer(app)
    assert (stale.status, stale.headers["X-Hoi-Stale"]) == (200, "60")
    seconds(24 * 3600)
    assert Answer(app).headers == {"X-From": "flask"}
    store.away = False
    assert "X-Hoi-Stale" not in Answer(app).headers
    assert counted(scans, written) == {CODE: 3}


def test_who_has_no_copy_waits_so_long_and_no_longer(app: Front, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.front.layer.WAIT_SECONDS", 0.05)
    store.goes_on.clear()
    assert Answer(app).headers == {"X-From": "flask"}
    store.goes_on.set()


def test_who_leaves_takes_the_answer_from_nobody(app: Front, store: Store) -> None:
    store.goes_on.clear()
    leaving, staying = Protocol(), Protocol()

    async def work() -> None:
        leaves, stays = (asked(app, proto) for proto in (leaving, staying))
        while app._flights.waiting() < 2:  # noqa: ASYNC110 - one turn of the loop
            await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.wait((leaves,))
        store.goes_on.set()
        await stays

    asyncio.run_coroutine_threadsafe(work(), loop()).result(30)
    assert (leaving.status, staying.status, staying.body, store.asked) == (0, 200, HTML.encode(), 1)
    assert app._flights.waiting() == 0


def asked(app: Front, proto: Protocol) -> "asyncio.Future[None]":
    return asyncio.ensure_future(app.__rsgi__(Request(PATH, "", "GET", {}), proto))


@pytest.mark.parametrize(
    ("path", "method", "status", "body", "counts"),
    [
        (PATH, "GET", 200, HTML.encode(), {CODE: 1}),
        ("/t/ZZZZZZZZZZZZR", "GET", 200, b"flask", {"ZZZZZZZZZZZZR": 1}),
        ("/t/ZZZZZZZZZZZZR", "HEAD", 200, b"", {}),
        (f"/01/{GTIN}/10/NONE", "GET", 404, b"flask", {}),
    ],
)
def test_a_page_taken_before_the_loop_is_answered_where_it_is_heard_of_or_by_flask(
    app: Front,
    scans: Scans,
    written: list[Tally],
    path: str,
    method: str,
    status: int,
    body: bytes,
    counts: dict[str, int],
) -> None:
    proto, ended = Protocol(), threading.Event()
    assert app.take(Request(path, "", method, {}), proto, handed(ended))
    assert ended.wait(30)
    assert (proto.status, proto.body) == (status, body)
    assert counted(scans, written) == counts


@pytest.mark.parametrize(("path", "method"), [("/", "GET"), ("/t/no-code", "GET"), (PATH, "POST"), ("/t/", "GET")])
def test_what_is_no_page_is_not_taken(app: Front, path: str, method: str) -> None:
    ended = threading.Event()
    rest = handed(ended)
    assert not app.take(Request(path, "", method, {}), Protocol(), rest)
    assert not ended.is_set()
    rest.answered()


def test_a_page_is_not_taken_where_too_many_wait(app: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.front.lookups.MOST_WAITING", 0)
    rest = handed(threading.Event())
    assert not app.take(Request(PATH, "", "GET", {}), Protocol(), rest)
    rest.answered()
    assert app._flights.waiting() == 0


def test_who_went_away_meanwhile_breaks_nothing(app: Front) -> None:
    ended = threading.Event()
    assert app.take(Request(PATH, "", "GET", {}), Gone(), handed(ended))
    assert ended.wait(30)


class Gone(Protocol):
    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        raise ProtocolClosed(status, headers, body)


def handed(ended: threading.Event) -> Handed:
    """As granian hands a request to the loop."""

    class Watcher:
        def done(self) -> None:
            ended.set()

    async def never() -> None:
        raise AssertionError("the loop runs what was taken from it")

    return Handed(never(), Watcher(), lambda other: asyncio.run_coroutine_threadsafe(other, loop()))


def test_where_too_many_wait_the_copy_is_served(
    app: Front, seconds: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Answer(app).status == 200
    monkeypatch.setattr("app.front.lookups.MOST_WAITING", 0)
    seconds(60)
    assert (Answer(app).status, Answer(app).headers["X-Hoi-Stale"]) == (200, "60")
    assert Answer(app, LOT).status == 503, "there is no copy of it"
    seconds(24 * 3600)
    assert Answer(app).status == 503


def test_where_one_cannot_be_told_the_others_are() -> None:
    found: list[Told] = []

    def breaks(_found: Told) -> None:
        raise asyncio.InvalidStateError

    deliver([(found.append, None), (breaks, None), (found.append, Found("b", None))])
    assert found == [None, Found("b", None)]


def test_an_answer_of_another_length_is_an_outage() -> None:
    told_: SimpleQueue[Told] = SimpleQueue()
    Lookups(lambda _asked: []).ask(Asked(CODE, "vi"), told_.put)
    assert isinstance(told_.get(timeout=30), Away)


def test_this_modules_code_is_a_code() -> None:
    assert codes.is_canonical(CODE)
    assert scan_addresses.path_of_code(CODE) == PATH
