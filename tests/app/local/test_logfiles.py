"""Logs turn over while their writer goes on."""

import os
from pathlib import Path

from app import local
from app.local.logfiles import LOG_BYTES


def test_logs_turn_over_when_they_have_grown_and_their_writer_goes_on(tmp_path: Path) -> None:
    local.prepare(tmp_path)
    path = tmp_path / "log" / "web.log"
    with path.open("ab") as writer:
        for generation in range(5):
            writer.write(str(generation).encode())
            writer.flush()
            os.truncate(path, LOG_BYTES + 1)
            assert local.log_file(tmp_path, "web") == path
        writer.write(b"on")
        writer.flush()
        local.turn_over(path)
    kept = {p.name: p.read_bytes()[:2].strip(b"\0") for p in (tmp_path / "log").iterdir()}
    assert kept == {"web.log": b"on", "web.log.1": b"4", "web.log.2": b"3", "web.log.3": b"2"}
