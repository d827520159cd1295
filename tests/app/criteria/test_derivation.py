"""The set of villages to derive: no mark is lost, none is waited for, several share the work, and what is killed goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import clock
from app.actor import PUBLIC, SYSTEM
from app.criteria import assessments, derivation, queries
from app.criteria.models import VillageAssessment, VillageToDerive
from app.db import Database, new_id
from app.outbox import OutboxEvent
from app.trace.events import CareLogRecorded
from app.trace.models import CareLog, Site
from tests.app.criteria.records import rows
from tests.worlds.village import NOW, Province, build

Derive = Callable[..., int]


@pytest.fixture
def shared(fresh_database: Database, clock_at: Callable[[datetime], None]) -> Province:
    """On a database whose commits others see."""
    clock_at(NOW)
    return build(fresh_database, clock_at)


def mark(province: Province, *names: str, awaited: bool = True) -> None:
    with province.database.transaction(SYSTEM) as session:
        derivation.mark(session, SYSTEM, [province.ids[n] for n in names], awaited=awaited)


def marks(province: Province) -> dict[UUID, tuple[int, bool]]:
    with province.database.transaction(SYSTEM) as session:
        found = session.execute(
            select(VillageToDerive.village_id, VillageToDerive.times, VillageToDerive.awaited)
        ).all()
    return {row.village_id: (row.times, row.awaited) for row in found}


@contextmanager
def while_deriving(monkeypatch: pytest.MonkeyPatch, does: Callable[[list[UUID]], None]) -> Iterator[None]:
    """`does` is called with the villages of each batch once their records were read, before the marks are taken away."""
    real: Derive = derivation.derive

    def derive(session: Session, actor: Any, village_ids: Any, *more: Any, **others: Any) -> int:
        changed = real(session, actor, village_ids, *more, **others)
        does(list(village_ids))
        return changed

    with monkeypatch.context() as patched:
        patched.setattr(derivation, "derive", derive)
        yield


def current(province: Province, village: str = "village") -> VillageAssessment:
    with province.database.transaction(SYSTEM) as session:
        return queries.current(session, [province.ids[village]])[province.ids[village]]


def test_marked_often_is_derived_once_and_the_awaited_go_first(
    shared: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(shared, "village", "sister", awaited=False)
    mark(shared, "foreign")
    for _ in range(3):
        mark(shared, "village", awaited=False)
    assert marks(shared) == {
        shared.ids["village"]: (4, False),
        shared.ids["sister"]: (1, False),
        shared.ids["foreign"]: (1, True),
    }
    order: list[list[UUID]] = []
    with while_deriving(monkeypatch, order.append):
        done = derivation.drain(shared.database, batch=1)
    assert (done.derived, done.changed, done.more) == (3, 3, False)
    assert order[0] == [shared.ids["foreign"]]
    assert sorted(one for [one] in order[1:]) == sorted([shared.ids["village"], shared.ids["sister"]])
    assert marks(shared) == {}


def test_who_waits_is_served_without_the_rest(shared: Province) -> None:
    mark(shared, "village", "sister", awaited=False)
    mark(shared, "village")
    assert derivation.drain(shared.database, awaited=True).derived == 1
    assert list(marks(shared)) == [shared.ids["sister"]]


def test_a_mark_set_while_the_village_is_derived_stays_and_waits_for_nobody(
    shared: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record came after the records were read: the second look finds it."""
    mark(shared, "village")
    seen: list[int] = []

    def one_more(_villages: list[UUID]) -> None:
        seen.append(len(seen))
        if len(seen) == 1:
            shared.record("wifi", available=True)
            mark(shared, "village")

    with while_deriving(monkeypatch, one_more):
        done = derivation.drain(shared.database)
    assert (len(seen), done.derived, done.changed) == (2, 2, 2)
    assert current(shared).values["wifi-nha-van-hoa"] == "met"
    assert marks(shared) == {}


def test_the_mark_of_somebody_who_has_not_committed_is_left_to_their_own_event(
    shared: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(shared, "village", "sister")
    open_one = shared.database.transaction(SYSTEM)
    session = open_one.__enter__()
    derivation.mark(session, SYSTEM, [shared.village])
    done = derivation.drain(shared.database)
    assert (done.derived, [m.village_id for m in done.passed_over]) == (2, [shared.village])
    open_one.__exit__(None, None, None)
    assert marks(shared) == {shared.village: (2, True)}
    assert derivation.drain(shared.database).derived == 1
    assert marks(shared) == {}


def test_two_at_once_share_the_work(shared: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    mark(shared, "village", "sister", "foreign")
    both = threading.Barrier(2, timeout=30)
    by: dict[str, list[UUID]] = {}
    real: Derive = derivation.derive

    def derive(session: Session, actor: Any, village_ids: Any, *more: Any, **others: Any) -> int:
        mine = by.setdefault(threading.current_thread().name, [])
        if not mine:
            both.wait()  # each has taken its first before either goes on
        mine.extend(village_ids)
        return real(session, actor, village_ids, *more, **others)

    monkeypatch.setattr(derivation, "derive", derive)
    workers = [threading.Thread(target=derivation.drain, args=(shared.database,), kwargs={"batch": 1}) for _ in "ab"]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    done = [village for mine in by.values() for village in mine]
    assert len(by) == 2
    assert sorted(done) == sorted(shared.ids[n] for n in ("village", "sister", "foreign")), "each once"
    assert marks(shared) == {}


def test_a_drain_that_dies_leaves_what_it_had_not_committed(shared: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is cut, as by a kill or a restart of PostgreSQL."""
    mark(shared, "village", "sister", "foreign")
    turns: list[int] = []

    def cut(_villages: list[UUID]) -> None:
        turns.append(1)
        if len(turns) == 2:
            with shared.database.transaction(SYSTEM) as other:
                other.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )

    with while_deriving(monkeypatch, cut), pytest.raises(Exception, match=r"terminat|clos|connection"):
        derivation.drain(shared.database, batch=1)
    left = marks(shared)
    assert len(left) == 2
    done = derivation.drain(shared.database)
    assert (done.derived, done.changed, marks(shared)) == (2, 2, {})
    assert rows(shared, VillageAssessment) == 3


def test_a_village_that_cannot_be_derived_stops_no_other(shared: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    mark(shared, "village", "sister", "foreign")

    def refuse(villages: list[UUID]) -> None:
        if shared.ids["sister"] in villages:
            raise ValueError("no such rule")

    with while_deriving(monkeypatch, refuse), pytest.raises(ExceptionGroup) as failed:
        derivation.drain(shared.database)
    assert [str(e) for e in failed.value.exceptions] == ["no such rule"]
    assert list(marks(shared)) == [shared.ids["sister"]]
    assert derivation.drain(shared.database).changed == 1


def test_a_drain_ends_with_its_time_and_says_that_there_is_more(shared: Province) -> None:
    mark(shared, "village", "sister", "foreign")
    first = derivation.drain(shared.database, batch=2, seconds=0)
    assert (first.derived, first.more) == (2, True)
    assert len(marks(shared)) == 1


def test_nobody_but_the_system_sees_or_sets_a_mark(province: Province) -> None:
    mark(province, "village")
    for actor in (province.actors["province"], PUBLIC):
        with province.database.transaction(actor) as session:
            assert session.scalars(select(VillageToDerive.village_id)).all() == []


def test_a_rebuild_that_was_broken_off_goes_on_where_it_was(shared: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[list[UUID]] = []

    def stop(villages: list[UUID]) -> None:
        turns.append(villages)
        if len(turns) == 2:
            raise KeyboardInterrupt

    with while_deriving(monkeypatch, stop), pytest.raises(KeyboardInterrupt):
        derivation.rebuild(shared.database, batch=1)
    assert (len(marks(shared)), rows(shared, VillageAssessment)) == (2, 1)
    again: list[list[UUID]] = []
    with while_deriving(monkeypatch, again.append):
        derivation.drain(shared.database, batch=1)
    assert turns[0] not in again
    assert (len(again), rows(shared, VillageAssessment)) == (2, 3)


# --- counts of steps ---------------------------------------------------------------------------------------------


def step(province: Province, household: str) -> None:
    """One more step of this household, an hour ago."""
    with province.database.transaction(SYSTEM) as session:
        site = session.scalars(select(Site.id).where(Site.organisation_id == province.ids[household])).one()
        person = province.actors["officer"].person_id
        session.add(
            CareLog(
                id=new_id(), organisation_id=province.ids[household], site_id=site, kind="irrigating",
                happened_at=clock.now() - timedelta(hours=1), recorded_at=clock.now(), performed_by=person,
                written_by=person, witness="farmer", photos=[], content_sha256=new_id().hex,
            )
        )  # fmt: skip


def said(province: Province) -> dict[str, str]:
    """How the stored answer speaks of each household."""
    with province.database.transaction(SYSTEM) as session:
        row = queries.current(session, [province.village])[province.village]
        answer = queries.assessment(row)
    households = answer.facts["smart_agriculture_households"].value
    return {i.label: i.reason.vi for i in (*households.have, *households.missing)}  # type: ignore[union-attr]


def test_one_more_step_makes_no_new_answer_and_is_counted_on_the_page(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.model("smart_agriculture")
    province.diary("Hộ 1", 3)
    province.diary("Hộ 2", 1)
    province.derive()
    first = current(province)
    before = said(province)
    for hour, household in ((4, "Hộ 1"), (5, "Hộ 2")):
        clock_at(datetime(2026, 11, 23, hour, tzinfo=UTC))
        step(province, household)
        assert province.derive() == 0
    after = current(province)
    assert (after.id, after.result, rows(province, VillageAssessment)) == (first.id, first.result, 1)
    assert after.confirmed_at == datetime(2026, 11, 23, 5, tzinfo=UTC)
    assert before == {"Hộ 1": "Đã ghi 3 bước.", "Hộ 2": "Mới ghi 1 bước trong 90 ngày, cần 3."}
    assert said(province) == {"Hộ 1": "Đã ghi 4 bước.", "Hộ 2": "Mới ghi 2 bước trong 90 ngày, cần 3."}
    with province.database.transaction(SYSTEM) as session:
        now = province.assess()
        stored = queries.assessment(queries.current(session, [province.village])[province.village])
    assert stored.facts == now.facts, "what is shown is what would be computed now"


def test_the_step_that_decides_makes_a_new_answer(province: Province, clock_at: Callable[[datetime], None]) -> None:
    """The household changes the set in which it stands; the old row says what it said."""
    province.model("smart_agriculture")
    province.diary("Hộ 1", 1)
    province.derive()
    first = current(province)
    changes = []
    for minute in (5, 10):
        clock_at(datetime(2026, 11, 23, 3, minute, tzinfo=UTC))
        step(province, "Hộ 1")
        changes.append(province.derive())
    assert changes == [0, 1]
    assert said(province) == {"Hộ 1": "Đã ghi 3 bước."}
    assert rows(province, VillageAssessment) == 2
    with province.database.transaction(SYSTEM) as session:
        old = session.get_one(VillageAssessment, first.id)
        assert queries.as_computed(old).to_json() == first.result["canonical"]


def test_rows_of_before_counts_were_left_out_stand(province: Province) -> None:
    province.model("smart_agriculture")
    province.diary("Hộ 1", 1)
    province.derive()
    with province.database.transaction(SYSTEM) as session:
        row = queries.current(session, [province.village])[province.village]
        as_it_was = VillageAssessment(answer_sha256="0" * 64, result=row.result, tallies={})
        answer = queries.as_computed(row)
    assert assessments._same(as_it_was, assessments.answer_digest(answer))


# --- reactions ---------------------------------------------------------------------------------------------------


def test_many_steps_mark_their_villages_in_one_go(province: Province) -> None:
    province.model("smart_agriculture")
    province.diary("Hộ 1", 1)
    province.diary("Hộ 2", 1)
    with province.database.transaction(SYSTEM) as session:
        sites = session.execute(select(Site.id, Site.organisation_id)).all()
        news = [CareLogRecorded(new_id(), s.id, s.organisation_id) for s in sites for _ in range(5)]
        derivation.derive_of_diary(session, SYSTEM, news)
    assert marks(province) == {province.village: (1, True)}
    with province.database.transaction(SYSTEM) as session:
        told = session.scalars(select(OutboxEvent.body).where(OutboxEvent.name == "criteria.villages_marked")).all()
    assert told == [{"awaited": True}]


def test_a_diary_that_no_answer_asks_for_marks_nothing(province: Province) -> None:
    province.diary("Hộ 1", 1)
    with province.database.transaction(SYSTEM) as session:
        site = session.scalars(select(Site)).one()
        derivation.derive_of_diary(session, SYSTEM, [CareLogRecorded(new_id(), site.id, site.organisation_id)])
    assert marks(province) == {}
