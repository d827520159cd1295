"""What goes by its age, beside months and answers: trail, notices, jobs, what signing in leaves; and what the operator sees of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app import clock
from app.accounts.models import Card, CardRequest, Organisation, Person, SignIn
from app.actor import SYSTEM
from app.audit import AuditEntry
from app.db import Database, Words, new_id
from app.jobs import Job, JobState
from app.notices.models import Notice, NoticeDelivery, Urgency
from app.settings import Settings
from tests.worlds.farm import a_product, a_site, build
from tests.worlds.lots import decide, harvest, make
from worker import chores

WORDS = Words(vi="x", en="x")


def ago(days: float) -> Any:
    return clock.machine_now() - timedelta(days=days)


def added(database: Database, *rows: Any) -> None:
    with database.transaction(SYSTEM) as session:
        for row in rows:
            session.add(row)
            session.flush()


def left(database: Database, model: Any) -> set[UUID]:
    with database.transaction(SYSTEM) as session:
        return set(session.scalars(select(model.id)))


def somebody() -> Person:
    return Person(id=new_id(), created_at=ago(3000), erased_at=None)


def test_the_trail_goes_after_five_years_but_not_of_what_is_stopped(
    fresh_database: Database, settings: Settings
) -> None:
    world = build(fresh_database)
    site, product = (
        a_site(fresh_database, world.farmer, world.household, world.village),
        a_product(fresh_database, world),
    )
    made = [make(fresh_database, world.manager, product, harvest(fresh_database, world.farmer, site)) for _ in range(4)]
    recalled, lifted, held, released = made
    decide(fresh_database, world.manager, recalled, "recalled")
    decide(fresh_database, world.manager, lifted, "recalled")
    decide(fresh_database, world.manager, lifted, "recall_lifted")
    decide(fresh_database, world.manager, held, "held")
    decide(fresh_database, world.manager, released, "held")
    decide(fresh_database, world.manager, released, "released")
    young = left(fresh_database, AuditEntry)

    def line(days: float, subject: UUID | None) -> AuditEntry:
        return AuditEntry(
            id=new_id(), at=ago(days), action="x:y:z", actor_kind="system", request_id="", subject_id=subject, detail={}
        )

    stay = [line(1825, None), line(1830, recalled), line(1830, held)]
    go = [line(1830, None), line(1830, lifted), line(1830, released), line(4000, new_id())]
    keep, gone = {row.id for row in stay}, {row.id for row in go}
    added(fresh_database, *stay, *go)
    assert keep | gone | young == left(fresh_database, AuditEntry)
    chores.end_what_is_old(fresh_database, settings)
    assert left(fresh_database, AuditEntry) == keep | young


def test_notices_go_when_they_were_seen_long_ago(fresh_database: Database, settings: Settings) -> None:
    person = somebody()
    rows = {
        name: Notice(
            id=new_id(), person_id=person.id, key=name, reason="x", urgency=Urgency.NORMAL, title=WORDS, body=WORDS,
            link=None, created_at=ago(days), seen_at=ago(days) if seen else None,
        )
        for name, days, seen in (
            ("seen young", 730, True),
            ("seen old", 732, True),
            ("unseen", 1826, False),
            ("unseen for five years", 1828, False),
        )
    }  # fmt: skip
    added(fresh_database, person, *rows.values())
    added(fresh_database, *(NoticeDelivery(notice_id=row.id, carrier="in_app", state="sent") for row in rows.values()))
    chores.end_what_is_old(fresh_database, settings)
    stay = {rows["seen young"].id, rows["unseen"].id}
    assert left(fresh_database, Notice) == stay
    with fresh_database.transaction(SYSTEM) as session:
        assert set(session.scalars(select(NoticeDelivery.notice_id))) == stay


def test_jobs_go_a_year_after_their_end(fresh_database: Database, settings: Settings) -> None:
    rows = [
        Job(id=new_id(), kind="x", title=WORDS, params={}, state=state, queued_at=ago(3000), finished_at=at)
        for state, at in (
            (JobState.DONE, ago(366)),
            (JobState.FAILED, ago(366)),
            (JobState.DONE, ago(364)),
            (JobState.RUNNING, None),
        )
    ]
    added(fresh_database, *rows)
    chores.end_what_is_old(fresh_database, settings)
    assert left(fresh_database, Job) == {rows[2].id, rows[3].id}


def test_what_signing_in_leaves_goes_a_year_after_it_ended(fresh_database: Database, settings: Settings) -> None:
    person = somebody()
    office = Organisation(id=new_id(), kind="authority", name="Sở", tax_code=None, created_at=ago(3000), version=1)
    card = Card(
        id=new_id(), person_id=person.id, organisation_id=office.id, secret_sha256=b"x", printed_at=ago(3000),
        expires_at=ago(2990),
    )  # fmt: skip
    sign_ins = [
        SignIn(
            id=new_id(), person_id=person.id, device_id=None, token_sha256=bytes([number]), method="password", description="",
            started_at=ago(3000), last_seen_at=ago(3000), expires_at=ago(expired), ended_at=ended,
        )
        for number, (expired, ended) in enumerate([(366, None), (364, None), (-1, None), (-1, ago(366)), (366, ago(364))])
    ]  # fmt: skip
    requests = [
        CardRequest(
            id=new_id(), card_id=card.id, person_id=person.id, organisation_id=office.id, token_sha256=b"x", description="",
            number=11, asked_at=ago(3000), expires_at=ago(expired), state="waiting",
        )
        for expired in (366, 364)
    ]  # fmt: skip
    added(fresh_database, person, office, card, *sign_ins, *requests)
    chores.end_what_is_old(fresh_database, settings)
    assert left(fresh_database, SignIn) == {sign_ins[i].id for i in (1, 2, 4)}
    assert left(fresh_database, CardRequest) == {requests[1].id}
