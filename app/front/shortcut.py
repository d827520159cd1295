"""Answers what is known in the thread that received the request, before the event loop hears of it.

Granian hands each request to the loop by `call_soon_threadsafe(start, coroutine, watcher)`: a write into a pipe, a select and a task,
which cost as much again as the answer of a stored page, and while Flask computes each of them waits for its turn at the interpreter.
Should a later granian hand requests over in another shape, then nothing is answered here and everything on the loop, more slowly.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

import structlog

from app.front.exchange import Proto, Scope
from app.logs import told

log = structlog.get_logger()

REQUEST_PARTS = 2  # the coroutine that would answer, and the watcher with scope and protocol


def answer_before_the_loop(loop: asyncio.AbstractEventLoop, at_once: Callable[[Scope, Proto], bool]) -> None:
    """Let `at_once` try to answer each request that is handed to this loop."""
    hand_over = loop.call_soon_threadsafe

    def answered(*args: Any) -> bool:  # noqa: ANN401 - whatever is handed to a loop
        if len(args) != REQUEST_PARTS or not hasattr(args[1], "proto"):
            return False
        coroutine, watcher = args
        try:
            if watcher.scope.proto != "http" or not at_once(watcher.scope, watcher.proto):
                return False
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
        return None if answered(*args) else hand_over(callback, *args, context=context)

    loop.call_soon_threadsafe = call_soon_threadsafe  # type: ignore[method-assign, assignment]  # the one place where a request can be met
