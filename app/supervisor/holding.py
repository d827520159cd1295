"""One supervisor holds a directory: it says where it answers, and clears what a killed one left behind."""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.supervisor.keeper import MARK


def clear_leftovers(directory: Path, seconds: float = 3) -> int:
    """End what a killed supervisor of this directory left behind. Returns how many processes there were."""
    mark = f"{MARK}={directory}".encode()
    pids = _marked(mark)
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = _marked(mark)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline and _marked(mark):
            time.sleep(0.05)
    for path in (directory / "run").glob("*.pid"):
        path.unlink(missing_ok=True)
    return len(pids)


def _marked(mark: bytes) -> list[int]:
    """Living processes with our mark in their environment: no pid file can lie about that."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # other users' processes, and those that just ended; a zombie's reads empty
            if mark in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[bool]:
    """Hold the directory for as long as this process lives; False when another process holds it."""
    handle = os.open(directory / "run" / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        yield False
        return
    (directory / "run" / "running.json").unlink(missing_ok=True)
    try:
        yield True
    finally:
        (directory / "run" / "running.json").unlink(missing_ok=True)
        os.close(handle)


def announce(directory: Path, facts: Mapping[str, object]) -> None:
    """Tell later commands in this directory where we answer."""
    path = directory / "run" / "running.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(dict(facts), ensure_ascii=False), encoding="utf-8")
    new.replace(path)


def announced(directory: Path, seconds: float = 60) -> dict[str, object] | None:
    """Return what the supervisor of this directory announced; waits while it is still starting."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, ValueError):
            facts: dict[str, object] = json.loads((directory / "run" / "running.json").read_text(encoding="utf-8"))
            return facts
        if time.monotonic() > deadline or not held(directory):
            return None
        time.sleep(0.1)


def held(directory: Path) -> bool:
    """Tell whether a supervisor lives in this directory."""
    try:
        handle = os.open(directory / "run" / "supervisor.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
