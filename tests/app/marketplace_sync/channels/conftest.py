"""Starts a real WooCommerce double once for these tests."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from woo_double import Pictures, WooDouble


@pytest.fixture(scope="session")
def pictures() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def woo_process(tmp_path_factory: pytest.TempPathFactory, pictures: str) -> Iterator[WooDouble]:
    double = WooDouble(tmp_path_factory.mktemp("woo"), pictures)
    yield double
    with contextlib.suppress(ProcessLookupError):
        double.stop()


@pytest.fixture
def woo(woo_process: WooDouble) -> WooDouble:
    """The shared shop, emptied."""
    woo_process.reset()
    return woo_process


@pytest.fixture
def own_woo(tmp_path: Path, pictures: str) -> Iterator[WooDouble]:
    """A shop of its own, for tests that kill it."""
    double = WooDouble(tmp_path, pictures)
    yield double
    double.stop()
