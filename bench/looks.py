"""A round of looks at thousands of listings of a shop that answers in 300 ms, and a push that is asked for meanwhile.

Run it with `./hoi bench looks`. Options: --long (4,000 listings instead of 1,000), --rounds (5, the fewest that count).
Everything runs as `./hoi up` starts it: relay, caller, looker and scheduler, on a throw-away PostgreSQL and Valkey.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import insert, text

from app import clock, local, supervisor
from app import settings as settings_module
from app.accounts.models import Organisation
from app.actor import SYSTEM
from app.db import Base, Database, Words, new_id, sort_key
from app.marketplace_sync import credentials
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.channels.woocommerce.channel import KIND
from app.marketplace_sync.models import ChannelAccount, Listing
from app.marketplace_sync.notes import want_again
from app.migrations import run as migrations
from app.places.models import Place
from app.products.models import Product, Variant
from app.settings import ROOT, Settings, child_environment
from app.trace.models import Batch, MovementKind, StockMovement
from bench import _harness as harness

FULL, LISTINGS = 4000, 1000
OF_AN_ACCOUNT = 100
PRICE, STOCK = 90_000, 40
ROUNDS_A_DAY = 4  # what never changes is looked at every six hours
IN_PARTS = 5  # a province has five times as many listings as a full round
LIMIT_SECONDS = 900.0
PUSH_LIMIT = 5.0
ROWS_LIMIT = 2.0
PATIENCE = 300.0


@dataclass(slots=True)
class Told:
    """Of each round: seconds, rows written, seconds until a push began; and the looker's processor seconds a listing."""

    seconds: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    pushes: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


@contextmanager
def province() -> Iterator[tuple[Settings, Database]]:
    own = settings_module.load()
    with local.throw_away(pg_bin=own.pg_bin, valkey_bin=own.valkey_bin) as servers, TemporaryDirectory() as folder:
        # The releases before the application had a login of its own have one URL for everything (`beside`).
        migrations.upgrade(getattr(servers, "owner_url", servers.database_url))
        settings = Settings(
            var=local.prepare(Path(folder) / "var"),
            database_url=servers.database_url,
            redis_url=servers.redis_url,
            secret_key=SecretStr("b" * 32),
            clock_movable=True,
            channel_sandbox=True,
            log_level="ERROR",
        )
        database = Database(servers.database_url, clock_movable=True)
        try:
            yield settings, database
        finally:
            database.dispose()


@contextmanager
def shop() -> Iterator[str]:
    held = supervisor.free_port("127.0.0.1", 8200)
    held.hold.close()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench._shop", str(held.number), str(PRICE), str(STOCK)], cwd=ROOT
    )
    try:
        harness.ready(held.number, "/p/1/")
        yield f"http://127.0.0.1:{held.number}"
    finally:
        process.terminate()
        process.wait()


def fill(
    database: Database, settings: Settings, base_url: str, listings: int, of_an_account: int = OF_AN_ACCOUNT
) -> None:
    """Cooperatives with an account and so many packs each, packed once, all of them on sale and settled."""
    now, day = clock.now(), date(2026, 8, 12)
    sealed = credentials.seal(
        settings, Credentials({"base_url": base_url, "consumer_key": "ck_bench", "consumer_secret": "cs_bench"})
    )
    province_id, commune, village = new_id(), new_id(), new_id()
    rows: dict[type[Base], list[dict[str, object]]] = {}

    def add(model: type[Base], **values: object) -> UUID:
        made = new_id()
        rows.setdefault(model, []).append({"id": made, **values})
        return made

    for number in range(listings):
        if number % of_an_account == 0:
            seller = add(Organisation, kind="cooperative", name=f"HTX {number}", village_id=village, commune_id=commune,
                         created_at=now)  # fmt: skip
            account = add(ChannelAccount, organisation_id=seller, channel=KIND, legal_kind="own_site", name="Gian hàng",
                          base_url=base_url, credentials_sealed=sealed, stock_buffer=0, state="active", version=1,
                          created_at=now)  # fmt: skip
        own = {"organisation_id": seller}
        product = add(
            Product, **own, name=Words(vi=f"Na dai {number}"), ocop_group=1, ocop_scheme_year=2023, created_at=now
        )
        pack = add(Variant, **own, product_id=product, sku=f"B-{number + 1}", name=Words(vi="hộp 2 kg"), price_dong=PRICE,
                   weight_grams=2000, created_at=now)  # fmt: skip
        lot = add(Batch, **own, product_id=product, variant_id=pack, lot=f"B{number}", harvested_on=day, quantity=50,
                  unit="kg", made_on=day, created_at=now, content_sha256="0" * 64)  # fmt: skip
        add(StockMovement, **own, variant_id=pack, batch_id=lot, kind=MovementKind.PACKED, units=STOCK, asked=STOCK,
            happened_at=now, recorded_at=now, content_sha256="0" * 64)  # fmt: skip
        add(Listing, **own, account_id=account, product_id=product, variant_id=pack, wanted="live", wanted_version=1,
            applied_version=1, state="live", failures=0, remote_id=str(number + 1), applied_stock=STOCK,
            created_at=now)  # fmt: skip
    with database.transaction(SYSTEM) as session:
        for place, level, above in (
            (province_id, "province", None),
            (commune, "commune", province_id),
            (village, "village", commune),
        ):
            session.add(
                Place(id=place, code=level, level=level, kind_word=level, name="Mẫu", sort_key=sort_key("Mẫu"),
                      parent_id=above, recorded_at=now)
            )  # fmt: skip
            session.flush()
        for model in (Organisation, ChannelAccount, Product, Variant, Batch, StockMovement, Listing):
            session.execute(insert(model), rows[model])


def one_round(database: Database, looker: int, told: Told, listings: int) -> None:
    """Everything is due at once, six hours after the last round; a second into it somebody's price is to be sent."""
    rows, spent = _rows(database), _processor(looker)
    with database.transaction(SYSTEM) as session:
        session.execute(text("UPDATE clock_shift SET shift = shift + :by"), {"by": timedelta(hours=24 / ROUNDS_A_DAY)})
    with database.transaction(SYSTEM) as session:
        began_at = clock.now()
        session.execute(text("UPDATE listings SET next_look_at = :past"), {"past": clock.machine_now()})
    began = time.monotonic()
    _until(lambda: _seen_since(database, began_at) > 0, "the first sighting of the round")
    told.pushes.append(_seconds_until_pushed(database))
    _until(lambda: _seen_since(database, began_at) >= listings, "the end of the round")
    told.seconds.append(time.monotonic() - began)
    told.rows.append(_rows(database) - rows)
    told.processor.append((_processor(looker) - spent) / listings)


def _seconds_until_pushed(database: Database) -> float:
    """From the wish to the claim after which the shop is asked."""
    with database.transaction(SYSTEM) as session:
        listing = session.get_one(
            Listing, session.scalar(text("SELECT id FROM listings ORDER BY last_seen_at LIMIT 1"))
        )
        want_again(session, listing)
        listing_id, wanted = listing.id, listing.wanted_version
    began = time.monotonic()

    def begun() -> bool:
        with database.transaction(SYSTEM) as session:
            now = session.get_one(Listing, listing_id)
            return now.lease_id is not None or now.applied_version >= wanted

    _until(begun, "the push to begin")
    return time.monotonic() - began


def _rows(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return int(session.scalar(text("SELECT count(*) FROM listing_observations")) or 0)


def _seen_since(database: Database, moment: object) -> int:
    with database.transaction(SYSTEM) as session:
        return int(session.scalar(text("SELECT count(*) FROM listings WHERE last_seen_at >= :m"), {"m": moment}) or 0)


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come within {PATIENCE:g} s")
        time.sleep(0.05)


def measured(listings: int, rounds: int) -> tuple[Told, float]:
    """So many rounds after one that warms up, and the looker's memory (MiB, PSS) after them."""
    told = Told()
    with province() as (settings, database), shop() as base_url:
        fill(database, settings, base_url, listings)
        names = ("var", "database_url", "redis_url", "clock_movable", "channel_sandbox", "log_level")
        environment = child_environment(
            clean=True, secret_key="b" * 32, **{name: getattr(settings, name) for name in names}
        )
        keeper = supervisor.Supervisor(settings.var, environment, lambda line: print(line, file=sys.stderr))
        try:
            for child in (
                supervisor.relay(),
                supervisor.caller(settings.caller_threads),
                supervisor.looker(settings.looker_threads),
                supervisor.scheduler(settings.var),
            ):
                keeper.start(child)
            looker = keeper.pids()["looker"]
            one_round(database, looker, Told(), listings)
            for number in range(rounds):
                one_round(database, looker, told, listings)
                print(f"round {number + 1}/{rounds}: {told.seconds[-1]:.1f} s", file=sys.stderr)
            return told, _memory_mib(looker)
        finally:
            keeper.stop()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--rounds", type=harness.enough_runs, default=harness.RUNS)
    asked = parser.parse_args()
    listings = FULL if asked.long else LISTINGS
    told, memory = measured(listings, asked.rounds)
    # Four rounds make a day, and begin and end where every look may be the one that is kept.
    rows_a_day = sum(told.rows[:ROUNDS_A_DAY]) / listings
    value = IN_PARTS * statistics.median(told.seconds) * FULL / listings
    push = max(told.pushes)
    return harness.report(
        name="looks",
        unit="s",
        value=round(value, 1),
        baseline=LIMIT_SECONDS,
        ratio=round(value / LIMIT_SECONDS, 3),
        better="lower",
        goal=LIMIT_SECONDS,
        ok=value <= LIMIT_SECONDS and push <= PUSH_LIMIT and rows_a_day <= ROWS_LIMIT,
        runs=asked.rounds,
        listings=listings,
        round_seconds=[round(s, 1) for s in told.seconds],
        push_start_s=round(push, 2),
        push_start_goal=PUSH_LIMIT,
        rows_a_day=round(rows_a_day, 2),
        rows_a_day_goal=ROWS_LIMIT,
        looker_cpu_ms=round(statistics.median(told.processor) * 1000, 2),
        looker_mib_pss=round(memory, 1),
    )


def _memory_mib(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return float(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))) / 1024


if __name__ == "__main__":
    harness.run(main)
