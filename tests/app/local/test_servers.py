"""The servers start, are adopted, keep their data, and stop with their last user."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from app import local
from app.local.processes import processes_of
from app.local.sockets import VALKEY_SOCKET
from app.settings import ROOT
from tests.app.local.asking import pid_of_postgres, pid_of_valkey, query, remember, sockets_of


def test_servers_start_are_adopted_and_keep_their_data_over_a_stop(home: Path) -> None:
    first = local.start(home)
    remember(first)
    pids = (pid_of_postgres(home), pid_of_valkey(home))
    assert local.start(home) == first
    assert (pid_of_postgres(home), pid_of_valkey(home)) == pids, "running servers are adopted"
    assert local.running(home) == first
    local.stop(home)
    assert local.running(home) is None
    assert not local.alive(home)
    again = local.start(home)
    assert query(again, "SELECT name FROM kept") == "Đặng Thị Ớt"
    assert query(again, "SELECT lower('ĐẶNG THỊ ỚT')") == "đặng thị ớt"
    assert query(again, "SHOW fsync") == "on"


def test_servers_follow_a_directory_that_was_moved(home: Path) -> None:
    remember(local.start(home / "cũ"))
    local.stop(home / "cũ")
    (home / "cũ").rename(home / "mới")
    assert query(local.start(home / "mới"), "SELECT name FROM kept") == "Đặng Thị Ớt"


def test_killed_servers_come_back_with_their_data(home: Path) -> None:
    servers = local.start(home)
    remember(servers)
    for _ in range(3):
        os.kill(pid_of_postgres(home), signal.SIGKILL)
        os.kill(pid_of_valkey(home), signal.SIGKILL)
        assert local.start(home) == servers
        assert query(servers, "SELECT name FROM kept") == "Đặng Thị Ớt"


def test_several_starts_at_once_make_one_server(home: Path) -> None:
    code = "import pathlib, sys; from app import local; print(local.start(pathlib.Path(sys.argv[1])).database_url)"
    starts = [
        subprocess.Popen([sys.executable, "-c", code, str(home)], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)
    ]
    answers = {process.communicate(timeout=60)[0] for process in starts}
    assert [process.returncode for process in starts] == [0, 0, 0]
    assert len(answers) == 1
    postmasters = [
        pid
        for pid in processes_of(home / "postgres", "postgres")
        if b"postgres\0-D" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(postmasters) == 1


def test_only_what_is_ours_is_started(home: Path) -> None:
    local.start(home, postgres=False)
    assert not local.alive(home)
    assert local.alive(home, postgres=False)
    assert not (home / "postgres").exists()


def test_the_last_user_of_the_servers_stops_them(home: Path) -> None:
    first = contextlib.ExitStack()
    first.enter_context(local.in_use(home))
    with local.in_use(home):
        servers = local.start(home, durable=False)
        first.close()
        assert query(servers, "SELECT 1") == 1
    assert not local.alive(home)


def test_servers_of_a_user_that_was_killed_stay_for_the_next(home: Path) -> None:
    code = "import pathlib, sys; from app import local\nwith local.in_use(pathlib.Path(sys.argv[1])): print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"1\n"
        servers = local.start(home, durable=False)
        user.kill()
    with local.in_use(home):
        assert query(servers, "SELECT 1") == 1
    assert not local.alive(home)


def test_nothing_listens_on_the_network(home: Path) -> None:
    servers = local.start(home, durable=False)
    assert query(servers, "SHOW listen_addresses") == ""
    inodes = {
        str(link.readlink())
        for pid in (pid_of_postgres(home), pid_of_valkey(home))
        for link in Path(f"/proc/{pid}/fd").iterdir()
    }
    tcp = {
        f"socket:[{line.split()[9]}]"
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    }
    assert inodes & tcp == set()
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(sockets_of(servers.database_url) / VALKEY_SOCKET))
