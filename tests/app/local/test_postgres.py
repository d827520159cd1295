"""PostgreSQL's data are made whole, kept from another version, and its log holds no row."""

from pathlib import Path

import psycopg
import pytest

from app import local
from app.errors import SetupError
from tests.app.local.asking import query


def test_an_interrupted_first_start_is_done_again(home: Path) -> None:
    (home / "postgres.new").mkdir(parents=True)
    (home / "postgres.new" / "PG_VERSION").write_text("18\n")
    assert query(local.start(home, durable=False), "SELECT 1") == 1
    assert not (home / "postgres.new").exists()


def test_data_of_another_postgres_version_are_refused_with_the_way_out(home: Path) -> None:
    local.start(home, durable=False)
    local.stop(home)
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(SetupError) as refused:
        local.start(home, durable=False)
    assert refused.value.code == "postgres_other_version"
    assert "HOI_PG_BIN" in refused.value.text("vi")


def test_postgres_takes_as_many_connections_as_it_is_told_and_logs_no_row(home: Path) -> None:
    servers = local.start(home, durable=False, connections=77)
    assert query(servers, "SHOW max_connections") == "77"
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (name text, phone text UNIQUE, CHECK (length(name) < 20))")
        row = ("Nông Thị Bí Mật", "0912345678")
        connection.execute("INSERT INTO people VALUES (%s, %s)", row)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO people VALUES ('Nông Thị Bí Mật', '0912345678')")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO people VALUES (repeat('Nông Thị Bí Mật', 9), '1')")
    logged = (home / "log" / "postgres.log").read_text()
    assert "people_phone_key" in logged
    assert "people_name_check" in logged
    assert not any(said in logged for said in ("Bí Mật", "0912345678", "DETAIL", "STATEMENT"))
