"""PostgreSQL or Valkey dies under work: people are told, the scan page stays, nothing acknowledged is lost or doubled."""

import os
import random
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from app import local, outbox
from app.accounts.events import OrganisationChanged
from app.actor import SYSTEM
from app.criteria import derivation
from app.criteria.models import VillageAssessment
from app.db import Database
from app.local.processes import leader_of, processes_of, reap
from app.migrations import run as migrations
from app.web import SIGN_IN_COOKIE
from tests.conftest import TEMPLATE, TestServers, owner_of
from tests.faults.field import (
    Farm,
    Settling,
    check_books,
    debts,
    make_farm,
    paid,
    remember_versions,
    start_phones,
)
from tests.faults.test_told_apart import marks
from tests.worlds.village import build


def home_of(servers: TestServers) -> Path:
    return Path(str(make_url(servers.database_url).query["host"])).parent.parent


@pytest.fixture(scope="module")
def servers() -> Iterator[TestServers]:
    """Servers of this module alone, as durable as in a real installation: what is acknowledged is on the disk."""
    with local.throw_away() as given:
        mine = TestServers(given.database_url, given.redis_url, 0)
        local.stop(home_of(mine))
        local.start(home_of(mine))
        mine.administer(f"CREATE DATABASE {TEMPLATE}")
        migrations.upgrade(owner_of(mine.database(TEMPLATE)))
        yield mine


@pytest.fixture
def farm(fresh_database: Database, servers: TestServers) -> Iterator[Farm]:
    yield make_farm(fresh_database)
    local.start(home_of(servers))  # a test that failed in an outage must not fail the next one


def kill_postgres(home: Path, how: signal.Signals) -> None:
    """SIGQUIT is PostgreSQL's immediate stop: no goodbye to clients, recovery at the next start."""
    leader = leader_of(home / "postgres")
    assert leader is not None
    os.kill(leader, how)


def postgres_is_gone(home: Path) -> bool:
    reap()
    return not processes_of(home / "postgres", "postgres")


@pytest.mark.faults
def test_postgresql_gone_under_writes_is_told_survived_and_loses_nothing(
    farm: Farm,
    servers: TestServers,
    run_processes: Any,
    wait_for: Any,
    counts: Callable[[int, int], int],
) -> None:
    home = home_of(servers)
    running = run_processes("web", "relay", "worker", "bulk", "caller")
    wait_for(Settling(farm.database, running), 60, "the farm's own events to be paid")
    remember_versions(farm)
    first = running.keeper.pids()
    quiet, *written = farm.sites
    scan_path = f"/t/{farm.codes[quiet]}"
    chance = random.Random(20261123)
    rounds = counts(1, 20)
    with httpx.Client(base_url=running.url, timeout=20, trust_env=False) as visitor:
        phones = start_phones(running.url, farm, count=3, seed=7, sites=written)
        for number in range(rounds):

            def page_and_work(goal: int = phones.acknowledged() + chance.randint(5, 25)) -> bool:
                phones.hold_back()
                return phones.acknowledged() >= goal and visitor.get(scan_path).status_code == 200

            wait_for(page_and_work, 60, "writes and a stored scan page")
            assert visitor.get(scan_path).status_code == 200  # the first scan stored the page, this one is the copy
            for phone in phones.phones:
                phone.away = None
            phones.gate.set()
            kill_postgres(home, chance.choice([signal.SIGQUIT, signal.SIGKILL]))
            wait_for(lambda: postgres_is_gone(home), 30, "PostgreSQL to be gone")
            told = wait_for(lambda: next((p.away for p in phones.phones if p.away), None), 40, "a phone to be told")
            assert told.headers["Retry-After"] == "30"
            assert told.json()["code"] == "database_away"
            assert told.json()["detail_vi"] == (
                "Máy chủ đang bận trong giây lát. Việc vừa gửi chưa được ghi. Hãy đợi nửa phút rồi gửi lại."
            )
            scan = visitor.get(scan_path)
            assert (scan.status_code, "Na dai số 0" in scan.text) == (200, True)
            page = visitor.get("/nong-dan", headers={"Cookie": f"{SIGN_IN_COOKIE}={farm.token}", "Accept": "text/html"})
            assert (page.status_code, "Hãy đợi nửa phút rồi gửi lại" in page.text) == (503, True)
            local.start(home)
            farm.database.dispose()
            before = phones.acknowledged()
            wait_for(lambda b=before: phones.acknowledged() > b, 30, f"phones to go on after outage {number + 1}")
        phones.finish(tend=running.tend)
    wait_for(Settling(farm.database, running), 120, "everything to be paid after the last outage")
    figures = check_books(phones)
    assert running.keeper.pids() == first, "nobody of ours has to die of it"
    print(f"outages {rounds}, answers {dict(phones.answers())}, {figures}")  # noqa: T201 - the figures


def ask_valkey(servers: TestServers, command: str) -> bytes:
    socket_path = str(make_url(servers.database_url).query["host"]) + "/valkey.sock"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(socket_path)
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(64)


def flush(servers: TestServers) -> None:
    assert ask_valkey(servers, "FLUSHALL") == b"+OK\r\n"


def end_valkey(servers: TestServers, how: signal.Signals, wait_for: Any) -> None:
    data = home_of(servers) / "valkey"
    for pid in processes_of(data, "-server"):
        os.kill(pid, how)
    wait_for(lambda: not processes_of(data, "-server"), 20, "Valkey to be gone")


@pytest.mark.faults
def test_valkey_killed_restarted_or_emptied_under_deliveries_pays_everything_once(
    farm: Farm,
    servers: TestServers,
    run_processes: Any,
    wait_for: Any,
    counts: Callable[[int, int], int],
) -> None:
    running = run_processes("web", "relay", "worker", "bulk", "caller")
    wait_for(Settling(farm.database, running), 60, "the farm's own events to be paid")
    remember_versions(farm)
    first = running.keeper.pids()
    chance = random.Random(20261123)
    phones = start_phones(running.url, farm, count=2, seed=11)
    faults = ["kill", "flush", "restart"] * counts(1, 20)
    settling = Settling(farm.database, running)
    for fault in faults:

        def under_way(goal: int = paid(farm.database) + chance.randint(3, 20)) -> bool:
            phones.hold_back()
            settling()
            return paid(farm.database) >= goal and debts(farm.database) > 0

        wait_for(under_way, 60, f"deliveries to be under way before {fault}")
        if fault == "flush":
            flush(servers)
        else:
            end_valkey(servers, signal.SIGKILL if fault == "kill" else signal.SIGTERM, wait_for)
            before = phones.acknowledged()
            phones.gate.set()
            wait_for(lambda b=before: phones.acknowledged() > b, 30, "writes to go on without Valkey")
            phones.gate.clear()  # else sixty outages leave thousands of deliveries for the last wait, and a slow machine
            local.start(home_of(servers))
    phones.finish(tend=running.tend)
    wait_for(settling, 120, "everything to be paid after the last fault")
    figures = check_books(phones)
    assert set(phones.answers()) <= {"200", "stored", "repeated"}, "nobody outside may notice"
    assert running.keeper.pids() == first, "nobody of ours has to die of it"
    print(f"faults {faults}, {figures}")  # noqa: T201 - the figures


@pytest.mark.faults
def test_a_valkey_without_memory_is_waited_for_and_nothing_has_to_wait_for_its_lease(
    farm: Farm, servers: TestServers, run_processes: Any, wait_for: Any
) -> None:
    running = run_processes("relay", "worker", "bulk", "caller")
    wait_for(Settling(farm.database, running), 60, "the farm's own events to be paid")
    first = running.keeper.pids()
    assert ask_valkey(servers, "CONFIG SET maxmemory-policy noeviction") == b"+OK\r\n"
    assert ask_valkey(servers, "CONFIG SET maxmemory 1") == b"+OK\r\n"
    try:
        with farm.database.transaction(SYSTEM) as session:
            outbox.publish(session, SYSTEM, OrganisationChanged(organisation_id=farm.world["cooperative"]))
        wait_for(lambda: "used memory > 'maxmemory'" in running.log("relay"), 30, "the relay to be refused")
        with farm.database.transaction(SYSTEM) as session:
            assert outbox.open_debts(session) == 2
    finally:
        assert ask_valkey(servers, "CONFIG SET maxmemory 0") == b"+OK\r\n"
    wait_for(lambda: debts(farm.database) == 0, 30, "the debts to be paid before any lease of 60 s could end")
    assert running.keeper.pids() == first, "nobody of ours has to die of it"


def test_the_servers_of_this_module_are_durable(servers: TestServers) -> None:
    with psycopg.connect(servers.database("postgres")) as connection:
        row = connection.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes')"
        ).fetchone()
    assert row == ("on", "on", "on")


@pytest.mark.faults
def test_a_drain_of_villages_goes_on_after_postgresql_was_killed_and_started_again(
    fresh_database: Database, servers: TestServers, run_processes: Any, wait_for: Any
) -> None:
    home = home_of(servers)
    villages = build(fresh_database, lambda _moment: None).many_villages(800)[1::2]  # those without an answer
    with fresh_database.transaction(SYSTEM) as session:
        derivation.mark(session, SYSTEM, villages, awaited=False)
    running = run_processes("relay", "bulk")
    first = running.keeper.pids()
    wait_for(lambda: 0 < marks(fresh_database) < len(villages), 90, "the drain to be under way")
    kill_postgres(home, signal.SIGKILL)
    wait_for(lambda: postgres_is_gone(home), 30, "PostgreSQL to be gone")
    local.start(home)
    fresh_database.dispose()
    wait_for(lambda: marks(fresh_database) == 0, 120, "the rest to be derived")
    with fresh_database.transaction(SYSTEM) as session:
        found = session.execute(
            select(func.count(), func.count(VillageAssessment.village_id.distinct())).where(
                VillageAssessment.village_id.in_(villages)
            )
        ).one()
    assert tuple(found) == (len(villages), len(villages)), "one answer each"
    assert running.keeper.pids() == first, "nobody of ours has to die of it"
