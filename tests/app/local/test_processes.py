"""Pid files that lie and dead processes stop no start."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app import local
from app.local.processes import lives
from tests.app.local.asking import pid_of_postgres, query, remember


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
