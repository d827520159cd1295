"""The directory of the embedded servers: made ready to write, and locked while somebody starts or stops them."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from app.errors import SetupError
from app.messages import N_

START_SECONDS = 300  # crash recovery of a large database takes its time; we wait as long as the server lives


def prepare(directory: Path) -> Path:
    """Make the directory ready to write and return its real path. Raises SetupError with the command that mends it."""
    try:
        for path in (directory, directory / "run", directory / "log"):
            path.mkdir(parents=True, exist_ok=True)
        probe = directory / "run" / f".{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(directory, error) from error
    return directory.resolve()


def unwritable(directory: Path, error: OSError) -> SetupError:
    if error.errno == errno.ENOSPC:
        return SetupError(
            "disk_full",
            N_(
                "Ổ đĩa chứa %(directory)s đã đầy. Hãy dọn bớt rồi chạy lại; xem chỗ trống bằng: df -h '%(directory)s'",
                directory=directory,
            ),
        )
    mend = f"sudo chown -R {os.getuid()} '{directory}'"
    return SetupError(
        "directory_not_writable",
        N_(
            "Không ghi được vào %(directory)s (%(strerror)s). Hãy chạy: %(mend)s\n  hoặc chọn thư mục khác "
            "bằng HOI_VAR",
            directory=directory,
            strerror=error.strerror,
            mend=mend,
        ),
    )


@contextlib.contextmanager
def exclusive(directory: Path, seconds: float = START_SECONDS) -> Iterator[None]:
    """Let one process at a time start or stop the servers of this directory."""
    try:
        handle = os.open(directory / "run" / "servers.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(directory, error) from error
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise SetupError(
                        "servers_busy",
                        N_(
                            "Một tiến trình khác giữ khóa của %(directory)s quá lâu. Xem nó bằng: fuser -v "
                            "'%(directory)s/run/servers.lock'",
                            directory=directory,
                        ),
                    ) from error
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)
