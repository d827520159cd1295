"""What is known is answered before the event loop hears of it, and everything else reaches the loop."""

import asyncio
from typing import Any

import pytest

from app.front.shortcut import Handed, answer_before_the_loop


class Watcher:
    """As granian hands it over."""

    def __init__(self, path: str) -> None:
        self.scope = type("Scope", (), {"proto": "http", "path": path})()
        self.proto: list[str] = []
        self.ended = False

    def done(self) -> None:
        self.ended = True

    def err(self, error: BaseException) -> None:
        self.ended = True
        self.proto.append(type(error).__name__)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/known", False), ("/unknown", True), ("/breaks", True), ("/soon", False), ("/soon-breaks", True)],
)
def test_only_what_is_not_answered_reaches_the_loop(path: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the test
    reached: list[Any] = []

    def at_once(scope: Any, proto: list[str]) -> bool:
        if scope.path == "/breaks":
            raise ZeroDivisionError
        if scope.path == "/known":
            proto.append("answered")
        return bool(scope.path == "/known")

    def take(scope: Any, proto: list[str], rest: Handed) -> bool:
        if scope.path == "/soon-breaks":
            raise ZeroDivisionError
        if scope.path == "/soon":
            proto.append("answered")
            rest.answered()
        return bool(scope.path == "/soon")

    async def request() -> None:
        """Would answer."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        answer_before_the_loop(loop, at_once, take)
        coroutine, watcher = request(), Watcher(path)
        loop.call_soon_threadsafe(lambda *given: reached.append(given), coroutine, watcher)
        loop.call_soon_threadsafe(reached.append, "another callback")
        await asyncio.sleep(0)
        assert watcher.ended is not expected
        assert watcher.proto == ([] if expected else ["answered"])
        assert reached == ([(coroutine, watcher)] if expected else []) + ["another callback"]
        coroutine.close()

    asyncio.run(work())


@pytest.mark.parametrize(
    ("breaks", "expected"), [(False, ["by the loop"]), (True, ["by the loop", "ZeroDivisionError"])]
)
def test_what_was_kept_may_still_be_given_to_the_loop_with_another_answer(breaks: bool, expected: list[str]) -> None:  # noqa: FBT001 - a parameter of the test
    kept: list[Handed] = []

    def take(_scope: Any, _proto: list[str], rest: Handed) -> bool:
        kept.append(rest)
        return True

    async def request() -> None:
        raise AssertionError("it was taken from the loop")

    async def answer(watcher: Watcher) -> None:
        watcher.proto.append("by the loop")
        if breaks:
            raise ZeroDivisionError

    async def work() -> None:
        loop = asyncio.get_running_loop()
        answer_before_the_loop(loop, lambda _scope, _proto: False, take)
        watcher, tasks = Watcher("/later"), []
        loop.call_soon_threadsafe(
            lambda coroutine, _watcher: tasks.append(loop.create_task(coroutine)), request(), watcher
        )
        await asyncio.sleep(0)
        assert (watcher.ended, tasks) == (False, [])
        kept[0].on_the_loop(answer(watcher))
        await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert (watcher.ended, watcher.proto, len(tasks)) == (True, expected, 1)

    asyncio.run(work())
