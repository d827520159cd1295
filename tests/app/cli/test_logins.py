"""Two logins: the owner makes the tables, the application serves people; neither does the other's work."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from app.actor import SYSTEM
from app.cli.logins import check_application_login, warn_of_defaults
from app.cli.province import environment
from app.cli.reference import prepare
from app.cli.servers import check_database
from app.db import Database
from app.errors import SetupError
from app.settings import OWNER_VARIABLE, Settings, child_environment
from tests.app.cli.command import hoi
from tests.conftest import owner_of


@pytest.fixture
def ordinary_owner(servers: Any) -> Iterator[tuple[str, str]]:
    """(application's address, owner's address) made by the very SQL that the command prints; the owner is no superuser."""
    name = f"chu_{servers.number}"
    printed = hoi("database-sql", database_owner_url=f"postgresql://{name}@/{name}").stdout
    statements = [line for line in printed.splitlines() if line and not line.startswith("--")]
    assert [s.split(" (")[0].split(" LOGIN")[0] for s in statements] == [
        f"CREATE ROLE {name}",
        "CREATE ROLE hoi_app",
        f"CREATE DATABASE {name} OWNER {name} ENCODING 'UTF8' TEMPLATE template0;",
    ]
    drop(servers, name)
    servers.administer(
        *(s for s in statements if "ROLE hoi_app" not in s)
    )  # the role belongs to the whole server, and is there
    url = servers.database(name)
    yield url, make_url(url).set(username=name).render_as_string(hide_password=False).replace("+", "%20")
    drop(servers, name)


def drop(servers: Any, name: str) -> None:
    servers.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"DROP ROLE IF EXISTS {name}")


def test_the_printed_sql_makes_an_installation_that_migrates_and_serves(ordinary_owner: tuple[str, str]) -> None:
    application, owner = ordinary_owner
    check_database(application, owner)
    database = Database(application, pool_size=1)
    with contextlib.closing(database.engine.raw_connection()):
        prepare(database, owner)
    check_database(application, owner)
    with psycopg.connect(owner) as connection:
        row = connection.execute("SELECT pg_has_role(session_user, 'hoi_app', 'MEMBER')").fetchone()
    assert row == (False,), "the owner need not be a member of the application"
    with database.transaction(SYSTEM) as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM places").scalar_one() > 60
    database.dispose()


def test_the_owner_does_not_serve_people(fresh_database: Database) -> None:
    owner = owner_of(fresh_database.url)
    with pytest.raises(SetupError) as refused:
        check_database(owner, owner)
    assert refused.value.code == "database_application_login"
    assert "./hoi database-sql" in refused.value.text("vi")


def test_an_application_with_power_is_refused_with_the_sql_that_takes_it(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    powers = "SELECT 'hoi_app'::text, true, ARRAY['hoi', 'Sếp']::text[], ARRAY['memberships']::text[]"
    monkeypatch.setattr("app.cli.logins._POWERS", powers)  # a real one would hold for every test of this server
    with pytest.raises(SetupError) as refused:
        check_application_login(fresh_database.url)
    assert [line.strip() for line in refused.value.text("vi").splitlines()[1:]] == [
        "ALTER ROLE hoi_app NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;",
        "REVOKE hoi FROM hoi_app;",
        'REVOKE "Sếp" FROM hoi_app;',
        "ALTER TABLE memberships OWNER TO CHỦ_SỞ_HỮU;",
    ]


def test_an_installation_with_one_login_goes_on_and_is_warned(
    home: Path, fresh_database: Database, redis_url: str
) -> None:
    done = hoi("migrate", var=home / "var", database_url=owner_of(fresh_database.url), redis_url=redis_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("! Web đang nối bằng chính chủ sở hữu cơ sở dữ liệu")


def test_no_process_is_told_the_owner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(OWNER_VARIABLE, "postgresql://hoi:secret@/hoi")
    assert OWNER_VARIABLE not in child_environment()
    settings = Settings(var=tmp_path, database_url="postgresql://hoi_app@/hoi")
    assert settings.owner_url() == "postgresql://hoi:secret@/hoi"
    assert OWNER_VARIABLE not in environment(settings)


def test_the_printed_sizes_are_those_of_the_machine_that_is_named() -> None:
    printed = hoi("database-sql", memory_mib=8192, web_workers=4).stdout.splitlines()
    sizes = [line.removeprefix("-- ") for line in printed if line.startswith("-- ALTER SYSTEM")]
    assert "ALTER SYSTEM SET shared_buffers = '2048MB';" in sizes
    assert "ALTER SYSTEM SET work_mem = '8MB';" in sizes
    assert "ALTER SYSTEM SET max_connections = '123';" in sizes


def test_a_server_with_its_defaults_is_named_at_every_start(
    servers: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server of the tests is small, and takes a hundred connections."""
    monkeypatch.setattr("app.machine.memory_mib", lambda: 8192)
    own = Settings(database_url=servers.database("postgres"), web_workers=2)
    warn_of_defaults(own)
    assert "shared_buffers 64 MB" in capsys.readouterr().out
    warn_of_defaults(own.model_copy(update={"memory_mib": 1024}))
    assert capsys.readouterr().out == ""
    warn_of_defaults(own.model_copy(update={"memory_mib": 1024, "web_workers": 8}))
    assert "nhiều nhất 100 kết nối, mà riêng máy này có thể cần 199" in capsys.readouterr().out
    warn_of_defaults(Settings(database_url=None))
    assert capsys.readouterr().out == ""
