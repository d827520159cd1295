"""One PostgreSQL and one Valkey per run, a schema made once by the migrations, and isolation for every test.

- `db_session`, `session_for`, `database`: one connection, one outer transaction, rolled back at the end of the test.
- `fresh_database`: a database of its own, with real commits and any number of connections: for races, relays, processes.
- `running_web`, `running_worker`: the application's real processes on a fresh database.
"""

import contextlib
import hashlib
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import hypothesis
import psycopg
import pytest
import structlog
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import clock, jobs, local, supervisor
from app import settings as settings_module
from app.actor import SYSTEM, Actor
from app.db import Database
from app.doors import demo
from app.local.sockets import OWNER
from app.migrations import run as migrations
from app.settings import ROOT, Settings, child_environment
from tests.shown import as_shown

# Where a template breaks its lines is nothing that a page says.
TestResponse.text = property(  # type: ignore[assignment]
    lambda self: as_shown(self.get_data(as_text=True)) if self.mimetype == "text/html" else self.get_data(as_text=True)
)
SECRET = "a secret of invented people, forty characters"
TEMPLATE = "hoi_template"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the full counts named in the issues")
    parser.addoption("--keep", action="store_true", help="keep the servers for the next run with --keep")


# Servers: started once by the process that leads the run, used by all


@dataclass(frozen=True, slots=True)
class TestServers:
    """Addresses of this run's servers, and the number of the worker that uses them."""

    __test__ = False
    database_url: str
    redis_url: str
    number: int

    def database(self, name: str) -> str:
        """As the application, which owns nothing."""
        return make_url(self.database_url).set(database=name).render_as_string(hide_password=False).replace("+", "%20")

    def administer(self, *statements: str) -> None:
        with psycopg.connect(owner_of(self.database("postgres")), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def owner_of(url: str) -> str:
    """The same database as its owner, who also administers these servers."""
    return make_url(url).set(username=OWNER).render_as_string(hide_password=False).replace("+", "%20")


SERVERS = pytest.StashKey[TestServers]()


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.register_profile("hoi", deadline=None, derandomize=True, print_blob=True)
    hypothesis.settings.register_profile("hoi-long", deadline=None, max_examples=2000, print_blob=True)
    hypothesis.settings.load_profile("hoi-long" if config.getoption("--long") else "hoi")


def started(config: pytest.Config) -> TestServers:
    """Start the servers at the first call; they end with the run, also when it is killed."""
    if SERVERS not in config.stash:
        environment = settings_module.load()
        until_the_end = contextlib.ExitStack()
        config.add_cleanup(until_the_end.close)
        make = local.kept_for_tests if config.getoption("--keep") else local.throw_away
        servers = until_the_end.enter_context(make(pg_bin=environment.pg_bin, valkey_bin=environment.valkey_bin))
        mine = TestServers(servers.database_url, servers.redis_url, 0)
        make_template(mine)
        config.stash[SERVERS] = mine
    return config.stash[SERVERS]


def make_template(servers: TestServers) -> None:
    """Make the schema once; kept servers have it already, unless a migration has changed since."""
    version = hashlib.sha256()
    for file in sorted((ROOT / "app" / "migrations").rglob("*.py")):
        version.update(file.read_bytes())
    marker = version.hexdigest()
    with psycopg.connect(servers.database("postgres"), autocommit=True) as connection:
        found = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (TEMPLATE,)
        ).fetchone()
    if found == (marker,):
        return
    servers.administer(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)", f"CREATE DATABASE {TEMPLATE}")
    migrations.upgrade(owner_of(servers.database(TEMPLATE)))
    servers.administer(f"COMMENT ON DATABASE {TEMPLATE} IS '{marker}'")  # last: it says that the schema is whole


class XdistHooks:
    """Known only where pytest-xdist runs: its workers get the leader's servers."""

    @pytest.hookimpl
    def pytest_configure_node(self, node: Any) -> None:
        servers = started(node.config)
        node.workerinput["servers"] = (servers.database_url, servers.redis_url)


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    if plugin.__class__.__name__ == "DSession" and not manager.has_plugin("hoi-xdist"):
        manager.register(XdistHooks(), "hoi-xdist")


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> TestServers:
    inputs = getattr(request.config, "workerinput", None)
    if inputs is None:
        return started(request.config)
    database_url, redis_url = inputs["servers"]
    return TestServers(database_url, redis_url, int(inputs["workerid"].removeprefix("gw")))


@pytest.fixture(scope="session")
def worker_database_url(servers: TestServers) -> str:
    """This xdist worker's own database. Tests that use it roll back, so it stays as the migrations made it."""
    name = f"hoi_worker_{servers.number}"
    servers.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return servers.database(name)


# Settings, clock, network


@pytest.fixture
def long_run(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


@pytest.fixture
def counts(long_run: bool) -> Callable[[int, int], int]:  # noqa: FBT001 - a fixture's value
    """`counts(3, 50)`: how often to do it now, and how often with --long."""
    return lambda usual, full: full if long_run else usual


def make_settings(var: Path, database_url: str, redis_url: str, **values: object) -> Settings:
    chosen: dict[str, object] = {
        "var": var,
        "database_url": database_url,
        "redis_url": redis_url,
        "public_url": None,
        "secret_key": SECRET,
        "web_workers": 1,  # whatever machine this is
        "clock_movable": True,
        "channel_sandbox": True,
        "log_level": "WARNING",
    }
    return Settings.model_validate(chosen | values)


@pytest.fixture
def settings(tmp_path: Path, worker_database_url: str, redis_url: str) -> Settings:
    return make_settings(tmp_path / "var", worker_database_url, redis_url)


@pytest.fixture
def redis_url(servers: TestServers) -> str:
    """An empty database of Valkey, one for each xdist worker."""
    url = f"{servers.redis_url}?db={servers.number + 1}"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(make_url(servers.database_url).query["host"]) + "/valkey.sock")
        connection.sendall(f"SELECT {servers.number + 1}\r\nFLUSHDB\r\n".encode())
        answer = b""
        while answer.count(b"\r\n") < 2:
            answer += connection.recv(64)
    assert answer == b"+OK\r\n+OK\r\n"
    return url


@pytest.fixture
def clock_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Stop this process's business clock at a moment; call again to move it. Other processes: `move_clock`."""

    def stop(moment: datetime) -> None:
        assert moment.tzinfo is not None, "say the time zone"
        monkeypatch.setattr(clock, "now", lambda: moment)

    return stop


@pytest.fixture(autouse=True)
def _clock_runs_true() -> Iterator[None]:
    yield
    clock.shift(timedelta())


@pytest.fixture(autouse=True)
def _logs_tell_as_before() -> Iterator[None]:
    """Every application made in a test sets up the log of the whole process: the next test hears what it would hear alone."""
    before, level = structlog.get_config(), logging.getLogger().level
    yield
    structlog.configure(**before)
    logging.getLogger().setLevel(level)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Let sockets reach this machine only. What a test needs from elsewhere, it must bring."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        real = socket.getaddrinfo

        def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
            refuse_elsewhere(host)
            return real(host, *args, **kwargs)

        patch.setattr(socket, "getaddrinfo", resolve)
        yield


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            refuse_elsewhere(address[0])
        return method(self, address)

    return connect


def refuse_elsewhere(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(str(name).partition("%")[0]).is_loopback:
            return
    pytest.fail(f"a test wanted to reach {name}: tests use no network", pytrace=True)


# Databases


class OneTransaction(Database):
    """A Database whose transactions are savepoints of one outer transaction that is never committed."""

    def __init__(self, url: str) -> None:
        super().__init__(url, clock_movable=False, pool_size=1)
        self.connection: Connection | None = None

    @contextmanager
    def transaction(self, actor: Actor) -> Iterator[Session]:
        assert self.connection is not None
        with (
            Session(self.connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session,
            session.begin(),
        ):
            self.tell_actor(session, actor)
            yield session
            session.flush()
            # What a commit would refuse is refused here too.
            session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            session.execute(text("SET CONSTRAINTS ALL DEFERRED"))


@pytest.fixture(scope="session")
def worker_database(worker_database_url: str) -> Iterator[OneTransaction]:
    # Comes in as the owner and becomes the application at once, so that a test may `SET ROLE NONE` to write what nobody may.
    database = OneTransaction(owner_of(worker_database_url))
    yield database
    database.dispose()


@pytest.fixture
def database(worker_database: OneTransaction, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """`transaction(actor)` as in production, without a lasting effect. One connection: no races here."""
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 3600.0)  # a heart's own transactions would be those of the test
    with worker_database.engine.connect() as connection:
        worker_database.connection = connection
        outer = connection.begin()
        yield worker_database
        outer.rollback()
        worker_database.connection = None


@pytest.fixture
def session_for(database: Database) -> Callable[[Actor], AbstractContextManager[Session]]:
    """`with session_for(actor) as session:` one transaction of that actor; row-level security holds."""
    return database.transaction


@pytest.fixture
def db_session(database: Database) -> Iterator[Session]:
    """A session of SYSTEM for the whole test."""
    with database.transaction(SYSTEM) as session:
        yield session


class MakeDatabase(Protocol):
    def __call__(self) -> Database: ...


@pytest.fixture
def make_database(servers: TestServers) -> Iterator[MakeDatabase]:
    made: list[Database] = []

    def make() -> Database:
        name = f"hoi_fresh_{servers.number}_{len(made)}"
        servers.administer(
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"
        )
        database = Database(servers.database(name), clock_movable=True, pool_size=5, application="hoi-test")
        made.append(database)
        return database

    yield make
    for database in made:
        database.dispose()
        servers.administer(f"DROP DATABASE {make_url(database.url).database} WITH (FORCE)")


@pytest.fixture
def fresh_database(make_database: MakeDatabase) -> Database:
    """A database of this test alone: real commits, its own connections, its own moved clock."""
    return make_database()


@pytest.fixture(scope="session")
def demo_template(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The demo, loaded once for each worker of the run; a template for databases of single tests."""
    name = f"hoi_demo_template_{servers.number}"
    servers.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    var = local.prepare(tmp_path_factory.mktemp("demo") / "var")
    demo.load(make_settings(var, servers.database(name), servers.redis_url))
    return name


@pytest.fixture
def demo_database(servers: TestServers, demo_template: str) -> Iterator[Database]:
    """A database of this test alone, filled as the demo is."""
    name = f"hoi_demo_{servers.number}"
    servers.administer(
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name} TEMPLATE {demo_template}"
    )
    database = Database(servers.database(name), clock_movable=True, pool_size=5, application="hoi-test")
    yield database
    database.dispose()
    servers.administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def move_clock(fresh_database: Database) -> Callable[[timedelta], None]:
    """Move the clock of every process on `fresh_database`."""

    def move(by: timedelta) -> None:
        with fresh_database.transaction(SYSTEM) as session:
            session.execute(text("UPDATE clock_shift SET shift = shift + :by"), {"by": by})

    return move


# Processes


class WaitFor(Protocol):
    def __call__(self, predicate: Callable[[], object], seconds: float, what: str) -> Any: ...


def wait_until(predicate: Callable[[], object], seconds: float, what: str) -> Any:
    """Ask until the answer is true, and return it; fail with `what` was missing when time is up.

    A predicate that is an object says in its `str` how it stands.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds:g} s still not: {what}; {predicate}", pytrace=True)
        time.sleep(0.02)


@pytest.fixture
def wait_for() -> WaitFor:
    return wait_until


@dataclass(slots=True)
class Running:
    """Processes of the application that a test started, with their common settings."""

    settings: Settings
    keeper: supervisor.Supervisor

    @property
    def url(self) -> str:
        return f"http://{self.settings.web_host}:{self.settings.web_port}"

    def log(self, name: str) -> str:
        return (self.settings.var / "log" / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def pid(self, name: str) -> int:
        return self.keeper.pids()[name]

    def tend(self) -> None:
        """Restart what a test has killed, as the supervisor of a real installation does four times a second."""
        self.keeper.tend()


class Run(Protocol):
    def __call__(
        self, *names: str, database: Database | None = None, public: bool = False, **values: object
    ) -> Running: ...


@pytest.fixture
def run_processes(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Iterator[Run]:
    """`run("web", "relay", "worker", "bulk", "caller")` on `fresh_database`: the supervisor's own commands, on free ports.

    `public`: printed codes lead to this very web.
    """
    with contextlib.ExitStack() as stack:

        def run(*names: str, database: Database | None = None, public: bool = False, **values: object) -> Running:
            on = database or request.getfixturevalue("fresh_database")
            held = supervisor.free_port("127.0.0.1", free_start())
            stack.callback(held.hold.close)
            var = local.prepare(tmp_path / "var")
            own: dict[str, object] = {"web_port": held.number, "worker_processes": 1, "bulk_processes": 1}
            if public:
                own["public_url"] = f"http://127.0.0.1:{held.number}"
            settings = make_settings(var, on.url, redis_url, **own | values)
            keeper = supervisor.Supervisor(var, process_environment(settings), print)
            stack.callback(keeper.stop)
            makers: dict[str, Callable[[], supervisor.Child]] = {
                "web": lambda: supervisor.web("127.0.0.1", held.number, 1, 4),
                "relay": supervisor.relay,
                "worker": lambda: supervisor.worker(settings.worker_processes),
                "bulk": lambda: supervisor.bulk(settings.bulk_processes),
                "caller": lambda: supervisor.caller(settings.caller_threads),
                "looker": lambda: supervisor.looker(settings.looker_threads),
                "scheduler": lambda: supervisor.scheduler(var),
            }
            for name in names:
                keeper.start(makers[name]())
            for name in names:
                keeper.wait_ready(name)
            return Running(settings, keeper)

        yield run


def free_start() -> int:
    """A port that is free now, far from the defaults, so that workers of one run seldom meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def process_environment(settings: Settings) -> dict[str, str]:
    names = Settings.model_fields.keys()
    values = {name: getattr(settings, name) for name in names}
    spelled = {k: v.get_secret_value() if hasattr(v, "get_secret_value") else v for k, v in values.items()}
    return child_environment(clean=True, **spelled)


@pytest.fixture
def running_web(run_processes: Run) -> Callable[..., Running]:
    """`running_web(demo=True)`: granian on `fresh_database`, ready to answer."""
    return lambda **values: run_processes("web", **values)


@pytest.fixture
def running_worker(run_processes: Run) -> Callable[..., Running]:
    """`running_worker()`: relay, workers, caller and looker on `fresh_database`."""
    return lambda **values: run_processes("relay", "worker", "bulk", "caller", "looker", **values)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser of this machine; `./hoi test` finds or installs one."""
    found = settings_module.load().chromium
    if found is None:
        pytest.fail("no browser: run `./hoi test`, or set HOI_CHROMIUM")
    return str(found)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
