"""What the law wants kept is kept, what the province lets go goes, and nothing of a batch that is stopped, in stock or certified."""

import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, select, text

from app import clock, retention
from app.actor import SYSTEM
from app.db import Database, new_id
from app.doors.consumer.queries import batch_page
from app.trace import batches, pages, queries
from app.trace import retention as trace_retention
from app.trace.models import Batch, BatchSource, CareLog, CodeKind, StockMovement
from app.trace.schemas import CareLogIn
from tests.app.trace.shelf import move
from tests.conftest import owner_of
from tests.worlds.farm import World, a_log, a_pack, a_product, a_site, build, write
from tests.worlds.lots import correct, decide, harvest, make, state

AGED = (
    "UPDATE care_logs SET happened_at = happened_at - %(by)s, recorded_at = recorded_at - %(by)s",
    (
        "UPDATE batches SET harvested_on = (harvested_on - %(by)s)::date, made_on = (made_on - %(by)s)::date,"
        " expires_on = (expires_on - %(by)s)::date, created_at = created_at - %(by)s"
    ),
    "UPDATE batch_events SET at = at - %(by)s, recorded_at = recorded_at - %(by)s",
    "UPDATE stock_movements SET happened_at = happened_at - %(by)s, recorded_at = recorded_at - %(by)s",
)


def age(database: Database, days: int) -> None:
    """Let everything of trace have been written so many days earlier."""
    with psycopg.connect(owner_of(database.url)) as owner:
        for statement in AGED:
            owner.execute(statement.encode(), {"by": timedelta(days=days)})


def choose(database: Database, value: retention.Choice = "delete", days_ago: int = 31) -> None:
    with database.transaction(SYSTEM) as session:
        retention.choose(session, value, "Quyết định 12/QĐ-UBND")
    with psycopg.connect(owner_of(database.url)) as owner:
        owner.execute(
            "UPDATE retention_choices SET recorded_at = recorded_at - %s WHERE position = (SELECT max(position) FROM retention_choices)",
            [timedelta(days=days_ago)],
        )


def end(database: Database) -> tuple[int, int]:
    """How many batches lost their harvests, and how many rows of the diary went."""
    lots = retention.run(database, "batch_sources", trace_retention.end_records, seconds=60)
    return lots, retention.run(database, "care_logs", trace_retention.forget_steps, seconds=60)


def there(database: Database) -> tuple[int, int]:
    with database.transaction(SYSTEM) as session:
        return tuple(session.scalar(select(func.count()).select_from(t)) or 0 for t in (BatchSource, CareLog))  # type: ignore[return-value]


class Lot:
    """A harvest of a site after two steps, and the batch made of it."""

    def __init__(self, database: Database, world: World, *, expires: bool = False) -> None:
        self.site = a_site(database, world.farmer, world.household, world.village)
        self.steps = [a_log(self.site, "weeding", 20), a_log(self.site, "irrigating", 10)]
        write(database, world.farmer, *self.steps)
        self.harvest: CareLogIn = harvest(database, world.farmer, self.site, 2)
        self.product = a_product(database, world)
        pack = {"variant_id": a_pack(database, world, self.product)} if expires else {}  # good for five days
        self.batch = make(database, world.manager, self.product, self.harvest, **pack)


@pytest.fixture
def world(fresh_database: Database) -> World:
    return build(fresh_database)


@pytest.fixture
def lot(fresh_database: Database, world: World) -> Lot:
    return Lot(fresh_database, world)


def test_nothing_goes_before_the_province_has_said_so(fresh_database: Database, lot: Lot) -> None:
    age(fresh_database, 4000)
    assert end(fresh_database) == (0, 0)
    choose(fresh_database, days_ago=29)
    assert end(fresh_database) == (0, 0)
    choose(fresh_database, days_ago=31)
    choose(fresh_database, "keep", days_ago=0)
    assert end(fresh_database) == (0, 0)
    assert there(fresh_database) == (1, 3)
    choose(fresh_database, days_ago=31)
    assert end(fresh_database) == (1, 3)
    assert there(fresh_database) == (0, 0)
    with fresh_database.transaction(SYSTEM) as session:
        batch = session.get_one(Batch, lot.batch)
        assert batch.records_ended_on == clock.local(clock.machine_now()).date()
        assert [e.kind for e in queries.events_of(session, lot.batch)] == ["created"]


MADE = date(2020, 1, 31)


@pytest.mark.parametrize(
    ("harvested_on", "made_on", "expires_on", "last"),
    [
        (MADE, MADE, date(2020, 2, 5), date(2022, 1, 31)),  # 24 months from the harvest and making are longer
        (MADE, MADE, date(2023, 1, 31), date(2024, 1, 31)),  # 12 months after the expiry
        (MADE, MADE, date(2022, 2, 28), date(2023, 2, 28)),
        (MADE, MADE, None, date(2025, 1, 31)),  # 60 months without an expiry
        (MADE, date(2020, 6, 1), date(2020, 6, 30), date(2022, 6, 1)),
    ],
)  # fmt: skip
def test_the_longest_of_all_dates_counts(
    database: Database, harvested_on: date, made_on: date, expires_on: date | None, last: date
) -> None:
    asked = text("SELECT hoi_records_over(CAST(:h AS date), CAST(:m AS date), CAST(:e AS date))")
    with database.transaction(SYSTEM) as session:
        assert session.scalar(asked, {"h": harvested_on, "m": made_on, "e": expires_on}) == last


@pytest.mark.parametrize(("days", "goes"), [(1780, 0), (1840, 1)])
def test_goods_without_an_expiry_keep_their_records_for_sixty_months(
    fresh_database: Database, lot: Lot, days: int, goes: int
) -> None:
    choose(fresh_database)
    age(fresh_database, days)
    assert end(fresh_database)[0] == goes
    assert there(fresh_database)[0] == 1 - goes


def test_what_expired_keeps_its_records_for_a_year_and_its_steps_for_five(
    fresh_database: Database, world: World
) -> None:
    lot = Lot(fresh_database, world, expires=True)
    choose(fresh_database)
    age(fresh_database, 1000)
    assert end(fresh_database) == (1, 0)
    assert there(fresh_database) == (0, 3)
    with fresh_database.transaction(SYSTEM) as session:
        assert session.get_one(Batch, lot.batch).records_ended_on is not None
    age(fresh_database, 840)
    assert end(fresh_database) == (0, 3)


def recalled(database: Database, world: World, lot: Lot) -> None:
    decide(database, world.manager, lot.batch, "recalled")


def held(database: Database, world: World, lot: Lot) -> None:
    decide(database, world.manager, lot.batch, "held")


def in_stock(database: Database, world: World, lot: Lot) -> None:
    move(database, world.manager, a_pack(database, world, lot.product), "packed", 10, batch_id=lot.batch)


def certified(database: Database, world: World, lot: Lot) -> None:
    with psycopg.connect(owner_of(database.url)) as owner:
        owner.execute(
            "INSERT INTO certificates (id, organisation_id, product_id, scheme, issuer, decision_number, decided_on,"
            " valid_from, recorded_at, content_sha256) VALUES (%s, %s, %s, 'vietgap', 'TT', '1', '2010-01-01', '2010-01-01', now(), '')",
            [new_id(), world.cooperative, lot.product],
        )


def decided_lately(database: Database, world: World, lot: Lot) -> None:
    age(database, 2500)
    decide(database, world.manager, lot.batch, "held")
    decide(database, world.manager, lot.batch, "released")
    age(database, -2500)
    with psycopg.connect(owner_of(database.url)) as owner:
        owner.execute(
            "UPDATE batch_events SET recorded_at = recorded_at + interval '2500 days' WHERE kind <> 'created'"
        )


@pytest.mark.parametrize("keeps", [recalled, held, in_stock, certified, decided_lately])
def test_a_batch_that_somebody_still_needs_keeps_everything(
    fresh_database: Database, world: World, lot: Lot, keeps: Callable[[Database, World, Lot], None]
) -> None:
    other = Lot(fresh_database, world)
    keeps(fresh_database, world, lot)
    choose(fresh_database)
    age(fresh_database, 2500)
    with fresh_database.transaction(SYSTEM) as session:
        before = batch_page_of(session, fresh_database, world, lot.batch)
    assert end(fresh_database) == (1, 3), "only the other one's"
    with fresh_database.transaction(SYSTEM) as session:
        assert session.get_one(Batch, lot.batch).records_ended_on is None
        assert session.get_one(Batch, other.batch).records_ended_on is not None
        assert set(session.scalars(select(CareLog.id))) == {lot.harvest.id, *(s.id for s in lot.steps)}
        assert batch_page_of(session, fresh_database, world, lot.batch) == before


def batch_page_of(session: Any, database: Database, world: World, batch: UUID) -> Any:
    found = queries.codes_of(session, batch)
    code = found[0].code if found else issue(database, world, batch)
    return batch_page(session, code)


def issue(database: Database, world: World, batch: UUID) -> str:
    with database.transaction(world.manager) as session:
        return batches.issue_code(session, world.manager, batch, CodeKind.SHORT)


def test_a_recall_that_is_being_written_keeps_its_batch(
    fresh_database: Database, world: World, lot: Lot, wait_for: Any
) -> None:
    """The recall has begun and is not committed when the run looks: the run goes past, and finds it recalled afterwards."""
    choose(fresh_database)
    age(fresh_database, 2500)
    with psycopg.connect(owner_of(fresh_database.url)) as recalling:
        recalling.execute(
            "INSERT INTO batch_events (id, batch_id, organisation_id, kind, at, recorded_at)"
            " VALUES (%s, %s, %s, 'recalled', now(), now())",
            [new_id(), lot.batch, world.cooperative],
        )
        assert end(fresh_database) == (0, 0)
        recalling.commit()
    assert end(fresh_database) == (0, 0)
    assert (there(fresh_database), state(fresh_database, lot.batch)) == ((1, 3), "recalled")


def test_a_recall_that_comes_while_the_run_has_the_batch_waits_for_it(
    fresh_database: Database, world: World, lot: Lot, wait_for: Any
) -> None:
    """Then the run was first: the recall is written afterwards, of a batch whose page says that its records are over."""
    choose(fresh_database)
    age(fresh_database, 2500)
    done = threading.Event()

    def recall() -> None:
        decide(fresh_database, world.manager, lot.batch, "recalled")
        done.set()

    with fresh_database.transaction(SYSTEM) as session:
        assert trace_retention.end_records(session, "").gone == 1
        late = threading.Thread(target=recall)
        late.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with psycopg.connect(owner_of(fresh_database.url), autocommit=True) as owner:
            wait_for(lambda: owner.execute(waiting).fetchone() == (1,), 10, "the recall waits")
        assert not done.is_set()
    late.join()
    assert (there(fresh_database), state(fresh_database, lot.batch)) == ((0, 3), "recalled")


def test_the_steps_of_a_site_stay_while_a_batch_may_show_them(fresh_database: Database, world: World, lot: Lot) -> None:
    """The batch lets go of its harvest after 60 months, but a later batch of the same site shows the three years before it."""
    choose(fresh_database)
    age(fresh_database, 1000)
    make(fresh_database, world.manager, lot.product, harvest(fresh_database, world.farmer, lot.site, 2))
    age(fresh_database, 1000)
    assert end(fresh_database) == (1, 0)
    assert there(fresh_database) == (1, 4)


def test_a_step_corrected_lately_and_one_that_held_a_batch_stay(fresh_database: Database, world: World) -> None:
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    lone, chain = a_log(site, "weeding", 5), a_log(site, "irrigating", 6)
    spray = a_log(site, "spraying", 4, material="Dầu khoáng", pre_harvest_days=30)
    write(fresh_database, world.farmer, lone, chain, spray)
    batch = make(
        fresh_database, world.manager, a_product(fresh_database, world), harvest(fresh_database, world.farmer, site)
    )
    assert state(fresh_database, batch) == "held"
    decide(fresh_database, world.manager, batch, "released")
    choose(fresh_database)
    age(fresh_database, 2500)
    correct(fresh_database, world.farmer, chain, note="đã xem lại")
    assert end(fresh_database) == (1, 2)
    with fresh_database.transaction(SYSTEM) as session:
        left = session.scalars(select(CareLog).order_by(CareLog.position)).all()
        assert [(row.id if row.corrects_id is None else row.corrects_id) for row in left] == [
            chain.id,
            spray.id,
            chain.id,
        ]


def test_a_chain_of_corrections_goes_whole_with_what_conflicted(fresh_database: Database, world: World) -> None:
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    step = a_log(site, "weeding", 5)
    write(fresh_database, world.farmer, step)
    write(fresh_database, world.farmer, step.model_copy(update={"note": "khác"}))
    correct(fresh_database, world.farmer, step, note="đúng ra là thế này")
    choose(fresh_database)
    age(fresh_database, 2500)
    assert end(fresh_database) == (0, 0), "the other submission came in these five years"
    with psycopg.connect(owner_of(fresh_database.url)) as owner:
        owner.execute("UPDATE conflicting_submissions SET received_at = received_at - interval '2500 days'")
    assert end(fresh_database) == (0, 2)
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalar(text("SELECT count(*) FROM conflicting_submissions")) == 0


def test_the_page_of_a_batch_whose_records_are_over_says_so(fresh_database: Database, world: World, lot: Lot) -> None:
    code = issue(fresh_database, world, lot.batch)
    with fresh_database.transaction(SYSTEM) as session:
        opened = pages.open_page(session, code, "vi")
        pages.store(session, code, "vi", opened.version, b"page", None)
    choose(fresh_database)
    age(fresh_database, 2500)
    assert end(fresh_database) == (1, 3)
    with fresh_database.transaction(SYSTEM) as session:
        assert pages.read(session, code, "vi") is None, "it is rendered anew"
        page = batch_page(session, code)
        assert (page.way, page.records_ended_on) == ((), clock.local(clock.machine_now()).date())
        assert session.scalar(select(func.count()).select_from(StockMovement)) == 0
        assert session.get_one(Batch, lot.batch).lot == page.lot


def test_bodies_of_pages_go_when_nobody_asked_or_they_are_stale(
    fresh_database: Database, world: World, lot: Lot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_retention, "PAGES", 2)
    days = {"fresh": (89, 1), "unasked": (91, 1), "stale": (8, 2), "just stale": (6, 2)}
    with fresh_database.transaction(SYSTEM) as session:
        for code, (ago, wanted) in days.items():
            session.execute(
                text(
                    "INSERT INTO public_pages (code, language, body, etag, wanted_version, body_version, rendered_at)"
                    " VALUES (:code, 'vi', 'x', 'e', :wanted, 1, :at)"
                ),
                {"code": code, "wanted": wanted, "at": clock.machine_now() - timedelta(days=ago)},
            )
    assert retention.run(fresh_database, "public_pages", trace_retention.forget_bodies, seconds=60) == 2
    with fresh_database.transaction(SYSTEM) as session:
        rows = session.execute(
            text("SELECT code, body IS NULL, etag, body_version, wanted_version FROM public_pages")
        ).all()
    assert {row[0]: tuple(row[1:]) for row in rows} == {
        "fresh": (False, "e", 1, 1),
        "unasked": (True, None, None, 1),
        "stale": (True, None, None, 2),
        "just stale": (False, "e", 1, 2),
    }
