"""What holds a batch by rule, and what a hold says."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import clock
from app.actor import SYSTEM, Actor
from app.db import Database, is_busy, new_id
from app.doors.farmer.routes.waits import WAIT_CHOICES
from app.notices.models import Notice
from app.outbox import Delivery, OutboxEvent, read
from app.trace import batches, diary, holds, queries
from app.trace.events import BatchChanged, BatchCreated, BatchHeld, CareLogCorrected, CareLogRecorded
from app.trace.models import Batch, BatchEvent
from app.trace.schemas import NewBatch
from tests.worlds.farm import NOON, World, a_log, a_product, a_site, build, write
from tests.worlds.lots import correct, decide, harvest, held_for, make, pay_debts, react, state
from worker import relay, tasks


@pytest.mark.parametrize(("days", "expected"), [(4, "open"), (5, "held"), (365, "held")])
def test_a_harvest_before_the_days_to_wait_are_over_holds_the_batch(
    database: Database, world: World, site: UUID, product: UUID, days: int, expected: str
) -> None:
    spray = a_log(site, "spraying", 6, material="Dầu khoáng", pre_harvest_days=days)
    write(database, world.farmer, spray)
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    assert state(database, batch) == expected
    if days == 5:
        with database.transaction(SYSTEM) as session:
            event = queries.standing(session, batch).event
        assert event is not None
        assert event.reason is not None
        assert event.cause_id == spray.id
        assert event.reason.vi == (
            "Thu hoạch ngày 18/11/2026 khi chưa hết thời gian cách ly: dùng Dầu khoáng ngày 14/11/2026,"
            " được thu từ 19/11/2026."
        )


@pytest.mark.parametrize(
    ("kind", "waited", "expected"),
    [
        ("spraying", 0, "held"),
        ("treating", 30, "held"),
        ("spraying", 31, "open"),
        ("feeding", 0, "open"),
        ("weeding", 0, "open"),
    ],
)
def test_a_treatment_of_which_nobody_knows_the_days_to_wait_holds_for_the_longest_wait(
    database: Database, world: World, site: UUID, product: UUID, kind: str, waited: int, expected: str
) -> None:
    write(database, world.farmer, a_log(site, kind, 2 + waited))
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    assert state(database, batch) == expected
    with database.transaction(SYSTEM) as session:
        reason = queries.public_reason(queries.standing(session, batch).event)
    if kind == "spraying" and expected == "held":
        assert reason is not None
        assert reason.vi == (
            "Thu hoạch ngày 18/11/2026 sau lần dùng một loại thuốc ngày 18/11/2026 chưa rõ thời gian cách ly"
            " (khi chưa rõ, tính hết 30 ngày); hợp tác xã xem nhãn rồi sửa nhật ký hoặc gỡ giữ kèm lý do."
        )


def test_unknown_days_to_wait_hold_until_they_are_known_or_somebody_decides(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    spray = a_log(site, "spraying", 6, material="Dầu khoáng")
    write(database, world.farmer, spray)
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    unknown = (date(2026, 12, 15), date(2026, 11, 18))
    assert (state(database, batch), held_for(database, batch)) == ("held", [unknown])
    decide(database, world.manager, batch, "released")
    react(database)
    assert state(database, batch) == "open"

    correct(database, world.farmer, spray, pre_harvest_days=max(WAIT_CHOICES))
    react(database)
    longest = (date(2026, 12, 14), date(2026, 11, 18))
    assert (state(database, batch), held_for(database, batch)) == ("held", [unknown, longest])

    correct(database, world.farmer, spray, pre_harvest_days=3)
    decide(database, world.manager, batch, "released")
    react(database)
    assert (state(database, batch), held_for(database, batch)) == ("open", [unknown, longest])


def test_unknown_days_to_wait_count_for_the_longest_that_the_forms_offer() -> None:
    assert max(WAIT_CHOICES) == queries.UNKNOWN_WAIT_DAYS


def test_other_sites_and_later_sprayings_do_not_count(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    other = a_site(database, world.farmer, world.household, world.village, name="Vườn dưới")
    write(
        database,
        world.farmer,
        a_log(other, "spraying", 3, material="x", pre_harvest_days=30),
        a_log(site, "spraying", 1, material="x", pre_harvest_days=30),
    )
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    assert state(database, batch) == "open"


def test_a_spraying_that_arrives_late_holds_the_batch_once_and_release_stays(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    react(database)
    assert state(database, batch) == "open"
    late = a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7)
    write(database, world.farmer, late)
    react(database)
    assert state(database, batch) == "held"
    with database.transaction(SYSTEM) as session:
        held = session.scalars(select(OutboxEvent).where(OutboxEvent.name == BatchHeld.name)).all()
        for row in [*held, *held]:
            holds.tell_held(session, SYSTEM, read(BatchHeld, row.body))
    decide(database, world.manager, batch, "released")
    react(database)
    assert state(database, batch) == "open"
    with database.transaction(SYSTEM) as session:
        kinds = session.scalars(select(BatchEvent.kind).order_by(BatchEvent.position)).all()
        told = session.scalars(select(Notice)).all()
    assert kinds == ["created", "held", "released"]
    assert [(n.person_id, n.link) for n in told] == [(world.manager.person_id, f"/lo/{batch}")]


def test_a_spraying_that_is_written_while_the_batch_is_made_holds_it(fresh_database: Database) -> None:
    """The spraying's own check sees no batch yet, the batch sees no spraying yet: only a look after both finds it."""
    world = build(fresh_database)
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    product = a_product(fresh_database, world)
    log = harvest(fresh_database, world.farmer, site, 2)
    pay_debts(fresh_database)
    spray = a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7)
    new = NewBatch.model_validate(
        {"id": new_id(), "product_id": product, "lot": "NA-1126-01", "quantity": "10", "unit": "kg"}
        | {"sources": [{"care_log_id": log.id}]}
    )
    with fresh_database.transaction(world.manager) as making:
        batch = batches.create_batch(making, world.manager, new)
        assert write(fresh_database, world.farmer, spray) == ["stored"]
        pay_debts(fresh_database)
    assert state(fresh_database, batch) == "open"
    pay_debts(fresh_database)
    assert state(fresh_database, batch) == "held"
    with fresh_database.transaction(SYSTEM) as session:
        causes = session.scalars(select(BatchEvent.cause_id).where(BatchEvent.kind == "held")).all()
        told = session.scalars(select(Notice.person_id)).all()
    assert causes == [spray.id]
    assert told == [world.manager.person_id]


def test_a_step_that_is_corrected_after_a_release_is_judged_anew(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    spray = a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=3)
    write(database, world.farmer, spray)
    log = harvest(database, world.farmer, site, 2)
    batch = make(database, world.manager, product, log)
    short = (date(2026, 11, 20), date(2026, 11, 18))
    assert held_for(database, batch) == [short]

    decide(database, world.manager, batch, "released")
    correct(database, world.farmer, spray, note="ghi thêm", pre_harvest_days=3)
    react(database)
    assert (state(database, batch), held_for(database, batch)) == ("open", [short])

    correct(database, world.farmer, spray, material="Thuốc trừ nấm", pre_harvest_days=21)
    react(database)
    long = (date(2026, 12, 8), date(2026, 11, 18))
    assert (state(database, batch), held_for(database, batch)) == ("held", [short, long])

    decide(database, world.manager, batch, "released")
    correct(database, world.farmer, log, happened_at=NOON - timedelta(days=3), quantity=10, unit="kg")
    react(database)
    earlier = (date(2026, 12, 8), date(2026, 11, 17))
    assert (state(database, batch), held_for(database, batch)) == ("held", [short, long, earlier])

    decide(database, world.manager, batch, "released")
    correct(database, world.farmer, log, quantity=10, unit="kg")
    correct(database, world.farmer, spray, pre_harvest_days=3)
    react(database)
    assert (state(database, batch), held_for(database, batch)) == ("open", [short, long, earlier])
    with database.transaction(SYSTEM) as session:
        assert session.scalars(select(OutboxEvent.name)).all().count(BatchHeld.name) == 3


@pytest.mark.parametrize("mistaken", ["harvest", "harvest's site", "step", "step's site", "withdrawn step"])
def test_days_that_come_back_after_a_release_for_other_days_hold_the_batch_again(
    database: Database,
    world: World,
    site: UUID,
    product: UUID,
    clock_at: Callable[[datetime], None],
    mistaken: str,
) -> None:
    spray = a_log(site, "spraying", 5, material="Dầu khoáng", pre_harvest_days=4)
    write(database, world.farmer, spray)
    log = harvest(database, world.farmer, site, 3)
    batch = make(database, world.manager, product, log, made_on=date(2026, 11, 20))
    early = (date(2026, 11, 19), date(2026, 11, 17))
    assert held_for(database, batch) == [early]
    elsewhere = a_site(database, world.farmer, world.household, world.village, name="Vườn dưới")
    minutes = iter(range(1, 100))

    def diary_says(*, early_again: bool) -> None:
        clock_at(NOON + timedelta(minutes=next(minutes)))
        if mistaken == "harvest":
            day = NOON - timedelta(days=3 if early_again else 0)
            correct(database, world.farmer, log, happened_at=day, quantity=10, unit="kg")
        elif mistaken == "harvest's site":
            correct(database, world.farmer, log, site_id=site if early_again else elsewhere, quantity=10, unit="kg")
        elif mistaken == "step's site":
            correct(database, world.farmer, spray, site_id=site if early_again else elsewhere, pre_harvest_days=4)
        elif mistaken == "step":
            correct(database, world.farmer, spray, pre_harvest_days=4 if early_again else 1)
        else:
            correct(database, world.farmer, spray, withdrawn=not early_again)
        clock_at(NOON + timedelta(minutes=next(minutes)))
        react(database)

    def release() -> None:
        clock_at(NOON + timedelta(minutes=next(minutes)))
        decide(database, world.manager, batch, "released")

    diary_says(early_again=False)
    release()
    assert (state(database, batch), held_for(database, batch)) == ("open", [early])
    diary_says(early_again=True)
    react(database)
    assert (state(database, batch), held_for(database, batch)) == ("held", [early, early])
    release()  # with these days before the eyes: that is a decision on them, and it stays
    react(database)
    diary_says(early_again=False)
    diary_says(early_again=True)
    assert (state(database, batch), held_for(database, batch)) == ("open", [early, early])
    with database.transaction(SYSTEM) as session:
        events = queries.events_of(session, batch)
        assert session.scalars(select(OutboxEvent.name)).all().count(BatchHeld.name) == 2
    assert [e.kind for e in events] == ["created", "held", "released", "held", "released"]
    assert [e.undoes_id for e in events] == [None, None, None, events[2].id, None]


def test_a_hold_is_announced_once_whichever_rule_made_it(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    def changes() -> int:
        with database.transaction(SYSTEM) as session:
            return session.scalars(select(OutboxEvent.name)).all().count(BatchChanged.name)

    log = harvest(database, world.farmer, site, 2)
    batch = make(database, world.manager, product, log)
    before = changes()
    react(database)
    assert changes() == before, "nothing to say of a harvest in order"
    write(database, world.farmer, a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7))
    for _ in range(2):
        react(database)
        assert changes() == before + 1
    decide(database, world.manager, batch, "released")
    correct(database, world.farmer, log, quantity=10, unit="kg", withdrawn="1")
    for _ in range(2):
        react(database)
        assert (state(database, batch), changes()) == ("held", before + 3), "the release and the second hold"


def test_every_step_that_was_too_late_holds_in_the_order_of_the_first_days_allowed(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    write(
        database,
        world.farmer,
        a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=14),
        a_log(site, "spraying", 4, material="Thuốc trừ nấm", pre_harvest_days=7),
        a_log(site, "spraying", 4, material="Xà phòng", pre_harvest_days=7),
    )
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    day = date(2026, 11, 18)
    assert held_for(database, batch) == [(date(2026, 11, 23), day)] * 2 + [(date(2026, 12, 1), day)]


def test_the_steps_before_the_oldest_harvest_of_a_batch_are_looked_at(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    write(database, world.farmer, a_log(site, "spraying", 402, material="Dầu khoáng", pre_harvest_days=3))
    old, new = harvest(database, world.farmer, site, 400), harvest(database, world.farmer, site, 2)
    batch = make(database, world.manager, product, old, new)
    day = NOON.date()
    assert held_for(database, batch) == [(day - timedelta(days=399), day - timedelta(days=400))]


def test_the_steps_between_the_oldest_and_the_newest_harvest_of_a_batch_are_looked_at(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    write(database, world.farmer, a_log(site, "spraying", 4, material="Dầu khoáng", pre_harvest_days=7))
    old, new = harvest(database, world.farmer, site, 9), harvest(database, world.farmer, site, 2)
    batch = make(database, world.manager, product, old, new)
    day = NOON.date()
    assert held_for(database, batch) == [(day + timedelta(days=3), day - timedelta(days=2))]


def test_days_that_one_of_two_releases_saw_do_not_hold_again(
    database: Database, world: World, site: UUID, product: UUID, clock_at: Callable[[datetime], None]
) -> None:
    spray = a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=3)
    write(database, world.farmer, spray)
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    short, longer = ((date(2026, 11, day), date(2026, 11, 18)) for day in (20, 24))
    for minute, days in enumerate((3, 7)):
        clock_at(NOON + timedelta(minutes=10 * minute + 1))
        correct(database, world.farmer, spray, pre_harvest_days=days)
        react(database)
        clock_at(NOON + timedelta(minutes=10 * minute + 2))
        decide(database, world.manager, batch, "released")
    assert held_for(database, batch) == [short, longer]
    clock_at(NOON + timedelta(minutes=30))
    correct(database, world.farmer, spray, pre_harvest_days=3)
    react(database)
    assert (state(database, batch), held_for(database, batch)) == ("open", [short, longer])


def test_a_release_that_saw_one_early_harvest_of_two_stays(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    elsewhere = a_site(database, world.farmer, world.household, world.village, name="Vườn dưới")
    write(database, world.farmer, a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=3))
    sources = [harvest(database, world.farmer, at, days) for at, days in ((site, 2), (elsewhere, 2), (site, 0.5))]
    batch = make(database, world.manager, product, *sources)
    assert state(database, batch) == "held"
    decide(database, world.manager, batch, "released")
    with database.transaction(SYSTEM) as session:
        holds.check_new_batch(session, SYSTEM, BatchCreated(batch_id=batch))
    assert (state(database, batch), len(held_for(database, batch))) == ("open", 1)


def check_once_more(database: Database) -> list[tuple[int, bool]]:
    """One try of each check that is owed: how often it went wrong so far, and whether it is done now."""
    relay.fan_out(database)
    with database.transaction(SYSTEM) as session:
        owed = session.scalars(
            select(Delivery).where(Delivery.reaction == "trace.check_site", Delivery.done_at.is_(None))
        ).all()
        for delivery in owed:
            delivery.lease_until = clock.machine_now() + timedelta(minutes=1)
    for delivery in owed:
        tasks.pay(database, delivery.event_id, delivery.reaction)
    with database.transaction(SYSTEM) as session:
        tried = [session.get_one(Delivery, (d.event_id, d.reaction)) for d in owed]
        return [(d.attempts, d.done_at is not None) for d in tried]


def test_a_batch_that_cannot_be_checked_keeps_no_other_from_being_held_and_is_tried_again(
    database: Database, world: World, site: UUID, product: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sorted(make(database, world.manager, product, harvest(database, world.farmer, site, 2)) for _ in range(3))
    codes = []
    for batch in made:
        with database.transaction(world.manager) as session:
            codes.append(batches.issue_code(session, world.manager, batch))
    pay_debts(database)
    write(database, world.farmer, a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7))
    announce = holds.announce_change

    def announce_all_but_one(session: Session, actor: Actor, batch: Batch) -> None:
        """When its hold is written already: all of a batch is kept, or nothing of it."""
        if batch.id == made[1]:
            raise ValueError("an odd batch")
        announce(session, actor, batch)

    def versions() -> list[int]:
        asked = text("SELECT wanted_version FROM public_pages WHERE code = :code AND language = 'vi'")
        with database.transaction(SYSTEM) as session:
            return [session.execute(asked, {"code": code}).scalar_one() for code in codes]

    before = versions()
    with monkeypatch.context() as odd:
        odd.setattr(holds, "announce_change", announce_all_but_one)
        assert check_once_more(database) == [(1, False)]
    assert [state(database, batch) for batch in made] == ["held", "open", "held"]
    assert [after > first for after, first in zip(versions(), before, strict=True)] == [True] * 3
    assert check_once_more(database) == [(1, True)]
    assert [len(held_for(database, batch)) for batch in made] == [1, 1, 1]


def test_of_two_reasons_the_harvest_that_cannot_be_is_written_last_and_shown(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    cut = harvest(database, world.farmer, site, 2)
    batch = make(database, world.manager, product, cut)
    pay_debts(database)
    write(database, world.farmer, a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7))
    correct(database, world.farmer, cut, quantity=1)
    with database.transaction(SYSTEM) as session:
        holds.check_site(session, SYSTEM, CareLogCorrected(cut.id, site, world.household))
    with database.transaction(SYSTEM) as session:
        reasons = [e.reason.vi for e in queries.events_of(session, batch) if e.kind == "held" and e.reason]
    assert [("khi chưa hết thời gian cách ly" in r, "thấp hơn phần đưa vào lô" in r) for r in reasons] == [
        (True, False),
        (False, True),
    ]


def test_a_new_batch_that_cannot_be_checked_is_looked_at_again(
    database: Database, world: World, site: UUID, product: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    write(database, world.farmer, a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7))

    def odd(_session: Session, _actor: Actor, _batch: Batch) -> None:
        raise ValueError("an odd batch")

    monkeypatch.setattr(holds, "announce_change", odd)
    with pytest.raises(ValueError, match="an odd batch"), database.transaction(SYSTEM) as session:
        holds.check_new_batch(session, SYSTEM, BatchCreated(batch_id=batch))
    assert state(database, batch) == "open"


def test_a_check_that_meets_another_of_the_same_batch_is_tried_again_as_a_whole(fresh_database: Database) -> None:
    world = build(fresh_database)
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    log = harvest(fresh_database, world.farmer, site, 2)
    batch = make(fresh_database, world.manager, a_product(fresh_database, world), log)
    spray = a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7)
    write(fresh_database, world.farmer, spray)
    event = CareLogRecorded(spray.id, site, world.household, first_day=NOON.date() - timedelta(days=3))
    with fresh_database.transaction(SYSTEM) as first:
        holds.check_site(first, SYSTEM, event)
        with pytest.raises(OperationalError) as met, fresh_database.transaction(SYSTEM) as second:
            second.execute(text("SET LOCAL lock_timeout = '50ms'"))
            holds.check_site(second, SYSTEM, event)
        assert is_busy(met.value)
    assert len(held_for(fresh_database, batch)) == 1


def test_who_checks_after_a_correction_waits_for_who_writes_a_step_there_and_after_a_step_nobody_is_waited_for(
    fresh_database: Database,
) -> None:
    world = build(fresh_database)
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    log = harvest(fresh_database, world.farmer, site, 2)
    make(fresh_database, world.manager, a_product(fresh_database, world), log)
    corrected = CareLogCorrected(log.id, site, world.household)
    moved_here = CareLogRecorded(log.id, site, world.household)
    step = CareLogRecorded(log.id, site, world.household, first_day=NOON.date() - timedelta(days=2))

    def check(event: CareLogCorrected | CareLogRecorded) -> None:
        with fresh_database.transaction(SYSTEM) as session:
            session.execute(text("SET LOCAL lock_timeout = '50ms'"))
            holds.check_site(session, SYSTEM, event)

    with fresh_database.transaction(world.farmer) as writing:
        [outcome] = diary.record_care_logs(writing, world.farmer, [a_log(site, "weeding", 1)])
        assert outcome.status == "stored"
        check(step)
        for event in (corrected, moved_here):
            with pytest.raises(OperationalError) as waited:
                check(event)
            assert is_busy(waited.value)
    for event in (step, corrected, moved_here):
        check(event)


def test_what_is_said_outside_of_a_hold_names_no_site_and_no_telephone(
    database: Database, world: World, product: UUID
) -> None:
    garden = a_site(database, world.farmer, world.household, world.village, name="vườn bà Lành")
    write(database, world.farmer, a_log(garden, "spraying", 3, material="Thuốc của 0912345678", pre_harvest_days=7))
    batch = make(database, world.manager, product, harvest(database, world.farmer, garden, 2))
    with database.transaction(SYSTEM) as session:
        rows = session.scalars(select(OutboxEvent).where(OutboxEvent.name == BatchHeld.name)).all()
        for row in rows:
            holds.tell_held(session, SYSTEM, read(BatchHeld, row.body))
        standing = queries.standing(session, batch)
        body = session.scalars(select(Notice.body)).one()
    assert standing.event is not None
    assert "Lành" not in str(standing.event.reason)
    assert queries.public_reason(standing.event) == body
    assert body.vi == (
        "Thu hoạch ngày 18/11/2026 khi chưa hết thời gian cách ly: dùng Thuốc của [số đã che] ngày 17/11/2026,"
        " được thu từ 24/11/2026."
    )


def test_a_hold_that_was_released_before_anybody_was_told_is_not_told(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    write(database, world.farmer, a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7))
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    decide(database, world.manager, batch, "released")
    with database.transaction(SYSTEM) as session:
        row = session.scalars(select(OutboxEvent).where(OutboxEvent.name == BatchHeld.name)).one()
        holds.tell_held(session, SYSTEM, read(BatchHeld, row.body))
        assert session.scalars(select(Notice)).all() == []


def test_a_hold_of_a_recalled_batch_is_told_with_its_own_reason(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    decide(database, world.manager, batch, "recalled", reason="Dư lượng vượt mức")
    write(database, world.farmer, a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7))
    react(database)
    with database.transaction(SYSTEM) as session:
        for row in session.scalars(select(OutboxEvent).where(OutboxEvent.name == BatchHeld.name)).all():
            holds.tell_held(session, SYSTEM, read(BatchHeld, row.body))
        told = session.scalars(select(Notice)).one()
    assert state(database, batch) == "recalled"
    assert "tạm giữ" in told.title.vi
    assert "dùng Dầu khoáng ngày 17/11/2026" in told.body.vi


def test_corrections_of_harvests_hold_the_batch(database: Database, world: World, site: UUID, product: UUID) -> None:
    less, gone, later, fine = (harvest(database, world.farmer, site, 2) for _ in range(4))
    made = {log.id: make(database, world.manager, product, log, quantity="9") for log in (less, gone, later, fine)}
    correct(database, world.farmer, less, quantity=8, unit="kg")
    correct(database, world.farmer, gone, quantity=10, unit="kg", withdrawn="1")
    correct(database, world.farmer, later, happened_at=NOON - timedelta(days=1), quantity=10, unit="kg")
    correct(database, world.farmer, fine, happened_at=NOON - timedelta(days=4), quantity=12, unit="kg")
    react(database)
    assert [state(database, made[log.id]) for log in (less, gone, later, fine)] == ["held", "held", "held", "open"]
    with database.transaction(SYSTEM) as session:
        reason = queries.public_reason(queries.standing(session, made[later.id]).event)
    assert reason is not None
    assert reason.vi == "Ngày thu hoạch đã sửa thành 19/11/2026, sau ngày sản xuất 18/11/2026. Cần xem lại lô."


def test_the_day_of_harvest_is_what_the_diary_says_now(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    first, last = harvest(database, world.farmer, site, 5), harvest(database, world.farmer, site, 2)
    batch = make(database, world.manager, product, first, last)

    def day() -> date:
        with database.transaction(world.manager) as session:
            listed = queries.batch_list(session, world.manager)
            (line,), total = listed.lines, listed.total.number
            assert (line.batch.id, total) == (batch, 1)
            assert queries.harvest_days(session, [line.batch]) == {batch: line.harvested_on}
            return line.harvested_on

    assert day() == date(2026, 11, 18)
    correct(database, world.farmer, last, happened_at=NOON - timedelta(days=4), quantity=10, unit="kg")
    assert day() == date(2026, 11, 16)
    correct(database, world.farmer, last, quantity=10, unit="kg", withdrawn="1")
    assert day() == date(2026, 11, 15)
    correct(database, world.farmer, first, quantity=10, unit="kg", withdrawn="1")
    assert day() == date(2026, 11, 18), "nothing is harvested any more: the day first known"
