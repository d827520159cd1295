"""Real web processes, stopped, killed, and with the database away: no scan but those of the last second is lost."""

import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from app import supervisor
from app.db import Database
from tests.app.front.pages import CODE, PATH, put_page, tallied


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


def test_every_web_process_tells_the_figures_of_all(run_processes: Any, wait_for: Any) -> None:
    running = run_processes()
    port, metrics = running.settings.web_port, running.settings.var / "run" / "metrics"
    metrics.mkdir()
    running.keeper.start(supervisor.web("127.0.0.1", port, 2, 4, metrics))
    running.keeper.wait_ready("web")

    def both_answer() -> bool:
        """Each request comes on a connection of its own, which goes to either; the second process starts a little later."""
        return get(port, "/healthz") != "" and len(list((running.settings.var / "scans").glob("*.lock"))) == 2

    wait_for(both_answer, 30, "both web processes to answer")
    assert [get(port, "/readyz") for _ in range(20)] == ["ready\n"] * 20
    for _ in range(10):
        told = get(port, "/metrics")
        assert 'hoi_http_requests_total{endpoint="_readyz",method="GET",status="200"} 20.0\n' in told
        assert "\nhoi_outbox_owed 0.0\n" in told


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


@pytest.mark.faults
def test_two_web_processes_keep_their_scans_apart_and_count_each_once(
    run_processes: Any, fresh_database: Database, wait_for: Any, servers: Any
) -> None:
    """Both keep what an outage holds back in files of their own; both are killed; those that come after write it, not twice."""
    put_page(fresh_database, CODE)
    running = run_processes()
    port, folder = running.settings.web_port, running.settings.var / "scans"
    running.keeper.start(supervisor.web("127.0.0.1", port, 2, 4))
    running.keeper.wait_ready("web")
    answered = 0

    def both_know_the_page() -> bool:
        """Who knows it answers in an outage; a connection goes to either."""
        nonlocal answered
        answered += sum(scan("127.0.0.1", port, CODE, 1) for _ in range(20))
        return len(list(folder.glob("*.lock"))) == 2 and answered >= 100

    wait_for(both_know_the_page, 30, "both web processes to answer")
    wait_for(lambda: tallied(fresh_database) == {CODE: answered}, 5, "the scans before the outage")
    with refusing(servers, fresh_database):

        def both_keep_scans() -> bool:
            nonlocal answered
            answered += sum(scan("127.0.0.1", port, CODE, 1) for _ in range(10))
            return len(list(folder.glob("*.json"))) == 2

        before = answered
        wait_for(both_keep_scans, 15, "a file of each process")
        wait_for(lambda: kept_scans(folder) == answered - before, 3, "every scan on disk")
        os.killpg(os.getpgid(running.pid("web")), signal.SIGKILL)
        wait_for(lambda: not running.keeper.tend() and "web" not in running.keeper.pids(), 5, "the end of web")
        running.keeper.start(supervisor.web("127.0.0.1", port, 2, 4))
        running.keeper.wait_ready("web")
    wait_for(lambda: tallied(fresh_database) == {CODE: answered}, 20, "every scan in the database, once")
    wait_for(lambda: kept_scans(folder) == 0, 5, "the disk to be cleared")


def test_what_changes_is_seen_by_both_web_processes(
    run_processes: Any, fresh_database: Database, wait_for: Any
) -> None:
    """Each has copies of its own, and asks after two seconds whether they are still right."""
    put_page(fresh_database, CODE, html="<h1>Trước</h1>")
    running = run_processes()
    port = running.settings.web_port
    running.keeper.start(supervisor.web("127.0.0.1", port, 2, 4))
    running.keeper.wait_ready("web")
    wait_for(lambda: len(list((running.settings.var / "scans").glob("*.lock"))) == 2, 20, "both web processes")
    assert {get(port, PATH) for _ in range(30)} == {"<h1>Trước</h1>"}
    put_page(fresh_database, CODE, html="<h1>Thu hồi</h1>")
    wait_for(lambda: {get(port, PATH) for _ in range(30)} == {"<h1>Thu hồi</h1>"}, 10, "the new page from both")
