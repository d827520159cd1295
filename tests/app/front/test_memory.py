"""Memory is bounded in pages and bytes."""

import gzip

from app.front.memory import Kept, Memory


def test_memory_is_bounded_in_pages_and_bytes() -> None:
    memory = Memory(most_pages=3, most_bytes=1000)

    def kept(size: int) -> Kept:
        return Kept("c", "t", b"x" * size, [], 0, 0)

    for name in "abcd":
        memory.put((name, "vi"), kept(10))
    assert memory.get(("a", "vi")) is None
    memory.touch(("b", "vi"))
    memory.put(("e", "vi"), kept(10))
    assert memory.get(("b", "vi")) is not None
    assert memory.get(("c", "vi")) is None
    memory.put(("f", "vi"), kept(995))
    assert memory.get(("b", "vi")) is None
    memory.put(("g", "vi"), kept(2000))
    assert memory.get(("g", "vi")) is None


def test_a_page_that_was_unpacked_counts_with_its_text() -> None:
    memory = Memory(most_pages=10, most_bytes=1000)
    for name in "ab":
        memory.put((name, "vi"), Kept("c", "t", gzip.compress(name.encode() * 600), [], 0, 0))
    kept_a, kept_b = memory.get(("a", "vi")), memory.get(("b", "vi"))
    assert kept_a is not None
    assert kept_b is not None
    assert memory.unpack(("a", "vi"), kept_a) == b"a" * 600
    assert memory.unpack(("a", "vi"), kept_a) == b"a" * 600
    assert memory.get(("a", "vi")) is not None
    assert memory.unpack(("b", "vi"), kept_b) == b"b" * 600
    assert memory.get(("a", "vi")) is None, "1200 bytes and more are over the limit"
    assert memory.unpack(("a", "vi"), kept_a) == b"a" * 600
    memory.drop(("b", "vi"))
    assert memory._bytes == 0
