"""The layer before Flask: what it serves, what it lets through, and that no scan is lost or counted twice."""

import gzip
import hashlib
import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from app import front, supervisor
from app.actor import SYSTEM
from app.db import Database
from app.front import Away, Found, Front, Memory, Scans, Spool, Tally
from app.settings import Settings
from app.trace import codes, pages

HTML = "<!doctype html><h1>Mã thật của lô này</h1>"
PACKED = gzip.compress(HTML.encode(), 9, mtime=0)
CODE = "0123456789ABY"
PATH = f"/t/{CODE}"


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
        self.pages = {(CODE, "vi"): ("tag1", PACKED)}
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


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def written() -> list[Tally]:
    return []


@pytest.fixture
def scans(written: list[Tally]) -> Scans:
    return Scans(written.extend)


@pytest.fixture
def app(settings: Settings, store: Store, scans: Scans) -> Front:
    return Front(settings, flask, store, scans)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let this many seconds pass for the layer."""
    now = [1000.0]
    monkeypatch.setattr(front, "monotonic", lambda: now[0])

    def pass_by(by: float) -> None:
        now[0] += by

    return pass_by


def counted(scans: Scans, written: list[Tally]) -> dict[str, int]:
    assert scans.flush()
    found: dict[str, int] = {}
    for tally in written:
        found[tally.code] = found.get(tally.code, 0) + tally.scans
    return found


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


def test_memory_is_bounded_in_pages_and_bytes() -> None:
    memory = Memory(most_pages=3, most_bytes=1000)

    def kept(size: int) -> front.Kept:
        return front.Kept("c", "t", b"x" * size, [], 0, 0)

    for name in "abcd":
        memory.put((name, "vi"), kept(10))
    assert memory.get(("a", "vi")) is None
    memory.touch(("b", "vi"))
    memory.put(("e", "vi"), kept(10))
    assert memory.get(("b", "vi")) is not None
    assert memory.get(("c", "vi")) is None
    memory.put(("f", "vi"), kept(995))
    assert memory.get(("b", "vi")) is None
    memory.put(("g", "vi"), kept(2000))
    assert memory.get(("g", "vi")) is None


def test_a_page_that_was_unpacked_counts_with_its_text() -> None:
    memory = Memory(most_pages=10, most_bytes=1000)
    for name in "ab":
        memory.put((name, "vi"), front.Kept("c", "t", gzip.compress(name.encode() * 600), [], 0, 0))
    kept_a, kept_b = memory.get(("a", "vi")), memory.get(("b", "vi"))
    assert kept_a is not None
    assert kept_b is not None
    assert memory.unpack(("a", "vi"), kept_a) == b"a" * 600
    assert memory.unpack(("a", "vi"), kept_a) == b"a" * 600
    assert memory.get(("a", "vi")) is not None
    assert memory.unpack(("b", "vi"), kept_b) == b"b" * 600
    assert memory.get(("a", "vi")) is None, "1200 bytes and more are over the limit"
    assert memory.unpack(("a", "vi"), kept_a) == b"a" * 600
    memory.drop(("b", "vi"))
    assert memory._bytes == 0


def test_static_text_is_compressed_once_and_kept_for_ever_under_its_hash(app: Front) -> None:
    raw = (front.STATIC / "public.css").read_bytes()
    version = hashlib.sha256(raw).hexdigest()[:10]
    answer = Answer(app, "/static/public.css", f"v={version}", accept_encoding="gzip")
    assert gzip.decompress(answer.body) == raw
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    other = Answer(app, "/static/public.css", "v=0000000000", accept_encoding="gzip")
    assert "immutable" not in other.headers["Cache-Control"]
    again = Answer(app, "/static/public.css", accept_encoding="gzip", if_none_match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert Answer(app, "/static/public.css").headers == {"X-From": "flask"}


# --- counting ----------------------------------------------------------------------------------------------------


def test_a_flush_whose_outcome_is_unknown_is_sent_again_under_the_same_ids(written: list[Tally]) -> None:
    failures = iter([psycopg.OperationalError(), psycopg.OperationalError()])
    tried: list[list[Tally]] = []

    def write(tallies: list[Tally]) -> None:
        tried.append(list(tallies))
        for failure in failures:
            raise failure
        written.extend(tallies)

    scans = Scans(write)
    scans.count(CODE)
    scans.count(CODE)
    assert not scans.flush()
    scans.count(CODE)
    scans.count("other")
    assert not scans.flush()
    assert scans.flush()
    assert tried[0] == tried[1] == tried[2]
    assert sorted((t.code, t.scans) for t in written) == sorted([(CODE, 2), (CODE, 1), ("other", 1)])


def test_many_threads_count_exactly_while_flushes_go_on(written: list[Tally], scans: Scans) -> None:
    done = threading.Event()

    def count() -> None:
        for _ in range(5000):
            scans.count(CODE)

    def flush() -> None:
        while not done.is_set():
            scans.flush()

    threads = [threading.Thread(target=count) for _ in range(8)]
    flusher = threading.Thread(target=flush)
    for thread in (flusher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    flusher.join()
    assert counted(scans, written) == {CODE: 40000}


def away(_tallies: list[Tally]) -> None:
    raise psycopg.OperationalError


def kill(spool: Spool) -> None:
    """What the end of its process does."""
    assert spool._handle is not None
    os.close(spool._handle)


def test_what_the_database_did_not_take_is_on_disk_and_written_by_the_next_process(
    tmp_path: Path, written: list[Tally]
) -> None:
    first = Spool(tmp_path / "scans")
    scans = Scans(away, spool=first)
    for code in (CODE, CODE, "other"):
        scans.count(code)
    assert not scans.flush()
    scans.count(CODE)
    scans.save(after_seconds=0)
    second = Spool(tmp_path / "scans")
    second.adopt(written.extend)
    assert written == [], "its process lives"
    kill(first)
    with pytest.raises(psycopg.OperationalError):
        second.adopt(away)
    second.adopt(written.extend)
    second.adopt(written.extend)
    assert sorted((t.code, t.scans) for t in written) == [(CODE, 1), (CODE, 2), ("other", 1)]
    second.close()
    assert list((tmp_path / "scans").iterdir()) == []


def test_the_ids_on_disk_are_those_that_were_sent(tmp_path: Path, written: list[Tally]) -> None:
    tried: list[Tally] = []

    def answer_is_lost(tallies: list[Tally]) -> None:
        tried.extend(tallies)
        raise psycopg.OperationalError

    first = Spool(tmp_path)
    scans = Scans(answer_is_lost, spool=first)
    scans.count(CODE)
    scans.flush()
    scans.save(after_seconds=0)
    kill(first)
    second = Spool(tmp_path)
    second.adopt(written.extend)
    second.close()
    assert written == tried


def test_nothing_goes_to_disk_while_the_database_takes_all_and_nothing_stays_there_afterwards(
    tmp_path: Path, written: list[Tally], seconds: Callable[[float], None]
) -> None:
    spool = Spool(tmp_path)
    fails = [True]

    def write(tallies: list[Tally]) -> None:
        if fails:
            away(tallies)
        written.extend(tallies)

    scans = Scans(write, spool=spool)
    scans.count(CODE)
    assert not scans.flush()
    scans.save()
    assert list(tmp_path.glob("*.json")) == [], "not yet waiting for long"
    seconds(front.SAVE_SECONDS)
    scans.save()
    assert len(list(tmp_path.glob("*.json"))) == 1
    fails.clear()
    assert scans.flush()
    assert list(tmp_path.glob("*.json")) == []
    scans.stop()
    assert list(tmp_path.iterdir()) == []
    assert [(t.code, t.scans) for t in written] == [(CODE, 1)]


def test_an_orderly_stop_without_the_database_leaves_the_counts_on_disk(tmp_path: Path, written: list[Tally]) -> None:
    scans = Scans(away, spool=Spool(tmp_path))
    scans.count(CODE)
    scans.stop()
    heir = Spool(tmp_path)
    heir.adopt(written.extend)
    heir.close()
    scans.stop()
    assert [(t.code, t.scans) for t in written] == [(CODE, 1)]
    assert list(tmp_path.iterdir()) == []


def test_counts_on_disk_that_cannot_be_read_are_set_aside(tmp_path: Path, written: list[Tally]) -> None:
    first = Spool(tmp_path)
    first.keep([])
    next(tmp_path.glob("*.json")).write_text('[["cut')
    kill(first)
    heir = Spool(tmp_path)
    heir.adopt(written.extend)
    heir.close()
    assert written == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".broken"]


def test_without_a_place_on_disk_scans_are_counted_all_the_same(tmp_path: Path, written: list[Tally]) -> None:
    (tmp_path / "scans").write_text("a file stands in the way")
    scans = Scans(written.extend, spool=front.spool_in(tmp_path / "scans"))
    scans.count(CODE)
    scans.stop()
    assert [(t.code, t.scans) for t in written] == [(CODE, 1)]


def test_any_other_error_does_not_end_the_counting(written: list[Tally], wait_for: Any) -> None:
    failures = iter([ValueError("?"), OSError(28, "no space"), RuntimeError()])

    def write(tallies: list[Tally]) -> None:
        for failure in failures:
            raise failure
        written.extend(tallies)

    scans = Scans(write, flush_seconds=0.01)
    scans.count(CODE)
    scans.start()
    wait_for(lambda: written, 5, "the scan to be written after three errors")
    scans.stop()
    assert [(t.code, t.scans) for t in written] == [(CODE, 1)]


def test_a_database_that_hangs_does_not_keep_counts_from_the_disk(tmp_path: Path, wait_for: Any) -> None:
    hangs = threading.Event()
    scans = Scans(lambda _tallies: bool(hangs.wait(30)) and None, flush_seconds=0.01, spool=Spool(tmp_path))
    scans.start()
    scans.count("first")
    wait_for(lambda: "first" in on_disk(tmp_path), 5, "the first scan on disk")
    scans.count("second")
    wait_for(lambda: "second" in on_disk(tmp_path), 5, "the second scan on disk")
    hangs.set()
    scans.stop()


def on_disk(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("*.json"))


# --- with a real database ----------------------------------------------------------------------------------------


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


@pytest.fixture
def reader(fresh_database: Database, settings: Settings) -> Iterator[front.Pages]:
    found = front.Pages(settings.model_copy(update={"database_url": fresh_database.url}))
    yield found
    found._forget_connection()


def test_the_select_finds_only_pages_that_may_be_served(
    fresh_database: Database, reader: front.Pages, move_clock: Callable[[timedelta], None]
) -> None:
    put_page(fresh_database, CODE)
    found = reader.find(CODE, "vi")
    assert found is not None
    assert found.body is not None
    assert gzip.decompress(found.body).decode() == HTML
    assert reader.find(CODE, "vi", found.etag) == Found(found.etag, None)
    assert reader.find(CODE, "en") is None
    put_page(fresh_database, CODE, wanted=2)
    assert reader.find(CODE, "vi") is None
    put_page(fresh_database, CODE, change=datetime.now(UTC) + timedelta(hours=1))  # noqa: TID251
    assert reader.find(CODE, "vi") is not None
    move_clock(timedelta(hours=2))
    assert reader.find(CODE, "vi") is None


def test_a_connection_that_the_server_closed_is_opened_again(fresh_database: Database, reader: front.Pages) -> None:
    put_page(fresh_database, CODE)
    assert reader.find(CODE, "vi") is not None
    with psycopg.connect(fresh_database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hoi-front'")
    assert reader.find(CODE, "vi") is not None


def test_a_server_that_is_gone_is_away_and_asked_once_a_second(settings: Settings) -> None:
    gone = front.Pages(settings.model_copy(update={"database_url": "postgresql://x@/x?host=/nowhere"}))
    for _ in range(3):
        with pytest.raises(Away):
            gone.find(CODE, "vi")


def test_the_same_tallies_written_twice_count_once(fresh_database: Database, settings: Settings) -> None:
    writer = front.TallyWriter(settings.model_copy(update={"database_url": fresh_database.url}))
    now = datetime.now(UTC)  # noqa: TID251
    tallies = [Tally(front.new_id(), now, CODE, 3), Tally(front.new_id(), now, "other", 1)]
    writer(tallies)
    writer(tallies)
    assert tallied(fresh_database) == {CODE: 3, "other": 1}
    assert writer._connection is not None
    writer._connection.close()


# --- with real processes -----------------------------------------------------------------------------------------


def scan(host: str, port: int, code: str, times: int) -> int:
    """How many scans were answered before the server went away."""
    answered = 0
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        for _ in range(times):
            connection.request("GET", f"/t/{code}", headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            answered += 1
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
    return answered


def test_every_web_process_tells_the_figures_of_all(run_processes: Any) -> None:
    running = run_processes()
    port, metrics = running.settings.web_port, running.settings.var / "run" / "metrics"
    metrics.mkdir()
    running.keeper.start(supervisor.web("127.0.0.1", port, 2, 4, metrics))
    running.keeper.wait_ready("web")
    assert [get(port, "/readyz") for _ in range(20)] == ["ready\n"] * 20
    for _ in range(10):  # each on a connection of its own, so that both are asked
        told = get(port, "/metrics")
        assert 'hoi_http_requests_total{endpoint="_readyz",method="GET",status="200"} 20.0\n' in told
        assert "\nhoi_outbox_owed 0.0\n" in told
    assert len(list(metrics.glob("counter_*.db"))) == 2


def get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


@pytest.mark.faults
def test_an_orderly_stop_loses_no_scan(running_web: Callable[..., Any], fresh_database: Database) -> None:
    put_page(fresh_database, CODE)
    running = running_web()
    answered = scan("127.0.0.1", running.settings.web_port, CODE, 500)
    running.keeper.stop()
    assert answered == 500
    assert tallied(fresh_database) == {CODE: 500}


@pytest.mark.faults
def test_a_killed_web_process_loses_at_most_one_second_of_scans(
    running_web: Callable[..., Any], fresh_database: Database, wait_for: Any
) -> None:
    put_page(fresh_database, CODE)
    running = running_web()
    port = running.settings.web_port
    first = scan("127.0.0.1", port, CODE, 300)
    wait_for(lambda: tallied(fresh_database).get(CODE) == first, 1.0, "a flush within a second of the last scan")
    assert scan("127.0.0.1", port, CODE, 5) == 5
    os.killpg(os.getpgid(running.pid("web")), signal.SIGKILL)
    assert first <= tallied(fresh_database)[CODE] <= first + 5


@pytest.mark.faults
def test_scans_made_while_the_database_refuses_are_written_when_it_is_back(
    running_web: Callable[..., Any], fresh_database: Database, wait_for: Any, servers: Any
) -> None:
    put_page(fresh_database, CODE)
    running = running_web()
    port = running.settings.web_port
    assert scan("127.0.0.1", port, CODE, 10) == 10
    with refusing(servers, fresh_database):
        assert scan("127.0.0.1", port, CODE, 20) == 20
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

        def stale() -> bool:
            connection.request("GET", PATH)
            response = connection.getresponse()
            response.read()
            return response.status == 200 and response.getheader("X-Hoi-Stale") is not None

        wait_for(stale, 15, "a page marked as the last copy")
        connection.close()
    wait_for(lambda: tallied(fresh_database).get(CODE, 0) > 30, 15, "scans of the outage in the database")


@contextmanager
def refusing(servers: Any, database: Database) -> Iterator[None]:
    """The database lets nobody in."""
    name = database.engine.url.database
    servers.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        database.dispose()
        servers.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        yield
    finally:
        servers.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def kept_scans(folder: Path) -> int:
    """How many scans lie on disk."""
    total = 0
    for path in folder.glob("*.json"):
        with suppress(FileNotFoundError):
            total += sum(scans for _, _, _, scans in json.loads(path.read_text()))
    return total


@pytest.mark.faults
@pytest.mark.parametrize("orderly", [False, True])
def test_scans_of_an_outage_survive_the_end_of_the_web_process(
    running_web: Callable[..., Any],
    fresh_database: Database,
    wait_for: Any,
    servers: Any,
    orderly: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    put_page(fresh_database, CODE)
    running = running_web()
    port, folder = running.settings.web_port, running.settings.var / "scans"
    assert scan("127.0.0.1", port, CODE, 10) == 10
    wait_for(lambda: tallied(fresh_database) == {CODE: 10}, 5, "the scans before the outage")
    with refusing(servers, fresh_database):
        assert scan("127.0.0.1", port, CODE, 30) == 30
        if orderly:
            running.keeper.stop()
        else:
            wait_for(lambda: kept_scans(folder) == 30, 2, "every scan on disk")
            os.killpg(os.getpgid(running.pid("web")), signal.SIGKILL)
            wait_for(lambda: not running.keeper.tend() and "web" not in running.keeper.pids(), 5, "the end of web")
        assert kept_scans(folder) == 30
        running.keeper.start(supervisor.web("127.0.0.1", port, 1, 4))
        running.keeper.wait_ready("web")
    wait_for(lambda: tallied(fresh_database) == {CODE: 40}, 15, "the scans of the outage in the database")
    wait_for(lambda: kept_scans(folder) == 0, 5, "the disk to be cleared")


def test_this_modules_code_is_a_code() -> None:
    assert codes.is_canonical(CODE)
    assert pages.path_of_code(CODE) == PATH
