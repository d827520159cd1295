"""Servers for tests and benchmarks: gone at the end, also when the process that uses them is killed; or kept for the next run."""

import contextlib
import fcntl
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.local.folder import prepare
from app.local.processes import reap
from app.local.servers import start, stop
from app.local.sockets import Servers, known_sockets

KEPT = Path(__file__).resolve().parents[2] / "var" / "test-servers"


@contextlib.contextmanager
def throw_away(*, pg_bin: Path | None = None, valkey_bin: Path | None = None) -> Iterator[Servers]:
    """Servers in a directory of their own under /tmp, gone at the end, also when this process is killed.

    Not durable: for tests, checks and benchmarks.
    """
    directory = Path(tempfile.mkdtemp(prefix="hoi-", dir="/tmp"))  # short, because sockets live below it
    directory.chmod(0o711)  # root's servers run as another user; what they keep below is closed
    watcher = subprocess.Popen(
        [sys.executable, "-m", "app.local", str(directory)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield start(directory, durable=False, pg_bin=pg_bin, valkey_bin=valkey_bin)
    finally:
        watcher.communicate()
        reap()


@contextlib.contextmanager
def kept_for_tests(*, pg_bin: Path | None = None, valkey_bin: Path | None = None) -> Iterator[Servers]:
    """Not durable servers below the checkout that go on running for the next run; `forget_kept` ends them.

    One run at a time uses them: a second one that begins meanwhile gets servers of its own.
    """
    directory = prepare(KEPT)
    with (directory / "run" / "tests.lock").open("a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with throw_away(pg_bin=pg_bin, valkey_bin=valkey_bin) as servers:
                yield servers
            return
        yield start(directory, durable=False, pg_bin=pg_bin, valkey_bin=valkey_bin)


def forget_kept() -> None:
    """End the servers that `kept_for_tests` left running, and remove their data."""
    short = known_sockets(KEPT)
    stop(KEPT)
    for left in (KEPT, short):
        if left is not None:
            shutil.rmtree(left, ignore_errors=True)


def watch(directory: Path) -> None:
    """Wait for the end of standard input, then stop the servers and remove their directory."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(4096):
        pass
    short = known_sockets(directory.resolve())
    stop(directory)
    shutil.rmtree(directory, ignore_errors=True)
    if short is not None:
        shutil.rmtree(short, ignore_errors=True)
