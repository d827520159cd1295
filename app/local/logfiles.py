"""The logs of one installation's processes: one file each, turned over when it has grown."""

import os
import shutil
from pathlib import Path

LOG_BYTES = 5_000_000


def log_file(directory: Path, name: str) -> Path:
    """Return the log of one process, turned over when it has grown."""
    path = directory / "log" / f"{name}.log"
    turn_over(path)
    return path


def turn_over(path: Path) -> None:
    """Copy a log that has grown and begin it anew: NAME.log.1 to .3 keep the past.

    Its writer goes on with the same file, which it must have opened for appending; a line written meanwhile may be lost.
    """
    try:
        if path.stat().st_size <= LOG_BYTES:
            return
    except FileNotFoundError:
        return
    for age in (2, 1):
        older = path.with_suffix(f".log.{age}")
        if older.exists():
            older.replace(path.with_suffix(f".log.{age + 1}"))
    newest = path.with_suffix(".log.1")
    try:
        shutil.copyfile(path, newest)
    except OSError:
        newest.unlink(missing_ok=True)  # a half copy on a full disk is of no use
        raise
    os.truncate(path, 0)


def tail(path: Path, lines: int = 8) -> str:
    """Return the last lines of a log, for a message."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
