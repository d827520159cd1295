"""Which products count for a village on a day, and which left, when and why."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from app.accounts.models import Organisation
from app.actor import SYSTEM
from app.db import Database, new_id
from app.products import certificates, queries, service
from app.products.schemas import EditProduct, WithdrawCertificate
from tests.app.products.records import certify, names
from tests.worlds.farm import NOON, World, a_product


def counted(
    database: Database, world: World, rule: str, on: date, *, left: bool = False, **how: Any
) -> dict[UUID, list[tuple[Any, ...]]]:
    """What counts for the two villages, or what left them, why and when."""
    with database.transaction(SYSTEM) as session:
        rows = queries.ocop_products_of_villages(
            session, [world.village, world.second_village], rule=rule, on=on, **how
        )
    found: dict[UUID, list[tuple[Any, ...]]] = {}
    for r in rows:
        if left and r.left is not None:
            found.setdefault(r.village_id, []).append((r.name.vi, r.certificate, r.left, r.left_on))
        elif not left and r.left is None:
            found.setdefault(r.village_id, []).append((r.name.vi, r.certificate, r.stars, r.valid_to, r.lapsed_on))
    return found


def test_products_count_by_seat_or_by_where_they_are_made(database: Database, world: World) -> None:
    na = a_product(database, world, village_ids=(world.second_village,))
    a_product(database, world, name_vi="Mật ong", village_ids=(world.village, world.second_village))
    certify(database, world.manager, world, na)
    certify(database, world.manager, world, na, decided_on=date(2025, 6, 1), stars=5, decision_number="30/QĐ")
    today = date(2026, 11, 20)
    good = ("Na dai Đồng Mẫu", "valid", 5, date(2028, 6, 1), None)
    bare = ("Mật ong", "none", None, None, None)
    assert counted(database, world, "holder_seat", today) == {world.village: [bare, good]}
    assert counted(database, world, "producing_village", today) == {
        world.village: [bare],
        world.second_village: [bare, good],
    }
    assert counted(database, world, "holder_seat", today, known_at=NOON - timedelta(days=1)) == {}
    lapsed = ("Na dai Đồng Mẫu", "lapsed", None, None, date(2028, 6, 2))
    assert counted(database, world, "holder_seat", date(2028, 7, 1)) == {world.village: [bare, lapsed]}


def test_a_row_taken_back_from_its_first_day_never_counted(database: Database, world: World) -> None:
    product = a_product(database, world)
    row = certify(database, world.manager, world, product)
    with database.transaction(world.manager) as session:
        asked = WithdrawCertificate(id=new_id(), withdrawn_on=date(2024, 3, 1))
        certificates.withdraw_certificate(session, world.manager, row, asked)
    assert counted(database, world, "holder_seat", date(2026, 11, 20)) == {
        world.village: [("Na dai Đồng Mẫu", "none", None, None, None)]
    }


def test_retired_products_leave_and_the_past_keeps_its_answer(database: Database, world: World, clock_at: Any) -> None:
    product = a_product(database, world)
    certify(database, world.manager, world, product)
    clock_at(NOON + timedelta(days=10))
    with database.transaction(world.manager) as session:
        service.retire_product(session, world.manager, product, 1)
        service.retire_product(session, world.manager, product, 1)
    assert counted(database, world, "holder_seat", date(2026, 11, 30)) == {}
    assert counted(database, world, "holder_seat", date(2026, 11, 30), left=True) == {
        world.village: [("Na dai Đồng Mẫu", "valid", "retired", date(2026, 11, 30))]
    }
    assert list(counted(database, world, "holder_seat", date(2026, 11, 29))) == [world.village]
    before = NOON + timedelta(days=9)
    assert list(counted(database, world, "holder_seat", date(2026, 11, 30), known_at=before)) == [world.village]
    assert names(database).count("products.product_retired") == 1
    with database.transaction(SYSTEM) as session:
        session.execute(update(Organisation).where(Organisation.id == world.cooperative).values(village_id=None))
    assert counted(database, world, "holder_seat", date(2026, 11, 29)) == {}


def test_product_made_elsewhere_since_a_day_leaves_its_village_and_says_when(
    database: Database, world: World, clock_at: Any
) -> None:
    product = a_product(database, world, village_ids=(world.village,))
    certify(database, world.manager, world, product)
    clock_at(NOON + timedelta(days=10))
    with database.transaction(world.manager) as session:
        edit = EditProduct(version=1, name_vi="Na dai Đồng Mẫu", village_ids=(world.second_village,))
        service.update_product(session, world.manager, product, edit)
    then, now = date(2026, 11, 29), date(2026, 11, 30)
    assert list(counted(database, world, "producing_village", then)) == [world.village]
    assert list(counted(database, world, "producing_village", now)) == [world.second_village]
    assert counted(database, world, "producing_village", now, left=True) == {
        world.village: [("Na dai Đồng Mẫu", "valid", "moved", now)]
    }
    before = NOON + timedelta(days=9)
    assert list(counted(database, world, "producing_village", now, known_at=before)) == [world.village]
