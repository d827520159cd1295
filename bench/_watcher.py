"""Ends a process group when the benchmark that started it is gone: `python -m bench._watcher GROUP SIGNAL`.

The benchmark holds the other end of standard input. It says a word when it ends the group itself; an end without a word
means that it was killed.
"""

import contextlib
import os
import signal
import sys
import time

PATIENCE_SECONDS = 60.0  # the demo stops its servers in order


def main(group: int, number: int) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    if sys.stdin.buffer.read():
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.1)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
