"""The servers answer in a directory of any name."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from app import local
from app.local import postgres
from app.local.sockets import PG_SOCKET, known_sockets
from tests.app.local.asking import query


@pytest.mark.parametrize("name", ["dự án x/hồi", 'a\'b "c" \\d', "một,hai", "dài" * 40])
def test_servers_run_in_a_directory_of_any_name(home: Path, name: str) -> None:
    var = home / name
    servers = local.start(var, durable=False)
    assert query(servers, "SELECT current_database()") == "hoi"
    sockets = known_sockets(var)
    assert sockets is not None
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert len(os.fsencode(sockets / PG_SOCKET)) <= 107
    assert sockets.is_relative_to(var) == (name not in {"một,hai", "dài" * 40})
    assert local.start(var, durable=False) == servers, "the short directory is remembered"


def test_a_socket_that_was_swept_away_is_made_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = local.start(home / ("dài" * 40), durable=False)
    short = known_sockets((home / ("dài" * 40)).resolve())
    assert short is not None
    shutil.rmtree(short)
    monkeypatch.setattr(postgres, "SILENT_SECONDS", 0.2)
    moved = local.start(home / ("dài" * 40), durable=False)
    assert moved != servers
    assert query(moved, "SELECT 1") == 1
