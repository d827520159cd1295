"""kill -9 of a worker in the middle of a list of 1,500 villages: taken up again within seconds, whole, and once."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app import jobs
from app.actor import SYSTEM, Actor, Membership, Role
from app.audit import AuditEntry
from app.db import Database, new_id
from app.jobs import DEAD_AFTER, Job
from app.media import MediaStore
from app.places import reference
from app.places.models import Place
from tests.actors import acting
from tests.app.places.verbs import press, send
from tests.faults.field import children_of, kill

VILLAGES = 1500
SOON_SECONDS = 40  # eight without a sign of life, two until the relay looks, and the import itself on a busy machine


def as_official() -> Actor:
    return acting(Membership(new_id(), Role.PROVINCE_OFFICIAL))


def villages(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).where(Place.level == "village")) or 0


def job_of(database: Database, job_id: UUID) -> Job:
    with database.transaction(SYSTEM) as session:
        return session.get_one(Job, job_id)


@pytest.mark.faults
@pytest.mark.parametrize("who", ["the whole worker", "the child that does the work"])
def test_a_killed_import_goes_on_within_seconds(
    fresh_database: Database, run_processes: Any, wait_for: Callable[..., object], who: str
) -> None:
    running = run_processes("relay", "bulk")
    official, store = as_official(), MediaStore(running.settings)
    with fresh_database.transaction(SYSTEM) as session:
        reference.load_reference(session)
    lines = [f"06463;T{number:04d};thôn;Thôn Thử {number}" for number in range(VILLAGES)]
    raw = "\n".join(["Mã xã;Mã thôn;Loại;Tên thôn", *lines]).encode()
    job_id = press(fresh_database, official, store, send(fresh_database, official, store, raw))
    wait_for(lambda: 0 < job_of(fresh_database, job_id).done < VILLAGES, 60, "the import to be under way")
    leader = running.pid("bulk")
    below = children_of(leader)
    for pid in [leader, *below] if who == "the whole worker" else below:
        kill(pid)
    killed = time.monotonic()
    assert (villages(fresh_database), job_of(fresh_database, job_id).state) == (0, "running"), "nothing is half applied"
    stalled: list[float] = []

    def done() -> bool:
        running.tend()
        job = job_of(fresh_database, job_id)
        if jobs.is_stalled(job):
            stalled.append(time.monotonic() - killed)
        return job.state == "done"

    wait_for(done, SOON_SECONDS, "the import to be taken up again")
    took = time.monotonic() - killed
    assert villages(fresh_database) == VILLAGES
    with fresh_database.transaction(SYSTEM) as session:
        ended = session.scalar(select(func.count()).where(AuditEntry.action == "places:import:done"))
    assert (ended, job_of(fresh_database, job_id).result) == (1, {"added": VILLAGES, "renamed": 0, "unchanged": 0})
    assert all(seconds > DEAD_AFTER.total_seconds() - 3 for seconds in stalled), "the page says so once it is known"
    print(f"{who} killed: done {took:.1f} s later, shown as stopped for {len(stalled)} looks")  # noqa: T201 - the figures
