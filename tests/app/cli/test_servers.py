"""The operator's servers are checked with the words that mend them; ours are shared and stopped by the last."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from app import local
from app.actor import SYSTEM
from app.cli.servers import check_broker, check_database
from app.db import Database
from app.errors import SetupError
from app.migrations import run as migrations
from app.settings import ROOT, child_environment
from tests.app.cli.command import hoi
from tests.conftest import owner_of


def drop(servers: Any, *roles: str) -> None:
    servers.administer(*(f'DROP DATABASE IF EXISTS "{role}" WITH (FORCE)' for role in roles))
    servers.administer(*(f'DROP ROLE IF EXISTS "{role}"' for role in roles))


@pytest.fixture
def weak_login(servers: Any) -> Iterator[str]:
    """A database whose only login for us may do nothing but connect. Roles belong to the whole server."""
    name = f"yeu_{servers.number}"
    servers.administer(f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name}")
    yield name
    drop(servers, name)


def test_a_login_with_too_few_rights_gets_the_sql_that_grants_them_and_then_serves(
    weak_login: str, servers: Any
) -> None:
    url = servers.database(weak_login).replace("//hoi_app@", f"//{weak_login}@")
    with pytest.raises(SetupError) as refused:
        check_database(url)
    assert refused.value.code == "database_rights"
    granted = [line.strip() for line in refused.value.text("vi").splitlines()[1:]]
    assert granted == [
        f'GRANT hoi_app TO "{weak_login}";',
        f'ALTER DATABASE "{weak_login}" OWNER TO "{weak_login}";',
        f'GRANT CREATE, USAGE ON SCHEMA public TO "{weak_login}";',
    ]
    with psycopg.connect(owner_of(servers.database(weak_login)), autocommit=True) as administrator:
        for statement in granted:
            administrator.execute(statement.encode())
    check_database(url)
    migrations.upgrade(url)
    database = Database(url)
    with database.transaction(SYSTEM) as session:
        assert session.scalar(text("SELECT current_user")) == "hoi_app"
    database.dispose()


def test_an_unreachable_database_is_named_with_the_command_that_checks_it(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as refused:
        check_database(f"postgresql://hoi@/hoi?host={tmp_path}")
    assert refused.value.code == "database_unreachable"
    assert "psql \"$HOI_DATABASE_URL\" -c 'SELECT 1'" in refused.value.text("vi")


def test_a_password_never_stands_in_the_message_about_an_unreachable_database() -> None:
    with pytest.raises(SetupError) as refused:
        check_database("postgresql://hoi:bí-mật-lắm@127.0.0.1:1/hoi")
    assert "bí-mật-lắm" not in refused.value.text("vi")


def test_an_unreachable_broker_is_named_with_the_command_that_checks_it(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as refused:
        check_broker(f"unix://{tmp_path}/nowhere.sock")
    assert refused.value.code == "broker_unreachable"
    assert 'redis-cli -u "$HOI_REDIS_URL" ping' in refused.value.text("vi")


def test_an_old_database_is_refused(servers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.servers.OLDEST_POSTGRES", 990000)
    with pytest.raises(SetupError) as refused:
        check_database(owner_of(servers.database("postgres")))
    assert refused.value.code == "database_too_old"


def test_a_database_in_another_encoding_is_refused(servers: Any) -> None:
    servers.administer("CREATE DATABASE chu_cu ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
    with pytest.raises(SetupError) as refused:
        check_database(owner_of(servers.database("chu_cu")))
    servers.administer("DROP DATABASE chu_cu")
    assert refused.value.code == "database_encoding"


def test_the_operators_own_servers_are_used_and_none_is_started(
    home: Path, fresh_database: Any, redis_url: str
) -> None:
    done = hoi(
        "migrate",
        var=home / "var",
        database_url=fresh_database.url,
        database_owner_url=owner_of(fresh_database.url),
        redis_url=redis_url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("✓ Cấu trúc dữ liệu và đơn vị hành chính đã ở bản mới nhất (")
    assert not (home / "var" / "postgres").exists()
    assert not (home / "var" / "valkey").exists()


def hold_servers(var: Path) -> subprocess.Popen[str]:
    """A command that says where PostgreSQL answers, and keeps the servers until it is sent a line."""
    code = (
        "from app import settings\n"
        "from app.cli.servers import servers\n"
        "with servers(settings.load()) as ready:\n"
        "    print(ready.database_owner_url, flush=True); input()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=child_environment(clean=True, var=var),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_commands_at_once_share_the_servers_and_the_last_stops_them(home: Path) -> None:
    var = home / "var"
    with hold_servers(var) as first:
        assert first.stdout is not None
        url = first.stdout.readline().strip()
        assert hoi("migrate", var=var).returncode == 0, "the second command ends first"
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
        assert row == (1,)
        second = hold_servers(var)
        assert second.stdout is not None
        assert second.stdout.readline().strip() == url
        first.communicate("\n", timeout=20)
        with psycopg.connect(url) as connection:
            connection.execute("SELECT 1")
    second.communicate("\n", timeout=20)
    assert (first.returncode, second.returncode) == (0, 0)
    assert not local.alive(var, valkey=False)
    assert not local.alive(var, postgres=False)
