"""PostgreSQL's settings follow the machine's memory, within bounds, and a server starts with them."""

from pathlib import Path

import pytest

from app import local
from app.local.sizing import EMBEDDED_SHARE, sized
from tests.app.local.asking import query

NAMES = ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "max_wal_size", "min_wal_size")


@pytest.mark.parametrize(
    ("gib", "connections", "wanted"),
    [
        (1, 58, (128, 512, 4, 32, 512, 80)),
        (2, 77, (256, 768, 4, 32, 512, 80)),
        (4, 77, (512, 1536, 4, 64, 512, 80)),
        (8, 115, (1024, 3072, 4, 128, 1024, 128)),
        (24, 115, (3072, 9216, 13, 384, 3072, 384)),
        (64, 343, (8192, 24576, 11, 1024, 8192, 1024)),
        (256, 58, (16384, 98304, 64, 1024, 8192, 1024)),
    ],
)
def test_the_share_of_a_machine_that_holds_everything(gib: int, connections: int, wanted: tuple[int, ...]) -> None:
    settings = sized(gib * 1024 // EMBEDDED_SHARE, connections)
    assert tuple(int(settings[name].removesuffix("MB")) for name in NAMES) == wanted
    assert (settings["max_connections"], settings["random_page_cost"]) == (str(connections), "1.1")


@pytest.mark.parametrize("gib", [1, 2, 4, 8, 24, 64])
def test_what_all_connections_sort_at_once_fits_beside_the_pages(gib: int) -> None:
    """Below that a connection still gets PostgreSQL's own default."""
    share = gib * 512
    settings = {name: int(value.removesuffix("MB")) for name, value in sized(share, 115).items() if "MB" in value}
    assert settings["work_mem"] == 4 or settings["shared_buffers"] + 115 * settings["work_mem"] <= share * 3 // 8


def test_a_server_starts_with_the_share_of_the_memory_it_is_told(home: Path) -> None:
    servers = local.start(home, durable=False, connections=40, memory_mib=24 * 1024)
    shown = [
        query(servers, f"SHOW {name}") for name in ("shared_buffers", "work_mem", "max_connections", "max_wal_size")
    ]
    assert shown == ["3GB", "38MB", "40", "3GB"]


def test_a_server_that_is_told_nothing_stays_small(home: Path) -> None:
    servers = local.start(home, durable=False)
    shown = [query(servers, f"SHOW {name}") for name in ("shared_buffers", "work_mem", "max_wal_size")]
    assert shown == ["64MB", "4MB", "512MB"]
