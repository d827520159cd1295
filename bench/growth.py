"""Does what a page or a reaction costs grow with what it shows, or with the province?

Two databases of one kind, the second ten times the first. Every HTML page of every door and every reaction is run on both.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from flask import Flask
from pydantic import SecretStr
from sqlalchemy import TextClause, text

from app import local
from app import settings as settings_module
from app.actor import SYSTEM, Actor
from app.db import Database
from app.migrations import run as migrations
from app.outbox import Event
from app.settings import Settings
from bench import _harness as harness
from bench import _meter as meters
from bench import _pages as walk
from bench import _province as province
from demo.factory import create_app
from demo.loader import load
from worker.reactions import REACTIONS, Reaction

GOAL = 1.5
MOST_STATEMENTS = 25
MOST_CPU_MS = 120
MOST_KB = 60
IGNORED_BUFFERS = 200
ROWS = re.compile(rb"<(?:tr|li|dt|article|section|details|option)\b")
GREW = 1.1  # shown rows of a page that shows no more
FORMS = ("small", "large")


@dataclass(slots=True)
class Measured:
    """One page or reaction: its cost in both provinces, and how many rows it shows or writes there."""

    name: str
    costs: dict[str, meters.Cost] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    bytes: int = 0

    @property
    def shows_more(self) -> bool:
        return self.rows.get("large", 0) > GREW * self.rows.get("small", 0) + 1

    @property
    def ratio(self) -> float:
        small, large = self.costs["small"].buffers, self.costs["large"].buffers
        return large / max(small, 1)


@contextmanager
def servers() -> Iterator[tuple[Settings, local.Servers]]:
    own = settings_module.load()
    with local.throw_away(pg_bin=own.pg_bin, valkey_bin=own.valkey_bin) as started, TemporaryDirectory() as folder:
        migrations.upgrade(started.owner_url)
        settings = Settings(
            var=local.prepare(Path(folder) / "var"),
            database_url=started.database_url,
            redis_url=started.redis_url,
            secret_key=SecretStr("b" * 32),
            demo=True,
            channel_sandbox=True,
            log_level="ERROR",
        )
        yield settings, started


def fill(
    settings: Settings, started: local.Servers, sizes: Sequence[province.Size], keys: Sequence[str]
) -> list[walk.Somebody]:
    """Make the databases `small` and `large`. Returns who signed in, which is the same in both."""
    load(settings)
    meters.count_buffers(started.owner_url)
    database = Database(started.database_url)
    with psycopg.connect(started.owner_url, autocommit=True) as owner:
        province.enrich(owner)
    people = walk.everybody(database, keys)
    database.dispose()
    name = started.owner_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(meters.beside(started.owner_url, "postgres"), autocommit=True) as admin:
        for form in FORMS:
            admin.execute(f"CREATE DATABASE {form} TEMPLATE {name}")
    for form, size in zip(FORMS, sizes, strict=True):
        url = meters.beside(started.owner_url, form)
        with psycopg.connect(url, autocommit=True) as owner, psycopg.connect(url, autocommit=True) as into:
            counted = province.grow(owner, into, size)
        print(f"{size}: " + ", ".join(f"{n:,} {t}" for t, n in counted.items() if n > 1), file=sys.stderr, flush=True)
    return people


def measure_pages(
    app: Flask, meter: meters.Meter, form: str, pages: Sequence[walk.Page], told: dict[str, Measured], times: int
) -> None:
    for page in pages:
        browser = page.who.browser(app)
        one = told.setdefault(str(page), Measured(str(page)))
        answer = browser.get(page.url, headers=walk.HTML)
        if answer.status_code != walk.OK:
            print(f"{form}: {page}: {answer.status_code}", file=sys.stderr)
        one.rows[form] = len(ROWS.findall(answer.data))
        one.bytes = max(one.bytes, len(answer.data))
        cost = one.costs[form] = meter.cost(partial(browser.get, page.url, headers=walk.HTML), times)
        print(f"{form} {page}: {cost.statements} {cost.buffers:,} {cost.cpu_ms:.0f} ms", file=sys.stderr, flush=True)


def events(database: Database) -> dict[str, Event]:
    """For each event that a verb reacts to, one."""
    found: dict[str, Event] = {}
    with database.transaction(SYSTEM) as session:
        for kind in {r.event for r in REACTIONS if r.verb}:
            made = walk.event_for(session, kind)
            if made is None:
                print(f"no event {kind.name}", file=sys.stderr)
            else:
                found[kind.name] = made
    return found


def measure_reactions(
    meter: meters.Meter, form: str, known: dict[str, Event], told: dict[str, Measured], times: int
) -> None:
    for reaction in REACTIONS:
        if not reaction.verb or reaction.event.name not in known:
            continue
        one = told.setdefault(f"reaction {reaction.name}", Measured(f"reaction {reaction.name}"))
        cost = one.costs[form] = meter.cost(partial(react, meter.database, reaction, known[reaction.event.name]), times)
        one.rows[form] = cost.written
        print(
            f"{form} {reaction.name}: {cost.statements} {cost.buffers:,} {cost.cpu_ms:.0f} ms",
            file=sys.stderr,
            flush=True,
        )


def react(database: Database, reaction: Reaction, happened: Event) -> None:
    """As the worker does, but nothing stays."""
    verb = reaction.find_verb()
    assert verb is not None
    with suppress(meters.Undone), database.transaction(SYSTEM) as session:
        verb(session, SYSTEM, [happened] if reaction.many else happened)
        session.flush()
        raise meters.Undone


# --- the rules of rows ----------------------------------------------------------------------------------------------------

RULES_FLOOR_MS = 2.0


def rules(meter: meters.Meter, people: Sequence[walk.Somebody], ids: dict[str, tuple[str, Any]]) -> dict[str, float]:
    """Milliseconds of PostgreSQL for one row of each table that has row rules, as each of these people."""
    found = {}
    for who in people:
        for table, (column, value) in ids.items():
            statement = text(f'SELECT count(*) FROM {table} WHERE "{column}" = :value').bindparams(value=value)
            first = _of_one_row(meter, who.actor, statement)
            again = (_of_one_row(meter, who.actor, statement) for _ in range(3))
            found[f"{who.key} {table}"] = first if first > 10 * RULES_FLOOR_MS else min(again)
    return found


def _of_one_row(meter: meters.Meter, actor: Actor, statement: TextClause) -> float:
    with meter.database.transaction(actor) as session:
        before = meter.database_ms()
        session.execute(statement)
        return meter.database_ms() - before


def tables_with_rules(owner_url: str) -> dict[str, tuple[str, Any]]:
    """Each with the first column of its key and the value of a row."""
    with psycopg.connect(owner_url) as owner:
        named = owner.execute(
            "SELECT CAST(c.oid AS regclass)::text, a.attname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
            " WHERE c.relrowsecurity AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        ).fetchall()
        found = {}
        for table, column in named:
            row = owner.execute(f'SELECT "{column}" FROM {table} ORDER BY 1 LIMIT 1').fetchone()
            if row is not None:
                found[str(table)] = (str(column), row[0])
    return found


# --- the run --------------------------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true", help="the full size: a million steps, 20,000 organisations")
    parser.add_argument("--scale", type=float, help="of the full size; 0.1 without --long")
    parser.add_argument("--times", type=int, help="processor time is the mean of so many runs")
    parser.add_argument("--list", action="store_true", help="print every page and reaction")
    asked = parser.parse_args()
    scale = asked.scale or (1.0 if asked.long else 0.1)
    times = asked.times or (20 if asked.long else 3)
    sizes = province.pair(scale)
    told: dict[str, Measured] = {}
    rule_costs: dict[str, dict[str, float]] = {}
    with servers() as (settings, started):
        people = fill(settings, started, sizes, () if asked.long else walk.SHORT)
        ids = tables_with_rules(meters.beside(started.owner_url, "small"))
        pages: list[walk.Page] = []
        known: dict[str, Event] = {}
        for form in FORMS:
            url, owner_url = meters.beside(started.database_url, form), meters.beside(started.owner_url, form)
            meter = meters.Meter(url, owner_url)
            app = create_app(settings.model_copy(update={"database_url": url}), meter.database)
            if not pages:
                pages = walk.pages(app, meter.database, people, len(people) if asked.long else 1)
                known = events(meter.database)
                print(f"{len(pages)} pages", file=sys.stderr, flush=True)
            measure_pages(app, meter, form, pages, told, times)
            measure_reactions(meter, form, known, told, times)
            rule_costs[form] = rules(meter, people, ids)
            meter.close()
            print(f"{form} measured", file=sys.stderr, flush=True)
    if asked.list:
        for line in table(list(told.values())):
            print(line)
        for key in sorted(rule_costs["large"], key=lambda k: -rule_costs["large"][k])[:30]:
            print(f"rules {key}: {rule_costs['small'][key]:.2f} -> {rule_costs['large'][key]:.2f} ms")
    return told_as(list(told.values()), rule_costs, sizes, times)


def table(measured: Sequence[Measured]) -> Iterator[str]:
    """The heaviest first."""
    yield "buffers 1x | 10x | ratio | rows 1x | 10x | statements 1x | 10x | web ms | PG ms | KB | what | heaviest statement"
    for one in sorted(measured, key=lambda m: -m.costs["large"].buffers):
        small, large = one.costs["small"], one.costs["large"]
        yield (
            f"{small.buffers:>9,} {large.buffers:>9,} {one.ratio:5.1f} {one.rows.get('small', 0):>5} {one.rows.get('large', 0):>5}"
            f" {small.statements:>4} {large.statements:>4} {large.web_ms:6.0f} {large.database_ms:6.0f} {one.bytes / 1000:5.0f}"
            f" {one.name} | {large.heaviest_buffers:,}: {large.heaviest[:300]}"
        )


def told_as(
    measured: Sequence[Measured], rule_costs: dict[str, dict[str, float]], sizes: Sequence[province.Size], times: int
) -> int:
    steady = [m for m in measured if not m.shows_more and m.costs["large"].buffers >= IGNORED_BUFFERS]
    worst = max(steady, key=lambda m: m.ratio)
    statements = max(measured, key=lambda m: m.costs["large"].statements)
    cpu = max(measured, key=lambda m: m.costs["large"].cpu_ms)
    size = max(measured, key=lambda m: m.bytes)
    ratios = {
        key: max(large, RULES_FLOOR_MS) / max(rule_costs["small"][key], RULES_FLOOR_MS)
        for key, large in rule_costs["large"].items()
    }
    rule = max(ratios, key=lambda k: ratios[k])
    ok = (
        worst.ratio <= GOAL
        and statements.costs["large"].statements <= MOST_STATEMENTS
        and cpu.costs["large"].cpu_ms <= MOST_CPU_MS
        and size.bytes <= MOST_KB * 1000
        and ratios[rule] <= GOAL
    )
    return harness.report(
        name="growth",
        unit="buffers",
        value=worst.costs["large"].buffers,
        baseline=worst.costs["small"].buffers,
        ratio=round(worst.ratio, 2),
        better="lower",
        goal=GOAL,
        ok=ok,
        runs=times,
        worst=worst.name,
        worst_statements=statements.costs["large"].statements,
        worst_statements_page=statements.name,
        worst_cpu_ms=round(cpu.costs["large"].cpu_ms),
        worst_cpu_page=cpu.name,
        worst_kb=round(size.bytes / 1000),
        worst_kb_page=size.name,
        rules_ratio=round(ratios[rule], 2),
        rules_worst=rule,
        rules_ms=round(rule_costs["large"][rule], 1),
        over=sum(m.ratio > GOAL for m in steady),
        measured=len(measured),
        sizes=[str(s) for s in sizes],
    )


if __name__ == "__main__":
    harness.run(main)
