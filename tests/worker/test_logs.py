"""Every process of Celery logs as the rest does: one JSON object a line, without people's numbers."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import local, supervisor
from app.settings import ROOT, child_environment
from tests.conftest import make_settings, process_environment


def lines_of(log: str) -> list[dict[str, Any]]:
    """The lines that a logger wrote; Celery's banner is printed, not logged, and speaks before any of them."""
    lines = log.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("{")), len(lines))
    return [json.loads(line) for line in lines[first:]]


@pytest.mark.slow
def test_the_scheduler_logs_our_way(wait_for: Callable[..., Any], tmp_path: Path) -> None:
    var = local.prepare(tmp_path / "var")
    settings = make_settings(var, "postgresql://nobody@/nothing", f"unix://{tmp_path}/nobody.sock")
    keeper = supervisor.Supervisor(var, process_environment(settings), print)
    log = local.log_file(var, "scheduler")
    keeper.start(supervisor.scheduler(var))
    try:
        wait_for(lambda: "Connection error" in log.read_text(encoding="utf-8"), 30, "the scheduler to miss its broker")
    finally:
        keeper.stop()
    found = [line for line in lines_of(log.read_text(encoding="utf-8")) if "Connection error" in line["event"]]
    assert found[0]["level"] == "error"
    assert found[0]["timestamp"].endswith("Z")


def test_what_any_celery_process_logs_is_scrubbed(tmp_path: Path) -> None:
    say = (
        "import logging; from worker.celery_app import celery; celery.log.setup(loglevel='INFO');"
        "logging.getLogger('celery.beat').warning('card of %s', '0912345678')"
    )
    environment = child_environment(clean=True, var=tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", say], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    (line,) = lines_of(run.stderr)
    assert (line["event"], line["level"]) == ("card of [số đã che]", "warning")
    assert run.stdout == ""
