"""Both servers of one directory: started, asked for, kept while somebody uses them, stopped."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from app.local.binaries import find_binaries
from app.local.folder import exclusive, prepare, unwritable
from app.local.identity import choose_identity
from app.local.postgres import postgres_answers, start_postgres
from app.local.processes import end_processes, leader_of, processes_of, reap
from app.local.sizing import EMBEDDED_SHARE, SMALL_MIB, sized
from app.local.sockets import Servers, addresses, known_sockets, sockets_for
from app.local.valkey import start_valkey, valkey_answers

Report = Callable[[str, float], None]


def start(
    directory: Path,
    *,
    durable: bool = True,
    postgres: bool = True,
    valkey: bool = True,
    pg_bin: Path | None = None,
    valkey_bin: Path | None = None,
    connections: int = 100,
    memory_mib: int | None = None,
    report: Report = lambda _text, _seconds: None,
) -> Servers:
    """Start the servers whose data live in `directory`, or adopt those that run there already.

    `durable=False` trades safety for speed: for tests only. `connections` is how many PostgreSQL takes. `memory_mib`: of the
    machine, of which PostgreSQL takes its share; without it, it stays small. Raises SetupError with the command that mends it.
    """
    directory = prepare(directory)
    binaries = find_binaries(pg_bin, valkey_bin)
    with exclusive(directory):
        identity, binaries = choose_identity(binaries, directory)
        sockets = sockets_for(directory, identity)
        if postgres:
            began = time.monotonic()
            sizes = sized(SMALL_MIB if memory_mib is None else memory_mib // EMBEDDED_SHARE, connections)
            version = start_postgres(directory, sockets, identity, binaries, sizes, durable=durable)
            report(f"PostgreSQL {version}", time.monotonic() - began)
        if valkey:
            began = time.monotonic()
            start_valkey(directory, sockets, identity, binaries, durable=durable)
            report("Valkey", time.monotonic() - began)
        return addresses(sockets)


def stop(directory: Path) -> None:
    """Stop both servers in order, the broker first. Does nothing where none runs."""
    directory = directory.resolve()
    if not (directory / "run").is_dir():
        return
    with exclusive(directory):
        end_processes(directory / "valkey", "-server", (signal.SIGTERM, signal.SIGKILL))
        end_processes(directory / "postgres", "postgres", (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))


@contextlib.contextmanager
def in_use(directory: Path) -> Iterator[None]:
    """Keep the servers of this directory for as long as this lasts: whoever leaves last stops them.

    A process that is killed leaves too, and the servers stay for the next one.
    """
    directory = prepare(directory)
    try:
        handle = os.open(directory / "run" / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(directory, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)  # somebody may be stopping them: then wait, and start them anew
        yield
    finally:
        try:
            with contextlib.suppress(BlockingIOError):  # another still uses them
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stop(directory)
        finally:
            os.close(handle)


def alive(directory: Path, *, postgres: bool = True, valkey: bool = True) -> bool:
    """Tell cheaply whether the wanted servers' processes live. It says nothing about their answers."""
    reap()
    return (not postgres or leader_of(directory / "postgres") is not None) and (
        not valkey or bool(processes_of(directory / "valkey", "-server"))
    )


def running(directory: Path) -> Servers | None:
    """Return the addresses when both servers answer now, without starting anything."""
    directory = directory.resolve()
    sockets = known_sockets(directory)
    if sockets is None or not alive(directory):
        return None
    servers = addresses(sockets)
    answers = postgres_answers(servers.owner_url) is None and valkey_answers(sockets)
    return servers if answers else None
