"""The layer before a Flask that says who it is, on a store that can be told to be away."""

from collections.abc import Callable

import pytest

from app.front.layer import Front
from app.front.scans import Scans
from app.front.spool import Tally
from app.settings import Settings
from tests.app.front.pages import Store, flask


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def written() -> list[Tally]:
    return []


@pytest.fixture
def scans(written: list[Tally]) -> Scans:
    return Scans(written.extend)


@pytest.fixture
def app(settings: Settings, store: Store, scans: Scans) -> Front:
    return Front(settings, flask, store, scans)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let this many seconds pass for the layer."""
    now = [1000.0]
    for module in ("layer", "scans"):
        monkeypatch.setattr(f"app.front.{module}.monotonic", lambda: now[0])

    def pass_by(by: float) -> None:
        now[0] += by

    return pass_by
