"""No scan is lost or counted twice, in memory, on disk or on its way to the database."""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.db import Database, new_id
from app.front.scans import SAVE_SECONDS, Scans, TallyWriter
from app.front.spool import Spool, Tally, spool_in
from app.settings import Settings
from tests.app.front.pages import CODE, counted, tallied


def test_a_flush_whose_outcome_is_unknown_is_sent_again_under_the_same_ids(written: list[Tally]) -> None:
    failures = iter([psycopg.OperationalError(), psycopg.OperationalError()])
    tried: list[list[Tally]] = []

    def write(tallies: list[Tally]) -> None:
        tried.append(list(tallies))
        for failure in failures:
            raise failure
        written.extend(tallies)

    scans = Scans(write)
    scans.count(CODE)
    scans.count(CODE)
    assert not scans.flush()
    scans.count(CODE)
    scans.count("other")
    assert not scans.flush()
    assert scans.flush()
    assert tried[0] == tried[1] == tried[2]
    assert sorted((t.code, t.scans) for t in written) == sorted([(CODE, 2), (CODE, 1), ("other", 1)])


def test_many_threads_count_exactly_while_flushes_go_on(written: list[Tally], scans: Scans) -> None:
    done = threading.Event()

    def count() -> None:
        for _ in range(5000):
            scans.count(CODE)

    def flush() -> None:
        while not done.is_set():
            scans.flush()

    threads = [threading.Thread(target=count) for _ in range(8)]
    flusher = threading.Thread(target=flush)
    for thread in (flusher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    flusher.join()
    assert counted(scans, written) == {CODE: 40000}


def away(_tallies: list[Tally]) -> None:
    raise psycopg.OperationalError


def kill(spool: Spool) -> None:
    """What the end of its process does."""
    assert spool._handle is not None
    os.close(spool._handle)


def test_what_the_database_did_not_take_is_on_disk_and_written_by_the_next_process(
    tmp_path: Path, written: list[Tally]
) -> None:
    first = Spool(tmp_path / "scans")
    scans = Scans(away, spool=first)
    for code in (CODE, CODE, "other"):
        scans.count(code)
    assert not scans.flush()
    scans.count(CODE)
    scans.save(after_seconds=0)
    second = Spool(tmp_path / "scans")
    second.adopt(written.extend)
    assert written == [], "its process lives"
    kill(first)
    with pytest.raises(psycopg.OperationalError):
        second.adopt(away)
    second.adopt(written.extend)
    second.adopt(written.extend)
    assert sorted((t.code, t.scans) for t in written) == [(CODE, 1), (CODE, 2), ("other", 1)]
    second.close()
    assert list((tmp_path / "scans").iterdir()) == []


def test_the_ids_on_disk_are_those_that_were_sent(tmp_path: Path, written: list[Tally]) -> None:
    tried: list[Tally] = []

    def answer_is_lost(tallies: list[Tally]) -> None:
        tried.extend(tallies)
        raise psycopg.OperationalError

    first = Spool(tmp_path)
    scans = Scans(answer_is_lost, spool=first)
    scans.count(CODE)
    scans.flush()
    scans.save(after_seconds=0)
    kill(first)
    second = Spool(tmp_path)
    second.adopt(written.extend)
    second.close()
    assert written == tried


def test_nothing_goes_to_disk_while_the_database_takes_all_and_nothing_stays_there_afterwards(
    tmp_path: Path, written: list[Tally], seconds: Callable[[float], None]
) -> None:
    spool = Spool(tmp_path)
    fails = [True]

    def write(tallies: list[Tally]) -> None:
        if fails:
            away(tallies)
        written.extend(tallies)

    scans = Scans(write, spool=spool)
    scans.count(CODE)
    assert not scans.flush()
    scans.save()
    assert list(tmp_path.glob("*.json")) == [], "not yet waiting for long"
    seconds(SAVE_SECONDS)
    scans.save()
    assert len(list(tmp_path.glob("*.json"))) == 1
    fails.clear()
    assert scans.flush()
    assert list(tmp_path.glob("*.json")) == []
    scans.stop()
    assert list(tmp_path.iterdir()) == []
    assert [(t.code, t.scans) for t in written] == [(CODE, 1)]


def test_an_orderly_stop_without_the_database_leaves_the_counts_on_disk(tmp_path: Path, written: list[Tally]) -> None:
    scans = Scans(away, spool=Spool(tmp_path))
    scans.count(CODE)
    scans.stop()
    heir = Spool(tmp_path)
    heir.adopt(written.extend)
    heir.close()
    scans.stop()
    assert [(t.code, t.scans) for t in written] == [(CODE, 1)]
    assert list(tmp_path.iterdir()) == []


def test_counts_on_disk_that_cannot_be_read_are_set_aside(tmp_path: Path, written: list[Tally]) -> None:
    first = Spool(tmp_path)
    first.keep([])
    next(tmp_path.glob("*.json")).write_text('[["cut')
    kill(first)
    heir = Spool(tmp_path)
    heir.adopt(written.extend)
    heir.close()
    assert written == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".broken"]


def test_without_a_place_on_disk_scans_are_counted_all_the_same(tmp_path: Path, written: list[Tally]) -> None:
    (tmp_path / "scans").write_text("a file stands in the way")
    scans = Scans(written.extend, spool=spool_in(tmp_path / "scans"))
    scans.count(CODE)
    scans.stop()
    assert [(t.code, t.scans) for t in written] == [(CODE, 1)]


def test_any_other_error_does_not_end_the_counting(written: list[Tally], wait_for: Any) -> None:
    failures = iter([ValueError("?"), OSError(28, "no space"), RuntimeError()])

    def write(tallies: list[Tally]) -> None:
        for failure in failures:
            raise failure
        written.extend(tallies)

    scans = Scans(write, flush_seconds=0.01)
    scans.count(CODE)
    scans.start()
    wait_for(lambda: written, 5, "the scan to be written after three errors")
    scans.stop()
    assert [(t.code, t.scans) for t in written] == [(CODE, 1)]


def test_a_database_that_hangs_does_not_keep_counts_from_the_disk(tmp_path: Path, wait_for: Any) -> None:
    hangs = threading.Event()
    scans = Scans(lambda _tallies: bool(hangs.wait(30)) and None, flush_seconds=0.01, spool=Spool(tmp_path))
    scans.start()
    scans.count("first")
    wait_for(lambda: "first" in on_disk(tmp_path), 5, "the first scan on disk")
    scans.count("second")
    wait_for(lambda: "second" in on_disk(tmp_path), 5, "the second scan on disk")
    hangs.set()
    scans.stop()


def on_disk(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.glob("*.json"))


def test_the_same_tallies_written_twice_count_once(fresh_database: Database, settings: Settings) -> None:
    writer = TallyWriter(settings.model_copy(update={"database_url": fresh_database.url}))
    now = datetime.now(UTC)  # noqa: TID251
    tallies = [Tally(new_id(), now, CODE, 3), Tally(new_id(), now, "other", 1)]
    writer(tallies)
    writer(tallies)
    assert tallied(fresh_database) == {CODE: 3, "other": 1}
    assert writer._connection is not None
    writer._connection.close()
