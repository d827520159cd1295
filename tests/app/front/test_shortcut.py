"""What is known is answered before the event loop hears of it, and everything else reaches the loop."""

import asyncio
from typing import Any

import pytest

from app.front.shortcut import answer_before_the_loop


class Watcher:
    """As granian hands it over."""

    def __init__(self, path: str) -> None:
        self.scope = type("Scope", (), {"proto": "http", "path": path})()
        self.proto: list[str] = []
        self.ended = False

    def done(self) -> None:
        self.ended = True


@pytest.mark.parametrize(("path", "expected"), [("/known", False), ("/unknown", True), ("/breaks", True)])
def test_only_what_is_not_answered_reaches_the_loop(path: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the test
    reached: list[Any] = []

    def at_once(scope: Any, proto: list[str]) -> bool:
        if scope.path == "/breaks":
            raise ZeroDivisionError
        if scope.path == "/known":
            proto.append("answered")
        return bool(scope.path == "/known")

    async def request() -> None:
        """Would answer."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        answer_before_the_loop(loop, at_once)
        coroutine, watcher = request(), Watcher(path)
        loop.call_soon_threadsafe(lambda *given: reached.append(given), coroutine, watcher)
        loop.call_soon_threadsafe(reached.append, "another callback")
        await asyncio.sleep(0)
        assert watcher.ended is not expected
        assert watcher.proto == ([] if expected else ["answered"])
        assert reached == ([(coroutine, watcher)] if expected else []) + ["another callback"]
        coroutine.close()

    asyncio.run(work())
