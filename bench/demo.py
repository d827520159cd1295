"""Seconds from `./hoi demo` on a set-up machine to the first page answered, and the memory of all its processes.

Each run starts in an empty folder of its own, so the database is made, migrated and filled every time. Memory is the sum
of the proportional set sizes (PSS) of everything the command started, taken while the demo is at rest.
"""

import os
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench import _harness as harness

ROOT = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 15.0
LIMIT_MIB = 1200.0
AT_REST_AFTER = 20.0


def main() -> int:
    seconds: list[float] = []
    mebibytes: list[float] = []
    for number in range(harness.RUNS):
        first_page, memory = one_run(measure_memory=number == harness.RUNS - 1)
        seconds.append(first_page)
        if memory is not None:
            mebibytes.append(memory)
        print(f"run {number + 1}/{harness.RUNS}: first page after {first_page:.1f} s", file=sys.stderr)
    value = round(statistics.median(seconds), 2)
    memory = round(max(mebibytes), 1)
    return harness.report(
        name="demo",
        unit="s",
        value=value,
        baseline=LIMIT_SECONDS,
        ratio=round(value / LIMIT_SECONDS, 3),
        better="lower",
        goal=LIMIT_SECONDS,
        ok=value <= LIMIT_SECONDS and memory <= LIMIT_MIB,
        runs=harness.RUNS,
        seconds=[round(s, 2) for s in seconds],
        memory_mib_pss=memory,
        memory_goal_mib=LIMIT_MIB,
    )


def one_run(*, measure_memory: bool) -> tuple[float, float | None]:
    with tempfile.TemporaryDirectory(prefix="hoi-bench-") as folder:
        started = time.monotonic()
        demo = subprocess.Popen(
            [str(ROOT / "hoi"), "demo"],
            env={**os.environ, "HOI_VAR": folder},  # noqa: TID251 - a benchmark starts the command as a person would
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            with harness.ended_with_us(demo.pid, signal.SIGINT):
                address = wait_for_address(demo)
                wait_for_page(address)
                first_page = time.monotonic() - started
                memory = None
                if measure_memory:
                    drain(demo, AT_REST_AFTER)
                    memory = pss_mib(demo.pid)
                return first_page, memory
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=60)


def wait_for_address(demo: subprocess.Popen[str]) -> str:
    assert demo.stdout is not None
    for line in demo.stdout:
        found = re.search(r"Web .*?(http://\S+)", line)
        if found:
            return found.group(1)
    message = "the demo ended before it said its address"
    raise RuntimeError(message)


def wait_for_page(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - our own address
                answer.read()
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def drain(demo: subprocess.Popen[str], seconds: float) -> None:
    """Wait while the background work of the first minute ends; the pipe is small, so keep it empty."""
    assert demo.stdout is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        readable, _, _ = select.select([demo.stdout], [], [], 0.2)
        if readable:
            os.read(demo.stdout.fileno(), 65536)


def pss_mib(root_pid: int) -> float:
    """PSS of a process and all that came of it, by parent, session and process group of the started servers."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    family = {root_pid}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family and pid not in family}
        family |= more
        grown = bool(more)
    family |= servers_of(family)
    return sum(pss_kib(pid) for pid in family) / 1024


def servers_of(family: set[int]) -> set[int]:
    """PostgreSQL and Valkey detach themselves; they are found by the benchmark's folder in their command lines."""
    found: set[int] = set()
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "hoi-bench-" in text:
            found.add(int(cmdline.parent.name))
    detached = found - family
    children = {int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if parent_of(stat) in detached}
    return detached | children


def parent_of(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def pss_kib(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return float(next((line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")), 0))


if __name__ == "__main__":
    harness.run(main)
