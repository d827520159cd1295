"""Takes the bodies of requests in whole, before a thread is given away: in time, bounded in number and bytes."""

import asyncio
import tempfile
from asyncio import Timeout
from collections import Counter
from collections.abc import AsyncIterable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import IO, cast

import structlog

from app.errors import HoiError
from app.front.exchange import NO_ROOM
from app.front.refusals import crowded, full, slow
from app.logs import told

log = structlog.get_logger()

FIRST_SECONDS = 20.0  # every body may take so long, and none may stand still for longer
LEAST_RATE = 2048  # bytes a second on which it may take longer: a bad rural line gives half as much again
MOST_IN_MEMORY = 64 * 1024  # a longer body waits in a file
MOST_AT_ONCE = 512  # bodies of one process that are still coming
MOST_OF_ONE_ADDRESS = 64  # a village behind one address sends far fewer at the same moment
MOST_BYTES = 256 * 1024 * 1024  # of all bodies of one process, in memory and in files
AGE_SECONDS = 2.0  # younger ones are not put out for a newcomer


class TooLong(Exception):
    """The body is longer than its route takes."""


@dataclass(eq=False, slots=True)
class Body:
    """One body: what came of it lies in `file`. Closing it gives its bytes back."""

    address: str
    file: IO[bytes]
    owner: "Bodies"
    since: float
    received: int = 0
    limit: Timeout | None = field(default=None)  # while it is coming
    put_out: HoiError | None = field(default=None)  # why it must go

    def rate(self, now: float) -> float:
        return self.received / (now - self.since)

    def give_back(self) -> None:
        self.owner.bytes -= self.received
        self.received = 0

    def close(self) -> None:
        self.give_back()
        with suppress(OSError):  # it tries once more to write what it could not
            self.file.close()

    def go(self, why: HoiError) -> None:
        """End it at the loop's next turn, in favour of others."""
        self.put_out = why
        self.give_back()
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time())


class Bodies:
    """All bodies of this process that are coming. Used from the event loop only."""

    def __init__(self, *, most: int = MOST_AT_ONCE, most_of_one: int = MOST_OF_ONE_ADDRESS) -> None:
        self.coming: set[Body] = set()
        self.bytes = 0
        self._most = most
        self._most_of_one = most_of_one
        self._of: Counter[str] = Counter()

    async def take(self, chunks: AsyncIterable[bytes], address: str, most_bytes: int) -> Body:
        """The whole body, at its beginning. Raises TooSlow, Unavailable, and TooLong where it has more than `most_bytes`."""
        body = self._admit(address)
        try:
            async with asyncio.timeout(FIRST_SECONDS) as body.limit:
                async for chunk in chunks:
                    self._add(body, chunk, most_bytes)
            body.file.seek(0)  # writes what is not yet written
        except TimeoutError:
            body.close()
            raise body.put_out or slow() from None
        except OSError as error:
            body.close()
            if error.errno not in NO_ROOM:
                raise
            log.exception("no room for a body", **told(error))
            raise full() from error
        except BaseException:
            body.close()
            raise
        finally:
            body.limit = None
            self.coming.discard(body)
            self._of -= Counter((address,))
        return body

    def _admit(self, address: str) -> Body:
        if self._of[address] >= self._most_of_one:
            self._put_out([b for b in self.coming if b.address == address])
        elif len(self.coming) >= self._most:
            greatest = self._of.most_common(1)[0][0]
            self._put_out([b for b in self.coming if b.address == greatest])
        file = cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=MOST_IN_MEMORY))  # noqa: SIM115 - closed with the body
        body = Body(address, file, self, monotonic())
        self.coming.add(body)
        self._of[address] += 1
        return body

    def _put_out(self, among: list[Body]) -> None:
        """Let the slowest go for the newcomer, so that a crowd of crawling bodies shuts nobody out."""
        now = monotonic()
        old = [b for b in among if now - b.since > AGE_SECONDS and b.limit is not None and b.put_out is None]
        if not old:
            raise crowded()
        min(old, key=lambda b: b.rate(now)).go(slow())

    def _make_room(self, newcomer: Body) -> None:
        """Let the greatest body of the address that holds most go, so that a few great ones shut nobody out."""
        while self.bytes > MOST_BYTES:
            held: Counter[str] = Counter()
            for body in self.coming:
                held[body.address] += body.received
            most = max(held.values())
            greatest = max((b for b in self.coming if held[b.address] == most), key=lambda b: b.received)
            if greatest is newcomer:  # or the rest is Flask's already
                raise crowded()
            greatest.go(crowded())

    def _add(self, body: Body, chunk: bytes, most_bytes: int) -> None:
        if body.put_out is not None:
            raise body.put_out
        body.received += len(chunk)
        self.bytes += len(chunk)
        if body.received > most_bytes:
            raise TooLong
        self._make_room(body)
        body.file.write(chunk)
        if body.limit is not None and not body.limit.expired():
            in_time = FIRST_SECONDS + body.received / LEAST_RATE - (monotonic() - body.since)
            body.limit.reschedule(asyncio.get_running_loop().time() + min(max(0.0, in_time), FIRST_SECONDS))
