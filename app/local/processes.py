"""The servers' processes: found by where they work, since a pid file may lie, and ended in order."""

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

PROC = Path("/proc")
SILENT_SECONDS = 10.0  # a server that lives without answering for so long has lost its socket
STARTED: list[subprocess.Popen[bytes]] = []  # kept so that the ones that end are reaped, see reap


def reap() -> None:
    STARTED[:] = [process for process in STARTED if process.poll() is None]


def lives(pid: int) -> bool:
    """A zombie does not live, though kill(pid, 0) finds it: where nobody reaps, that would block a start for ever."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in {"Z", "X"}
    if PROC.joinpath("self").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def processes_of(data: Path, program: str) -> list[int]:
    """Living processes of a server, known by their working directory, which both servers move into their data, and by
    the end of their program's name.

    A pid file alone can lie: the number may belong to another program by now.
    """
    reap()
    try:
        home = data.stat()
    except OSError:
        return []
    if not PROC.joinpath("self").exists():
        return [pid] if (pid := pid_in_file(data)) and lives(pid) else []
    found = []
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                where = os.stat(f"/proc/{entry.name}/cwd")  # noqa: PTH116 - hundreds of these, a few times a second
                if (where.st_dev, where.st_ino) == (home.st_dev, home.st_ino) and _program(entry.name).endswith(
                    program
                ):
                    found.append(int(entry.name))
    return [pid for pid in found if lives(pid)]


def _program(pid: str) -> str:
    return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")  # noqa: PTH115, PTH119 - as above


def pid_in_file(data: Path) -> int | None:
    try:
        first = next(iter((data / "postmaster.pid").read_text(errors="replace").splitlines()), "")
    except OSError:
        return None
    return int(first) if re.fullmatch(r"-?[0-9]{1,9}", first.strip()) else None


def leader_of(data: Path) -> int | None:
    """The postmaster of this data directory, if it lives."""
    pid = pid_in_file(data)
    if pid is None or pid <= 0 or not lives(pid):
        return None
    if not PROC.joinpath("self").exists():
        return pid
    with contextlib.suppress(OSError):
        where, home = os.stat(f"/proc/{pid}/cwd"), data.stat()  # noqa: PTH116 - beside the one above
        if (where.st_dev, where.st_ino) == (home.st_dev, home.st_ino):
            return pid
    return None


def end_processes(data: Path, program: str, signals: tuple[signal.Signals, ...], seconds: float = 10) -> None:
    for number in signals:
        leader = leader_of(data)
        for pid in [leader] if leader else processes_of(data, program):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not processes_of(data, program):
                return
            time.sleep(0.02)
