"""Lines of the command line, and how long a step took."""

import contextlib
import time
from collections.abc import Iterator

from app.supervisor import vietnamese_seconds


def say(message: str) -> None:
    print(message, flush=True)


@contextlib.contextmanager
def step(done: str) -> Iterator[None]:
    """Say what was done and how long it took."""
    began = time.monotonic()
    yield
    say_done(done, time.monotonic() - began)


def say_done(done: str, seconds: float) -> None:
    say(f"✓ {done} ({vietnamese_seconds(seconds)})")
