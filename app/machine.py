"""The machine as this process may use it: cores and memory, as far as a container's limits let it."""

import os
from collections.abc import Iterator
from pathlib import Path

MIB = 1024 * 1024
MOST_WEB_PROCESSES = 16  # each may hold twenty connections to PostgreSQL; more is a second machine's
WEB_PROCESS_MIB = 170  # one of them after a day's work, with the pages that it keeps
WEB_SHARE = 4  # of the memory, a quarter is for the web


def cores() -> int:
    """Cores that this process may run on, and of which the container's quota leaves it the time."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, quota_cores() or allowed))


def quota_cores(root: Path = Path("/")) -> int | None:
    """Whole cores of the tightest quota of a control group, at least one; None without any."""
    quotas = []
    for folder in _groups(root, "cpu"):
        period, quota = 0, 0
        if (told := _words(folder / "cpu.max")) and told[0] != "max":
            quota, period = int(told[0]), int(told[1])
        elif (told := _words(folder / "cpu.cfs_quota_us")) and int(told[0]) > 0:
            quota, period = int(told[0]), int((_words(folder / "cpu.cfs_period_us") or ["100000"])[0])
        if period:
            quotas.append(max(1, quota // period))
    return min(quotas, default=None)


def memory_mib(root: Path = Path("/")) -> int:
    """MiB of memory: the machine's, or what the tightest control group lets us have of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    files = [f / name for f in _groups(root, "memory") for name in ("memory.max", "memory.limit_in_bytes")]
    limits = [int(told[0]) for file in files if (told := _words(file)) and told[0] != "max"]
    return max(1, min([total, *limits]) // MIB)


def web_processes(cores_: int, memory: int) -> int:
    """How many web processes use so many cores and fit into so many MiB: one for each core, from 1 to MOST_WEB_PROCESSES."""
    return max(1, min(cores_, memory // WEB_SHARE // WEB_PROCESS_MIB, MOST_WEB_PROCESSES))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of our control groups from our own up to the top, of version 2 and of version 1.

    In a container the path may be the one outside: then only the top is there, and it is the container's own.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        number, names, path = line.split(":", 2)
        if number != "0" and controller not in names.split(","):
            continue
        top = root / "sys/fs/cgroup" if number == "0" else root / "sys/fs/cgroup" / controller
        own = Path(path.lstrip("/"))
        for part in (own, *own.parents):
            yield top / part


def _words(file: Path) -> list[str] | None:
    try:
        return file.read_text(encoding="ascii").split() or None
    except (OSError, UnicodeDecodeError):
        return None
