"""Twenty signed-in people at all four doors, who ask for a page each every five seconds."""

import http.client
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

from sqlalchemy import text

from app.accounts import signin
from app.accounts.models import SignInMethod
from app.actor import SYSTEM
from app.db import Database
from app.web import SIGN_IN_COOKIE
from demo import cast

PEOPLE = 20
EVERY_SECONDS = 5.0
DOORS = {
    "farmer": ("/nong-dan", "/nong-dan/nhat-ky", "/nong-dan/muc-khac"),
    "cooperative": ("/hop-tac-xa", "/san-pham", "/lo"),
    "official": ("/thon-thong-minh", "/tinh", "/dia-ban"),
    "consumer": ("/", "/gioi-thieu", "/t"),
}
OK = 200


@dataclass(frozen=True, slots=True)
class Person:
    token: str
    paths: tuple[str, ...]


@dataclass(slots=True)
class Told:
    """How long their pages took, in seconds, and what was no page."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def median(self) -> float:
        return statistics.median(self.seconds)


def people(database: Database) -> list[Person]:
    """The players of the demo in turn, signed in; every fifth looks at what consumers see."""
    players = cycle(cast.PLAYERS)
    with database.transaction(SYSTEM) as session:
        found = session.execute(text("SELECT phone, person_id FROM personal_data WHERE phone IS NOT NULL"))
        by_phone = {row.phone: row.person_id for row in found}
        made = []
        for number in range(PEOPLE):
            player = next(players)
            token = signin.start(
                session, SYSTEM, by_phone[player.phone], method=SignInMethod.PASSWORD, agent="bench"
            ).token
            made.append(Person(token, DOORS["consumer" if number % 5 == 0 else player.door]))
    return made


@contextmanager
def at_work(port: int, everybody: Sequence[Person], *, every: float = EVERY_SECONDS) -> Iterator[Told]:
    """They ask until the block ends, each once in so many seconds and at a moment of their own within them."""
    told, enough = Told(), threading.Event()

    def work(number: int, person: Person) -> None:
        paths = cycle(person.paths)
        due = time.monotonic() + every * number / len(everybody)
        while not enough.wait(max(0.0, due - time.monotonic())):
            due += every
            path = next(paths)
            try:
                _ask(port, path, person, told)
            except Exception as error:  # noqa: BLE001 - a person who fell silent would pass for one who was well served
                told.wrong.append(f"{path}: {error!r}")

    threads = [threading.Thread(target=work, args=one, daemon=True) for one in enumerate(everybody)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def with_open_pages(port: int, everybody: Sequence[Person]) -> list[Person]:
    """Each with those pages of the door that open for their role. Templates are compiled by it, connections opened."""
    found = []
    for person in everybody:
        told = Told()
        paths = tuple(path for path in person.paths if _ask(port, path, person, told))
        assert paths, told.wrong
        found.append(Person(person.token, paths))
    return found


def _ask(port: int, path: str, person: Person, told: Told) -> bool:
    """Whether it is a page for this person."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Cookie": f"{SIGN_IN_COOKIE}={person.token}", "Accept": "text/html"})
        answer = connection.getresponse()
        answer.read()
        told.seconds.append(time.perf_counter() - began)
        if answer.status != OK:
            told.wrong.append(f"{path}: {answer.status}")
        return answer.status == OK
    finally:
        connection.close()
