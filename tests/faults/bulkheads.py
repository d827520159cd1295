"""How long others wait while something goes on that would hold every thread, connection or lock of a web without bulkheads."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from time import monotonic

SECONDS = 6.0
PAUSE = 0.05
PATIENCE = 30.0


def while_going_on(
    trouble: AbstractContextManager[object], asked: Mapping[str, Callable[[], None]], *, seconds: float = SECONDS
) -> dict[str, list[float]]:
    """The seconds, sorted, that each of `asked` took, asked again and again by somebody of its own while `trouble` goes on.

    What `asked` raises, a failed assertion too, is raised here.
    """
    took: dict[str, list[float]] = {name: [] for name in asked}
    failed: list[BaseException] = []

    def ask(name: str, until: float) -> None:
        while monotonic() < until and not failed:
            began = monotonic()
            try:
                asked[name]()
            except BaseException as error:  # noqa: BLE001 - it is raised again in the thread of the test
                failed.append(error)
            took[name].append(monotonic() - began)
            threading.Event().wait(PAUSE)

    with trouble:
        askers = [threading.Thread(target=ask, args=(name, monotonic() + seconds)) for name in asked]
        for one in askers:
            one.start()
        for one in askers:
            one.join()
    if failed:
        raise failed[0]
    return {name: sorted(times) for name, times in took.items()}


def p99(times: list[float]) -> float:
    return times[min(len(times) - 1, int(len(times) * 0.99))]


def got(port: int, path: str, *, shows: str = "") -> Callable[[], None]:
    """Ask for a page on a connection of its own, as another visitor would; it must be there."""

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            assert (answer.status, shows in body) == (200, True), (path, answer.status)
        finally:
            connection.close()

    return ask


@contextmanager
def crawling(port: int, path: str, *, count: int, length: int = 500_000) -> Iterator[list[socket.socket]]:
    """So many bodies on their way to `path` at half a byte a second, by whoever knows the address."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) for _ in range(count)]
    enough = threading.Event()

    def drip() -> None:
        while not enough.wait(2):
            for one in sockets:
                try:
                    one.send(b"x")
                except OSError:  # it was told 408 and closed
                    continue

    dripping = threading.Thread(target=drip)
    try:
        for one in sockets:
            one.sendall(head)
        dripping.start()
        yield sockets
    finally:
        enough.set()
        dripping.join()
        for one in sockets:
            one.close()
