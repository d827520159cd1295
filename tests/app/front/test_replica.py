"""Public pages are read from a replica while it keeps up, and from the primary when it does not: a real replica, streaming."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy.engine import make_url

from app import settings as settings_module
from app.db import Database
from app.front import stored
from app.front.stored import Asked, Found, Pages
from app.local.binaries import find_binaries
from app.local.identity import choose_identity
from app.local.processes import STARTED, end_processes
from app.local.sockets import OWNER, make_private
from app.settings import Settings
from tests.app.front.pages import CODE, put_page
from tests.conftest import owner_of

GONE = "postgresql://hoi_app@/hoi?host=/nowhere"


@pytest.fixture
def replica(fresh_database: Database, home: Path, wait_for: Any) -> Iterator[str]:
    """A streaming replica of this run's server. Returns the address of `fresh_database` there, as the application."""
    environment = settings_module.load()
    primary = make_url(fresh_database.url)
    data, sockets = home / "postgres", home / "run"
    for folder in (home, sockets, home / "log"):
        folder.mkdir(exist_ok=True)
    identity, binaries = choose_identity(find_binaries(environment.pg_bin, environment.valkey_bin), home)
    make_private(data, identity)
    make_private(sockets, identity)
    copy = [str(binaries.pg / "pg_basebackup"), "-D", str(data), "-R", "-c", "fast", "-X", "stream", "--no-sync"]
    code, output = identity.run([*copy, "-h", str(primary.query["host"]), "-U", OWNER])
    assert code == 0, output
    with (home / "log" / "postgres.log").open("ab") as log:
        STARTED.append(
            identity.popen(
                [str(binaries.pg / "postgres"), "-D", str(data), "-c", f"unix_socket_directories={sockets}"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        )
    url = f"postgresql://hoi_app@/{primary.database}?host={quote(str(sockets), safe='')}"

    def answers() -> bool:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    wait_for(answers, 60, "the replica to answer")
    yield url
    end_processes(data, "postgres", (signal.SIGQUIT, signal.SIGKILL))


@pytest.fixture
def home() -> Iterator[Path]:
    """Short and open, as PostgreSQL's user must pass through; pytest's own is closed to others."""
    path = Path(tempfile.mkdtemp(prefix="hr-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def reader(settings: Settings, primary: str, replica: str) -> Pages:
    return Pages(settings.model_copy(update={"database_url": primary, "pages_database_url": replica}))


def find(pages: Pages) -> Found | None:
    return pages.find([Asked(CODE, "vi")])[0]


def on(url: str, statement: str) -> Any:
    with psycopg.connect(owner_of(url), autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


def pause(url: str, wait_for: Callable[..., Any]) -> None:
    on(url, "SELECT pg_wal_replay_pause()")
    wait_for(lambda: on(url, "SELECT pg_get_wal_replay_pause_state()") == "paused", 20, "the replica to stand still")


@pytest.mark.faults
def test_the_replica_answers_while_it_keeps_up_and_the_primary_when_it_does_not(
    settings: Settings,
    fresh_database: Database,
    replica: str,
    monkeypatch: pytest.MonkeyPatch,
    wait_for: Callable[..., Any],
) -> None:
    alone = reader(settings, GONE, replica)  # only the replica can answer this one
    both = reader(settings, fresh_database.url, replica)
    monkeypatch.setattr(stored, "OUTAGE_SECONDS", 0.0)
    monkeypatch.setattr(stored, "REPLICA_OUTAGE_SECONDS", 0.0)

    def alone_finds() -> Found | None:
        try:
            return find(alone)
        except stored.Away:
            return None

    put_page(fresh_database, CODE)
    first = wait_for(alone_finds, 20, "the page at the replica")
    assert find(both) == first
    # It falls behind: within the bound the old page is still right enough, beyond it the primary is asked.
    pause(replica, wait_for)
    put_page(fresh_database, CODE, wanted=2)  # as after a recall: the stored page may not be served
    assert find(both) == first
    monkeypatch.setattr(stored, "LONGEST_LAG", timedelta())
    assert find(both) is None
    with pytest.raises(stored.Away):
        find(alone)
    monkeypatch.setattr(stored, "LONGEST_LAG", timedelta(seconds=20))
    on(replica, "SELECT pg_wal_replay_resume()")
    # What it does not have yet is asked of the primary.
    pause(replica, wait_for)
    put_page(fresh_database, "other")
    found = both.find([Asked("other", "vi"), Asked("nowhere", "vi")])
    assert (found[0] is not None, found[1]) == (True, None)
    on(replica, "SELECT pg_wal_replay_resume()")
    # One that was promoted goes its own way, and is asked no more.
    put_page(fresh_database, CODE, wanted=1)
    wait_for(alone_finds, 20, "the page at the replica again")
    on(replica, "SELECT pg_promote()")
    with pytest.raises(stored.Away):
        find(alone)
    assert find(both) is not None
    alone.close()
    both.close()


def test_without_the_replica_the_primary_answers_and_it_is_left_alone_for_a_while(
    settings: Settings, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_page(fresh_database, CODE)
    pages = reader(settings, fresh_database.url, GONE)
    tried: list[str] = []
    connect = stored.connect

    def counted(url: str, application: str, options: str) -> Any:
        tried.append(url)
        return connect(url, application, options)

    monkeypatch.setattr(stored, "connect", counted)
    assert [find(pages) is not None for _ in range(3)] == [True] * 3
    assert tried == [GONE, fresh_database.url]
    pages.close()


def test_a_server_that_is_no_replica_is_never_believed(settings: Settings, fresh_database: Database) -> None:
    """The primary's own address, or a replica that was promoted: what it has may be old without its knowing."""
    put_page(fresh_database, CODE)
    alone = reader(settings, GONE, fresh_database.url)
    with pytest.raises(stored.Away):
        find(alone)
    alone.close()
