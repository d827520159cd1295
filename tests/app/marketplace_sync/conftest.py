"""A cooperative with one product, on a province with one counted floor: the simulated one."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from woo_double import Pictures, WooDouble

from app.db import Database
from app.settings import Settings
from tests.worlds.shop import World, make_world


@pytest.fixture(scope="session")
def pictures() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def shop(tmp_path: Path, pictures: str) -> Iterator[WooDouble]:
    double = WooDouble(tmp_path, pictures)
    yield double
    double.stop()


@pytest.fixture
def world(fresh_database: Database, settings: Settings, shop: WooDouble) -> World:
    return make_world(fresh_database, settings.model_copy(update={"database_url": fresh_database.url}), shop)


@pytest.fixture
def listing_id(world: World) -> UUID:
    """The one product, on sale on the one floor."""
    listing_id = world.want()
    world.push(listing_id)
    return listing_id
