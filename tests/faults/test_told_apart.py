"""A step waits behind nobody's import, and villages that are marked are derived whatever is killed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import func, select, text

from app import clock, outbox
from app.actor import SYSTEM
from app.criteria import derivation, queries
from app.criteria.models import VillageAssessment, VillageToDerive
from app.db import Database, new_id
from app.jobs import Job
from app.media import MediaStore
from app.places import reference
from app.trace.events import CareLogRecorded
from app.trace.models import CareLog, Site
from tests.app.places.verbs import press, send
from tests.conftest import owner_of
from tests.faults.field import children_of, debts, kill
from tests.faults.test_taken_up_again import as_official, job_of
from tests.worlds.village import Province, build

VILLAGES = 1700
SOON_SECONDS = 20  # five on a machine of its own; what is asserted is that the import still goes on


def step(province: Province, household: str) -> None:
    """One more step of this household, with its event, as the diary writes it."""
    with province.database.transaction(SYSTEM) as session:
        site = session.scalars(select(Site).where(Site.organisation_id == province.ids[household])).one()
        person, now = province.actors["officer"].person_id, clock.now()
        log = CareLog(
            id=new_id(), organisation_id=site.organisation_id, site_id=site.id, kind="irrigating", happened_at=now,
            recorded_at=now, performed_by=person, written_by=person, witness="farmer", photos=[],
            content_sha256=new_id().hex,
        )  # fmt: skip
        session.add(log)
        news = CareLogRecorded(log.id, site.id, site.organisation_id, False, clock.local(now).date())
        outbox.publish(session, SYSTEM, news)


def marks(database: Database, *village_ids: UUID) -> int:
    with database.transaction(SYSTEM) as session:
        query = select(func.count()).select_from(VillageToDerive)
        return session.scalar(query.where(VillageToDerive.village_id.in_(village_ids)) if village_ids else query) or 0


def confirmed(province: Province) -> Any:
    with province.database.transaction(SYSTEM) as session:
        row = queries.current(session, [province.village]).get(province.village)
        return None if row is None else row.confirmed_at


@pytest.mark.faults
def test_a_step_is_followed_while_a_list_of_villages_is_imported_and_all_are_derived(
    fresh_database: Database, run_processes: Any, wait_for: Callable[..., object]
) -> None:
    running = run_processes("relay", "worker", "bulk")
    official, store = as_official(), MediaStore(running.settings)
    with fresh_database.transaction(SYSTEM) as session:
        reference.load_reference(session)
    province = build(fresh_database, lambda _moment: None)
    province.model("smart_agriculture")
    province.diary("Hộ 1", 3)
    wait_for(lambda: debts(fresh_database) == 0 and not marks(fresh_database), 60, "the making of it to be followed")
    lines = [f"06463;T{number:04d};thôn;Thôn Thử {number}" for number in range(VILLAGES)]
    raw = "\n".join(["Mã xã;Mã thôn;Loại;Tên thôn", *lines]).encode()
    job_id = press(fresh_database, official, store, send(fresh_database, official, store, raw))
    with fresh_database.transaction(SYSTEM) as session:
        derivation.mark_all(session, SYSTEM)
    # The only process of the bulk holds on to the import until we let it go.
    with psycopg.connect(owner_of(fresh_database.url)) as holds:
        holds.execute("LOCK TABLE places IN SHARE ROW EXCLUSIVE MODE")
        wait_for(lambda: job_of(fresh_database, job_id).state == "running", 60, "the import to be under way")
        before, began = confirmed(province), clock.machine_now()
        step(province, "Hộ 1")

        def answered() -> bool:
            return confirmed(province) > before and not marks(fresh_database, province.village)

        wait_for(answered, SOON_SECONDS, "the step's village to be answered anew")
        took = clock.machine_now() - began
        assert job_of(fresh_database, job_id).state == "running"
        holds.rollback()

    def imported() -> bool:
        with fresh_database.transaction(SYSTEM) as session:
            return session.scalars(select(Job.state).where(Job.id == job_id)).one() == "done"

    wait_for(imported, 90, "the import")
    print(f"a step beside an import of {VILLAGES} villages: answered after {took.total_seconds():.1f} s")  # noqa: T201 - the figures


@pytest.mark.faults
@pytest.mark.parametrize("who", ["the whole process", "the child that derives", "its connections"])
def test_a_drain_that_is_killed_goes_on_where_it_was(
    fresh_database: Database, run_processes: Any, wait_for: Callable[..., object], who: str
) -> None:
    """The last is what a restart of PostgreSQL does to it."""
    province = build(fresh_database, lambda _moment: None)
    villages = province.many_villages(800)[1::2]  # those without an answer
    with fresh_database.transaction(SYSTEM) as session:
        derivation.mark(session, SYSTEM, villages, awaited=False)
    running = run_processes("relay", "bulk")

    def goes_on() -> bool:
        running.tend()
        return 0 < marks(fresh_database) < len(villages)

    wait_for(goes_on, 90, "the drain to be under way")
    if who == "its connections":
        with psycopg.connect(owner_of(fresh_database.url), autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'hoi-worker'"
            )
    else:
        leader = running.pid("bulk")
        below = children_of(leader)
        for pid in [leader, *below] if who == "the whole process" else below:
            kill(pid)
    left = marks(fresh_database)

    def done() -> bool:
        running.tend()
        return marks(fresh_database) == 0

    wait_for(done, 120, "the rest to be derived")
    with fresh_database.transaction(SYSTEM) as session:
        found = session.execute(
            select(VillageAssessment.village_id, func.count())
            .where(VillageAssessment.village_id.in_(villages))
            .group_by(VillageAssessment.village_id)
        ).all()
        dead = session.scalar(text("SELECT count(*) FROM outbox_deliveries WHERE dead_at IS NOT NULL"))
    assert (len(found), {count for _, count in found}, dead) == (len(villages), {1}, 0)
    assert left > 0, "something was left when it was killed"


@pytest.mark.faults
def test_steps_of_many_are_followed_while_the_drain_is_killed(
    fresh_database: Database, run_processes: Any, wait_for: Callable[..., object]
) -> None:
    """Marks that are set while the village is derived, by a process that dies of it: the last step is in the answer."""
    province = build(fresh_database, lambda _moment: None)
    province.model("smart_agriculture")
    province.diary("Hộ 1", 3)
    running = run_processes("relay", "worker")
    for number in range(6):
        step(province, "Hộ 1")
        if number % 2:
            wait_for(lambda: marks(fresh_database) or confirmed(province), 60, "a mark")
            leader = running.pid("worker")
            for pid in children_of(leader):
                kill(pid)
        running.tend()

    def counted() -> str:
        running.tend()
        with fresh_database.transaction(SYSTEM) as session:
            row = queries.current(session, [province.village]).get(province.village)
            if row is None or "smart_agriculture_households" not in queries.assessment(row).facts:
                return ""
            return next(iter(queries.assessment(row).facts["smart_agriculture_households"].value.have)).reason.vi

    wait_for(lambda: counted() == "Đã ghi 9 bước.", 90, "every step to be in the answer")
    assert timedelta() < clock.machine_now() - confirmed(province)
