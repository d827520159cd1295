"""Starts children, waits until they answer, restarts the fallen, ends them in order."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import SetupError
from app.local import log_file, tail, turn_over, unwritable
from app.messages import N_
from app.settings import ROOT

MARK = "HOI_SUPERVISED_FROM"  # in the environment of every child: finds what a killed supervisor left behind
CALM_SECONDS = 30  # a child that lived this long restarts at once
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
            N_(
                "%(label)s không khởi động được. Lời báo cuối trong %(log)s:\n%(tail)s",
                label=kept.child.label,
                log=log,
                tail=tail(log),
            ),
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
            self._tell(f"✗ {_refused(self.directory, error).text('vi')}")
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
                self._tell(f"  {_refused(self.directory, error).text('vi')}")

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
            self._tell(f"✗ {_refused(self.directory, error).text('vi')}")
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
            N_(
                "Máy hết bộ nhớ, hoặc hết số tiến trình hay tệp mở cho phép. Hãy tắt bớt chương trình khác; xem "
                "bằng: free -m; ulimit -a"
            ),
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
