"""PostgreSQL's settings as they follow the memory that it may use. The same numbers advise an operator's own server."""

EMBEDDED_SHARE = 2  # web, worker and PostgreSQL are on one machine: half of its memory is PostgreSQL's
SMALL_MIB = 256  # what servers of tests and benchmarks count on


def sized(share_mib: int, connections: int) -> dict[str, str]:
    """Settings for a PostgreSQL that may use `share_mib` MiB and takes `connections`, on a disk without moving parts.

    Bounds, in MB: a quarter of the share for the pages that it keeps itself (64 to 16384), an eighth for what connections sort and
    hash, divided by their number (4 to 64 each), a thirty-second for making an index or cleaning a table (32 to 1024), and as
    much of the log before a checkpoint as a burst of work writes (512 to 8192: that is disk, not memory). The planner is told
    that three quarters of the share hold pages, its own and the system's.
    """
    shared = _between(64, share_mib // 4, 16384)
    log = _between(512, share_mib // 4, 8192)
    megabytes = {
        "shared_buffers": shared,
        "effective_cache_size": max(512, share_mib * 3 // 4),
        "work_mem": _between(4, share_mib // 8 // connections, 64),
        "maintenance_work_mem": _between(32, share_mib // 32, 1024),
        "wal_buffers": _between(4, shared // 32, 16),
        "max_wal_size": log,
        "min_wal_size": _between(80, log // 8, 1024),
    }
    return {
        **{name: f"{value}MB" for name, value in megabytes.items()},
        "max_connections": str(connections),
        "random_page_cost": "1.1",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
    }


def _between(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))
