"""Batches: never more than was harvested, on hold where the diary says so, and states read from events."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app import clock
from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.doors.farmer.routes import WAIT_CHOICES
from app.errors import Conflict, Forbidden, HoiError, Invalid, NotFound
from app.notices.models import Notice
from app.outbox import Delivery, OutboxEvent, read
from app.products.models import Product
from app.trace import batches, codes, diary, queries
from app.trace.events import BatchHeld, CareLogCorrected, CareLogRecorded
from app.trace.models import Batch, BatchEvent, BatchSource, CodeKind, TraceCode
from app.trace.schemas import BatchEventIn, CareLogIn, CorrectionIn, NewBatch
from tests.app.trace.farm import NOON, World, a_log, a_pack, a_product, a_site, build, write
from worker import relay, tasks


def make(database: Database, actor: Actor, product: UUID, *sources: CareLogIn, **facts: Any) -> UUID:
    whole = {"id": new_id(), "product_id": product, "lot": f"L{new_id().hex[-8:]}", "quantity": "10", "unit": "kg"}
    whole["sources"] = [{"care_log_id": s.id} for s in sources]
    with database.transaction(actor) as session:
        return batches.create_batch(session, actor, NewBatch.model_validate(whole | facts))


def harvest(database: Database, actor: Actor, site: UUID, days_ago: float = 2, **facts: Any) -> CareLogIn:
    log = a_log(site, "harvesting", days_ago, **({"quantity": 10, "unit": "kg"} | facts))
    assert write(database, actor, log) == ["stored"]
    return log


def state(database: Database, batch: UUID) -> str:
    with database.transaction(SYSTEM) as session:
        return queries.standing(session, batch).state


def react(database: Database) -> None:
    """Do what the worker would: run the check of sites for every event there is."""
    kinds = {k.name: k for k in (CareLogRecorded, CareLogCorrected)}
    with database.transaction(SYSTEM) as session:
        rows = session.scalars(
            select(OutboxEvent).where(OutboxEvent.name.in_(kinds)).order_by(OutboxEvent.position)
        ).all()
        for row in rows:
            batches.check_site(session, SYSTEM, read(kinds[row.name], row.body))


def pay_debts(database: Database) -> None:
    """What the worker does for this part of events that are committed: each reaction of the table once."""
    relay.fan_out(database)
    owed = select(Delivery.event_id, Delivery.reaction).where(
        Delivery.done_at.is_(None), Delivery.reaction.startswith("trace.")
    )
    while True:
        with database.transaction(SYSTEM) as session:
            rows = session.execute(owed).all()
            leased = update(Delivery).values(lease_until=clock.machine_now() + timedelta(minutes=1))
            session.execute(leased.where(Delivery.done_at.is_(None)))
        if not rows:
            return
        for event_id, reaction in rows:
            tasks.pay(database, event_id, reaction)
        relay.fan_out(database)


def decide(database: Database, actor: Actor, batch: UUID, kind: str, **facts: Any) -> UUID:
    with database.transaction(actor) as session:
        new = BatchEventIn.model_validate({"id": new_id(), "kind": kind, "reason": "kiểm tra lại"} | facts)
        return batches.record_batch_event(session, actor, batch, new)


@pytest.fixture
def site(database: Database, world: World) -> UUID:
    return a_site(database, world.farmer, world.household, world.village)


@pytest.fixture
def product(database: Database, world: World) -> UUID:
    return a_product(database, world)


def test_a_batch_knows_its_harvests_days_and_lot(database: Database, world: World, site: UUID, product: UUID) -> None:
    pack = a_pack(database, world, product)
    theirs = a_site(database, world.neighbour, world.other, world.village)
    first, second = harvest(database, world.farmer, site, 4), harvest(database, world.neighbour, theirs, 2)
    batch = make(
        database, world.manager, product, first, second, variant_id=pack, quantity="15", made_on="2026-11-19",
        sources=[{"care_log_id": first.id}, {"care_log_id": second.id, "quantity": "5"}],
    )  # fmt: skip
    with database.transaction(world.manager) as session:
        row = queries.batch(session, world.manager, batch)
        sources = {s.log_organisation_id: s.quantity for s in session.scalars(select(BatchSource))}
        left = {h.id: h.left for h in queries.harvests(session, world.manager, product_id=product)}
        lot = queries.next_lot(session, session.get_one(Product, product), date(2026, 11, 18))
    assert (row.harvested_on, row.made_on, row.expires_on) == (
        date(2026, 11, 18),
        date(2026, 11, 19),
        date(2026, 11, 24),
    )
    assert sources == {world.household: Decimal(10), world.other: Decimal(5)}
    assert left == {second.id: Decimal(5)}
    assert lot == "NA-1126-01"
    # The one who gave the harvest sees where it went, though not the cooperative's batch itself.
    with database.transaction(world.farmer) as session:
        assert [s.batch_id for s in session.scalars(select(BatchSource))] == [batch]
        assert session.get(Batch, batch) is None


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"quantity": "10,5"}, "more_than_harvested"),
        ({"quantity": "10001", "unit": "g"}, "more_than_harvested"),
        ({"made_on": "2026-11-17"}, "made_before_harvest"),
        ({"made_on": "2026-11-21"}, "in_future"),
        ({"variant_id": new_id()}, "not_found"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_taken(
    database: Database, world: World, site: UUID, product: UUID, facts: dict[str, Any], code: str
) -> None:
    log = harvest(database, world.farmer, site)
    with pytest.raises(HoiError) as refused:
        make(database, world.manager, product, log, **facts)
    assert refused.value.code == code
    with database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Batch)) == 0
        assert session.scalar(select(func.count()).select_from(BatchSource)) == 0
    make(database, world.manager, product, log)


def test_kilograms_into_bottles_cannot_be_compared_and_grams_can(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    log = harvest(database, world.farmer, site)
    make(
        database,
        world.manager,
        product,
        log,
        quantity="400",
        unit="bottle",
        sources=[{"care_log_id": log.id, "quantity": "4"}],
    )
    make(database, world.manager, product, log, quantity="6000", unit="g")
    with pytest.raises(Invalid, match="harvest_used_up"):
        make(database, world.manager, product, log, quantity="1")


def test_only_harvests_with_a_quantity_can_be_used(database: Database, world: World, site: UUID, product: UUID) -> None:
    weeding, bare = a_log(site), a_log(site, "harvesting")
    write(database, world.farmer, weeding, bare)
    with pytest.raises(Invalid, match="not_a_harvest"):
        make(database, world.manager, product, weeding)
    with pytest.raises(Invalid, match="harvest_without_quantity"):
        make(database, world.manager, product, bare)


def test_two_batches_at_once_do_not_share_a_harvest(fresh_database: Database) -> None:
    world = build(fresh_database)
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    product = a_product(fresh_database, world)
    log = harvest(fresh_database, world.farmer, site)

    def take(_: int) -> str:
        try:
            make(
                fresh_database,
                world.manager,
                product,
                log,
                quantity="3",
                sources=[{"care_log_id": log.id, "quantity": "3"}],
            )
        except Invalid as error:
            return error.code
        return "made"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(take, range(8)))
    assert (answers.count("made"), answers.count("harvest_used_up")) == (3, 5)


def test_the_same_batch_again_and_a_taken_lot(database: Database, world: World, site: UUID, product: UUID) -> None:
    log, other = harvest(database, world.farmer, site), harvest(database, world.farmer, site)
    batch = new_id()
    for _ in range(2):
        assert make(database, world.manager, product, log, id=batch, lot="NA-1126-01") == batch
    with pytest.raises(Conflict, match="same_id_other_content"):
        make(database, world.manager, product, log, id=batch, lot="NA-1126-02")
    with pytest.raises(Conflict) as taken:
        make(database, world.manager, product, other, lot="na-1126-01")
    assert "NA-1126-02" in taken.value.vi
    with database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(BatchEvent)) == 1


def test_who_makes_batches_and_of_whose_harvests(database: Database, world: World, site: UUID, product: UUID) -> None:
    log = harvest(database, world.farmer, site)
    for actor, error in ((world.farmer, Forbidden), (world.stranger, NotFound), (world.official, Forbidden)):
        with pytest.raises(error):
            make(database, actor, product, log)
    theirs = a_site(database, world.stranger, world.foreign, world.village)
    foreign = harvest(database, world.stranger, theirs)
    with pytest.raises(NotFound):
        make(database, world.manager, product, foreign)
    make(database, world.purchaser, product, log)


# --- days to wait ------------------------------------------------------------------------------------------------


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
            "Thu hoạch ngày 18/11/2026 sau lần dùng thuốc ngày 18/11/2026 chưa rõ thời gian cách ly"
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
            batches.tell_held(session, SYSTEM, read(BatchHeld, row.body))
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


def correct(database: Database, actor: Actor, log: CareLogIn, **facts: Any) -> None:
    """Write how this step really was: as it is there, but for these facts."""
    whole = log.model_dump(exclude_unset=True) | {"id": new_id(), "reason": "ghi nhầm"} | facts
    with database.transaction(actor) as session:
        outcome = diary.correct_care_log(session, actor, log.id, CorrectionIn.model_validate(whole))
    assert outcome.status == "stored"


def held_for(database: Database, batch: UUID) -> list[tuple[date | None, date | None]]:
    """The first day allowed and the day of the harvest of each hold by rule, in their order."""
    with database.transaction(SYSTEM) as session:
        return [
            (e.allowed_from, e.harvested_on)
            for e in queries.events_of(session, batch)
            if e.kind == "held" and e.cause_id is not None
        ]


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


@pytest.mark.parametrize("mistaken", ["harvest", "step", "withdrawn step"])
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
    minutes = iter(range(1, 100))

    def diary_says(*, early_again: bool) -> None:
        clock_at(NOON + timedelta(minutes=next(minutes)))
        if mistaken == "harvest":
            day = NOON - timedelta(days=3 if early_again else 0)
            correct(database, world.farmer, log, happened_at=day, quantity=10, unit="kg")
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


def test_what_is_said_outside_of_a_hold_names_no_site_and_no_telephone(
    database: Database, world: World, product: UUID
) -> None:
    garden = a_site(database, world.farmer, world.household, world.village, name="vườn bà Lành")
    write(database, world.farmer, a_log(garden, "spraying", 3, material="Thuốc của 0912345678", pre_harvest_days=7))
    batch = make(database, world.manager, product, harvest(database, world.farmer, garden, 2))
    with database.transaction(SYSTEM) as session:
        rows = session.scalars(select(OutboxEvent).where(OutboxEvent.name == BatchHeld.name)).all()
        for row in rows:
            batches.tell_held(session, SYSTEM, read(BatchHeld, row.body))
        standing = queries.standing(session, batch)
        body = session.scalars(select(Notice.body)).one()
    assert standing.event is not None
    assert "Lành" not in str(standing.event.reason)
    assert queries.public_reason(standing.event) == body
    assert body.vi == (
        "Thu hoạch ngày 18/11/2026 khi chưa hết thời gian cách ly: dùng Thuốc của [số đã che] ngày 17/11/2026,"
        " được thu từ 24/11/2026."
    )


def test_a_hold_of_a_recalled_batch_is_told_with_its_own_reason(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site, 2))
    decide(database, world.manager, batch, "recalled", reason="Dư lượng vượt mức")
    write(database, world.farmer, a_log(site, "spraying", 3, material="Dầu khoáng", pre_harvest_days=7))
    react(database)
    with database.transaction(SYSTEM) as session:
        for row in session.scalars(select(OutboxEvent).where(OutboxEvent.name == BatchHeld.name)).all():
            batches.tell_held(session, SYSTEM, read(BatchHeld, row.body))
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
            (line,), total = queries.batch_lines(session, world.manager)
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


# --- decisions ---------------------------------------------------------------------------------------------------


def test_decisions_follow_each_other_and_recall_goes_before_hold(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site))
    seen = []
    for kind in ("held", "recalled", "recall_lifted", "released"):
        decide(database, world.manager, batch, kind)
        seen.append(state(database, batch))
    assert seen == ["held", "recalled", "held", "open"]
    with database.transaction(SYSTEM) as session:
        names = session.scalars(select(OutboxEvent.name).order_by(OutboxEvent.position)).all()
    assert names.count("trace.batch_changed") == 4
    assert names.count("trace.recall_launched") == 1


def test_decisions_that_change_nothing_and_of_others_are_refused(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site))
    event = new_id()
    for _ in range(2):
        assert decide(database, world.manager, batch, "held", id=event) == event
    for kind in ("held", "recall_lifted"):
        with pytest.raises(Conflict, match="already_so"):
            decide(database, world.manager, batch, kind)
    for actor, error in (
        (world.stranger, NotFound),
        (world.farmer, NotFound),
        (world.purchaser, Forbidden),
        (world.official, Forbidden),
    ):
        with pytest.raises(error):
            decide(database, actor, batch, "released")
    assert state(database, batch) == "held"


def test_a_batch_keeps_its_code_and_a_gs1_code_needs_a_gtin(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site))
    with database.transaction(world.manager) as session:
        code = batches.issue_code(session, world.manager, batch)
        assert batches.issue_code(session, world.manager, batch) == code
        with pytest.raises(Invalid, match="no_gtin"):
            batches.issue_code(session, world.manager, batch, CodeKind.GS1)
    assert codes.is_canonical(code)
    with database.transaction(SYSTEM) as session:
        found = queries.batch_by_code(session, code)
        assert found is not None
        assert found.id == batch
        assert queries.batch_by_code(session, "0" * 13) is None
        assert session.scalar(select(func.count()).select_from(TraceCode)) == 1
