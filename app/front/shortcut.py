"""Answers what is known, or soon known, in the thread that heard of it: the event loop need not hear of the request.

Granian hands each request to the loop by `call_soon_threadsafe(start, coroutine, watcher)`: a write into a pipe, a select and a task,
which cost as much again as the answer of a stored page, and while Flask computes each of them waits for its turn at the interpreter.
Should a later granian hand requests over in another shape, then nothing is answered here and everything on the loop, more slowly.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

import structlog

from app.front.exchange import Proto, Scope
from app.logs import told

log = structlog.get_logger()

REQUEST_PARTS = 2  # the coroutine that would answer, and the watcher with scope and protocol


class Handed:
    """A request on its way to the loop. Whoever keeps it calls one of its two methods, once, from any thread."""

    __slots__ = ("_coroutine", "_hand_over", "_watcher")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, None],
        watcher: Any,  # noqa: ANN401 - granian's own
        hand_over: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._coroutine = coroutine
        self._watcher = watcher
        self._hand_over = hand_over

    def answered(self) -> None:
        """It has its answer."""
        self._coroutine.close()
        self._watcher.done()

    def on_the_loop(self, answer: Coroutine[Any, Any, None]) -> None:
        """Let the loop run this, which answers."""
        self._coroutine.close()
        self._hand_over(watched(answer, self._watcher))


async def watched(answer: Coroutine[Any, Any, None], watcher: Any) -> None:  # noqa: ANN401 - granian's own
    """As granian runs an application: it is told of the end, and of an error."""
    try:
        await answer
    except BaseException as error:  # noqa: BLE001 - a cancelled one too: granian waits for one of the two
        watcher.err(error)
        return
    watcher.done()


def answer_before_the_loop(
    loop: asyncio.AbstractEventLoop,
    at_once: Callable[[Scope, Proto], bool],
    take: Callable[[Scope, Proto, Handed], bool],
) -> None:
    """Let `at_once` try to answer each request that is handed to this loop, and `take` to keep it until it can be answered."""
    hand_over = loop.call_soon_threadsafe

    def kept(callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> bool:
        if len(args) != REQUEST_PARTS or not hasattr(args[1], "proto"):
            return False
        coroutine, watcher = args
        try:
            if watcher.scope.proto != "http":
                return False
            if not at_once(watcher.scope, watcher.proto):
                rest = Handed(coroutine, watcher, lambda other: hand_over(callback, other, watcher, context=context))
                return take(watcher.scope, watcher.proto, rest)
        except Exception as error:
            log.exception("answering before the loop", **told(error))  # the loop tries again, and says so to the client
            return False
        coroutine.close()
        watcher.done()
        return True

    def call_soon_threadsafe(
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401 - as asyncio has it
        context: Context | None = None,
    ) -> asyncio.Handle | None:
        return None if kept(callback, args, context) else hand_over(callback, *args, context=context)

    loop.call_soon_threadsafe = call_soon_threadsafe  # type: ignore[method-assign, assignment]  # the one place where a request can be met
