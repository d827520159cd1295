"""Batches: never more than was harvested, on hold where the diary says so, and states read from events."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, HoiError, Invalid, NotFound
from app.notices.models import Notice
from app.outbox import OutboxEvent, read
from app.products import certificates
from app.products import queries as products
from app.products.models import Product
from app.products.schemas import NewCertificate, WithdrawCertificate
from app.trace import batches, codes, diary, queries
from app.trace.events import BatchHeld, CareLogCorrected, CareLogRecorded
from app.trace.models import Batch, BatchEvent, BatchSource, CodeKind, TraceCode
from app.trace.schemas import BatchEventIn, CareLogIn, CorrectionIn, NewBatch
from tests.app.trace.farm import World, a_cycle, a_log, a_pack, a_product, a_site, build, write


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
            "Thu hoạch ngày 18/11/2026 ở Vườn trên khi chưa hết thời gian cách ly: dùng Dầu khoáng ngày 14/11/2026,"
            " được thu từ 19/11/2026."
        )


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


def test_corrections_of_harvests_hold_the_batch(database: Database, world: World, site: UUID, product: UUID) -> None:
    less, gone, fine = (harvest(database, world.farmer, site, 2) for _ in range(3))
    made = {log.id: make(database, world.manager, product, log, quantity="9") for log in (less, gone, fine)}

    def correct(log: CareLogIn, **facts: Any) -> None:
        whole = {
            "id": new_id(),
            "site_id": site,
            "kind": "harvesting",
            "happened_at": log.happened_at,
            "reason": "cân lại",
        }
        with database.transaction(world.farmer) as session:
            diary.correct_care_log(session, world.farmer, log.id, CorrectionIn.model_validate(whole | facts))

    correct(less, quantity=8, unit="kg")
    correct(gone, quantity=10, unit="kg", withdrawn="1")
    correct(fine, quantity=12, unit="kg")
    react(database)
    assert [state(database, made[log.id]) for log in (less, gone, fine)] == ["held", "held", "open"]


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


# --- the public fields -------------------------------------------------------------------------------------------


def test_the_public_batch_says_who_where_when_and_what_nobody_wrote(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    cycle = a_cycle(database, world.farmer, site, product, date(2026, 7, 15))
    for days_ago, kind, facts in (
        (120, "fertilising", {"material": "Phân chuồng hoai", "quantity": 3, "unit": "basket"}),
        (
            118,
            "fertilising",
            {"material": "Phân chuồng hoai", "quantity": 2, "unit": "basket", "witness": "cooperative"},
        ),
        (40, "spraying", {"material": "Dầu khoáng", "pre_harvest_days": 7}),
    ):
        writer = world.manager if "witness" in facts else world.farmer
        log = a_log(
            site, kind, days_ago, cycle_id=cycle, note="không công khai", performed_by=world.farmer.person_id, **facts
        )
        assert write(database, writer, log) == ["stored"]
    log = harvest(database, world.farmer, site, 2, cycle_id=cycle)
    with database.transaction(world.manager) as session:
        for number, decided_on in (("1/QĐ", "2024-01-10"), ("2/QĐ", "2026-02-01")):
            certificates.record_certificate(
                session,
                world.manager,
                NewCertificate(
                    id=new_id(), organisation_id=world.cooperative, product_id=product, scheme="ocop", stars=4,
                    issuer="UBND tỉnh Thử", decision_number=number, decided_on=decided_on,
                ),
            )  # fmt: skip
        standing = products.certificates_on(session, [product], date(2026, 11, 20))[product]
        assert [c.decision_number for c in standing] == ["2/QĐ", "1/QĐ"]
        certificates.withdraw_certificate(
            session, world.manager, standing[1].id, WithdrawCertificate(id=new_id(), withdrawn_on=date(2026, 11, 20))
        )
    batch = make(database, world.manager, product, log, made_on="2026-11-19")
    with database.transaction(world.manager) as session:
        code = batches.issue_code(session, world.manager, batch)
    with database.transaction(SYSTEM) as session:
        public = queries.public_batch(session, batch)
    assert public.holder_name == "HTX Mẫu"
    assert public.grown_in == ("thôn Nà Mẫu, xã Đồng Mẫu, tỉnh Thử",)
    assert (public.season_from, public.harvested_on, public.growers) == (date(2026, 7, 15), date(2026, 11, 18), 1)
    assert [(s.month, s.kind, s.times, s.materials, s.witnesses, s.by) for s in public.timeline] == [
        (date(2026, 7, 1), "fertilising", 2, ("Phân chuồng hoai",), ("farmer", "cooperative"), ("một người của hộ",)),
        (date(2026, 10, 1), "spraying", 1, ("Dầu khoáng",), ("farmer",), ("một người của hộ",)),
        (date(2026, 11, 1), "harvesting", 1, (), ("farmer",), ("một người của hộ",)),
    ]
    assert [(g.first_month, g.last_month) for g in public.gaps] == [(date(2026, 8, 1), date(2026, 9, 1))]
    assert [c.decision_number for c in public.certificates] == ["2/QĐ"]
    assert [c.decision_number for c in public.lapsed] == ["1/QĐ"]
    assert (public.state, public.codes) == ("open", (code,))
    assert public.next_change_on == date(2029, 2, 2)
    assert "không công khai" not in repr(public)
    assert str(world.farmer.person_id) not in repr(public)
    assert public.made_on - timedelta(days=1) == public.harvested_on
