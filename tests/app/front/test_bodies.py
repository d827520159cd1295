"""Bodies are taken in whole, in time, and not too many at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

from app.errors import HoiError, TooSlow, Unavailable
from app.front import bodies as module
from app.front.bodies import AGE_SECONDS, FIRST_SECONDS, LEAST_RATE, MOST_IN_MEMORY, Bodies, TooLong
from app.messages import N_

MOST = 1024 * 1024


class Line:
    """A body that comes piece by piece; after the last given piece it stands still."""

    def __init__(self, *chunks: bytes, ends: bool = True) -> None:
        self.chunks, self.ends = chunks, ends
        self.stands = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if not self.ends:
            self.stands.set()
            await asyncio.Event().wait()


def run(work: Callable[[Bodies], Coroutine[None, None, None]]) -> None:
    async def whole() -> None:
        own = Bodies(most=4, most_of_one=2)
        await work(own)
        assert (own.coming, own.bytes, own._of) == (set(), 0, {}), "everything is given back"

    asyncio.run(whole())


@pytest.mark.parametrize("size", [0, 5, MOST_IN_MEMORY + 1])
def test_a_body_is_whole_and_at_its_beginning(size: int) -> None:
    async def work(own: Bodies) -> None:
        body = await own.take(Line(b"x" * (size // 2), b"y" * (size - size // 2)), "a", MOST)
        assert (own.bytes, own.coming) == (size, set())
        assert body.file.read() == b"x" * (size // 2) + b"y" * (size - size // 2)
        body.close()

    run(work)


def test_one_byte_more_than_its_route_takes_is_too_long() -> None:
    async def work(own: Bodies) -> None:
        with pytest.raises(TooLong):
            await own.take(Line(b"x" * 10, b"y"), "a", 10)
        (await own.take(Line(b"x" * 10), "a", 10)).close()

    run(work)


def test_what_stands_still_is_told_so_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.05)

    async def work(own: Bodies) -> None:
        with pytest.raises(TooSlow):
            await own.take(Line(b"abc", ends=False), "a", MOST)

    run(work)


@pytest.mark.parametrize(
    ("seconds", "received", "left"),
    [
        (0, 32 * 1024 * 1024, FIRST_SECONDS),  # what came fast earns no hours of standing still
        (15, 10 * LEAST_RATE, 15),
        (300, 300 * LEAST_RATE, FIRST_SECONDS),
        (300, 290 * LEAST_RATE, 10),
        (300, 100 * LEAST_RATE, 0),
    ],
)
def test_who_keeps_the_least_rate_may_take_longer_but_not_stand_still(seconds: int, received: int, left: int) -> None:
    async def work(own: Bodies) -> None:
        line = Line(b"x", ends=False)
        taking = asyncio.ensure_future(own.take(line, "a", 2 * received))
        await line.stands.wait()
        (body,) = own.coming
        age(own, seconds)
        own._add(body, b"x" * (received - 1), 2 * received)
        assert body.limit is not None
        found = (body.limit.when() or 0) - asyncio.get_running_loop().time()
        assert found == pytest.approx(left, abs=1)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking

    run(work)


def test_a_megabyte_at_three_kilobytes_a_second_gets_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a photo from a bad rural line: it never has less than half of its time left."""
    now = [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])

    async def work(own: Bodies) -> None:
        line = Line(b"x", ends=False)
        taking = asyncio.ensure_future(own.take(line, "a", MOST))
        await line.stands.wait()
        (body,) = own.coming
        for _ in range((MOST - 1) // 3072):
            now[0] += 1.0
            own._add(body, b"x" * 3072, MOST)
            assert body.limit is not None
            assert (body.limit.when() or 0) - asyncio.get_running_loop().time() > FIRST_SECONDS / 2
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking

    run(work)


async def all_standing(own: Bodies, *addresses: str, size: int = 1) -> list["asyncio.Future[object]"]:
    lines = [Line(b"x" * number * size, ends=False) for number, _ in enumerate(addresses, 1)]
    taking = [asyncio.ensure_future(own.take(line, a, MOST)) for line, a in zip(lines, addresses, strict=True)]
    for line in lines:
        await line.stands.wait()
    return taking


def age(own: Bodies, by: float) -> None:
    for body in own.coming:
        body.since -= by


async def outcomes(taking: list["asyncio.Future[object]"]) -> list[type | None]:
    """What became of each: None while it is still coming."""
    await asyncio.sleep(0.05)  # noqa: ASYNC251, RUF100 - one turn of the loop and some
    found = [type(one.exception()) if one.done() else None for one in taking]
    for one in taking:
        one.cancel()
    await asyncio.gather(*taking, return_exceptions=True)
    return found


def test_too_many_of_one_address_are_refused_while_all_are_young() -> None:
    async def work(own: Bodies) -> None:
        taking = await all_standing(own, "a", "a")
        with pytest.raises(Unavailable) as refused:
            await own.take(Line(b"honest"), "a", MOST)
        assert (refused.value.status, refused.value.retry_after_seconds) == (503, 10)
        (await own.take(Line(b"honest"), "b", MOST)).close()
        assert await outcomes(taking) == [None, None]

    run(work)


def test_the_slowest_of_the_address_goes_for_a_newcomer() -> None:
    async def work(own: Bodies) -> None:
        taking = await all_standing(own, "a", "a")
        age(own, AGE_SECONDS + 1)
        (await own.take(Line(b"honest"), "a", MOST)).close()
        assert await outcomes(taking) == [TooSlow, None], "the first had sent one byte, the second two"

    run(work)


def test_where_the_process_is_full_the_address_with_most_gives_way() -> None:
    async def work(own: Bodies) -> None:
        taking = await all_standing(own, "b", "c", "a", "a")
        age(own, AGE_SECONDS + 1)
        (await own.take(Line(b"honest"), "d", MOST)).close()
        assert await outcomes(taking) == [None, None, TooSlow, None]

    run(work)


def test_all_bodies_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)

    async def work(own: Bodies) -> None:
        kept = await own.take(Line(b"x" * 60), "a", MOST)
        with pytest.raises(HoiError) as refused:
            await own.take(Line(b"x" * 60), "b", MOST)
        assert refused.value.code == "many_at_once"
        kept.close()
        (await own.take(Line(b"x" * 60), "b", MOST)).close()

    run(work)


def test_where_the_bytes_are_full_the_greatest_body_of_the_greatest_address_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)

    async def work(own: Bodies) -> None:
        taking = await all_standing(own, "c", "a", "a", "b", size=10)
        own._most = 5
        (await own.take(Line(b"x" * 3, b"y" * 3), "d", MOST)).close()
        assert own.bytes == 10 + 20 + 40
        assert await outcomes(taking) == [None, None, Unavailable, None], "a holds 50 in two, b 40 in one"

    run(work)


def test_who_holds_most_is_refused_and_no_other_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)

    async def work(own: Bodies) -> None:
        taking = await all_standing(own, "a", "a", "b", size=10)
        with pytest.raises(Unavailable):
            await own.take(Line(b"x" * 35, b"y" * 10), "c", MOST)
        assert own.bytes == 10 + 20 + 30
        assert await outcomes(taking) == [None] * 3

    run(work)


def test_what_must_go_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(own: Bodies) -> None:
        taking = await all_standing(own, "a")
        (body,) = own.coming
        body.go(TooSlow("x", N_("x")))
        with pytest.raises(TooSlow):
            own._add(body, b"more", MOST)
        assert own.bytes == 0
        assert await outcomes(taking) == [TooSlow]

    run(work)
