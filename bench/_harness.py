"""What benchmarks share: the servers of a run, our own load client, and the one JSON object they print last.

The client is our own because a fresh machine has nothing but Python. It keeps a fixed number of connections busy with one
request each, as `wrk` does, in processes of its own; baseline and value are loaded by the same client, so that what the client
costs is the same on both sides. Run as a module it is one such process: `python -m bench._harness PORT CONNECTIONS SECONDS`, with the
paths on standard input.
"""

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import NoReturn

from app.settings import ROOT, child_environment

HEAD = b" HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\n\r\n"
LENGTH = b"content-length: "
RUNS = 5


# --- the client --------------------------------------------------------------------------------------------------


def load(port: int, connections: int, seconds: float, paths: Sequence[str]) -> dict[str, float]:
    """Keep every connection busy for so long. Returns answers, answers other than 200, and answers a second."""
    requests = cycle([b"GET " + path.encode() + HEAD for path in paths])
    poller = select.epoll()
    sockets: dict[int, socket.socket] = {}
    waiting: dict[int, int] = {}  # bytes of the answer that are still to come; -1: its head is
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[one.fileno()] = one
        poller.register(one.fileno(), select.EPOLLIN)
    answered = wrong = 0
    began = time.perf_counter()
    end = began + seconds
    for number, one in sockets.items():
        one.send(next(requests))
        waiting[number] = -1
    while time.perf_counter() < end:
        for number, _ in poller.poll(0.5):
            one = sockets[number]
            data = one.recv(262144)
            left = waiting[number]
            if left < 0:
                head = data.find(b"\r\n\r\n")
                at = data.find(LENGTH, 0, head)
                if head < 0 or at < 0:
                    raise RuntimeError(f"not an answer that this client reads: {data[:200]!r}")
                left = int(data[at + len(LENGTH) : data.find(b"\r", at)]) - (len(data) - head - 4)
                wrong += data[9:12] != b"200"
            else:
                left -= len(data)
            if left == 0:
                answered += 1
                one.send(next(requests))
                left = -1
            waiting[number] = left
    took = time.perf_counter() - began
    for one in sockets.values():
        one.close()
    return {"answered": answered, "wrong": wrong, "seconds": took}


def loaded(port: int, paths: Sequence[str], *, connections: int = 32, seconds: float = 3.0) -> float:
    """Answers a second, asked by a client in a process of its own."""
    client = subprocess.run(
        [sys.executable, "-m", "bench._harness", str(port), str(connections), str(seconds)],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=seconds + 60,
    )
    result = json.loads(client.stdout)
    assert result["wrong"] == 0, f"{result['wrong']} of {result['answered']} answers were not 200"
    return float(result["answered"] / result["seconds"])


# --- the servers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """One granian with its worker, started as the supervisor starts the web."""

    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """Processor time of the server and its worker so far."""
        ticks = 0
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError):
                fields = status.read_text().rsplit(")", 1)[1].split()
                if int(fields[2]) == self.process.pid:  # its process group
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """Send the whole group what it cannot catch."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def served(
    application: str, *, probe: str, factory: bool = True, interface: str = "wsgi", **settings: object
) -> Iterator[Server]:
    """Granian with `application` on a free port, ready when `probe` answers 200. Without an interface it is a module of ours that
    starts granian itself.
    """
    own = ("--interface", interface, *(("--factory",) if factory else ()), application)
    started = ("granian", *own) if interface else (application,)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", *started),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            *(("--blocking-threads", "8") if interface == "wsgi" else ()),
            *("--no-ws", "--log-level", "error", "--workers-kill-timeout", "4"),
        ],
        cwd=ROOT,
        env=child_environment(clean=True, web_port=port, log_level="ERROR", secret_key="b" * 32, **settings),
        start_new_session=True,
    )
    try:
        with ended_with_us(process.pid, signal.SIGTERM):
            ready(port, probe)
            yield Server(process, port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=8)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def ended_with_us(group: int, number: signal.Signals) -> Iterator[None]:
    """Within this, the process group gets the signal also when the benchmark is killed by one that nobody can catch."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "bench._watcher", str(group), str(int(number))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watcher.communicate(b"we end it ourselves")


def ready(port: int, path: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"no answer from port {port} within {seconds:g} s")


# --- the run and its result --------------------------------------------------------------------------------------------------


def run(main: Callable[[], int]) -> NoReturn:
    """Run a benchmark to its exit code. A signal that asks it to end unwinds it first, so that nothing stays running."""

    def leave(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough: the way out takes a few seconds
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    sys.exit(main())


def alternated(
    baseline: Callable[[], float], value: Callable[[], float], *, runs: int = RUNS
) -> tuple[float, float, float]:
    """Medians of baseline and value measured in turn, and the median of the ratios of neighbours.

    Neighbours share the machine's mood, which on shared cores differs by a third between minutes.
    """
    pairs = [(baseline(), value()) for _ in range(runs)]
    return (
        statistics.median(b for b, _ in pairs),
        statistics.median(v for _, v in pairs),
        statistics.median(v / b for b, v in pairs),
    )


def enough_runs(spelled: str) -> int:
    """Parse a number of runs. Raises argparse's error below the number whose median is worth telling."""
    if (runs := int(spelled)) < RUNS:
        raise argparse.ArgumentTypeError(f"{runs} runs are too few: {RUNS} or more")
    return runs


def report(*, ok: bool, **result: object) -> int:
    """Print the one line that other programs read; it must come last. Returns the exit code: 1 when a goal was missed."""
    print(json.dumps({**result, "ok": ok}, ensure_ascii=False))
    return 0 if ok else 1


if __name__ == "__main__":
    port_, connections_, seconds_ = sys.argv[1:4]
    print(json.dumps(load(int(port_), int(connections_), float(seconds_), sys.stdin.read().split("\n"))))
