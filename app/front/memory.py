"""Pages in memory, bounded in number and bytes."""

import gzip
import threading
from collections import OrderedDict
from dataclasses import dataclass

MOST_PAGES = 2000
MOST_BYTES = 32 * 1024 * 1024

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Kept:
    """A page in this process, with its answers ready to send."""

    code: str
    etag: str
    body: bytes
    packed: Headers
    checked: float
    known_good: float
    plain: bytes | None = None

    def size(self) -> int:
        return len(self.body) + len(self.plain or b"")


class Memory:
    """The pages asked for last, bounded in number and bytes."""

    def __init__(self, most_pages: int = MOST_PAGES, most_bytes: int = MOST_BYTES) -> None:
        self._pages: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._most_pages = most_pages
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> Kept | None:
        return self._pages.get(key)

    def put(self, key: tuple[str, str], kept: Kept) -> None:
        with self._lock:
            self._take_out(key)
            self._pages[key] = kept
            self._bytes += kept.size()
            self._shrink()

    def unpack(self, key: tuple[str, str], kept: Kept) -> bytes:
        """The page as text, for those who read no compressed ones. It counts as much as its length."""
        plain = gzip.decompress(kept.body)
        with self._lock:
            if self._pages.get(key) is kept and kept.plain is None:
                kept.plain = plain
                self._bytes += len(plain)
                self._shrink()
        return plain

    def touch(self, key: tuple[str, str]) -> None:
        """Count the page as asked for now. Called when it is checked, not at every scan: near enough, and free."""
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)

    def drop(self, key: tuple[str, str]) -> None:
        with self._lock:
            self._take_out(key)

    def _shrink(self) -> None:
        while self._pages and (len(self._pages) > self._most_pages or self._bytes > self._most_bytes):
            self._take_out(next(iter(self._pages)))

    def _take_out(self, key: tuple[str, str]) -> None:
        old = self._pages.pop(key, None)
        if old is not None:
            self._bytes -= old.size()
