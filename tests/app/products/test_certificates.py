"""Certificates: what is refused, and what holds on a day."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, HoiError
from app.outbox import OutboxEvent
from app.products import certificates, queries
from app.products.models import Certificate
from app.products.schemas import WithdrawCertificate
from tests.app.products.records import certify, count, names
from tests.worlds.farm import NOON, World, a_product


def valid(database: Database, product: UUID, on: date, **how: Any) -> list[str]:
    with database.transaction(SYSTEM) as session:
        return [c.decision_number for c in queries.certificates_on(session, [product], on, **how).get(product, [])]


@pytest.mark.parametrize(
    ("decided", "until"),
    [
        (date(2024, 3, 1), date(2027, 3, 1)),
        (date(2024, 2, 29), date(2027, 2, 28)),
        (date(2023, 11, 30), date(2026, 11, 30)),
    ],
)
def test_ocop_holds_for_36_months_from_the_decision(decided: date, until: date) -> None:
    assert certificates.months_after(decided, 36) == until


def test_valid_on_a_date_is_a_question(database: Database, world: World) -> None:
    product = a_product(database, world)
    certify(database, world.manager, world, product)
    assert valid(database, product, date(2024, 2, 29)) == []
    assert valid(database, product, date(2024, 3, 1)) == ["12/QĐ-UBND"]
    assert valid(database, product, date(2027, 3, 1)) == ["12/QĐ-UBND"]
    assert valid(database, product, date(2027, 3, 2)) == []
    assert valid(database, product, date(2026, 1, 1), known_at=NOON - timedelta(seconds=1)) == []
    with database.transaction(SYSTEM) as session:
        lapse = session.scalars(select(OutboxEvent).where(OutboxEvent.name == "products.certificate_lapsed")).one()
    assert lapse.due_at == clock.start_of_day(date(2027, 3, 2))


def test_one_of_the_whole_organisation_speaks_for_each_product(database: Database, world: World) -> None:
    one, two = a_product(database, world), a_product(database, world, name_vi="Mật ong")
    certify(
        database,
        world.manager,
        world,
        None,
        scheme="food_safety",
        stars=None,
        decision_number="ATTP-7",
        valid_to=date(2027, 1, 1),
    )
    certify(database, world.manager, world, one)
    assert valid(database, one, date(2026, 11, 20)) == ["12/QĐ-UBND", "ATTP-7"]
    assert valid(database, two, date(2026, 11, 20)) == ["ATTP-7"]


def test_a_correction_replaces_a_row_and_both_stay(database: Database, world: World) -> None:
    product = a_product(database, world)
    wrong = certify(database, world.manager, world, product, decision_number="21/QĐ")
    right = certify(database, world.manager, world, product, supersedes_id=wrong)
    assert valid(database, product, date(2026, 11, 20)) == ["12/QĐ-UBND"]
    assert count(database, Certificate) == 2
    with pytest.raises(Conflict, match="certificate_followed"):
        certify(database, world.manager, world, product, supersedes_id=wrong)
    with database.transaction(world.manager) as session:
        lines = {
            li.certificate.id: li.state
            for li in queries.certificate_lines(session, world.manager, product, date(2026, 11, 20))
        }
    assert lines == {wrong: "replaced", right: "valid"}


def test_a_withdrawn_certificate_held_until_the_day_before(database: Database, world: World) -> None:
    product = a_product(database, world)
    row = certify(database, world.manager, world, product)
    asked = WithdrawCertificate(id=new_id(), withdrawn_on=date(2026, 5, 1))
    for _ in range(2):
        with database.transaction(world.manager) as session:
            assert certificates.withdraw_certificate(session, world.manager, row, asked) == asked.id
    assert valid(database, product, date(2026, 4, 30)) == ["12/QĐ-UBND"]
    assert valid(database, product, date(2026, 5, 1)) == []
    with pytest.raises(Conflict, match="certificate_followed"), database.transaction(world.manager) as session:
        certificates.withdraw_certificate(
            session, world.manager, row, WithdrawCertificate(id=new_id(), withdrawn_on=date(2026, 6, 1))
        )


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"stars": 2}, "ocop_stars"),
        ({"stars": None}, "ocop_stars"),
        ({"scheme": "vietgap"}, "stars_without_ocop"),
        ({"decided_on": date(2026, 11, 21)}, "decided_in_future"),
        ({"valid_from": date(2024, 2, 1)}, "valid_before_decision"),
        ({"valid_to": date(2024, 2, 1)}, "valid_to"),
        ({"valid_to": date(2050, 1, 1)}, "valid_to"),
        ({"file_sha256": "0" * 64}, "file_unknown"),
        ({"supersedes_id": new_id()}, "not_found"),
    ],
)
def test_certificates_that_cannot_be_are_refused(
    database: Database, world: World, facts: dict[str, Any], code: str
) -> None:
    product = a_product(database, world)
    before = names(database)
    with pytest.raises(HoiError) as refused:
        certify(database, world.manager, world, product, **facts)
    assert refused.value.code == code
    assert count(database, Certificate) == 0
    assert names(database) == before


def test_an_ocop_certificate_needs_its_product_and_strangers_write_none(database: Database, world: World) -> None:
    product = a_product(database, world)
    with pytest.raises(HoiError) as refused:
        certify(database, world.manager, world, None)
    assert refused.value.code == "ocop_product"
    for actor in (world.stranger, world.official, world.farmer):
        with pytest.raises(Forbidden):
            certify(database, actor, world, product)
    assert count(database, Certificate) == 0
