"""What a test asks of the servers it started."""

from pathlib import Path
from typing import Any

import psycopg

from app import local
from app.local.processes import leader_of, processes_of


def query(servers: local.Servers, statement: str) -> Any:
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row[0] if row else None


def remember(servers: local.Servers) -> None:
    with psycopg.connect(servers.owner_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'Đặng Thị Ớt' AS name")


def sockets_of(url: str) -> Path:
    return Path(str(psycopg.conninfo.conninfo_to_dict(url)["host"]))


def pid_of_postgres(var: Path) -> int:
    pid = leader_of(var / "postgres")
    assert pid is not None
    return pid


def pid_of_valkey(var: Path) -> int:
    (pid,) = processes_of(var / "valkey", "-server")
    return pid
