"""Keeps the processes of one installation alive: starts them, waits until they answer, restarts the fallen, ends them in order."""

import contextlib
import errno
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import SetupError
from app.local import log_file, tail, turn_over, unwritable
from app.settings import ROOT

MARK = "HOI_SUPERVISED_FROM"  # in the environment of every child: finds what a killed supervisor left behind
CALM_SECONDS = 30  # a child that lived this long restarts at once
WEB_KILL_SECONDS = 4
TURN_SECONDS = 5.0  # how often the size of logs is looked at
BACKOFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)

# A child ends with its supervisor, also when that one is killed. Between fork and this call the supervisor may have gone already.
_LEASH = (
    "import ctypes, os, sys\n"
    "if sys.platform == 'linux': ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep. `ready` says whether it answers; without it, living is enough."""

    name: str
    label: str
    command: tuple[str, ...]
    ready: Callable[[], bool] | None = None
    stop_seconds: float = 4.0
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Kept:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    falls: int = 0
    again_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """The processes of one directory. Use from the main thread: children end when the thread that started them ends.

    `servers_alive` and `mend_servers` let it look after servers that are no children of its own.
    """

    directory: Path
    environment: Mapping[str, str]
    say: Callable[[str], None]
    servers_alive: Callable[[], bool] = lambda: True
    mend_servers: Callable[[], object] = lambda: None
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _mend_at: float = 0.0
    _turn_at: float = 0.0

    def start(self, child: Child) -> None:
        """Raise SetupError when the machine does not let it start, for want of room on the disk for one."""
        self._kept[child.name] = _Kept(child)
        try:
            self._launch(self._kept[child.name])
        except OSError as error:
            raise _refused(self.directory, error) from error

    def wait_ready(self, name: str, seconds: float = 60) -> None:
        """Raise SetupError with the end of its log when it falls or does not answer in time."""
        kept = self._kept[name]
        deadline = time.monotonic() + seconds
        while kept.process is not None and kept.process.poll() is None and time.monotonic() < deadline:
            if kept.child.ready is None or kept.child.ready():
                return
            time.sleep(0.03)
        log = self.directory / "log" / f"{name}.log"
        raise SetupError(
            "process_does_not_start",
            vi=f"{kept.child.label} không khởi động được. Lời báo cuối trong {log}:\n{tail(log)}",
            en=f"{kept.child.label} does not start. The end of {log}:\n{tail(log)}",
        )

    def tend(self) -> None:
        """Look once at everything that should live, and restart what does not. Never raises, whatever is full or fallen."""
        now = time.monotonic()
        if now >= self._mend_at:
            self._tend_servers()
        for kept in self._kept.values():
            self._tend_one(kept, now)
        if now >= self._turn_at:
            self._turn_logs(now)

    def _tend_servers(self) -> None:
        try:
            if self.servers_alive():
                return
            self._tell("! Máy chủ dữ liệu vừa dừng, đang khởi động lại…")
            self.mend_servers()
            self._tell("✓ Máy chủ dữ liệu đã chạy lại")
        except (SetupError, OSError) as error:
            self._tell(f"✗ {_refused(self.directory, error).vi}")
            self._mend_at = time.monotonic() + BACKOFF_SECONDS[-1]

    def _tend_one(self, kept: _Kept, now: float) -> None:
        if kept.process is not None and (code := kept.process.poll()) is not None:
            _kill_group(kept.process.pid)  # its own children must not hold a port or a task
            kept.process = None
            wait = self._wait_longer(kept, now)
            self._tell(f"! {kept.child.label} vừa dừng ({_why(code)}), chạy lại sau {vietnamese_seconds(wait)}")
            if kept.falls == 3:  # noqa: PLR2004 - once, when it no longer looks like chance
                log = self.directory / "log" / f"{kept.child.name}.log"
                self._tell(f"  Lời báo cuối trong {log}:\n{tail(log)}")
        if kept.process is None and kept.again_at is not None and now >= kept.again_at:
            try:
                self._launch(kept)
            except OSError as error:
                wait = self._wait_longer(kept, now)
                self._tell(f"✗ {kept.child.label} chưa chạy lại được, thử lại sau {vietnamese_seconds(wait)}")
                self._tell(f"  {_refused(self.directory, error).vi}")

    def _wait_longer(self, kept: _Kept, now: float) -> float:
        """Count a fall and set when to try again. Returns the seconds until then."""
        kept.falls = 0 if now - kept.started > CALM_SECONDS else kept.falls + 1
        kept.started = now  # what does not start has not been calm either
        wait = BACKOFF_SECONDS[min(kept.falls, len(BACKOFF_SECONDS) - 1)]
        kept.again_at = now + wait
        return wait

    def _turn_logs(self, now: float) -> None:
        self._turn_at = now + TURN_SECONDS
        try:
            for path in (self.directory / "log").glob("*.log"):
                turn_over(path)
        except OSError as error:
            self._tell(f"✗ {_refused(self.directory, error).vi}")
            self._turn_at = now + 10 * TURN_SECONDS

    def _tell(self, message: str) -> None:
        with contextlib.suppress(
            OSError
        ):  # what shows our words may be full or closed; the processes are still ours to keep
            self.say(message)

    def _launch(self, kept: _Kept) -> None:
        leash = (sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()))
        with log_file(self.directory, kept.child.name).open("ab") as output:
            kept.process = subprocess.Popen(
                [*leash, *kept.child.command],
                cwd=ROOT,
                env={**self.environment, **kept.child.environment, MARK: str(self.directory)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end them in order
            )
        kept.started, kept.again_at = time.monotonic(), None
        with contextlib.suppress(OSError):  # for people to read; it runs without
            (self.directory / "run" / f"{kept.child.name}.pid").write_text(f"{kept.process.pid}\n", encoding="ascii")

    def pids(self) -> dict[str, int]:
        return {name: kept.process.pid for name, kept in self._kept.items() if kept.process is not None}

    def stop(self, names: tuple[str, ...] | None = None) -> None:
        """End these together, or all; the stubborn are killed after their `stop_seconds`."""
        chosen = [kept for name, kept in self._kept.items() if names is None or name in names]
        alive = [kept for kept in chosen if kept.process is not None]
        for kept in alive:
            _signal(kept, signal.SIGTERM)
        for kept in alive:
            if kept.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    kept.process.wait(kept.child.stop_seconds)
                _kill_group(kept.process.pid)
                kept.process.wait()
            (self.directory / "run" / f"{kept.child.name}.pid").unlink(missing_ok=True)
        for kept in chosen:
            self._kept.pop(kept.child.name, None)


def _refused(directory: Path, error: SetupError | OSError) -> SetupError:
    """What the machine refused, in words that say the way out."""
    if isinstance(error, SetupError):
        return error
    if error.errno in {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}:
        return SetupError(
            "no_memory",
            vi="Máy hết bộ nhớ, hoặc hết số tiến trình hay tệp mở cho phép. Hãy tắt bớt chương trình khác; xem bằng: free -m; ulimit -a",
            en="The machine has no memory, process or open file left. End other programs; see: free -m; ulimit -a",
        )
    return unwritable(directory, error)


def _signal(kept: _Kept, number: signal.Signals) -> None:
    if kept.process is not None and kept.process.poll() is None:
        kept.process.send_signal(number)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _why(code: int) -> str:
    return f"tín hiệu {signal.Signals(-code).name}" if code < 0 else f"mã {code}"


def vietnamese_seconds(seconds: float) -> str:
    return f"{seconds:.1f} giây".replace(".", ",")


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


# One supervisor per directory, and ports


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


@dataclass(frozen=True, slots=True)
class Port:
    """A free port that no other Hồi on this machine takes while `hold` stays open."""

    number: int
    hold: socket.socket


def free_port(host: str, wanted: int, tries: int = 200) -> Port:
    """Return the first free port from `wanted` on. Raises SetupError when none of `tries` is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    trouble: OSError | None = None
    for number in range(wanted, min(wanted + tries, 65536)):
        hold = socket.socket(socket.AF_UNIX)
        try:
            if sys.platform == "linux":
                # Two that start at once both see the port free; this name, which dies with us, lets only one have it.
                hold.bind(f"\0hoi-port-{number}")
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, number))
                probe.listen(1)
        except OSError as error:
            trouble = error
            hold.close()
        else:
            return Port(number, hold)
    raise SetupError(
        "no_free_port",
        vi=f"Không mở được cổng nào từ {wanted} trên địa chỉ {host} ({trouble}). Hãy chọn cổng khác: HOI_WEB_PORT=9000 ./hoi …",
        en=f"No port from {wanted} on {host} can be opened ({trouble}). Choose another: HOI_WEB_PORT=9000 ./hoi …",
    )


def reached_at(host: str) -> str:
    """Return the address of this machine at which a server that listens on `host` answers."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def answers(host: str, port: int, path: str, seconds: float = 5) -> bool:
    """Tell whether an HTTP server answers 200 there."""
    connection = http.client.HTTPConnection(reached_at(host), port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# The processes of the application, by command line only: the application never imports the worker


def web(host: str, port: int, workers: int, threads: int, metrics: Path | None = None) -> Child:
    """`metrics` is an empty folder where several workers keep their figures together; without it each has its own."""
    together = {"PROMETHEUS_MULTIPROC_DIR": str(metrics)} if metrics is not None and workers > 1 else {}
    return Child(
        name="web",
        label="Web",
        command=(
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "app.front:create"),
            *("--host", host, "--port", str(port), "--workers", str(workers), "--blocking-threads", str(threads)),
            *(
                "--no-ws",
                "--respawn-failed-workers",
                "--respawn-interval",
                "0.5",
                "--workers-kill-timeout",
                str(WEB_KILL_SECONDS),
                "--log-level",
                "warning",
            ),
        ),
        ready=lambda: answers(host, port, "/healthz"),
        stop_seconds=WEB_KILL_SECONDS + 2,  # granian itself must end first, or it could not end its workers
        environment=together,
    )


def relay() -> Child:
    return Child("relay", "Chuyển việc", (sys.executable, "-m", "worker.relay"))


CELERY = (sys.executable, "-m", "celery", "-A", "worker.celery_app:celery")
WORKER = (*CELERY, "worker", "--include", "worker.tasks", "--loglevel", "INFO", "--without-gossip", "--without-mingle")


def worker() -> Child:
    return Child("worker", "Xử lý việc nền", (*WORKER, "--queues", "hoi", "--hostname", "work@%h"), stop_seconds=5)


def caller(threads: int) -> Child:
    """Only what waits for other companies: its threads mostly sleep, and however slow a shop is, work goes on."""
    own = ("--queues", "hoi.calls", "--hostname", "calls@%h", "--pool", "threads", "--concurrency", str(threads))
    return Child("caller", "Gọi ra sàn", (*WORKER, *own), stop_seconds=5)


def scheduler(directory: Path) -> Child:
    schedule = str(directory / "run" / "beat")
    return Child("scheduler", "Hẹn giờ", (*CELERY, "beat", "--schedule", schedule, "--pidfile="))


def double(port: int, directory: Path) -> Child:
    return Child(
        name="double",
        label="Sàn mô phỏng",
        command=(
            *(sys.executable, "-m", "app.marketplace_sync.channels.woocommerce.double"),
            *("--port", str(port), "--state", str(directory / "double.sqlite")),
        ),
        ready=lambda: answers("127.0.0.1", port, "/"),
    )
