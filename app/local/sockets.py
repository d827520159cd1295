"""The servers' Unix sockets: in a private directory whose path is short enough, and the addresses that lead there."""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from app.local.folder import unwritable
from app.local.identity import Identity

OWNER = "hoi"  # the login that owns the tables, and the database's name
APPLICATION = "hoi_app"  # the login of everything that serves people: it owns nothing and may become nobody else
LONGEST_SOCKET_PATH = 107  # sun_path is 108 bytes with its end mark
PG_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the two servers answer. All addresses are percent-encoded URLs of Unix sockets.

    `owner_url` leads to the same database as its owner, for migrations and copies alone.
    """

    database_url: str
    redis_url: str
    owner_url: str


def _fits(sockets: Path) -> bool:
    # libpq splits a host at commas even when they are percent-encoded.
    return len(os.fsencode(sockets / PG_SOCKET)) <= LONGEST_SOCKET_PATH and "," not in str(sockets)


def _pointer(directory: Path) -> Path:
    return directory / "run" / "sockets.path"


def known_sockets(directory: Path) -> Path | None:
    """The directory of sockets used last, if it is still ours alone."""
    own = directory / "run" / "sockets"
    if _fits(own):
        return own if own.is_dir() else None
    try:
        short = Path(_pointer(directory).read_text(encoding="utf-8").strip())
        facts = short.lstat()
    except OSError:
        return None
    return short if stat.S_ISDIR(facts.st_mode) and stat.S_IMODE(facts.st_mode) == 0o700 else None  # noqa: PLR2004 - private


def sockets_for(directory: Path, identity: Identity) -> Path:
    """A private directory for the sockets: beside the data, or a short one where the path is too long for a socket."""
    own = directory / "run" / "sockets"
    if _fits(own):
        make_private(own, identity)
        return own
    known = known_sockets(directory)
    if known is None or known.lstat().st_uid not in {identity.owner_uid, os.geteuid()}:
        known = Path(tempfile.mkdtemp(prefix="hoi-", dir="/tmp"))  # TMPDIR may be long
        _pointer(directory).write_text(f"{known}\n", encoding="utf-8")
    make_private(known, identity)
    return known


def make_private(path: Path, identity: Identity) -> None:
    """Make the directory if missing, and everything in it the servers' own, closed to others."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        facts = path.stat()
        if facts.st_uid != identity.owner_uid:
            for folder, _, files in os.walk(path):
                for each in (folder, *(os.path.join(folder, name) for name in files)):  # noqa: PTH118 - os.walk gives strings
                    os.chown(each, identity.owner_uid, identity.owner_gid, follow_symlinks=False)
        if stat.S_IMODE(facts.st_mode) != 0o700:  # noqa: PLR2004 - private
            path.chmod(0o700)
    except OSError as error:
        raise unwritable(path, error) from error


def addresses(sockets: Path) -> Servers:
    host = quote(str(sockets), safe="")
    return Servers(
        database_url=f"postgresql://{APPLICATION}@/{OWNER}?host={host}",
        redis_url=f"unix://{quote(str(sockets / VALKEY_SOCKET))}",
        owner_url=f"postgresql://{OWNER}@/{OWNER}?host={host}",
    )
