"""The embedded PostgreSQL: its data made, its settings written, started, adopted, or brought back after a kill."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from app.errors import SetupError
from app.local.binaries import Binaries
from app.local.folder import START_SECONDS
from app.local.identity import Identity
from app.local.logfiles import log_file, tail
from app.local.processes import PROC, SILENT_SECONDS, STARTED, end_processes, leader_of, pid_in_file, processes_of
from app.local.sockets import APPLICATION, OWNER, addresses, make_private
from app.messages import N_

ENOUGH_SHARED_BYTES = 512 * 1024 * 1024


def start_postgres(
    directory: Path,
    sockets: Path,
    identity: Identity,
    binaries: Binaries,
    sizes: Mapping[str, str],
    *,
    durable: bool,
) -> str:
    """`sizes` are settings by name, from app/local/sizing.py. Returns the version."""
    data = directory / "postgres"
    url = addresses(sockets).owner_url
    version = _major(identity, binaries)
    _initialise(data, identity, binaries, version, durable=durable)
    log = log_file(directory, "postgres")
    if leader_of(data) and _postgres_waits(data, url, START_SECONDS):
        _ensure_database(url)
        return version
    end_processes(data, "postgres", (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))
    _configure(data, sockets, identity, version, sizes, durable=durable)
    for _attempt in range(30):
        _clear_stale_pid_file(data)
        with log.open("ab") as output:
            process = identity.popen(
                [str(binaries.pg / "postgres"), "-D", str(data)], stdout=output, stderr=output, start_new_session=True
            )
        STARTED.append(process)
        if _postgres_waits(data, url, START_SECONDS, process):
            _ensure_database(url)
            return version
        # Children of a killed server live on for a moment and hold its shared memory; only that is worth another try.
        if not re.search(r"lock file|shared memory block", tail(log, 4)):
            break
        time.sleep(0.2)
    raise SetupError(
        "postgres_does_not_start",
        N_("PostgreSQL không khởi động được. Lời báo cuối trong %(log)s:\n%(tail)s", log=log, tail=tail(log)),
    )


def _major(identity: Identity, binaries: Binaries) -> str:
    code, output = identity.run([str(binaries.pg / "postgres"), "--version"], 20)
    found = re.search(r"\(PostgreSQL\) (\d+)", output)
    if code or not found or int(found[1]) < 15:  # noqa: PLR2004 - the oldest release that we promise
        raise SetupError(
            "postgres_binary",
            N_(
                "Lệnh PostgreSQL ở %(pg)s không dùng được (cần bản 15 trở lên): %(output)s",
                pg=binaries.pg,
                output=output.strip(),
            ),
        )
    return found[1]


def _initialise(data: Path, identity: Identity, binaries: Binaries, version: str, *, durable: bool) -> None:
    """Make the data directory whole or not at all: an interrupted initdb leaves only a directory that the next one replaces."""
    if (data / "PG_VERSION").exists():
        make_private(data, identity)
        kept = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        if kept != version:
            raise SetupError(
                "postgres_other_version",
                N_(
                    "Dữ liệu ở %(data)s thuộc PostgreSQL %(kept)s, còn lệnh đi kèm là bản %(version)s. Đặt HOI_PG_BIN "
                    "tới lệnh bản %(kept)s, hoặc nâng cấp dữ liệu bằng pg_upgrade (docs/operator.md)",
                    data=data,
                    kept=kept,
                    version=version,
                ),
            )
        return
    fresh = data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    make_private(fresh, identity)
    # Not every host has ICU or vi_VN; the built-in locale knows Vietnamese letters on all of them. It exists since 17.
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    locale = builtin if int(version) >= 17 else ["--locale=C.UTF-8"]  # noqa: PLR2004
    sync = [] if durable else ["--no-sync"]
    command = [
        str(binaries.pg / "initdb"),
        "-D",
        str(fresh),
        "--encoding=UTF8",
        *locale,
        "--auth=trust",
        f"--username={OWNER}",
    ]
    code, output = identity.run([*command, *sync])
    if code:
        raise SetupError(
            "initdb_failed",
            N_("Không tạo được dữ liệu PostgreSQL ở %(data)s. Lời báo:\n%(output)s", data=data, output=output[-2000:]),
        )
    fresh.rename(data)


def _configure(
    data: Path, sockets: Path, identity: Identity, version: str, sizes: Mapping[str, str], *, durable: bool
) -> None:
    """Write our settings anew: the checkout may have moved since the last start, or the machine have grown."""
    listed = '"' + str(sockets).replace('"', '""') + '"'
    values = {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": listed,
        "unix_socket_permissions": "0700",
        **sizes,
        "max_wal_senders": "3",
        "max_parallel_workers": "2",
        "autovacuum_max_workers": "2",
        "huge_pages": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_line_prefix": "%m [%p] ",
        "log_lock_waits": "on",
        "log_error_verbosity": "terse",  # DETAIL quotes the row
        "log_min_error_statement": "panic",  # and a statement what somebody typed
    }
    if _little_shared_memory():
        values["dynamic_shared_memory_type"] = "mmap"
    if int(version) >= 18:  # noqa: PLR2004 - the setting's first release
        values["io_method"] = "sync"
    if not durable:
        values |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
    lines = [
        f"{name} = '{value.replace(chr(92), chr(92) * 2).replace(chr(39), chr(39) * 2)}'\n"
        for name, value in values.items()
    ]
    own = data / "hoi.conf"
    new = data / "hoi.conf.new"
    new.write_text(
        "# Hồi viết lại tệp này mỗi lần chạy; sửa ở postgresql.auto.conf (ALTER SYSTEM).\n" + "".join(lines),
        encoding="utf-8",
    )
    os.chown(new, identity.owner_uid, identity.owner_gid)
    new.replace(own)
    main = data / "postgresql.conf"
    include = "include_if_exists = 'hoi.conf'"
    if include not in main.read_text(encoding="utf-8", errors="replace").splitlines():
        with main.open("a", encoding="utf-8") as file:
            file.write(f"\n{include}\n")


def _little_shared_memory() -> bool:
    """Containers get 64 MB of /dev/shm, which a join by several processes fills: then it goes to files beside the data."""
    try:
        facts = os.statvfs("/dev/shm")  # noqa: S108 - PostgreSQL's own place
    except OSError:
        return True
    return facts.f_blocks * facts.f_frsize < ENOUGH_SHARED_BYTES


def _clear_stale_pid_file(data: Path) -> None:
    """Remove postmaster.pid when it cannot be a running server's: cut short, or its number is another program's by now.

    With a dead number it stays: PostgreSQL itself then checks that nobody holds the shared memory it names.
    """
    deadline = time.monotonic() + 15
    while processes_of(data, "postgres"):  # children that outlive a killed postmaster for about a second
        if time.monotonic() > deadline:
            end_processes(data, "postgres", (signal.SIGQUIT, signal.SIGKILL))
        time.sleep(0.05)
    path = data / "postmaster.pid"
    if path.exists():
        pid = pid_in_file(data)
        number_is_taken = pid is not None and pid > 0 and PROC.joinpath(str(pid)).exists()
        if pid is None or number_is_taken or len(path.read_text(errors="replace").splitlines()) < 8:  # noqa: PLR2004 - a whole one
            path.unlink()


def _postgres_waits(data: Path, url: str, seconds: float, process: subprocess.Popen[bytes] | None = None) -> bool:
    """Wait until it answers, for as long as it lives and says that it is starting."""
    deadline = time.monotonic() + seconds
    silent_since: float | None = None
    while time.monotonic() < deadline:
        trouble = postgres_answers(url)
        if trouble is None:
            return True
        if (process and process.poll() is not None) or (process is None and leader_of(data) is None):
            return False
        # No socket although the process lives: starting, or its socket was swept away. Time tells them apart.
        silent = "starting up" not in trouble and "recover" not in trouble and "shutting down" not in trouble
        silent_since = (silent_since or time.monotonic()) if silent else None
        if silent_since and time.monotonic() - silent_since > (60 if process else SILENT_SECONDS):
            return False
        time.sleep(0.02)
    return False


def postgres_answers(url: str) -> str | None:
    """None when it answers, else what it said."""
    try:
        with psycopg.connect(
            url.replace(f"/{OWNER}?", "/postgres?", 1), autocommit=True, connect_timeout=5
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error)
    return None


def _ensure_database(url: str) -> None:
    try:
        with psycopg.connect(
            url.replace(f"/{OWNER}?", "/postgres?", 1), autocommit=True, connect_timeout=10
        ) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", (OWNER,)).fetchone() is None:
                connection.execute(f"CREATE DATABASE {OWNER}")
            _ensure_application_login(connection)
    except psycopg.Error as error:
        raise SetupError(
            "database_not_made",
            N_(
                "PostgreSQL đã chạy nhưng không mở được cơ sở dữ liệu %(owner)s: %(error)s\n  Chạy lại lệnh; nếu "
                "vẫn vậy, xem var/log/postgres.log",
                owner=OWNER,
                error=error,
            ),
        ) from error


def _ensure_application_login(connection: psycopg.Connection) -> None:
    """The login of the web and of every worker, without any power; in data of an older Hồi it was a role that nobody signed in as."""
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (APPLICATION,)).fetchone() is None:
        connection.execute(f"CREATE ROLE {APPLICATION}")
    connection.execute(
        f"ALTER ROLE {APPLICATION} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS"
    )
    held = connection.execute(
        "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
        " WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = %s)",
        (APPLICATION,),
    )
    for (name,) in held.fetchall():
        connection.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(name), sql.Identifier(APPLICATION)))
