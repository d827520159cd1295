"""One release of Hồi at work, in its own tree and with its own libraries: `python -m bench._released QUESTION`.

It fills a throw-away province, says "ready", and answers each word on standard input with a line of figures. `bench/beside.py` puts this folder
over that of an older release and asks both in turn; therefore nothing here may need what that release has not.
"""

import contextlib
import http.client
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from sqlalchemy import text

from app import supervisor
from app.actor import SYSTEM
from app.doors.farmer.schemas import MAX_ITEMS
from app.settings import Settings, child_environment
from bench import _harness as harness
from bench import _people, items, looks

Answer = Callable[[str], dict[str, float]]
ENVELOPES = {"one": 5, "many": 1}
LISTINGS, OF_AN_ACCOUNT = 400, 40
THINK_SECONDS = 1.0  # as when it was found
SIX_HOURS = timedelta(hours=6)
NEW_FRONT = find_spec("app.front.__main__") is not None
FRONT: dict[str, Any] = (
    {"application": "app.front", "interface": ""} if NEW_FRONT else {"application": "app.front:create"}
)
LOOKS_OF_THEIR_OWN = hasattr(supervisor, "looker")
SEEN = (
    "SELECT count(*) FROM listings WHERE last_seen_at >= :m"
    if LOOKS_OF_THEIR_OWN
    else "SELECT count(DISTINCT listing_id) FROM listing_observations WHERE seen_at >= :m"
)


@contextlib.contextmanager
def front(settings: Settings) -> Iterator[harness.Server]:
    """One web process, as this release starts one."""
    with harness.served(probe="/healthz", database_url=settings.database_url, var=settings.var, **FRONT) as server:
        yield server


# --- steps of one site and of 200 sites in an envelope -----------------------------------------------------------------------------------


@contextlib.contextmanager
def handed_in() -> Iterator[Answer]:
    with looks.province() as (settings, database):
        cooperative = items.fill(database)
        sites = {"one": [cooperative.sites[0][0]] * MAX_ITEMS, "many": [site for site, _ in cooperative.sites]}
        with front(settings) as server:
            phone = items.Phone(server.port, cooperative.token)

            def answer(word: str) -> dict[str, float]:
                made = [json.dumps(items.bodies(sites[word])) for _ in range(ENVELOPES[word])]
                before = server.cpu_seconds()
                rate = phone.rate(made)
                spent = (server.cpu_seconds() - before) / (MAX_ITEMS * len(made))
                return {"rows_a_second": rate, "web_ms_a_row": spent * 1e3}

            yield answer


# --- a round of looks --------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def looked_at() -> Iterator[Answer]:
    with looks.province() as (settings, database), looks.shop() as base_url:
        looks.fill(database, settings, base_url, LISTINGS, OF_AN_ACCOUNT)
        names = ("var", "database_url", "redis_url", "clock_movable", "channel_sandbox", "log_level")
        environment = child_environment(
            clean=True, secret_key="b" * 32, **{name: getattr(settings, name) for name in names}
        )
        keeper = supervisor.Supervisor(settings.var, environment, lambda line: print(line, file=sys.stderr))
        # What never changes was looked at as often as anything else, and is now every six hours.
        rounds_a_day = looks.ROUNDS_A_DAY if LOOKS_OF_THEIR_OWN else 86_400 / settings.look_seconds
        children = [supervisor.relay(), supervisor.caller(settings.caller_threads), supervisor.scheduler(settings.var)]
        if LOOKS_OF_THEIR_OWN:
            children.append(supervisor.looker(settings.looker_threads))

        def count(sql: str, **values: object) -> int:
            with database.transaction(SYSTEM) as session:
                return int(session.scalar(text(sql), values) or 0)

        def answer(_word: str) -> dict[str, float]:
            with database.transaction(SYSTEM) as session:
                session.execute(text("UPDATE clock_shift SET shift = shift + :by"), {"by": SIX_HOURS})
            with database.transaction(SYSTEM) as session:
                began_at = session.scalar(text("SELECT clock_timestamp() + (SELECT shift FROM clock_shift)"))
                session.execute(text("UPDATE listings SET next_look_at = now() - interval '1 day'"))
            began = time.monotonic()
            until(lambda: count(SEEN, m=began_at) >= LISTINGS, "the end of the round")
            seconds = time.monotonic() - began
            return {"seconds": seconds, "seconds_a_day": seconds * rounds_a_day}

        try:
            for child in children:
                keeper.start(child)
            yield answer
        finally:
            keeper.stop()


def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + looks.PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come within {looks.PATIENCE:g} s")
        time.sleep(0.05)


# --- scans alone, and beside people who are signed in -----------------------------------------------------------------------------------


@contextlib.contextmanager
def scanned() -> Iterator[Answer]:
    from demo.loader import load  # noqa: PLC0415 - the older release has it elsewhere, and only this question needs it

    with looks.province() as (settings, database):
        load(settings)
        everybody = _people.people(database)
        with database.transaction(SYSTEM) as session:
            code = session.scalar(text("SELECT code FROM trace_codes WHERE batch_id IS NOT NULL ORDER BY code LIMIT 1"))
        with front(settings) as server:
            hot = [f"/t/{code}"]
            read(server.port, hot[0])
            everybody = _people.with_open_pages(server.port, everybody)

            def answer(word: str) -> dict[str, float]:
                if word == "alone":
                    return {"scans_a_second": harness.loaded(server.port, hot, seconds=_people.EVERY_SECONDS)}
                with _people.at_work(server.port, everybody, every=THINK_SECONDS) as told:
                    rate = harness.loaded(server.port, hot, seconds=_people.EVERY_SECONDS)
                assert told.wrong == [], told.wrong
                return {"scans_a_second": rate, "page_seconds": told.median()}

            yield answer


def read(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == _people.OK, (path, answer.status)


QUESTIONS: dict[str, Callable[[], contextlib.AbstractContextManager[Answer]]] = {
    "items": handed_in,
    "looks": looked_at,
    "scans": scanned,
}


def main() -> int:
    with QUESTIONS[sys.argv[1]]() as answer:
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(line.strip())), flush=True)
    return 0


if __name__ == "__main__":
    harness.run(main)
