"""A browser, and the demo's province with its real processes and its simulated floor."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from app import local, supervisor
from app.db import Database
from demo.loader import load
from tests.conftest import Run, Running, free_start, make_settings, process_environment


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()


@dataclass(frozen=True, slots=True)
class Province:
    """The demo, as `./hoi demo` brings it up: `url` of the web, `floor` of the simulated floor."""

    running: Running
    database: Database
    floor: str

    @property
    def url(self) -> str:
        return self.running.url


@pytest.fixture
def province(
    fresh_database: Database, redis_url: str, run_processes: Run, tmp_path: Path
) -> Iterator[Callable[..., Province]]:
    """`province("web", "relay", "worker", "caller")`: the demo loaded, those processes and the floor running."""
    with contextlib.ExitStack() as stack:

        def bring_up(*names: str, **values: Any) -> Province:
            var = local.prepare(tmp_path / "var")
            port = supervisor.free_port("127.0.0.1", free_start())
            stack.callback(port.hold.close)
            shared = {"demo": True, "double_port": port.number, **values}
            settings = make_settings(var, fresh_database.url, redis_url, **shared)
            keeper = supervisor.Supervisor(var, process_environment(settings), print)
            stack.callback(keeper.stop)
            keeper.start(supervisor.double(port.number, var))
            load(settings)
            keeper.wait_ready("double")
            running = run_processes(*names, public=True, **shared)
            return Province(running, fresh_database, f"http://127.0.0.1:{port.number}")

        yield bring_up
