"""Counts of scans on disk, for as long as the database has not taken them."""

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import psycopg
import structlog

from app.db import new_id
from app.logs import told

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Tally:
    """Scans of one code that are on their way to the database. Sent again under the same id when the answer was lost."""

    id: UUID
    received_at: datetime
    code: str
    scans: int


class Spool:
    """Counts that the database has not taken yet, on disk: one file for each process, locked while it lives.

    A process that was killed, or stopped while the database was away, leaves its file; any other adopts it. Tallies carry their
    ids, so what had arrived after all counts once.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        name = str(new_id())
        self._file, self._lock = folder / f"{name}.json", folder / f"{name}.lock"
        unlocked = folder / f"{name}.new"
        self._handle: int | None = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        unlocked.rename(self._lock)  # others see it only now

    def keep(self, tallies: list[Tally]) -> None:
        """Put these in the place of what was kept."""
        rows = [(str(t.id), t.received_at.isoformat(), t.code, t.scans) for t in tallies]
        new = self._file.with_suffix(".part")
        new.write_text(json.dumps(rows), encoding="utf-8")
        new.replace(self._file)

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave what is kept to others. Again does nothing."""
        if self._handle is None:
            return
        if not self._file.exists():
            self._lock.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None

    def adopt(self, write: Callable[[list[Tally]], None]) -> None:
        """Write what processes that are gone have left. What `write` raises passes in the end; that file stays."""
        refused: psycopg.Error | None = None
        for lock in sorted(self._folder.glob("*.lock")):
            try:
                handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:  # another process was faster
                continue
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._write_orphan(lock.with_suffix(".json"), write)
                lock.unlink(missing_ok=True)
            except BlockingIOError:  # its process lives
                continue
            except psycopg.Error as error:
                refused = error
            finally:
                os.close(handle)
        if refused is not None:
            raise refused

    def _write_orphan(self, file: Path, write: Callable[[list[Tally]], None]) -> None:
        try:
            rows = json.loads(file.read_text(encoding="utf-8"))
            tallies = [Tally(UUID(i), datetime.fromisoformat(at), code, int(scans)) for i, at, code, scans in rows]
        except FileNotFoundError:
            return
        except (ValueError, TypeError):
            log.error("counts of scans cannot be read", file=file.name)  # noqa: TRY400 - the file is what somebody must look at
            file.replace(file.with_suffix(".broken"))
            return
        if tallies:
            write(tallies)
        file.unlink(missing_ok=True)
        log.info("counts of a process that is gone are written", codes=len(tallies))


def spool_in(folder: Path) -> Spool | None:
    """None where nothing can be written: pages are served all the same, and counts wait in memory only."""
    try:
        return Spool(folder)
    except OSError as error:
        log.exception(
            "no place on disk for counts of scans: an outage that ends this process loses them", **told(error)
        )
        return None
