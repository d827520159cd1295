"""What each mend of growth is worth: the old question and the product's own, asked in turn of the same filled province.

Run it with `./hoi bench mends`. Options: --scale (0.1; 1 is the full size), --runs (5, the fewest that count).
The old questions stand in `bench._before`. Nothing that is asked stays: each is rolled back.
"""

import argparse
import operator
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal
from unittest import mock
from uuid import UUID

import psycopg
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, organisations
from app.accounts.events import ConsentChanged, OrganisationChanged
from app.accounts.models import OrganisationKind, Purpose
from app.accounts.queries import organisations as organisation_list
from app.accounts.schemas import OrganisationIn
from app.actor import SYSTEM, Actor, Right
from app.criteria import assessments
from app.criteria import queries as criteria
from app.db import APP_ROLE, Database, new_id
from app.doors.farmer import queries as farmer
from app.marketplace_sync import queries as marketplace
from app.marketplace_sync.queries.listings import listings_with_sightings
from app.marketplace_sync.sightings import KEPT_EVERY
from app.notices import queries as notices
from app.products import queries as products
from app.trace import pages, stock
from app.trace import queries as trace
from app.trace.models import Batch
from bench import _before as before
from bench import _harness as harness
from bench import _meter as meters
from bench import _pages as walk
from bench import _province as province
from bench import growth

GOAL = 5.0
FORM = "large"
LINES = 36_000  # a pack of which a hundred are sold a day
UNSEEN = 3_000  # notices that somebody never looked at
HOUSEHOLDS = 400  # of one manager
VILLAGES = 50  # derived together
STEPS = 20
LOOKS_A_DAY = 96  # each 15 minutes
PAST = timedelta(days=90)

By = Literal["buffers", "database_ms", "cpu_ms", "number"]


# --- what is asked, of whom ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class World:
    """`told`: the parameters of the old questions, of which the new ones are made, too. `actors`: who asks."""

    told: dict[str, Any]
    actors: dict[str, Actor]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - of whatever type the column is
        return self.told[name]


Act = Callable[[Session, World], Any]


Agree = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Mend:
    """A finding of growth, or a part of it: what was asked `before`, and what the product asks now.

    before  SQL, of several statements the first answers; an act; None: what is asked `after`, in the old state
    old     statements of the owner that put the old state back until the transaction ends
    who     who asks
    by      what is compared
    agree   whether two answers are one; None where the old question was another one
    writes  the table that is swept after each run
    goal    how many times less it must be
    """

    finding: int
    what: str
    after: Act
    before: str | tuple[str, ...] | Act | None = None
    old: tuple[str, ...] = ()
    who: str = "system"
    by: By = "buffers"
    agree: Agree | None = operator.eq
    writes: str = ""
    goal: float = GOAL

    def ask_before(self, session: Session, world: World) -> Any:  # noqa: ANN401 - rows, or whatever the act answers
        if self.before is None:
            return self.after(session, world)
        if callable(self.before):
            return self.before(session, world)
        first, *others = [self.before] if isinstance(self.before, str) else self.before
        found = session.execute(text(first), world.told)
        rows = found.all()
        for statement in others:
            session.execute(text(statement), world.told).all()
        return rows


def firsts(rows: Sequence[Any]) -> list[Any]:
    return [row[0] for row in rows]


# Whether the rows of the old question and the answer of the new one say the same.


def is_first_column(old: Sequence[Any], new: Sequence[Any]) -> bool:
    return firsts(old) == new


def begins(old: Sequence[Any], new: Sequence[Any]) -> bool:
    """The page is what the old list began with."""
    return len(new) > 0 and firsts(old[: len(new)]) == new


def is_among(old: Sequence[Any], new: Sequence[Any]) -> bool:
    """The page is of the old list, which was in another order."""
    return len(new) > 0 and {*new} <= {*firsts(old)}


def is_what_was_seen(old: Sequence[Any], new: Sequence[Any]) -> bool:
    return [tuple(row[:5]) for row in old] == new


def are_levels(old: Sequence[Any], new: set[tuple[Any, ...]]) -> bool:
    return {(r[0], r[1], int(r.there or 0), -int(r.promised or 0), -int(r.sold or 0)) for r in old} == new


# --- the new questions -----------------------------------------------------------------------------------------------


def batches_of_site(session: Session, world: World) -> list[UUID]:
    return trace.batches_of_site(session, world["site"])


def sightings(moment: str, session: Session, world: World) -> list[tuple[Any, ...]]:
    rows = listings_with_sightings(session, world["product_alone"], world[moment])
    return [
        (listing.id, *((seen.live, seen.buyable, seen.price_dong, seen.stock) if seen else (None,) * 4))
        for listing, _account, seen in rows
    ]


def new_household(session: Session, world: World) -> None:
    """Made by an administrator. Nothing that pages react to is published: all of it is here."""
    form = OrganisationIn(
        id=new_id(), kind=OrganisationKind.HOUSEHOLD, name="Hộ số 9999", tax_code=None, village_id=world["village"]
    )
    organisations.create_organisation(session, world.actors["admin"], form)


def forget_all(session: Session, _world: World) -> None:
    session.execute(text(before.FORGET_ALL))


def forget_after_rename(session: Session, world: World) -> None:
    pages.after_organisation_changed(session, SYSTEM, OrganisationChanged(organisation_id=world["seller"]))


def forget_after_consent(purpose: Purpose, session: Session, world: World) -> None:
    event = ConsentChanged(person_id=world["grower"], purposes=(purpose,))
    pages.after_consent_changed(session, SYSTEM, event)


def count_of(table: str, column: str, session: Session, world: World) -> int:
    """What a manager of many households asks of all of them."""
    asked = text(f"SELECT count(*) FROM {table} WHERE {column} = ANY (:households)")
    return int(session.scalar(asked, world.told) or 0)


def one_site(session: Session, world: World) -> list[UUID]:
    return list(session.scalars(text("SELECT id FROM sites WHERE id = :site"), world.told))


def listings_by_index(session: Session, world: World) -> list[UUID]:
    """As a page of `listing_list` begins."""
    asked = "SELECT id FROM listings WHERE organisation_id = :seller ORDER BY created_at DESC, id DESC LIMIT 51"
    return list(session.scalars(text(asked), world.told))


def batches_by_index(session: Session, world: World) -> list[UUID]:
    """As a page of `batch_list` begins, of the cooperative with most lots."""
    asked = "SELECT id FROM batches WHERE organisation_id = :seller_of_most ORDER BY created_at DESC, id DESC LIMIT 51"
    return list(session.scalars(text(asked), world.told))


def listing_page(session: Session, world: World) -> list[UUID]:
    return [listing.id for listing, _account, _seen in marketplace.listing_list(session, world.actors["manager"]).lines]


def accounts_of(session: Session, world: World) -> list[UUID]:
    return [account.id for account in marketplace.accounts_of(session, world.actors["manager"])]


def declared_links(session: Session, world: World) -> list[UUID]:
    """As the desk of the day asks for links that nobody looked at."""
    asked = text(
        "SELECT id FROM declared_listings WHERE organisation_id = ANY (:sellers) AND withdrawn_at IS NULL ORDER BY id"
    )
    return list(session.scalars(asked, world.told))


def codes_to_scan(session: Session, world: World) -> int:
    """As `_scans` of app/doors/cooperative/queries/numbers.py asks, which stands on the desk."""
    return int(
        session.scalar(text("SELECT count(*) FROM trace_codes WHERE organisation_id = :seller"), world.told) or 0
    )


def batch_page(session: Session, world: World) -> list[datetime]:
    return [line.batch.created_at for line in trace.batch_list(session, world.actors["province"]).lines]


def batches_unpaged(session: Session, world: World) -> list[datetime]:
    """As before: the page and its number by the old questions, and what is said of each batch by today's."""
    rows = session.scalars(select(Batch).from_statement(text(before.BATCHES)), world.told).all()
    session.execute(text(before.COUNT_OF_BATCHES), world.told).all()
    trace.standings(session, [batch.id for batch in rows])
    trace.harvest_days(session, rows)
    return [batch.created_at for batch in rows]


def batches_naming_household(session: Session, world: World) -> list[UUID]:
    return trace.batches_naming_organisation(session, [world["household"]])


def written_today(session: Session, world: World) -> dict[UUID, int]:
    found = farmer.households(session, world.actors["manager of most households"])
    return {house.id: house.logs_today for house in (*found.own, *found.others) if house.logs_today}


def forget_audit(session: Session, _world: World) -> int:
    return audit.forget_old(session, "").gone


def product_page(session: Session, world: World) -> list[UUID]:
    return [p.id for p in products.product_list(session, world.actors["province"]).products]


def site_page(session: Session, world: World) -> int:
    return len(trace.site_list(session, world.actors["province"]).lines)


def organisation_page(session: Session, world: World) -> list[UUID]:
    return [o.id for o in organisation_list(session, world.actors["province"]).rows]


def inbox(session: Session, world: World) -> list[UUID]:
    return [notice.id for notice in notices.inbox(session, world.actors["manager"]).rows]


def bell(session: Session, world: World) -> int:
    return notices.unseen_count(session, world.actors["manager"])


def levels(session: Session, world: World) -> set[tuple[Any, ...]]:
    found = stock.levels(session, world["sold_most"])
    return {(v, b, level.there, level.promised, level.sold) for v, lots in found.items() for b, level in lots.items()}


def derive_together(session: Session, world: World) -> int:
    return assessments.derive(session, SYSTEM, world["villages"])


def derive_each(session: Session, world: World) -> int:
    return sum(assessments.derive(session, SYSTEM, [village]) for village in world["villages"])


ONE_STEP = province.OneMore(
    "care_logs",
    "care_logs r WHERE r.id = %(step)s",
    {"id": "gen_random_uuid()", "happened_at": "%(at)s", "recorded_at": "%(at)s"},
)


def answers_of_steps(session: Session, world: World) -> int:
    """Rows written for steps of one household that change no more than their count."""
    _one_step(session, world)  # after which the answer is today's
    stood = _answers(session, world)
    for _ in range(STEPS):
        _one_step(session, world)
    return _answers(session, world) - stood


def _one_step(session: Session, world: World) -> None:
    connection: Any = session.connection().connection.driver_connection
    ONE_STEP.add(connection, {"step": world["step"], "at": clock.now()})
    assessments.derive(session, SYSTEM, [world["village"]])


def _answers(session: Session, world: World) -> int:
    counted = text("SELECT count(*) FROM village_assessments WHERE village_id = :village")
    return int(session.scalar(counted, world.told) or 0)


def answers_with_counts(session: Session, world: World) -> int:
    """As it was: counts belonged to the digest of an answer (`answer_digest` of app/criteria/assessments.py)."""
    with mock.patch("app.criteria.facts.TALLIED", frozenset()):
        return answers_of_steps(session, world)


def bytes_of_sightings(a_day: float, _session: Session, world: World) -> int:
    """Of one listing in a year, with indices."""
    return int(a_day * 365 * world["bytes_of_observation"])


def dropped(index: str) -> tuple[str]:
    return (f"DROP INDEX {index}",)


MENDS = (
    Mend(1, "batches of a site", batches_of_site, before.BATCHES_OF_SITE, agree=is_first_column),
    Mend(2, "where one product is on sale", partial(sightings, "now"), before.LISTINGS_OF_PRODUCT,
         agree=is_what_was_seen),
    Mend(2, "the same 90 days ago", partial(sightings, "past"), before.LISTINGS_IN_THE_PAST, agree=is_what_was_seen),
    Mend(3, "pages forgotten: a new household", new_household, forget_all, agree=None, writes="public_pages"),
    Mend(3, "pages forgotten: a new name of a cooperative", forget_after_rename, forget_all, agree=None,
         writes="public_pages"),
    Mend(3, "pages forgotten: consent to a diary", partial(forget_after_consent, Purpose.DIARY), forget_all, agree=None,
         writes="public_pages"),
    Mend(3, "pages forgotten: consent to be named", partial(forget_after_consent, Purpose.PUBLIC_NAME), forget_all,
         agree=None, writes="public_pages"),
    Mend(5, f"answers kept of {STEPS} steps that change a count", answers_of_steps, answers_with_counts, by="number",
         agree=None, writes="village_assessments"),
    Mend(5, f"{VILLAGES} villages derived one by one, together", derive_together, derive_each, by="database_ms",
         writes="village_assessments", goal=2),
    Mend(7, "memberships of a manager's households", partial(count_of, "memberships", "organisation_id"),
         old=before.MEMBERSHIPS, who="manager of many", by="database_ms"),
    Mend(7, "household memberships of them", partial(count_of, "household_memberships", "household_id"),
         old=before.HOUSEHOLD_MEMBERSHIPS, who="manager of many", by="database_ms"),
    Mend(7, "one site, as the province", one_site, old=before.HOI_OVERSEEN, who="province", by="database_ms"),
    Mend(9, "/san: the seller's listings", listing_page, before.LISTINGS_OF_SELLER, who="manager", agree=is_among),
    Mend(9, "/san-pham as the province", product_page, before.PRODUCTS, who="province", by="database_ms", agree=begins),
    Mend(9, "/thua as the province", site_page, before.SITES, who="province", by="database_ms", agree=None),
    Mend(9, "/don-vi as the province", organisation_page, before.ORGANISATIONS, who="province", by="database_ms",
         agree=begins),
    Mend(9, "/lo as the province", batch_page, batches_unpaged, who="province", by="database_ms"),
    Mend(9, "/nong-dan/ho: written today", written_today, before.WRITTEN_TODAY, who="manager of most households",
         agree=lambda old, new: {row[0]: row[1] for row in old} == new),
    Mend(9, f"the bell of who has {UNSEEN:,} notices", bell, before.UNSEEN, who="manager",
         agree=lambda old, new: min(old[0][0], notices.MOST_UNSEEN + 1) == new),
    Mend(9, "/tin-bao of the same", inbox, before.INBOX, who="manager", agree=begins, goal=2),
    Mend(9, "index listings (organisation_id, created_at, id)", listings_by_index,
         old=dropped("ix_listings_created_at"), who="manager"),
    Mend(9, "index channel_accounts (organisation_id)", accounts_of, old=dropped("ix_channel_accounts_organisation_id"),
         who="manager"),
    Mend(9, "index declared_listings (organisation_id)", declared_links,
         old=dropped("ix_declared_listings_organisation_id"), who="manager"),
    Mend(9, "index trace_codes (organisation_id)", codes_to_scan, old=dropped("ix_trace_codes_organisation_id"),
         who="manager"),
    Mend(9, "index batches (organisation_id, created_at, id)", batches_by_index,
         old=dropped("ix_batches_organisation_id, ix_batches_created_at"), who="manager of most lots"),
    Mend(9, "index batch_sources (log_organisation_id)", batches_naming_household,
         old=dropped("ix_batch_sources_log_organisation_id")),
    Mend(9, "index care_logs (organisation_id, recorded_at)", written_today, old=dropped("ix_care_logs_recorded_at"),
         who="manager of most households"),
    Mend(9, "index audit_entries (at)", forget_audit, old=dropped("ix_audit_entries_at")),
    Mend(10, "bytes a year of one listing's sightings", partial(bytes_of_sightings, timedelta(days=1) / KEPT_EVERY),
         partial(bytes_of_sightings, LOOKS_A_DAY), by="number", agree=None),
    Mend(11, f"what is left of a pack of {LINES:,} lines", levels, before.STOCK_LEVELS, agree=are_levels),
)  # fmt: skip


# --- the province and who asks in it ---------------------------------------------------------------------------------

# What the fill has none of: a pack that sold a hundred a day for a year, and somebody who never looks at the inbox.
MANY_LINES = province.OneMore(
    "stock_movements",
    f"stock_movements r, generate_series(1, {LINES}) AS n WHERE r.id = (SELECT id FROM stock_movements"
    " WHERE kind = 'packed' AND corrects_id IS NULL ORDER BY position LIMIT 1)",
    {
        "id": "gen_random_uuid()",
        "kind": "'sold'",
        "units": "-1",
        "asked": "1",
        "happened_at": "now() - n * interval '14 minutes'",
    },
)
MANY_NOTICES = f"""
INSERT INTO notices (id, person_id, key, reason, urgency, title, body, created_at)
SELECT gen_random_uuid(), %s, 'mends-' || n, 'bench', 'low', '{{"vi": "Tin"}}', '{{"vi": "Lô đã được xem lại."}}',
       now() - n * interval '1 minute' FROM generate_series(1, {UNSEEN}) AS n
"""


def add_what_is_long(owner: meters.Connection, person: UUID) -> None:
    with owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")  # the totals are added up once, below
        MANY_LINES.add(owner)
    with owner.transaction():
        owner.execute("SELECT set_config('hoi.kind', 'system', true)")
        owner.execute("SELECT hoi_rebuild_stock_totals()")
    owner.execute(MANY_NOTICES, (person,))
    owner.execute("VACUUM (ANALYZE) stock_movements, stock_totals, notices")


def middle(session: Session, asked: str, **told: object) -> Any:  # noqa: ANN401 - a row
    """The row in the middle: neither the one with most behind it nor the one with least."""
    rows = session.execute(text(asked), told).all()
    return rows[len(rows) // 2]


MANAGED = """
SELECT b.organisation_id, m.person_id FROM (SELECT organisation_id, count(*) AS lots FROM batches GROUP BY 1) b
  JOIN memberships m ON m.organisation_id = b.organisation_id AND m.role = 'cooperative_manager' AND m.valid_to IS NULL
 WHERE EXISTS (SELECT FROM listings l WHERE l.organisation_id = b.organisation_id)
 ORDER BY b.lots, b.organisation_id, m.person_id
"""
HARVESTED = (
    "SELECT l.site_id FROM batch_sources s JOIN care_logs l ON l.id = s.care_log_id GROUP BY 1 ORDER BY count(*), 1"
)
# Who writes for most households.
OF_MOST = """
SELECT m.person_id FROM (SELECT cooperative_id, count(*) AS households FROM household_memberships GROUP BY 1) h
  JOIN memberships m ON m.organisation_id = h.cooperative_id AND m.role = 'cooperative_manager' AND m.valid_to IS NULL
 ORDER BY h.households DESC, m.person_id LIMIT 1
"""
SOME_HOUSEHOLDS = f"SELECT id FROM organisations WHERE kind = 'household' ORDER BY id LIMIT {HOUSEHOLDS}"
# The household of a smart agriculture model with most steps of late, and one of them.
COUNTED = """
SELECT (array_agg(l.id))[1] AS step, v.village_id FROM village_facts f
  JOIN site_villages v ON v.village_id = f.village_id AND v.valid_to IS NULL
  JOIN care_logs l ON l.site_id = v.site_id AND f.value -> 'household_ids' ? CAST(l.organisation_id AS text)
 WHERE f.kind = 'model' AND f.value ->> 'field' = 'smart_agriculture' AND l.corrects_id IS NULL AND NOT l.withdrawn
   AND l.happened_at > now() - interval '60 days'
 GROUP BY l.organisation_id, v.village_id ORDER BY count(*) DESC LIMIT 1
"""
OBSERVATION = """
SELECT sum(pg_total_relation_size(inhrelid)) / (SELECT count(*) FROM listing_observations)
  FROM pg_inherits WHERE inhparent = 'listing_observations'::regclass
"""


def ids(session: Session, asked: str, **told: object) -> list[UUID]:
    return list(session.scalars(text(asked), told))


def look_around(database: Database, owner: meters.Connection, people: Sequence[walk.Somebody]) -> World:
    """Somebody in the middle for each question, and what the province shows on its first pages."""
    known = {who.key: who.actor for who in people}
    who = {"system": SYSTEM, "admin": known["quan-tri"], "province": known["tinh"]}
    with database.transaction(SYSTEM) as session:
        seller, person = middle(session, MANAGED)
        seller_of_most, their_person = session.execute(text(MANAGED)).all()[-1]
        who |= {
            "manager": actors.actor_for(session, person),
            "manager of most lots": actors.actor_for(session, their_person),
            "manager of most households": actors.actor_for(session, ids(session, OF_MOST)[0]),
        }
        told = _told(session, seller)
    households = told["households"]
    who["manager of many"] = who["manager"].also(households, Right.MANAGE_MEMBERS)
    add_what_is_long(owner, person)
    places = who["province"].places
    told |= {
        "seller": seller,
        "seller_of_most": seller_of_most,
        "sellers": list(who["manager"].where(Right.SELL)),
        "told_most": person,
        "organisations": list(who["province"].organisations),
        "places": list(places),
        "place_array": "{" + ",".join(map(str, places)) + "}",
        "sold_most": [_one(owner, "SELECT variant_id FROM stock_movements GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")],
        "bytes_of_observation": float(str(_one(owner, OBSERVATION))),
    }
    with database.transaction(who["province"]) as session:
        told["sites_shown"] = firsts(session.execute(text(before.SITES[0]), told).all())
    of_most = who["manager of most households"]
    with database.transaction(of_most) as session:
        shown = farmer.households(session, of_most)
        told["theirs"] = list(of_most.organisations)
        told["houses_shown"] = [house.id for house in (*shown.own, *shown.others)]
    return World(told, who)


def _told(session: Session, seller: UUID) -> dict[str, Any]:
    household = middle(session, "SELECT log_organisation_id FROM batch_sources GROUP BY 1 ORDER BY count(*), 1")[0]
    people = "SELECT person_id FROM memberships WHERE organisation_id = :o ORDER BY recorded_at"
    sold = "SELECT DISTINCT product_id FROM listings WHERE organisation_id = :o"
    step = session.execute(text(COUNTED)).one()
    return {
        "now": clock.now(),
        "past": clock.now() - PAST,
        "today": clock.today(),
        "today_began": clock.start_of_day(clock.today()),
        "site": middle(session, HARVESTED)[0],
        "product_alone": [middle(session, "SELECT product_id FROM listings GROUP BY 1 ORDER BY count(*), 1")[0]],
        "sold": ids(session, sold, o=seller),
        "household": household,
        "grower": middle(session, people, o=household)[0],
        "households": ids(
            session, f"SELECT id FROM organisations WHERE kind = 'household' ORDER BY id LIMIT {HOUSEHOLDS}"
        ),
        "village": step.village_id,
        "step": step.step,
        "villages": sorted(criteria.villages_with_products(session))[:VILLAGES],
    }


def _one(owner: meters.Connection, asked: str) -> object:
    row = owner.execute(asked.encode()).fetchone()
    assert row is not None
    return row[0]


# --- asking ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Asked:
    """One run: what it cost, and what was answered."""

    cost: meters.Cost
    answer: Any = None
    seconds: float = 0.0

    def value(self, by: By) -> float:
        """What is compared; never less than what can be told apart."""
        if by == "number":
            return max(float(self.answer), 1.0)
        return max(float(getattr(self.cost, by)), 1.0 if by == "buffers" else 0.05)


@dataclass(slots=True)
class Compared:
    mend: Mend
    old: list[Asked] = field(default_factory=list)
    new: list[Asked] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How many times less: the median of neighbours."""
        by = self.mend.by
        return statistics.median(o.value(by) / n.value(by) for o, n in zip(self.old, self.new, strict=True))

    @property
    def agrees(self) -> bool:
        """Whether all runs found the same, where the same was asked."""
        agree = self.mend.agree
        return agree is None or all(agree(o.answer, n.answer) for o, n in zip(self.old, self.new, strict=True))

    def __str__(self) -> str:
        told = [f"{self.mend.finding:>2} {self.mend.what:<50} {self.ratio:>9,.1f} times by {self.mend.by:<11}"]
        for name in ("buffers", "written", "wal", "statements"):
            old, new = (statistics.median(getattr(a.cost, name) for a in side) for side in (self.old, self.new))
            told.append(f"{name} {old:,.0f} -> {new:,.0f}")
        for name in ("database_ms", "cpu_ms"):
            old, new = (statistics.median(getattr(a.cost, name) for a in side) for side in (self.old, self.new))
            told.append(f"{name} {old:,.2f} -> {new:,.2f}")
        old, new = (statistics.median(a.seconds for a in side) * 1000 for side in (self.old, self.new))
        told.append(f"ms {old:,.1f} -> {new:,.1f}")
        if self.mend.by == "number":
            told.append(f"number {self.old[-1].answer:,} -> {self.new[-1].answer:,}")
        return " | ".join(told)


@contextmanager
def undone(database: Database, mend: Mend, world: World, *, old: bool) -> Iterator[Session]:
    """A transaction of who asks, in the old state or in today's, of which nothing stays."""
    with suppress(meters.Undone), database.transaction(world.actors[mend.who]) as session:
        if old and mend.old:
            session.execute(text("SET LOCAL ROLE NONE"))
            for statement in mend.old:
                session.execute(text(statement), world.told)
            session.execute(text(f"SET LOCAL ROLE {APP_ROLE}"))
        yield session
        raise meters.Undone


def ask(meter: meters.Meter, mend: Mend, world: World, *, old: bool) -> Asked:
    """One side once. Who only reads has asked before: what the old state let PostgreSQL forget is not counted."""
    act = mend.ask_before if old else mend.after
    asked = Asked(meters.Cost())
    with undone(meter.database, mend, world, old=old) as session:
        if not mend.writes:
            act(session, world)
            session.expunge_all()

        def timed() -> None:
            began = time.perf_counter()
            asked.answer = act(session, world)
            session.flush()
            asked.seconds = time.perf_counter() - began

        spent: list[tuple[float, float]] = []
        asked.cost = meter.counted(lambda: spent.append(meter.processor(timed)))
        asked.cost.web_ms, asked.cost.database_ms = spent[0]
    return asked


def compare(meter: meters.Meter, owner: meters.Connection, mend: Mend, world: World, runs: int) -> Compared:
    """Both in turn, after each has been asked once."""
    found = Compared(mend)
    for number in range(runs + 1):
        for old, side in ((True, found.old), (False, found.new)):
            asked = ask(meter, mend, world, old=old)
            if mend.writes:
                owner.execute(f"VACUUM {mend.writes}".encode())
            if number > 0:
                side.append(asked)
    return found


def measured(size: province.Size, runs: int) -> list[Compared]:
    found = []
    with growth.servers() as (settings, started):
        people = growth.fill(settings, started, {FORM: size}, walk.SHORT)
        owner_url = meters.beside(started.owner_url, FORM)
        meter = meters.Meter(owner_url, owner_url)
        with psycopg.connect(owner_url, autocommit=True) as owner:
            world = look_around(meter.database, owner, people)
            for mend in MENDS:
                found.append(compare(meter, owner, mend, world, runs))
                print(found[-1], file=sys.stderr, flush=True)
        meter.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=0.1, help="of the full size, which has a million steps")
    parser.add_argument("--runs", type=harness.enough_runs, default=harness.RUNS)
    asked = parser.parse_args()
    found = measured(province.pair(asked.scale)[1], asked.runs)
    for one in found:
        print(one)
    worst = min(found, key=lambda one: one.ratio / one.mend.goal)
    differing = [one.mend.what for one in found if not one.agrees]
    return harness.report(
        name="mends",
        unit="times less than before",
        value=round(worst.ratio, 1),
        baseline=1,
        ratio=round(worst.ratio, 1),
        better="higher",
        goal=worst.mend.goal,
        ok=worst.ratio >= worst.mend.goal and not differing,
        runs=asked.runs,
        worst=worst.mend.what,
        differing=differing,
        below=[one.mend.what for one in found if one.ratio < one.mend.goal],
        ratios={f"{one.mend.finding} {one.mend.what}": round(one.ratio, 1) for one in found},
    )


if __name__ == "__main__":
    harness.run(main)
