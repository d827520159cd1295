"""A broker whose files are spoilt starts empty."""

from pathlib import Path

from app import local


def test_a_broker_whose_files_are_spoilt_starts_empty_and_keeps_them_aside(home: Path) -> None:
    local.start(home)
    local.stop(home)
    for file in (home / "valkey" / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"*3\r\nnot an append-only file\r\n" * 20)
    local.start(home)
    assert local.running(home) is not None
    assert len(list(home.glob("valkey.hong-*"))) == 1
