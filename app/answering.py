"""A mark on the thread that answers a request: no server of somebody else may be called by it, for a person waits."""

from contextvars import ContextVar

_path: ContextVar[str | None] = ContextVar("answering", default=None)


def begin(path: str) -> None:
    """From here on, until `end`, this thread answers a request for this path."""
    _path.set(path)


def end() -> None:
    _path.set(None)


def refuse_calls() -> None:
    """Whatever calls another company's server asks this first. Raises RuntimeError while a request is answered.

    What needs such a call is a reaction in the caller's queue, and the page follows its state.
    """
    path = _path.get()
    if path is not None:
        message = f"a call to another company's server while {path} is answered"
        raise RuntimeError(message)
