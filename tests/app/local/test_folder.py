"""A directory that cannot be used is named, and one process at a time starts or stops its servers."""

import os
import threading
from pathlib import Path

import pytest

from app import local
from app.errors import SetupError
from app.local.folder import exclusive


def test_a_directory_that_cannot_be_made_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError) as refused:
        local.prepare(tmp_path / "file" / "var")
    assert refused.value.code == "directory_not_writable"
    assert f"sudo chown -R {os.getuid()} " in refused.value.text("vi")


def test_a_stop_waits_for_a_start_of_another_process(home: Path) -> None:
    local.prepare(home)
    order: list[str] = []

    def stop() -> None:
        local.stop(home)
        order.append("stopped")

    with exclusive(home):
        thread = threading.Thread(target=stop)
        thread.start()
        order.append("started")
    thread.join(10)
    assert order == ["started", "stopped"]
