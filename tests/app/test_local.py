"""The embedded servers start, are adopted, survive kill -9 and lies in pid files, in any directory, as any user."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import local
from app.errors import SetupError
from app.local import identity, postgres
from app.local.binaries import find_binaries
from app.local.folder import exclusive
from app.local.logfiles import LOG_BYTES
from app.local.processes import leader_of, lives, processes_of
from app.local.sockets import PG_SOCKET, VALKEY_SOCKET, known_sockets
from app.settings import ROOT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root meets this")


@pytest.fixture
def home() -> Iterator[Path]:
    """A short directory that other users may pass through; pytest's own is closed to them."""
    path = Path(tempfile.mkdtemp(prefix="hl-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    for var in {path, *(p.parent.parent for p in path.rglob("run/servers.lock"))}:
        short = known_sockets(var)
        local.stop(var)
        if short is not None and not short.is_relative_to(path):
            shutil.rmtree(short, ignore_errors=True)
    shutil.rmtree(path)


def query(servers: local.Servers, statement: str) -> Any:
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row[0] if row else None


def remember(servers: local.Servers) -> None:
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
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


def lie_with_another_programs_number(path: Path, whole: str, stranger: int) -> None:
    path.write_text(whole.replace(whole.splitlines()[0], str(stranger), 1))


def lie_with_a_cut(path: Path, whole: str, _stranger: int) -> None:
    path.write_text(whole[:3])


def lie_with_nothing(path: Path, _whole: str, _stranger: int) -> None:
    path.write_text("")


def lie_with_rubbish(path: Path, _whole: str, _stranger: int) -> None:
    path.write_bytes(b"\xff\xfe not a number\n" * 9)


def lie_with_a_dead_number(path: Path, whole: str, _stranger: int) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    path.write_text(whole.replace(whole.splitlines()[0], str(gone.pid), 1))


@pytest.mark.parametrize(
    "lie",
    [
        lie_with_another_programs_number,
        lie_with_a_cut,
        lie_with_nothing,
        lie_with_rubbish,
        lie_with_a_dead_number,
    ],
)
def test_a_pid_file_that_lies_does_not_stop_a_start(home: Path, lie: Callable[[Path, str, int], None]) -> None:
    servers = local.start(home)
    remember(servers)
    file = home / "postgres" / "postmaster.pid"
    whole = file.read_text()
    os.kill(pid_of_postgres(home), signal.SIGKILL)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        lie(file, whole, stranger.pid)
        assert not local.alive(home)
        local.start(home)
        assert query(servers, "SELECT name FROM kept") == "Đặng Thị Ớt"
        assert stranger.poll() is None, "the other program is left alone"
        stranger.kill()


def test_a_zombie_with_the_servers_number_counts_as_dead() -> None:
    with subprocess.Popen(["true"]) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert not lives(zombie.pid)


def test_an_interrupted_first_start_is_done_again(home: Path) -> None:
    (home / "postgres.new").mkdir(parents=True)
    (home / "postgres.new" / "PG_VERSION").write_text("18\n")
    assert query(local.start(home, durable=False), "SELECT 1") == 1
    assert not (home / "postgres.new").exists()


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


def test_a_broker_whose_files_are_spoilt_starts_empty_and_keeps_them_aside(home: Path) -> None:
    local.start(home)
    local.stop(home)
    for file in (home / "valkey" / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"*3\r\nnot an append-only file\r\n" * 20)
    local.start(home)
    assert local.running(home) is not None
    assert len(list(home.glob("valkey.hong-*"))) == 1


def test_only_what_is_ours_is_started(home: Path) -> None:
    local.start(home, postgres=False)
    assert not local.alive(home)
    assert local.alive(home, postgres=False)
    assert not (home / "postgres").exists()


def test_a_socket_that_was_swept_away_is_made_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = local.start(home / ("dài" * 40), durable=False)
    short = known_sockets((home / ("dài" * 40)).resolve())
    assert short is not None
    shutil.rmtree(short)
    monkeypatch.setattr(postgres, "SILENT_SECONDS", 0.2)
    moved = local.start(home / ("dài" * 40), durable=False)
    assert moved != servers
    assert query(moved, "SELECT 1") == 1


def test_data_of_another_postgres_version_are_refused_with_the_way_out(home: Path) -> None:
    local.start(home, durable=False)
    local.stop(home)
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(SetupError) as refused:
        local.start(home, durable=False)
    assert refused.value.code == "postgres_other_version"
    assert "HOI_PG_BIN" in refused.value.vi


def test_missing_commands_are_named(home: Path) -> None:
    with pytest.raises(SetupError) as refused:
        local.start(home, pg_bin=home / "nowhere")
    assert refused.value.code == "no_postgres"
    with pytest.raises(SetupError) as refused:
        local.start(home, valkey_bin=home / "nowhere")
    assert refused.value.code == "no_valkey"


def test_a_directory_that_cannot_be_made_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError) as refused:
        local.prepare(tmp_path / "file" / "var")
    assert refused.value.code == "directory_not_writable"
    assert f"sudo chown -R {os.getuid()} " in refused.value.vi


@as_root
def test_root_runs_the_servers_as_somebody_else_where_that_one_can_go(home: Path) -> None:
    servers = local.start(home, durable=False)
    owner = Path(f"/proc/{pid_of_postgres(home)}").stat().st_uid
    assert owner != 0
    assert Path(f"/proc/{pid_of_valkey(home)}").stat().st_uid == owner
    assert query(servers, "SELECT 1") == 1


@as_root
def test_under_roots_closed_directories_the_servers_run_and_no_door_is_opened(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    servers = local.start(closed / "var", durable=False)
    assert query(servers, "SELECT 1") == 1
    assert (closed / "var" / "postgres").stat().st_uid == 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    local.stop(closed / "var")
    closed.chmod(0o755)
    assert query(local.start(closed / "var", durable=False), "SELECT 1") == 1, "data change hands when the way opens"


@pytest.mark.slow
@as_root
def test_commands_that_nobody_else_can_reach_are_copied_when_namespaces_are_forbidden(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = find_binaries(None, None)
    package = real.pg.parent.parent
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall", closed / package.name / "pginstall", symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", symlinks=True)
    monkeypatch.setattr(identity, "_namespaced", lambda *_: None)
    var = home / "var"
    servers = local.start(var, durable=False, pg_bin=closed / package.name / "pginstall" / "bin")
    assert query(servers, "SELECT 1") == 1
    assert str(var) in str(Path(f"/proc/{pid_of_postgres(var)}/exe").readlink())


@as_root
def test_root_without_any_way_out_is_told_which_command_opens_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_namespaced", lambda *_: None)
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(SetupError) as refused:
        local.start(closed / "var", durable=False)
    assert refused.value.code == "root_without_way_out"
    assert "chmod o+x" in refused.value.vi


@pytest.mark.slow
def test_throw_away_servers_go_with_their_user_even_when_it_is_killed(wait_for: Callable[..., Any]) -> None:
    code = (
        "from app import local\n"
        "with local.throw_away() as servers:\n"
        "    print(servers.database_url, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        url = user.stdout.readline().strip()
        directory = sockets_of(url).parent.parent
        assert local.alive(directory)
        user.kill()
    wait_for(lambda: not directory.exists(), 15, "the directory of the killed user to go")


def test_a_stop_waits_for_a_start_of_another_process(home: Path) -> None:
    local.prepare(home)
    order: list[str] = []

    def stop() -> None:
        local.stop(home)
        order.append("stopped")

    with exclusive(home):
        thread = threading.Thread(target=stop)
        thread.start()
        order.append("started")
    thread.join(10)
    assert order == ["started", "stopped"]


def test_logs_turn_over_when_they_have_grown_and_their_writer_goes_on(tmp_path: Path) -> None:
    local.prepare(tmp_path)
    path = tmp_path / "log" / "web.log"
    with path.open("ab") as writer:
        for generation in range(5):
            writer.write(str(generation).encode())
            writer.flush()
            os.truncate(path, LOG_BYTES + 1)
            assert local.log_file(tmp_path, "web") == path
        writer.write(b"on")
        writer.flush()
        local.turn_over(path)
    kept = {p.name: p.read_bytes()[:2].strip(b"\0") for p in (tmp_path / "log").iterdir()}
    assert kept == {"web.log": b"on", "web.log.1": b"4", "web.log.2": b"3", "web.log.3": b"2"}


def test_postgres_takes_as_many_connections_as_it_is_told_and_logs_no_row(home: Path) -> None:
    servers = local.start(home, durable=False, connections=77)
    assert query(servers, "SHOW max_connections") == "77"
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
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
