"""Steps that phones hand in, 200 in an envelope: of one site and of 200 sites, against the bare INSERT of the same rows.

Run it with `./hoi bench items`. Options: --batches of one run (5), --runs (5, the fewest that count).
"""

import argparse
import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text

from app import clock
from app.accounts import actors, signin
from app.accounts.models import HouseholdMembership, Membership, Organisation, Person, PersonalData, SignInMethod
from app.actor import SYSTEM, Actor, Role
from app.db import APP_ROLE, Database, actor_settings, new_id, sort_key
from app.doors.farmer.schemas import MAX_ITEMS
from app.places.models import Place
from app.trace import care_logs
from app.trace.models import Site, SiteVillage
from app.trace.schemas import CareLogIn
from app.web import SIGN_IN_COOKIE
from bench import _harness as harness
from bench.scan import province

GOAL = 0.4
MANY_SITES_GOAL = 0.3
LONG_AGO = date(2025, 1, 1)
STEP = {
    "kind": "spraying",
    "material": "Dầu khoáng",
    "quantity": "2.5",
    "unit": "tank16",
    "pre_harvest_days": 7,
    "note": "gió nhẹ",
}


@dataclass(frozen=True, slots=True)
class Cooperative:
    """A manager, signed in, and the sites of the member households, one each."""

    actor: Actor
    token: str
    sites: tuple[tuple[UUID, UUID], ...]  # site, organisation


def fill(database: Database) -> Cooperative:
    """A cooperative with as many member households as an envelope has items, each with a site."""
    now = clock.now()
    with database.transaction(SYSTEM) as session:
        above: UUID | None = None
        for level, word, name, code in (
            ("province", "tỉnh", "Lạng Thử", "B1"),
            ("commune", "xã", "Chi Thử", "B2"),
            ("village", "thôn", "Nà Thử", "B3"),
        ):
            unit = Place(
                id=new_id(), code=code, level=level, kind_word=word, name=name, sort_key=sort_key(name), parent_id=above,
                recorded_at=now,
            )  # fmt: skip
            session.add(unit)
            session.flush()
            commune, above = unit.parent_id, unit.id
        assert above is not None
        seat = {"village_id": above, "commune_id": commune, "created_at": now}
        house = Organisation(id=new_id(), kind="cooperative", name="HTX Thử", **seat)
        manager = Person(id=new_id(), created_at=now)
        session.add_all([house, manager])
        session.flush()
        session.add(
            PersonalData(
                person_id=manager.id, phone="+84900000001", full_name="Nông Thị Thử", address_as="chị", language="vi",
                updated_at=now,
            )
        )  # fmt: skip
        session.add(
            Membership(
                person_id=manager.id, organisation_id=house.id, role=Role.COOPERATIVE_MANAGER, valid_from=LONG_AGO,
                recorded_at=now,
            )
        )  # fmt: skip
        members = [Organisation(id=new_id(), kind="household", name=f"Hộ số {n}", **seat) for n in range(MAX_ITEMS)]
        sites = [
            Site(id=new_id(), organisation_id=m.id, name="Vườn na", kind="orchard", created_at=now) for m in members
        ]
        session.add_all(members)
        session.flush()
        session.add_all(sites)
        session.flush()
        session.add_all(
            HouseholdMembership(household_id=m.id, cooperative_id=house.id, valid_from=LONG_AGO, recorded_at=now)
            for m in members
        )
        session.add_all(
            SiteVillage(
                site_id=s.id, organisation_id=s.organisation_id, village_id=above, valid_from=LONG_AGO, recorded_at=now
            )
            for s in sites
        )
        token = signin.start(session, SYSTEM, manager.id, method=SignInMethod.PASSWORD, agent="bench").token
        session.flush()
        actor = actors.actor_for(session, manager.id)
    return Cooperative(actor, token, tuple((s.id, s.organisation_id) for s in sites))


def bodies(sites: Sequence[UUID]) -> dict[str, Any]:
    """One envelope, a step for each of these sites; a site may come often."""
    happened = (clock.now() - timedelta(hours=1)).isoformat()
    items = [
        {
            "id": str(new_id()),
            "kind": "care_log",
            "schema": 1,
            "body": {"site_id": str(s), "happened_at": happened, **STEP},
        }
        for s in sites
    ]
    return {"sent_at": clock.now().isoformat(), "items": items}


def rows(cooperative: Cooperative, sites: Sequence[tuple[UUID, UUID]]) -> str:
    """The same steps as the rows that become of them, as the one JSON value that the diary's INSERT takes."""
    writer = cooperative.actor.person_id
    assert writer is not None
    made = []
    for site, organisation in sites:
        log = CareLogIn.model_validate(
            {"id": new_id(), "site_id": site, "happened_at": clock.now() - timedelta(hours=1), **STEP}
        )
        made.append(care_logs.build_row(log, cooperative.actor, writer, organisation, clock.now(), unnamed=()))
    return care_logs.rows_json(made)


@contextmanager
def told(url: str, actor: Actor) -> Iterator[Callable[[str], None]]:
    """Insert rows as the application's role under row-level security, each call a transaction that is committed."""
    settings = actor_settings(actor)
    names, values = [f"hoi.{name}" for name in settings], list(settings.values())
    insert = care_logs.INSERT.replace(":rows", "%s")
    with psycopg.connect(url, options=f"-c role={APP_ROLE} -c timezone=UTC") as connection:

        def write(json_rows: str) -> None:
            connection.execute(
                "SELECT count(set_config(name, value, true)) FROM unnest(%s::text[], %s::text[]) AS t (name, value)",
                (names, values),
            )
            stored = connection.execute(insert.encode(), (json_rows,)).fetchall()
            connection.commit()
            assert len(stored) == MAX_ITEMS

        yield write


@dataclass(slots=True)
class Phone:
    """One connection that hands in envelopes."""

    port: int
    token: str

    def send(self, connection: http.client.HTTPConnection, body: str) -> None:
        headers = {
            "Content-Type": "application/json",
            "Sec-Fetch-Site": "same-origin",
            "Cookie": f"{SIGN_IN_COOKIE}={self.token}",
        }
        connection.request("POST", "/api/v1/items", body=body, headers=headers)
        answer = json.loads(connection.getresponse().read())
        statuses = {item["status"] for item in answer["items"]}
        assert (len(answer["items"]), statuses) == (MAX_ITEMS, {"stored"}), answer

    def rate(self, envelopes: Sequence[str]) -> float:
        """Rows a second."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        began = time.perf_counter()
        for body in envelopes:
            self.send(connection, body)
        took = time.perf_counter() - began
        connection.close()
        return MAX_ITEMS * len(envelopes) / took


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--runs", type=harness.enough_runs, default=harness.RUNS)
    asked = parser.parse_args()
    with province() as (settings, database, _):
        cooperative = fill(database)
        one = [cooperative.sites[0]] * MAX_ITEMS
        many = list(cooperative.sites)
        with (
            harness.served(
                "app.front", interface="", probe="/healthz", database_url=settings.database_url, var=settings.var
            ) as front,
            told(settings.database_url or "", cooperative.actor) as write,
        ):
            phone = Phone(front.port, cooperative.token)
            spent: dict[int, list[float]] = {}

            def bare(sites: list[tuple[UUID, UUID]]) -> float:
                made = [rows(cooperative, sites) for _ in range(asked.batches)]
                began = time.perf_counter()
                for json_rows in made:
                    write(json_rows)
                return MAX_ITEMS * len(made) / (time.perf_counter() - began)

            def handed_in(sites: list[tuple[UUID, UUID]]) -> float:
                made = [json.dumps(bodies([site for site, _ in sites])) for _ in range(asked.batches)]
                before = front.cpu_seconds()
                rate = phone.rate(made)
                spent.setdefault(len({site for site, _ in sites}), []).append(
                    (front.cpu_seconds() - before) / (MAX_ITEMS * len(made)) * 1e6
                )
                return rate

            for sites in (one, many):  # warm up
                bare(sites)
                handed_in(sites)
            spent.clear()
            baseline, value, ratio = harness.alternated(lambda: bare(one), lambda: handed_in(one), runs=asked.runs)
            many_baseline, many_value, many_ratio = harness.alternated(
                lambda: bare(many), lambda: handed_in(many), runs=asked.runs
            )
        with database.transaction(SYSTEM) as session:
            stored = int(session.scalar(text("SELECT count(*) FROM care_logs")) or 0)
    assert stored == 4 * (asked.runs + 1) * asked.batches * MAX_ITEMS, stored
    microseconds = {which: round(statistics.median(found), 1) for which, found in spent.items()}
    return harness.report(
        name="items",
        unit="rows/s",
        value=round(value),
        baseline=round(baseline),
        ratio=round(ratio, 3),
        better="higher",
        goal=GOAL,
        ok=ratio >= GOAL and many_ratio >= MANY_SITES_GOAL,
        runs=asked.runs,
        many_sites_value=round(many_value),
        many_sites_baseline=round(many_baseline),
        many_sites_ratio=round(many_ratio, 3),
        many_sites_goal=MANY_SITES_GOAL,
        web_microseconds_a_row=microseconds[1],
        many_sites_web_microseconds_a_row=microseconds[MAX_ITEMS],
        items=MAX_ITEMS,
        batches=asked.batches,
    )


if __name__ == "__main__":
    harness.run(main)
