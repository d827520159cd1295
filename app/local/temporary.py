"""Servers that are gone at the end, also when the process that uses them is killed."""

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.local.processes import reap
from app.local.servers import start, stop
from app.local.sockets import Servers, known_sockets


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
