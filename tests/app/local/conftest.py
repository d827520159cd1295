"""A directory for servers of the test's own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import local
from app.local.sockets import known_sockets


@pytest.fixture
def home() -> Iterator[Path]:
    """A short directory that other users may pass through; pytest's own is closed to them."""
    path = Path(tempfile.mkdtemp(prefix="hl-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    for var in {path, *(p.parent.parent for p in path.rglob("run/servers.lock"))}:
        short = known_sockets(var)
        local.stop(var)
        if short is not None and not short.is_relative_to(path):
            shutil.rmtree(short, ignore_errors=True)
    shutil.rmtree(path)
