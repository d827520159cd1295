"""Starts the decoder for a photo, a few at a time, and ends it when it takes too much."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from app.errors import Unavailable
from app.media.pictures import LIMITS, PhotoRead, refusal, source_of
from app.messages import N_

PROGRAM: Final = Path(__file__).with_name("decoder.py")
AT_ONCE: Final = 2
HEAVIEST_MIB: Final = 400
EACH_SENDER: Final = 2  # of which one is decoded; a phone sends its photos one after the other
WAIT_SECONDS: Final = 20.0
DEADLY: Final = frozenset(
    {signal.SIGXCPU, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGSYS}
)
log = structlog.get_logger()


def at_once(web_workers: int, memory_mib: int) -> int:
    """Decoders that each of so many web processes may run: two, unless all of them together could take a third of the memory."""
    return AT_ONCE if web_workers == 1 or web_workers * AT_ONCE * HEAVIEST_MIB * 3 <= memory_mib else 1


class TooHeavy(Exception):
    """The decoder was killed by a limit of its own, or died of the photo: the same bytes would do it again."""


class Decoders:
    """The decoders of one process: at most `at_once` run, and one for each sender, each in a process that ends with its photo.

    At most `places` threads are in here, so that many photos at once leave the others to everybody else, and no sender holds
    all of them.
    """

    def __init__(self, places: int, at_once: int = AT_ONCE) -> None:
        self._places = places
        self._at_once = at_once
        self._each_sender = min(EACH_SENDER, max(1, places - 1))
        self._changed = threading.Condition()
        self._here: Counter[UUID | None] = Counter()
        self._running: Counter[UUID | None] = Counter()

    def decode(self, raw: bytes, sender: UUID | None) -> PhotoRead:
        """Both pictures of the photo. `sender` is who sent it, None for pictures of our own.

        Raises Invalid or TooLarge with a sentence for whoever took the photo, TooHeavy, and Unavailable when there was no turn
        for it: nothing is wrong with the photo then.
        """
        with self._turn(sender):
            return _run(raw)

    @contextmanager
    def _turn(self, sender: UUID | None) -> Iterator[None]:
        with self._changed:
            if self._here.total() >= self._places or (sender is not None and self._here[sender] >= self._each_sender):
                raise _at_once()
            self._here[sender] += 1
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: self._free_for(sender), WAIT_SECONDS):
                    raise _at_once()
                self._running[sender] += 1
            try:
                yield
            finally:
                with self._changed:
                    self._running[sender] -= 1
        finally:
            with self._changed:
                self._here[sender] -= 1
                if not self._here[sender]:
                    del self._here[sender], self._running[sender]
                self._changed.notify_all()

    def _free_for(self, sender: UUID | None) -> bool:
        return self._running.total() < self._at_once and (sender is None or not self._running[sender])


def _run(raw: bytes) -> PhotoRead:
    began = time.monotonic()
    process = subprocess.Popen(
        # -I: neither our folder nor the environment decides what is imported; and no key of ours is in that environment.
        [sys.executable, "-I", str(PROGRAM), json.dumps(LIMITS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
    )
    with process:
        try:
            told, complaint = process.communicate(raw, timeout=LIMITS["wall_seconds"])
        except subprocess.TimeoutExpired:
            # Its CPU was not used up: the machine is busy, and the photo may be a good one.
            log.warning("a photo was not decoded in time", seconds=round(time.monotonic() - began))
            raise _at_once() from None
        finally:
            process.kill()
    _judge_end(process.returncode, complaint)
    line, _, contents = told.partition(b"\n")
    answer = json.loads(line)
    if "refused" in answer:
        if answer["refused"] == "photo_too_heavy":
            raise TooHeavy
        raise refusal(answer["refused"])
    large = answer["large_bytes"]
    return PhotoRead(
        source_sha256=source_of(raw),
        large=contents[:large],
        width=answer["width"],
        height=answer["height"],
        small=contents[large:],
        small_width=answer["small_width"],
        small_height=answer["small_height"],
    )


def _judge_end(code: int, complaint: bytes) -> None:
    """Raises TooHeavy for a photo that killed its decoder, and Unavailable when somebody else did: the machine, or who ends us."""
    if code > 0:
        message = f"the decoder does not run: {complaint[-300:].decode(errors='replace')}"
        raise RuntimeError(message)
    if code < 0:
        log.warning("the decoder died", signal=signal.Signals(-code).name)
        raise TooHeavy if -code in DEADLY else _at_once()


def _at_once() -> Unavailable:
    return Unavailable(
        "photos_at_once",
        N_("Nhiều ảnh đang được gửi lên cùng lúc nên ảnh này chưa được ghi. Hãy đợi vài giây rồi gửi lại."),
        retry_after_seconds=5,
    )
