"""Bodies are taken in whole, in time, and not too many at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

from app.errors import HoiError, TooSlow, Unavailable
from app.front import bodies as module
from app.front.bodies import AGE_SECONDS, FIRST_SECONDS, LEAST_RATE, MOST_IN_MEMORY, Bodies, TooLong

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


def test_who_keeps_the_least_rate_may_take_longer() -> None:
    async def work(own: Bodies) -> None:
        line = Line(b"x" * 10 * LEAST_RATE, ends=False)
        taking = asyncio.ensure_future(own.take(line, "a", MOST))
        await line.stands.wait()
        (body,) = own.coming
        assert body.limit is not None
        left = (body.limit.when() or 0) - asyncio.get_running_loop().time()
        assert left == pytest.approx(FIRST_SECONDS + 10, abs=1)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking

    run(work)


async def all_standing(own: Bodies, *addresses: str) -> list["asyncio.Future[object]"]:
    lines = [Line(b"x" * number, ends=False) for number, _ in enumerate(addresses, 1)]
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
