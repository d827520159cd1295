"""A directory for an installation that a test starts."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import local


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hc-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    local.stop(path / "var")
    shutil.rmtree(path)
