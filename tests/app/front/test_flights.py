"""One question for all who wait for a page, and nobody waits longer than their patience."""

import threading
from collections.abc import Sequence
from queue import SimpleQueue

import pytest

from app.errors import Unavailable
from app.front.flights import Flights
from app.front.lookups import Lookups, Told
from app.front.memory import Kept
from app.front.stored import Asked, Found

KEY = ("/t/A", "vi")
COPY = Kept("A", "old", b"old", [], checked=0.0, known_good=0.0)
FRESH = Kept("A", "new", b"new", [], checked=0.0, known_good=0.0)


class Hanging:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.goes_on = threading.Event()

    def __call__(self, asked: Sequence[Asked]) -> list[Found | None]:
        self.asked += 1
        assert self.goes_on.wait(30)
        return [Found("new", b"new") for _ in asked]


def ask(flights: Flights, patience: float, arrived: "SimpleQueue[Told] | None" = None) -> "SimpleQueue[Kept | None]":
    heard: SimpleQueue[Kept | None] = SimpleQueue()

    def keep(found: Told) -> Kept:
        if arrived is not None:
            arrived.put(found)
        return FRESH

    flights.ask(KEY, Asked("A", "vi"), heard.put, patience=patience, arrived=keep, late=lambda: COPY)
    return heard


def test_all_who_wait_hear_the_one_answer() -> None:
    find = Hanging()
    flights = Flights(Lookups(find))
    arrived: SimpleQueue[Told] = SimpleQueue()
    heard = [ask(flights, 60, arrived) for _ in range(3)]
    assert flights.waiting() == 3
    find.goes_on.set()
    assert [one.get(timeout=30) for one in heard] == [FRESH] * 3
    assert (find.asked, arrived.qsize(), flights.waiting()) == (1, 1, 0)
    assert ask(flights, 60).get(timeout=30) is FRESH
    assert find.asked == 2


def test_who_waits_too_long_gets_the_copy_and_so_do_those_who_come_while_it_is_late() -> None:
    find = Hanging()
    flights = Flights(Lookups(find, threads=1))
    arrived: SimpleQueue[Told] = SimpleQueue()
    first = ask(flights, 0.01, arrived)
    assert first.get(timeout=30) is COPY
    assert ask(flights, 60).get(timeout=30) is COPY
    assert (find.asked, flights.waiting()) == (1, 0)
    find.goes_on.set()
    assert arrived.get(timeout=30) == Found("new", b"new")
    other: SimpleQueue[Kept | None] = SimpleQueue()
    flights.ask(
        ("/t/B", "vi"), Asked("B", "vi"), other.put, patience=60, arrived=lambda _found: FRESH, late=lambda: COPY
    )
    assert other.get(timeout=30) is FRESH
    assert first.empty(), "told twice"
    assert ask(flights, 60).get(timeout=30) is FRESH


def test_where_one_cannot_be_told_the_others_are() -> None:
    find = Hanging()
    flights = Flights(Lookups(find))

    def breaks(_kept: Kept | None) -> None:
        raise ZeroDivisionError

    flights.ask(KEY, Asked("A", "vi"), breaks, patience=60, arrived=lambda _found: FRESH, late=lambda: COPY)
    heard = ask(flights, 60)
    find.goes_on.set()
    assert heard.get(timeout=30) is FRESH


def test_an_answer_that_cannot_be_kept_keeps_nobody_waiting() -> None:
    find = Hanging()
    flights = Flights(Lookups(find))
    heard: SimpleQueue[Kept | None] = SimpleQueue()

    def breaks(_found: Told) -> Kept:
        raise ZeroDivisionError

    flights.ask(KEY, Asked("A", "vi"), heard.put, patience=60, arrived=breaks, late=lambda: COPY)
    find.goes_on.set()
    assert heard.get(timeout=30) is None
    assert flights.waiting() == 0


def test_where_too_many_wait_nobody_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.front.lookups.MOST_WAITING", 0)
    flights = Flights(Lookups(Hanging()))
    with pytest.raises(Unavailable):
        ask(flights, 60)
    assert flights.waiting() == 0
