"""The embedded Valkey: started, adopted, or begun anew where its files are spoilt."""

import re
import secrets
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from app.errors import SetupError
from app.local.binaries import Binaries
from app.local.folder import START_SECONDS
from app.local.identity import Identity
from app.local.logfiles import log_file, tail
from app.local.processes import SILENT_SECONDS, STARTED, end_processes, processes_of
from app.local.sockets import VALKEY_SOCKET, make_private
from app.messages import N_


def start_valkey(directory: Path, sockets: Path, identity: Identity, binaries: Binaries, *, durable: bool) -> None:
    data = directory / "valkey"
    make_private(data, identity)
    if processes_of(data, "-server"):
        if _valkey_waits(sockets, SILENT_SECONDS, lambda: bool(processes_of(data, "-server"))):
            return
        end_processes(data, "-server", (signal.SIGTERM, signal.SIGKILL))
    log = log_file(directory, "valkey")
    for attempt in range(2):
        if _run_valkey(data, sockets, identity, binaries, log, durable=durable):
            return
        if attempt == 0 and re.search(r"(?i)append.?only|AOF|RDB", tail(log, 4)):
            # The broker is only a doorbell: everything that must not be lost is in PostgreSQL and is sent again.
            data.rename(data.with_name(f"valkey.hong-{secrets.token_hex(3)}"))
            make_private(data, identity)
    raise SetupError(
        "valkey_does_not_start",
        N_("Valkey không khởi động được. Lời báo cuối trong %(log)s:\n%(tail)s", log=log, tail=tail(log)),
    )


def _run_valkey(data: Path, sockets: Path, identity: Identity, binaries: Binaries, log: Path, *, durable: bool) -> bool:
    with log.open("ab") as output:
        process = identity.popen(
            [
                *(str(binaries.valkey), "--port", "0", "--unixsocket", str(sockets / VALKEY_SOCKET)),
                *("--unixsocketperm", "700", "--dir", str(data), "--save", "", "--databases", "64"),
                *("--appendonly", "yes" if durable else "no", "--appendfsync", "everysec"),
                *("--daemonize", "no", "--loglevel", "notice"),
            ],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    STARTED.append(process)
    return _valkey_waits(sockets, START_SECONDS, lambda: process.poll() is None)


def _valkey_waits(sockets: Path, seconds: float, lives: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if valkey_answers(sockets):
            return True
        if not lives():
            return False
        time.sleep(0.02)
    return False


def valkey_answers(sockets: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(sockets / VALKEY_SOCKET))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
